package service

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"pulley/internal/docker/machine"
)

const label = "app.pulley"

// launchd is an agent of the person's, or a daemon of the system's.
type launchd struct{ *Service }

func (l *launchd) file() string {
	if l.opt.System {
		return "/Library/LaunchDaemons/" + label + ".plist"
	}
	return path.Join(l.m.Facts().Home, "Library/LaunchAgents", label+".plist")
}

// log is where the platform's Console looks.
func (l *launchd) log() string {
	if l.opt.System {
		return logFile("/Library/Logs/Pulley")
	}
	return logFile(path.Join(l.m.Facts().Home, "Library/Logs/Pulley"))
}

// domain is where the job lives: with the desktop of the person, or where nobody is logged in there (ssh), with the user.
func (l *launchd) domain(ctx context.Context) string {
	if l.opt.System {
		return "system"
	}
	id := strconv.Itoa(l.m.Facts().UID)
	if _, err := l.command(ctx, "launchctl", "print", "gui/"+id); err != nil {
		return "user/" + id
	}
	return "gui/" + id
}

func (l *launchd) launchctl(ctx context.Context, args ...string) (string, error) {
	out, err := l.command(ctx, append([]string{"launchctl"}, args...)...)
	if err != nil {
		err = fmt.Errorf("service: %w", err)
	}
	return out, err
}

func (l *launchd) install(ctx context.Context) (changed bool, err error) {
	m, accountKeys := made{}, ""
	if l.opt.System {
		if m, err = l.prepare(ctx, l.file(), []string{darwinHome, path.Dir(l.log())}); err != nil {
			return false, err
		}
		accountKeys = "\t<key>UserName</key>\n\t<string>" + l.account() + "</string>\n\t<key>GroupName</key>\n\t<string>" + account + "</string>\n"
	}
	// launchd's own PATH lacks the folders of docker's credential helpers and of Homebrew.
	variables := append([]string{"PATH=/usr/local/bin:/opt/homebrew/bin:/usr/bin:/bin:/usr/sbin:/sbin"}, l.environment()...)
	var environment strings.Builder
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		environment.WriteString("\t\t<key>" + xmlText(name) + "</key>\n\t\t<string>" + xmlText(value) + "</string>\n")
	}
	changed, err = l.write(ctx, l.file(), m, false, func(m made) string {
		return fill("launchd.plist", map[string]string{
			"made": m.String(), "binary": xmlText(l.opt.Binary), "environment": environment.String(), "log": xmlText(l.log()), "account": accountKeys,
		})
	})
	if err != nil {
		return changed, err
	}
	// Somebody may have switched it off in the settings' list of login items.
	_, err = l.launchctl(ctx, "enable", l.domain(ctx)+"/"+label)
	return changed, err
}

func (l *launchd) loaded(ctx context.Context) bool {
	_, err := l.launchctl(ctx, "print", l.domain(ctx)+"/"+label)
	return err == nil
}

func (l *launchd) start(ctx context.Context) error {
	domain := l.domain(ctx)
	if !l.loaded(ctx) {
		_, err := l.launchctl(ctx, "bootstrap", domain, l.file()) // RunAtLoad starts it
		return err
	}
	_, err := l.launchctl(ctx, "kickstart", domain+"/"+label)
	return err
}

// stop unloads the job until the next login or boot: one that is loaded, launchd would start again.
func (l *launchd) stop(ctx context.Context) error {
	if !l.loaded(ctx) {
		return nil
	}
	if _, err := l.launchctl(ctx, "bootout", l.domain(ctx)+"/"+label); err != nil {
		var exit *machine.ExitError
		if !errors.As(err, &exit) || exit.Status != 36 { // EINPROGRESS: it is finishing transfers
			return err
		}
	}
	return l.awaitGone(ctx)
}

// awaitGone waits for a job to leave: until then it cannot be loaded again.
func (l *launchd) awaitGone(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for l.loaded(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// renew has the keeper start a daemon that takes over. The keeper itself has the program and the variables that it was
// started with: where those changed, it is another one's turn.
func (l *launchd) renew(ctx context.Context, changed bool) error {
	if changed {
		if err := l.stop(ctx); err != nil {
			return err
		}
		return l.start(ctx)
	}
	_, err := l.launchctl(ctx, "kill", "SIGHUP", l.domain(ctx)+"/"+label)
	return err
}

func (l *launchd) uninstall(ctx context.Context) error {
	if err := l.stop(ctx); err != nil {
		return err
	}
	if !l.opt.System && !l.opt.KeepData {
		for _, log := range []string{l.log(), l.log() + ".1"} {
			_ = l.m.Remove(log)
		}
	}
	return l.remove(ctx, l.file())
}

// launchctl print is for people, and these lines of it have been the same since macOS 10.10.
var (
	launchdState = regexp.MustCompile(`(?m)^\tstate = (.+)$`)
	launchdPID   = regexp.MustCompile(`(?m)^\tpid = (\d+)$`)
	launchdExit  = regexp.MustCompile(`(?m)^\tlast exit code = (\d+)`)
)

func (l *launchd) status(ctx context.Context) (Status, error) {
	status := Status{Kind: Launchd, Log: "tail '" + l.log() + "'"}
	if !l.has(l.file()) {
		return status, nil
	}
	status.Installed, status.Unit = true, l.file()
	out, err := l.launchctl(ctx, "print", l.domain(ctx)+"/"+label)
	if err != nil {
		if missing(err) {
			return status, err
		}
		return status, nil // not loaded
	}
	if state := launchdState.FindStringSubmatch(out); state != nil && state[1] == "running" {
		status.Running = true
	} else if code := launchdExit.FindStringSubmatch(out); code != nil && code[1] != "0" {
		status.Detail = "it failed with status " + code[1] + " and is started again; see: " + status.Log
	}
	if pid := launchdPID.FindStringSubmatch(out); pid != nil && status.Running {
		status.PID, _ = strconv.Atoi(pid[1])
	}
	return status, nil
}

func (l *launchd) said(context.Context) string {
	f, err := l.m.ReadFile(l.log())
	if err != nil {
		return ""
	}
	return lastError(string(f.Data))
}

func xmlText(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}
