package service

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"pulley/internal/docker/machine"
)

const unitName = "pulley.service"

// systemd is a unit of the system's manager, or of the person's.
type systemd struct {
	*Service
	user bool
}

// systemctl runs it, in English and in UTC.
func (d *systemd) systemctl(ctx context.Context, args ...string) (string, error) {
	command := []string{"systemctl"}
	if d.user {
		command = append(command, "--user")
	}
	out, err := d.m.Run(ctx, machine.Command{
		Args: append(command, args...),
		Env:  append([]string{"LC_ALL=C", "TZ=UTC", "SYSTEMD_PAGER="}, d.session()...),
	})
	if err != nil && d.user && noSession(err) {
		return "", d.noSession(err)
	}
	if err != nil {
		return string(out), fmt.Errorf("service: %w", err)
	}
	return string(out), nil
}

// session are the variables by which the person's manager is found, where the session lacks them but has a manager: after
// su, or in an ssh session without pam_systemd.
func (d *systemd) session() []string {
	if !d.user || d.m.Getenv("XDG_RUNTIME_DIR") != "" {
		return nil
	}
	dir := "/run/user/" + strconv.Itoa(d.m.Facts().UID)
	if !d.has(dir + "/systemd/private") {
		return nil
	}
	return []string{"XDG_RUNTIME_DIR=" + dir}
}

func noSession(err error) bool {
	var exit *machine.ExitError
	return errors.As(err, &exit) && (strings.Contains(exit.Stderr, "connect to bus") || strings.Contains(exit.Stderr, "connect to user scope bus"))
}

func (d *systemd) noSession(err error) error {
	facts := d.m.Facts()
	why := "XDG_RUNTIME_DIR is set, but nobody answers there"
	if d.m.Getenv("XDG_RUNTIME_DIR") == "" {
		why = "XDG_RUNTIME_DIR is not set"
		if d.m.Getenv("DBUS_SESSION_BUS_ADDRESS") == "" {
			why = "neither XDG_RUNTIME_DIR nor DBUS_SESSION_BUS_ADDRESS is set"
		}
	}
	var exit *machine.ExitError
	if errors.As(err, &exit) {
		why = exit.Error() + " (" + why + ")"
	}
	return fmt.Errorf("service: systemd has no session of %s here: %s; next: log in as %s (not with su), or: sudo loginctl enable-linger %s && export XDG_RUNTIME_DIR=/run/user/%d", facts.User, why, facts.User, facts.User, facts.UID)
}

// file is where the unit belongs. A person's manager looks where XDG_CONFIG_HOME points if it knows of that, which is not
// sure, and else in ~/.config: it is asked.
func (d *systemd) file(ctx context.Context) (string, error) {
	if !d.user {
		return "/etc/systemd/system/" + unitName, nil
	}
	usual := path.Join(d.m.Facts().Home, ".config/systemd/user")
	looks, err := d.systemctl(ctx, "show", "--property=UnitPath", "--value")
	if err != nil {
		return "", err
	}
	if dir := d.m.Getenv("XDG_CONFIG_HOME"); path.IsAbs(dir) && slices.Contains(strings.Fields(looks), path.Join(dir, "systemd/user")) {
		return path.Join(dir, "systemd/user", unitName), nil
	}
	return path.Join(usual, unitName), nil
}

func (d *systemd) install(ctx context.Context) (changed bool, err error) {
	file, err := d.file(ctx)
	if err != nil {
		return false, err
	}
	if status, err := d.status(ctx); err == nil && status.masked {
		return false, fmt.Errorf("service: %s", status.Detail)
	}
	name, m := "systemd-user.service", made{}
	if !d.user {
		name = "systemd-system.service"
		if m, err = d.prepare(ctx, file, systemDirs()); err != nil {
			return false, err
		}
	}
	var environment strings.Builder
	for _, variable := range d.environment() {
		environment.WriteString("Environment=" + systemdQuote(variable) + "\n")
	}
	changed, err = d.write(ctx, file, m, false, func(m made) string {
		return fill(name, map[string]string{
			"made": "# " + m.String(), "binary": systemdQuote(d.opt.Binary), "environment": environment.String(),
		})
	})
	if err != nil {
		return changed, err
	}
	if d.offline() {
		_, err = d.systemctl(ctx, "--root=/", "enable", "--quiet", unitName)
		return changed, err
	}
	if changed {
		if _, err := d.systemctl(ctx, "daemon-reload"); err != nil {
			return changed, err
		}
	}
	_, err = d.systemctl(ctx, "enable", "--quiet", unitName)
	return changed, err
}

// offline tells that the system's manager does not run in this root folder, as in an image that somebody is making: systemctl
// can write links there, and nothing else (sd_booted(3)).
func (d *systemd) offline() bool { return !d.user && !d.has("/run/systemd/system") }

const isOffline = "systemd does not run here"

func (d *systemd) uninstall(ctx context.Context) error {
	file, err := d.file(ctx)
	if err != nil {
		return err
	}
	if d.has(file) {
		disable := []string{"disable", "--quiet", "--now", unitName}
		if d.offline() {
			disable = []string{"--root=/", "disable", "--quiet", unitName}
		}
		if _, err := d.systemctl(ctx, disable...); err != nil {
			return err
		}
	}
	// The folder of what is wanted at login is systemctl's, made for our link if that was the first in it.
	if d.user {
		_ = d.m.Remove(path.Join(path.Dir(file), "default.target.wants"))
	}
	if err := d.remove(ctx, file); err != nil {
		return err
	}
	if d.offline() {
		return nil
	}
	if _, err := d.systemctl(ctx, "daemon-reload"); err != nil {
		return err
	}
	_, _ = d.systemctl(ctx, "reset-failed", unitName) // says that there is none, if all is well
	return nil
}

func (d *systemd) start(ctx context.Context) error {
	if d.offline() {
		return errors.New(isOffline + ": it starts with the next boot")
	}
	_, err := d.systemctl(ctx, "start", unitName)
	var exit *machine.ExitError
	if errors.As(err, &exit) {
		first, _, _ := strings.Cut(exit.Stderr, "\n") // the others say where to look
		return fmt.Errorf("systemd: %s", strings.TrimSuffix(strings.TrimSpace(first), "."))
	}
	return err
}

func (d *systemd) stop(ctx context.Context) error {
	if d.offline() {
		return nil
	}
	_, err := d.systemctl(ctx, "stop", unitName)
	return err
}

// renew has ExecReload start a daemon that takes over and becomes the unit's main process.
func (d *systemd) renew(ctx context.Context, _ bool) error {
	_, err := d.systemctl(ctx, "reload-or-restart", unitName)
	return err
}

func (d *systemd) status(ctx context.Context) (Status, error) {
	status := Status{Kind: Systemd, Log: "journalctl -u pulley"}
	if d.user {
		status.Kind, status.Log = SystemdUser, "journalctl --user -u pulley"
	}
	if unit := "/etc/systemd/system/" + unitName; d.offline() && d.has(unit) {
		status.Installed, status.Unit, status.Detail = true, unit, "installed; "+isOffline+": it starts with the next boot"
	}
	if d.offline() {
		return status, nil
	}
	out, err := d.systemctl(ctx, "show", unitName, "--property=LoadState,ActiveState,Result,MainPID,ActiveEnterTimestamp,FragmentPath")
	if err != nil {
		return status, err
	}
	is := make(map[string]string)
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		is[key] = value
	}
	status.Installed = is["LoadState"] != "" && is["LoadState"] != "not-found"
	status.Unit = is["FragmentPath"]
	if is["LoadState"] == "masked" {
		status.Installed, status.masked = false, true
		status.Detail = "systemd was told never to start it; next: " + d.unmask()
		return status, nil
	}
	switch is["ActiveState"] {
	case "active", "reloading":
		status.Running = true
	case "activating":
		status.Detail = "starting, or waiting to start again after a failure; see: " + status.Log
	case "deactivating":
		status.Detail = "stopping: transfers under way are finished"
	case "failed":
		status.Detail = "it failed (" + is["Result"] + "); see: " + status.Log
	}
	if status.Running {
		status.PID, _ = strconv.Atoi(is["MainPID"])
		if since, err := time.Parse("Mon 2006-01-02 15:04:05 MST", is["ActiveEnterTimestamp"]); err == nil {
			status.Since = &since
		}
	}
	if !d.user && status.Installed {
		status.Hints = d.groupHint()
	}
	if d.user && status.Installed && !d.has("/var/lib/systemd/linger/"+d.m.Facts().User) {
		status.Hints = append(status.Hints, "it runs while you are logged in; always: sudo loginctl enable-linger "+d.m.Facts().User)
	}
	return status, nil
}

// unmask is the command that lets systemd start it again.
func (d *systemd) unmask() string {
	if d.user {
		return "systemctl --user unmask " + unitName
	}
	return "sudo systemctl unmask " + unitName
}

// said asks the journal.
func (d *systemd) said(ctx context.Context) string {
	command := []string{"journalctl", "-u", unitName, "-n", "20", "-o", "cat", "--no-pager", "-q"}
	if d.user {
		command[1] = "--user-unit"
	}
	out, err := d.m.Run(ctx, machine.Command{Args: command, Env: d.session()})
	if err != nil {
		return ""
	}
	return lastError(string(out))
}

// lastError is the last line with which a program of ours ended in error, and has not served since.
func lastError(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, line := range slices.Backward(lines) {
		if strings.HasPrefix(line, string(readyMark)) {
			return ""
		}
		if said, ok := strings.CutPrefix(strings.TrimSpace(line), "pulley: "); ok && !strings.HasPrefix(said, keeperSays) {
			return said
		}
	}
	return ""
}

// systemdQuote writes a word as systemd.syntax(7) reads it. Dollars stay: in the path of a program and in Environment= they
// are no variables.
func systemdQuote(word string) string {
	word = strings.ReplaceAll(word, "%", "%%")
	if strings.ContainsAny(word, " \t\"'\\;") {
		word = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`).Replace(word) + `"`
	}
	return word
}
