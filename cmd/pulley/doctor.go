package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"pulley/internal/config"
	"pulley/internal/control/client"
	"pulley/internal/daemon"
	dockercontext "pulley/internal/docker/context"
	"pulley/internal/docker/login"
	"pulley/internal/docker/machine"
	"pulley/internal/docker/wiring"
	"pulley/internal/doctor"
	"pulley/internal/service"
	"pulley/internal/sudo"
	"pulley/internal/trust"
	"pulley/proxy/egress/system"
)

func (a *app) doctor() *cobra.Command {
	var fix bool
	var engine string
	cmd := &cobra.Command{
		Use: "doctor [IMAGE]", Short: "find out why a pull is slow or fails, in plain words, with the fix", Args: between(0, 1, "an image, or nothing"),
		Long: "Walks the path of a pull, from the engine to one byte of a layer, and says where it is broken and which command mends\n" +
			"it. It changes nothing without --fix, which runs only what is safe: it restarts no engine and edits no file of others.\n" +
			"For a bug report: pulley doctor IMAGE --json, in which there are no secrets.\n\n" +
			"  pulley doctor ghcr.io/org/app:1.2",
		RunE: func(cmd *cobra.Command, args []string) error {
			watch := newWatching(cmd.ErrOrStderr(), a.json)
			options, live, err := examination(cmd.Context(), first(args), engine, watch)
			if err != nil {
				return err
			}
			report, err := doctor.Examine(cmd.Context(), options)
			watch.close()
			live.close()
			switch {
			case err != nil:
				return usageError{err}
			case cmd.Context().Err() != nil: // half an examination blames the innocent
				return errors.New("doctor: stopped")
			}
			if fix {
				mend(cmd, report)
			}
			if err := a.print(cmd, report, func(w io.Writer) { printReport(w, report) }); err != nil {
				return err
			}
			if n := open(report); n > 0 {
				return problemsError(n)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&fix, "fix", false, "run those fixes that are safe")
	cmd.Flags().StringVar(&engine, "engine", "", "the engine, or docker context, that pulls; by default the one that docker uses")
	return cmd
}

// problemsError is why doctor ends with status 1. The report has said it all.
type problemsError int

func (n problemsError) Error() string {
	if n == 1 {
		return "doctor: 1 problem"
	}
	return fmt.Sprintf("doctor: %d problems", int(n))
}

// clients are those that an examination has opened.
type clients struct {
	mu   sync.Mutex
	open []*client.Client
}

func (c *clients) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.open {
		one.Close()
	}
}

// examination is what the doctor looks at on this machine.
func examination(ctx context.Context, image, engine string, watch *watching) (doctor.Options, *clients, error) {
	environ := os.Environ()
	own, err := config.FindPlaces(environ)
	if err != nil {
		return doctor.Options{}, nil, err
	}
	places, err := client.Places(ctx, environ)
	if err != nil {
		return doctor.Options{}, nil, err
	}
	live := &clients{}
	o := doctor.Options{
		Image: image, Engine: engine, Environ: environ, Places: places, Version: programVersion(), Root: os.Geteuid() == 0,
		Daemon: func(ctx context.Context) (doctor.Daemon, error) {
			c, err := client.Find(ctx, environ)
			if c != nil {
				live.mu.Lock()
				live.open = append(live.open, c)
				live.mu.Unlock()
			}
			return c, err
		},
		Start:    startCommand,
		Holder:   daemon.PortHolder,
		Trust:    trust.State,
		System:   func(ctx context.Context) (system.Settings, error) { return system.Read(ctx, environ) },
		Login:    dockerLogin,
		Engines:  (&wiring.Wirer{Machine: &machine.Local{}, Kinds: wiring.Kinds(), State: own.StateDir}).Find,
		Progress: watch.step,
	}
	if book, err := dockercontext.Open(environ); err == nil {
		o.Contexts = book
	}
	return o, live, nil
}

// startCommand is the one that starts the service, if one is installed. That has places of its own, which are no PULLEY_HOME.
func startCommand(ctx context.Context) string {
	if os.Getenv("PULLEY_HOME") != "" {
		return ""
	}
	for _, system := range []bool{false, true} {
		s, err := service.New(service.Options{System: system})
		if err != nil {
			continue
		}
		if status, err := s.Status(ctx); err == nil && status.Installed {
			switch {
			case !system:
				return "pulley service start"
			case os.Geteuid() > 0: // there is no such number on Windows
				return sudo.Command("service", "start", "--system")
			}
			return "pulley service start --system"
		}
	}
	return ""
}

// dockerLogin is the person's own for a registry.
func dockerLogin(ctx context.Context, registry string) (string, bool) {
	secret, ok := login.One(ctx, registry)
	return string(secret), ok
}

// mend runs the fixes that are safe, each once, and notes what came of it.
func mend(cmd *cobra.Command, report *doctor.Report) {
	done := map[string]string{}
	for i := range report.Findings {
		f := &report.Findings[i]
		args := f.Args()
		if !f.Safe || args == nil {
			continue
		}
		if _, had := done[f.Fix]; !had {
			done[f.Fix] = mended(cmd.Context(), args)
		}
		f.Fixed = done[f.Fix]
	}
}

// fixedWell is what came of a fix that worked.
const fixedWell = "done"

func mended(ctx context.Context, args []string) string {
	root := newRoot() //nolint:contextcheck // ExecuteContext hands it to each command
	root.SetArgs(args)
	root.SetOut(io.Discard)
	root.SetErr(io.Discard)
	if err := root.ExecuteContext(ctx); err != nil {
		return "failed: " + err.Error()
	}
	return fixedWell
}

// open counts problems that are there still.
func open(report *doctor.Report) (n int) {
	for _, f := range report.Findings {
		if f.Level == doctor.Problem && f.Fixed != fixedWell {
			n++
		}
	}
	return n
}

// printReport has what is wrong first, worst first, then the path.
func printReport(w io.Writer, r *doctor.Report) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	for _, level := range []doctor.Level{doctor.Problem, doctor.Warning} {
		for _, f := range r.Findings {
			if f.Level != level {
				continue
			}
			say("%-8s %s", f.Level, f.What)
			if f.Why != "" {
				for _, line := range wrapped(f.Why, 100) {
					say("         %s", line)
				}
			}
			switch {
			case f.Fixed != "":
				say("         fix: %s: %s", f.Fix, f.Fixed)
			case f.Fix != "" && f.Safe:
				say("         fix: %s   (or: pulley doctor --fix)", f.Fix)
			case f.Fix != "":
				say("         fix: %s", f.Fix)
			}
			say("")
		}
	}
	say("the path of a pull of %s:", r.Image)
	for _, f := range together(r.Findings) {
		mark := map[doctor.Level]string{doctor.OK: "ok", doctor.Info: "-", doctor.Warning: "warning", doctor.Problem: "problem"}[f.Level]
		say("  %-8s %-14s %s", mark, f.Step, f.What)
	}
	switch {
	case r.Problems == 0 && r.Warnings == 0:
		say("nothing is wrong")
	default:
		say("%s, %s", counted(r.Problems, "problem"), counted(r.Warnings, "warning"))
	}
}

// together makes one line of steps in a row that were not examined for the same reason.
func together(list []doctor.Finding) (out []doctor.Finding) {
	for _, f := range list {
		skipped := strings.HasSuffix(f.ID, ".unexamined")
		if n := len(out); skipped && n > 0 && strings.HasSuffix(out[n-1].ID, ".unexamined") {
			out[n-1].What += ", " + f.Step
			continue
		}
		if skipped {
			f.What, f.Step = f.Step, "not examined"
		}
		out = append(out, f)
	}
	return out
}

// wrapped breaks a text into lines.
func wrapped(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

// watching shows a person what is looked at.
type watching struct {
	w  io.Writer // nil: nobody looks
	mu sync.Mutex
}

func newWatching(w io.Writer, quiet bool) *watching {
	if quiet || !draws(w) {
		w = nil
	}
	return &watching{w: w}
}

func (s *watching) step(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w != nil {
		_, _ = fmt.Fprintf(s.w, "\r\x1b[Klooking at: %s", name)
	}
}

// close leaves no half a line.
func (s *watching) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w != nil {
		_, _ = fmt.Fprint(s.w, "\r\x1b[K")
		s.w = nil
	}
}
