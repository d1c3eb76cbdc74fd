package service

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"pulley/internal/docker/machine"
	"pulley/internal/sudo"
)

const (
	initScript   = "/etc/init.d/pulley"
	systemLogDir = "/var/log/pulley"
)

// script is what SysV init and OpenRC have in common: one file in /etc/init.d, root's and the system's alone.
type script struct {
	*Service
	kind, template string
	calls          []string // what runs the script, before its verb
	add, remove    [][]string
}

func (c *script) install(ctx context.Context) (changed bool, err error) {
	if err := c.runs(ctx); err != nil {
		return false, err
	}
	m, err := c.prepare(ctx, initScript, append(systemDirs(), systemLogDir))
	if err != nil {
		return false, err
	}
	var environment strings.Builder
	for _, variable := range c.environment() {
		name, value, _ := strings.Cut(variable, "=")
		environment.WriteString("export " + name + "=" + shellQuote(value) + "\n")
	}
	changed, err = c.write(ctx, initScript, m, true, func(m made) string {
		return fill(c.template, map[string]string{"made": "# " + m.String(), "binary": shellQuote(c.opt.Binary), "environment": environment.String()})
	})
	if err != nil {
		return changed, err
	}
	return changed, c.register(ctx, c.add)
}

// runs says whether the script will: the start-stop-daemon of BusyBox knows no --status, and others have none.
func (c *script) runs(ctx context.Context) error {
	if c.kind != SysV {
		return nil
	}
	if help, err := c.command(ctx, "start-stop-daemon", "--help"); err != nil || !strings.Contains(help, "--status") {
		return errors.New("service: the script for SysV init needs dpkg's start-stop-daemon, which is not here; what works: have whatever starts your machine run, as a user of its own: pulley service run")
	}
	return nil
}

// register runs the first of several commands that is there.
func (c *script) register(ctx context.Context, ways [][]string) error {
	for _, way := range ways {
		if _, err := c.command(ctx, way...); err == nil {
			return nil
		} else if !missing(err) {
			return fmt.Errorf("service: %w", err)
		}
	}
	return fmt.Errorf("service: %s is written, but nothing here registers it for the next boot; next: link it into your runlevels", initScript)
}

func (c *script) uninstall(ctx context.Context) error {
	if c.has(initScript) {
		if err := c.stop(ctx); err != nil {
			return err
		}
	}
	if c.kind == OpenRC { // rc-update wants to see the script
		_ = c.register(ctx, c.remove)
	}
	if err := c.Service.remove(ctx, initScript); err != nil {
		return err
	}
	if c.kind == SysV { // update-rc.d wants it to be gone
		return c.register(ctx, c.remove)
	}
	return nil
}

func (c *script) call(ctx context.Context, verb string) error {
	if _, err := c.command(ctx, append(c.calls, verb)...); err != nil {
		return fmt.Errorf("service: %w", err)
	}
	return nil
}

func (c *script) start(ctx context.Context) error { return c.call(ctx, "start") }
func (c *script) stop(ctx context.Context) error  { return c.call(ctx, "stop") }

// renew has the keeper start a daemon that takes over. The keeper itself has the program and the variables that it was
// started with: where those changed, it is another one's turn.
func (c *script) renew(ctx context.Context, changed bool) error {
	if changed {
		return c.call(ctx, "restart")
	}
	return c.call(ctx, "reload")
}

func (c *script) status(ctx context.Context) (Status, error) {
	status := Status{Kind: c.kind, Log: "sudo tail " + logFile(systemLogDir)}
	if !c.has(initScript) {
		return status, nil
	}
	status.Installed, status.Unit, status.Hints = true, initScript, c.groupHint()
	err := c.call(ctx, "status")
	var exit *machine.ExitError
	switch {
	case err == nil:
		status.Running = true
	case errors.As(err, &exit) && exit.Status == 1 && c.kind == SysV:
		status.Detail = "it is dead, and was not stopped; next: " + sudo.Command("service", "start", "--system") + "; see: " + status.Log
	case errors.As(err, &exit):
	default:
		return status, err
	}
	return status, nil
}

func (c *script) said(context.Context) string {
	f, err := c.m.ReadFile(logFile(systemLogDir))
	if err != nil {
		return ""
	}
	return lastError(string(f.Data))
}

func newSysV(s *Service) manager {
	return &script{
		Service: s, kind: SysV, template: "sysv.sh", calls: []string{initScript},
		add:    [][]string{{"update-rc.d", account, "defaults"}, {"chkconfig", "--add", account}},
		remove: [][]string{{"update-rc.d", account, "remove"}, {"chkconfig", "--del", account}},
	}
}

func newOpenRC(s *Service) manager {
	return &script{
		Service: s, kind: OpenRC, template: "openrc.sh", calls: []string{"rc-service", account},
		add:    [][]string{{"rc-update", "--quiet", "add", account, "default"}},
		remove: [][]string{{"rc-update", "--quiet", "--all", "del", account}},
	}
}

// shellQuote writes one word of a shell.
func shellQuote(word string) string {
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
