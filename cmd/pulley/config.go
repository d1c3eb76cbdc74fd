package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/internal/control/client"
	"pulley/internal/sudo"
)

func (a *app) config() *cobra.Command {
	return group("config", "the settings file", a.configGet(), a.configSet(), a.configEdit(), a.configCheck(), a.configPath())
}

// configFile is that of the daemon that runs, which may have been started with another than the usual one.
func configFile(cmd *cobra.Command) (path string, err error) {
	err = with(cmd, func(c *client.Client) error {
		state, err := c.State(cmd.Context())
		path = state.ConfigFile
		return err
	})
	if errors.Is(err, client.ErrNotRunning) {
		var places config.Places
		places, err = config.FindPlaces(os.Environ())
		path = places.ConfigFile
	}
	return path, err
}

func (a *app) configPath() *cobra.Command {
	return &cobra.Command{
		Use: "path", Short: "where the file is", Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := configFile(cmd)
			if err != nil {
				return err
			}
			return a.print(cmd, map[string]string{"path": path}, func(w io.Writer) { _, _ = fmt.Fprintln(w, path) })
		},
	}
}

func (a *app) configCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check [FILE]", Short: "say what is wrong with the file, and where",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{errors.New("check: want one file, or none; see: pulley config check --help")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var path string
			var err error
			if len(args) == 1 {
				path = args[0]
				if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("%s: no such file; without one the defaults are in force; see: pulley config path", path)
				}
			} else if path, err = configFile(cmd); err != nil {
				return err
			}
			c, err := config.Load(path, os.Environ())
			if err != nil {
				return err
			}
			return a.print(cmd, map[string]any{"path": path, "ok": true, "notices": c.Notices()}, func(w io.Writer) {
				_, _ = fmt.Fprintf(w, "%s: fine\n", path)
				for _, notice := range c.Notices() {
					_, _ = fmt.Fprintln(w, notice)
				}
			})
		},
	}
}

// configGet works without a daemon too: what is in the file is what would be in force.
func (a *app) configGet() *cobra.Command {
	return &cobra.Command{
		Use: "get KEY", Short: "the value in force of a key such as cache.max_size", Args: exactly(1, "a key such as cache.max_size"),
		RunE: func(cmd *cobra.Command, args []string) error {
			value, err := setting(cmd, args[0])
			if err != nil {
				return err
			}
			return a.print(cmd, control.Setting{Key: args[0], Value: value}, func(w io.Writer) { _, _ = fmt.Fprintln(w, value) })
		},
	}
}

func setting(cmd *cobra.Command, key string) (value string, err error) {
	err = with(cmd, func(c *client.Client) error {
		value, err = c.Setting(cmd.Context(), key)
		return err
	})
	if !errors.Is(err, client.ErrNotRunning) {
		return value, err
	}
	path, err := configFile(cmd)
	if err != nil {
		return "", err
	}
	c, err := config.Load(path, os.Environ())
	if err != nil {
		return "", err
	}
	return c.Get(key)
}

// configSet asks the daemon, which alone writes the file while it runs.
func (a *app) configSet() *cobra.Command {
	return &cobra.Command{
		Use: "set KEY VALUE", Short: "change a key; comments and order stay", Args: exactly(2, "a key and a value"),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := with(cmd, func(c *client.Client) error { return c.SetSetting(cmd.Context(), args[0], args[1]) })
			if errors.Is(err, client.ErrNotRunning) {
				err = setInFile(cmd, args[0], args[1])
			}
			if err != nil {
				return err
			}
			return a.print(cmd, control.Setting{Key: args[0], Value: args[1]}, func(w io.Writer) { _, _ = fmt.Fprintf(w, "%s = %s\n", args[0], args[1]) })
		},
	}
}

func setInFile(cmd *cobra.Command, key, value string) error {
	path, err := configFile(cmd)
	if err != nil {
		return err
	}
	store, err := config.Open(path, os.Environ(), nil)
	if err != nil {
		return err
	}
	return store.Set(key, value)
}

func (a *app) configEdit() *cobra.Command {
	return &cobra.Command{
		Use: "edit", Short: "open the file in $VISUAL, $EDITOR or the usual editor, then check it", Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := configFile(cmd)
			if err != nil {
				return err
			}
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				return err
			}
			editor := os.Getenv("VISUAL")
			if editor == "" {
				editor = os.Getenv("EDITOR")
			}
			if editor == "" {
				editor = usualEditor()
			}
			if editor == "" {
				return fmt.Errorf("config: no editor is set; set EDITOR, or edit %s", path)
			}
			if f, err := os.OpenFile(path, os.O_RDWR, 0); err == nil {
				_ = f.Close()
			} else if errors.Is(err, fs.ErrPermission) {
				return fmt.Errorf("config: %s is not yours to write; next: pulley config set KEY VALUE, or %s", path, sudo.Command("config", "edit"))
			}
			program := editorCommand(cmd.Context(), editor, path)
			program.Stdin, program.Stdout, program.Stderr = os.Stdin, os.Stdout, os.Stderr
			if err := program.Run(); err != nil {
				return fmt.Errorf("config: %s: %w", editor, err)
			}
			_, err = config.Load(path, os.Environ())
			return err
		},
	}
}
