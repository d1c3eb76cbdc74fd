package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	dockercontext "pulley/internal/docker/context"
	"pulley/internal/docker/machine"
	"pulley/internal/docker/wiring"
)

// connectElsewhere is connect with --context. --mirror takes no value but behind "=", so the URL is an argument.
func (a *app) connectElsewhere(cmd *cobra.Command, c *connecting, args []string) error {
	w := contextWiring{name: c.context, mirror: c.mirror, dryRun: c.dryRun, yes: c.yes}
	if w.mirror == mirrorHere && len(args) > 0 {
		w.mirror, args = args[0], args[1:]
	}
	for _, flag := range []string{"proxy", "reach", "insecure", "search", "test", "backups"} {
		if cmd.Flags().Changed(flag) {
			return usageError{fmt.Errorf("connect: --%s is for engines here, not with --context", flag)}
		}
	}
	if len(args) > 0 {
		return usageError{fmt.Errorf("connect: %s: --context says which engine is meant", args[0])}
	}
	return a.connectContext(cmd, w)
}

// disconnectElsewhere is disconnect with --context.
func (a *app) disconnectElsewhere(cmd *cobra.Command, c *connecting, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("disconnect: %s: --context says which engine is meant", args[0])}
	}
	return a.disconnectContext(cmd, contextWiring{name: c.context, dryRun: c.dryRun, yes: c.yes})
}

// contextWiring is what a person says about the engine of a context.
type contextWiring struct {
	name   string // of the context
	mirror string // URL of the Pulley that its engine shall use
	dryRun bool
	yes    bool
}

// over calls f with a wirer of the context's machine.
func (c contextWiring) over(ctx context.Context, f func(*wiring.Wirer) error) error {
	return withContexts(func(b *dockercontext.Book) error {
		address, err := b.SSH(c.name)
		if err != nil {
			return err
		}
		m, err := machine.ConnectSSH(ctx, machine.SSHOptions{URL: address, Name: c.name, Sudo: true})
		if err != nil {
			return err
		}
		defer func() { _ = m.Close() }()
		w, err := remoteWirer(m)
		if err != nil {
			return err
		}
		return f(w)
	})
}

// target is the mirror as engines take it.
func (c contextWiring) target() (string, error) {
	if c.mirror == "" || c.mirror == mirrorHere {
		return "", usageError{fmt.Errorf("connect: say which Pulley it shall use: --mirror URL; to lend it this one: pulley context share %s", c.name)}
	}
	u, err := url.Parse(c.mirror)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return "", usageError{errors.New("connect: --mirror is no http://host:port or https://host:port; engines send it no password")}
	}
	return u.Scheme + "://" + u.Host, nil
}

// planned is a plan as JSON shows it.
type planned struct {
	*wiring.Plan

	Files   []shownFile `json:"files"`
	Context string      `json:"context"`
	Diff    string      `json:"diff"`
	Done    bool        `json:"done"`
}

// connectContext wires the engine of an ssh context to a Pulley that it reaches, after showing what changes.
func (a *app) connectContext(cmd *cobra.Command, c contextWiring) error {
	mirror, err := c.target()
	if err != nil {
		return err
	}
	return c.over(cmd.Context(), func(w *wiring.Wirer) error {
		e, err := remoteEngine(cmd.Context(), w)
		if err != nil {
			return err
		}
		p, err := w.Plan(cmd.Context(), e.ID, wiring.Options{Way: wiring.Mirror, Reach: mirror})
		if err != nil {
			return there(c.name, err)
		}
		diff, err := w.Diff(p)
		if err != nil {
			return there(c.name, err)
		}
		shown := planned{Plan: p, Files: shownFiles(p), Context: c.name, Diff: diff}
		out := cmd.OutOrStdout()
		if !a.json {
			printContextPlan(out, shown)
		}
		if c.dryRun {
			if a.json {
				return a.print(cmd, shown, nil)
			}
			return nil
		}
		if err := c.agreed(cmd, diff, "write this there? [y/N] "); err != nil {
			return err
		}
		if err := w.Connect(cmd.Context(), p, a.sayThere(out, c.name)); err != nil {
			return there(c.name, err)
		}
		shown.Done = true
		return a.print(cmd, shown, func(w io.Writer) {
			_, _ = fmt.Fprintf(w, "%s: its engine looks at %s first for what is on Docker Hub; back: pulley disconnect --context %s\n", c.name, mirror, c.name)
		})
	})
}

func printContextPlan(w io.Writer, p planned) {
	_, _ = fmt.Fprint(w, p.Diff)
	for _, line := range p.Warn {
		_, _ = fmt.Fprintf(w, "%s: %s\n", p.Context, line)
	}
	if p.How.Text != "" && p.Diff != "" {
		_, _ = fmt.Fprintf(w, "%s: then %s\n", p.Context, p.How.Text)
	}
}

// agreed asks, unless there is nothing to ask about.
func (c contextWiring) agreed(cmd *cobra.Command, diff, question string) error {
	if c.yes || diff == "" {
		return nil
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) { //nolint:gosec // a file descriptor is small
		return fmt.Errorf("%s: nobody is there to be asked; add --yes, or --dry-run to see what it does", c.name)
	}
	if err := confirm(cmd.Context(), cmd.ErrOrStderr(), os.Stdin, c.name+": "+question); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return nil
}

func (a *app) sayThere(out io.Writer, name string) func(string) {
	if a.json {
		out = io.Discard
	}
	return func(line string) { _, _ = fmt.Fprintf(out, "%s: %s\n", name, line) }
}

// disconnectContext takes back what connect or share has done to the engines of an ssh context's machine.
func (a *app) disconnectContext(cmd *cobra.Command, c contextWiring) error {
	return c.over(cmd.Context(), func(w *wiring.Wirer) error {
		ids, err := w.Wired()
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			return fmt.Errorf("%s: nothing on it %w", c.name, wiring.ErrNotWired)
		}
		out := cmd.OutOrStdout()
		undone := []*wiring.Undo{}
		for _, id := range ids {
			u, err := w.PlanUndo(cmd.Context(), id)
			if err == nil && !a.json {
				_, _ = fmt.Fprint(out, u.Diff())
			}
			if err == nil && !c.dryRun {
				if err = c.agreed(cmd, u.Diff(), "take this back there? [y/N] "); err == nil {
					u, err = w.Disconnect(cmd.Context(), id, a.sayThere(out, c.name))
				}
			}
			if err != nil {
				return there(c.name, err)
			}
			undone = append(undone, u)
		}
		return a.print(cmd, undone, func(w io.Writer) {
			if !c.dryRun {
				_, _ = fmt.Fprintf(w, "%s: its engine's settings are as they were\n", c.name)
			}
		})
	})
}

// there is an error about an engine elsewhere: what helps is said for that one.
func there(name string, err error) error {
	text := strings.ReplaceAll(err.Error(), name+": ", "")
	for _, verb := range []string{"connect", "disconnect"} {
		text = strings.ReplaceAll(text, "pulley "+verb+" docker", "pulley "+verb+" --context "+name)
	}
	return fmt.Errorf("%s: %w", name, thereError{text, err})
}

type thereError struct {
	text string
	error
}

func (e thereError) Error() string { return e.text }
func (e thereError) Unwrap() error { return e.error }
