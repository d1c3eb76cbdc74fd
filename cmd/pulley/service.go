package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pulley/internal/config"
	"pulley/internal/control/client"
	"pulley/internal/service"
	"pulley/internal/trust"
)

func (a *app) service() *cobra.Command {
	return group("service", "the daemon in the background, kept running by the system",
		a.serviceInstall(), a.serviceUninstall(), a.serviceStart(), a.serviceStop(), a.serviceStatus(), serviceRun(), serviceHandOver())
}

// systemFlag says whose service is meant.
func systemFlag(cmd *cobra.Command, o *service.Options) {
	cmd.Flags().BoolVar(&o.System, "system", false, "the whole system's, under a user of its own, in place of yours")
}

// say prints what is worth knowing on the way.
func say(cmd *cobra.Command) func(string) {
	return func(line string) { _, _ = fmt.Fprintln(cmd.ErrOrStderr(), "pulley: "+line) }
}

// serviceCommand is a command that does something to the service and says how it is then.
func (a *app) serviceCommand(use, short string, flags func(*cobra.Command, *service.Options), do func(context.Context, *service.Service) error) *cobra.Command {
	var o service.Options
	cmd := &cobra.Command{
		Use: use, Short: short, Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Say = say(cmd)
			s, err := service.New(o)
			if err != nil {
				return err
			}
			if err := do(cmd.Context(), s); err != nil {
				return err
			}
			status, err := s.Status(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(cmd, status, func(w io.Writer) { printService(w, status) })
		},
	}
	systemFlag(cmd, &o)
	if flags != nil {
		flags(cmd, &o)
	}
	return cmd
}

func (a *app) serviceInstall() *cobra.Command {
	var noStart bool
	var options *service.Options
	cmd := a.serviceCommand("install", "install the service, or bring it up to date, and start it",
		func(cmd *cobra.Command, o *service.Options) {
			options = o
			cmd.Flags().BoolVar(&noStart, "no-start", false, "only from the next login or boot on")
		},
		func(ctx context.Context, s *service.Service) error {
			for _, name := range unseen(os.Environ(), options.System) {
				options.Say("the service does not see this shell's " + name)
			}
			if !options.System {
				if file, taken := portIsTheSystems(ctx); taken {
					return fmt.Errorf("service: the system's service runs and has the port, for everybody on this machine; "+
						"see: pulley service status --system; one of your own beside it wants another listen in %s", file)
				}
			}
			return s.Install(ctx, !noStart)
		})
	cmd.Long = "Has the platform's own service manager keep `pulley up` running: a unit of your own under systemd, an agent of launchd,\n" +
		"a task at logon on Windows; with --system a service of the whole system that starts at boot.\n" +
		"It runs this program from where it is now. Run it again after an upgrade: the new daemon takes over, no transfer breaks."
	return cmd
}

// portIsTheSystems says that the system's service runs at the port where this person's would be. A daemon of the person's own
// that has the port hands it over. File is where the person's port is said.
func portIsTheSystems(ctx context.Context) (file string, taken bool) {
	system, err := service.New(service.Options{System: true})
	if err != nil {
		return "", false
	}
	if status, err := system.Status(ctx); err != nil || !status.Running {
		return "", false
	}
	places, err := config.FindPlaces(os.Environ())
	if err != nil {
		return "", false
	}
	c := client.New(places.ControlSocket)
	defer c.Close()
	if _, err := c.Version(ctx); err == nil {
		return "", false
	}
	own, err := config.Load(places.ConfigFile, os.Environ())
	if err != nil {
		return "", false
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", own.Listen)
	if err != nil {
		return places.ConfigFile, true
	}
	_ = l.Close()
	return "", false
}

// unseen are the variables that a daemon of this shell goes by and the service does not, in their order.
func unseen(environ []string, system bool) (names []string) {
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		switch {
		case value == "":
		case name == "PULLEY_HOME" && !system: // the unit keeps it
		case strings.HasPrefix(name, "PULLEY_"), slices.Contains([]string{
			"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "DOCKER_CONFIG",
		}, name):
			names = append(names, name)
		}
	}
	return names
}

func (a *app) serviceUninstall() *cobra.Command {
	var options *service.Options
	return a.serviceCommand("uninstall", "stop the service and remove all that install made",
		func(cmd *cobra.Command, o *service.Options) {
			options = o
			cmd.Flags().BoolVar(&o.KeepData, "keep-data", false, "with --system: leave its settings, keys, cache and user")
		},
		func(ctx context.Context, s *service.Service) error {
			if options.System && !options.KeepData && os.Geteuid() == 0 { // its authority goes, and so does what remembers who trusts that
				if err := (trust.Store{Dir: config.SystemPlaces().CADir, NoBrowsers: true}).Uninstall(ctx); err != nil {
					return err
				}
			}
			return s.Uninstall(ctx)
		})
}

func (a *app) serviceStart() *cobra.Command {
	return a.serviceCommand("start", "start the service; one whose program was replaced hands over to a new one", nil,
		func(ctx context.Context, s *service.Service) error { return s.Start(ctx) })
}

func (a *app) serviceStop() *cobra.Command {
	return a.serviceCommand("stop", "stop the service until the next login or boot", nil,
		func(ctx context.Context, s *service.Service) error { return s.Stop(ctx) })
}

func (a *app) serviceStatus() *cobra.Command {
	var options *service.Options
	return a.serviceCommand("status", "whether it is installed and runs, since when, and where it logs",
		func(_ *cobra.Command, o *service.Options) { options = o },
		func(ctx context.Context, own *service.Service) error {
			status, err := own.Status(ctx)
			if err != nil || options.System || status.Installed {
				return err
			}
			if system, err := service.New(service.Options{System: true}); err == nil {
				if status, err := system.Status(ctx); err == nil && status.Installed {
					options.Say("this is about a service of your own; the system's is installed: pulley service status --system")
				}
			}
			return nil
		})
}

func printService(w io.Writer, s service.Status) {
	_, _ = fmt.Fprintf(w, "%s (%s)\n", s.Detail, s.Kind)
	if s.Running {
		if s.PID != 0 {
			_, _ = fmt.Fprintf(w, "  process  %d\n", s.PID)
		}
		if s.Since != nil {
			_, _ = fmt.Fprintf(w, "  since    %s\n", s.Since.Local().Format(time.DateTime))
		}
	}
	for _, row := range [][2]string{{"unit", s.Unit}, {"log", s.Log}} {
		if row[1] != "" {
			_, _ = fmt.Fprintf(w, "  %-8s %s\n", row[0], row[1])
		}
	}
	for _, hint := range s.Hints {
		_, _ = fmt.Fprintf(w, "%s\n", hint)
	}
}

// daemonArgs are what services run.
var daemonArgs = []string{"up", "--take-over"}

// serviceRun is what scripts of ours run where the service manager does not restart what fails.
func serviceRun() *cobra.Command {
	var log, home string
	cmd := &cobra.Command{
		Use: "run", Short: "keep a daemon running in the foreground; SIGHUP has a new one take over", Args: exactly(0, "no arguments"),
		Long: "Runs `pulley up --take-over` and starts it again when it fails, for machines whose service manager does not. At SIGHUP it\n" +
			"starts a new one, which takes over.",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			program, err := os.Executable()
			if err != nil {
				return err
			}
			// After an upgrade the program is another file of that name.
			program = strings.TrimSuffix(program, " (deleted)")
			k := service.Keeper{Program: program, Args: daemonArgs, Output: cmd.ErrOrStderr(), Environ: os.Environ()}
			if home != "" {
				k.Environ = append(k.Environ, "PULLEY_HOME="+home)
			}
			if log != "" {
				file, err := service.OpenLog(log)
				if err != nil {
					return err
				}
				defer func() { _ = file.Close() }()
				k.Output = file
			}
			renew := make(chan os.Signal, 1)
			if signals := service.Renewals(); len(signals) > 0 {
				signal.Notify(renew, signals...)
				defer signal.Stop(renew)
			}
			err = k.Keep(cmd.Context(), renew)
			if err != nil {
				_, _ = fmt.Fprintln(k.Output, "pulley:", err)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&log, "log", "", "file for what daemons print, in place of stderr")
	cmd.Flags().StringVar(&home, "home", "", "PULLEY_HOME of the daemon")
	return cmd
}

// serviceHandOver is what systemd runs at `systemctl reload`.
func serviceHandOver() *cobra.Command {
	return &cobra.Command{
		Use: "hand-over", Short: "start a daemon that takes over from the one that runs", Hidden: true, Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			program, err := os.Executable()
			if err != nil {
				return err
			}
			places, err := config.FindPlaces(os.Environ())
			if err != nil {
				return err
			}
			c := client.New(places.ControlSocket)
			defer c.Close()
			ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
			defer cancel()
			return service.HandOver(ctx, program, daemonArgs, func(ctx context.Context) (int, error) {
				v, err := c.Version(ctx)
				return v.PID, err
			})
		},
	}
}

// underManager lets a command that runs the daemon answer the service manager that started it.
func underManager(cmd *cobra.Command) *cobra.Command {
	inner := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return service.Under(cmd.Context(), func(ctx context.Context) error {
			cmd.SetContext(ctx)
			return inner(cmd, args)
		})
	}
	return cmd
}
