package service

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"

	"pulley/internal/docker/machine"
)

const taskName = "Pulley"

// task is a task of Windows's scheduler, started when the person logs in. The keeper restarts the daemon at once, the
// scheduler the keeper after a minute, which is the shortest that it knows. conhost keeps a console window from opening.
type task struct{ *Service }

func (t *task) schtasks(ctx context.Context, args ...string) error {
	if _, err := t.command(ctx, append([]string{"schtasks.exe"}, args...)...); err != nil {
		return fmt.Errorf("service: %w", err)
	}
	return nil
}

// folder is the person's own.
func (t *task) folder() string {
	if home := t.m.Getenv("PULLEY_HOME"); home != "" {
		return home
	}
	if local := t.m.Getenv("LOCALAPPDATA"); local != "" {
		return local + `\Pulley`
	}
	return t.m.Facts().Home + `\AppData\Local\Pulley`
}

func (t *task) log() string { return t.folder() + `\log\pulley.log` }

// file is what was given to the scheduler last. It keeps its own form of it, and that in another order.
func (t *task) file() string { return t.folder() + `\service.xml` }

func (t *task) xml() string {
	arguments := "--headless " + windowsQuote(t.opt.Binary) + " service run --log " + windowsQuote(t.log())
	if home := t.m.Getenv("PULLEY_HOME"); home != "" {
		arguments += " --home " + windowsQuote(home) // tasks have no variables
	}
	return fill("task.xml", map[string]string{"user": xmlText(t.m.Facts().User), "arguments": xmlText(arguments)})
}

func (t *task) install(ctx context.Context) (changed bool, err error) {
	text := utf16le(strings.ReplaceAll(t.xml(), "\n", "\r\n"))
	old, err := t.old(t.file())
	if err != nil {
		return false, err
	}
	if err := t.schtasks(ctx, "/Query", "/TN", taskName); err == nil && old == text {
		return false, nil
	}
	if _, err := t.m.WriteFile(t.file(), []byte(text), 0o600); err != nil {
		return false, err
	}
	return true, t.schtasks(ctx, "/Create", "/F", "/TN", taskName, "/XML", t.file())
}

func (t *task) uninstall(ctx context.Context) error {
	if err := t.schtasks(ctx, "/Query", "/TN", taskName); err == nil {
		if err := t.stop(ctx); err != nil {
			return err
		}
		if err := t.schtasks(ctx, "/Delete", "/F", "/TN", taskName); err != nil {
			return err
		}
	}
	return t.remove(ctx, t.file())
}

func (t *task) start(ctx context.Context) error {
	return t.schtasks(ctx, "/Run", "/TN", taskName)
}

// stop has the daemon finish what runs, with which the keeper ends and so the task. What is left of that then is ended by the
// scheduler, which asks nobody.
func (t *task) stop(ctx context.Context) error {
	if err := t.retire(ctx); err == nil {
		t.awaitSilence(ctx)
	}
	err := t.schtasks(ctx, "/End", "/TN", taskName)
	var exit *machine.ExitError
	if errors.As(err, &exit) {
		return nil //nolint:nilerr // it does not run
	}
	return err
}

// renew drains and starts again: on Windows a port is not handed over.
func (t *task) renew(ctx context.Context, _ bool) error {
	return errors.Join(t.stop(ctx), t.start(ctx))
}

func (t *task) status(ctx context.Context) (Status, error) {
	status := Status{Kind: WindowsTask, Log: `powershell Get-Content -Tail 40 '` + t.log() + `'`}
	if err := t.schtasks(ctx, "/Query", "/TN", taskName); err != nil {
		if missing(err) {
			return status, err
		}
		return status, nil //nolint:nilerr // there is no such task
	}
	status.Installed, status.Unit = true, `\`+taskName
	// What schtasks prints is in the person's language; this is not.
	out, err := t.command(ctx, "powershell.exe", "-NoProfile", "-NonInteractive", "-Command", "(Get-ScheduledTask -TaskName "+taskName+").State")
	status.Running = err == nil && strings.TrimSpace(out) == "Running"
	return status, nil
}

func (t *task) said(context.Context) string {
	f, err := t.m.ReadFile(t.log())
	if err != nil {
		return ""
	}
	return lastError(string(f.Data))
}

// utf16le is what the scheduler reads without doubt.
func utf16le(text string) string {
	out := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(text)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return string(out)
}

// windowsQuote writes one argument as CommandLineToArgvW reads it. Paths have no quotes; a backslash before the last one is
// doubled.
func windowsQuote(word string) string {
	if !strings.ContainsAny(word, " \t") {
		return word
	}
	trimmed := strings.TrimRight(word, `\`)
	return `"` + trimmed + strings.Repeat(`\\`, len(word)-len(trimmed)) + `"`
}
