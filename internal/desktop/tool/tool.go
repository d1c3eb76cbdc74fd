// Package tool runs the command line program for the desktop app: what belongs to the person and their machine rather than
// to the daemon (engines, contexts, trust, the service) is done by `pulley`, with the rights of an administrator where that
// needs them, for which the desktop's own dialog asks.
//
// It must not know what the commands mean, nor the window that asks for them.
package tool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"pulley/internal/cause"
	"pulley/internal/desktop"
)

// Tool is the program. The zero value is the one beside this program, with this one's environment. Methods may run at once.
type Tool struct {
	Program string   // its absolute path; "": `pulley` beside this program, else on PATH
	Environ []string // nil: ours
}

// patience is how long a program that was asked to end may take: one that has begun to change an engine puts that back
// first, which it may take two minutes for.
const patience = 150 * time.Second

// Run runs `pulley ARGS --json` and decodes what it prints into into; nil: nothing. A func(line []byte) is handed each line of it
// instead, as it is printed. Where it prints and fails, as a doctor with
// findings does, both are handed back. An error is the program's own line, without "pulley: ". When ctx ends the program is
// asked to end, and waited for; when this one ends, it ends too.
func (t *Tool) Run(ctx context.Context, into any, args ...string) error {
	program, err := t.program()
	if err != nil {
		return err
	}
	command, err := t.owned(ctx, program, append([]string{"--json"}, args...)...)
	if err != nil {
		return err
	}
	return ask(ctx, into, args, command)
}

// ask runs a command that is `pulley` with some arguments, or leads to that.
func ask(ctx context.Context, into any, args []string, command *exec.Cmd) error {
	var out bytes.Buffer
	said := &tail{}
	command.Stdout, command.Stderr = &out, said
	if each, ok := into.(func([]byte)); ok {
		live := &lines{mu: &sync.Mutex{}, line: func(text string) { each([]byte(text)) }}
		defer live.rest()
		command.Stdout, into = live, nil
	}
	failed := command.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return answer(into, args, out.Bytes(), said.bytes(), failed)
}

// answer makes of what a program printed what Run hands back.
func answer(into any, args []string, out, said []byte, failed error) error {
	if each, ok := into.(func([]byte)); ok { // it could not be heard before: another user printed it
		for line := range bytes.Lines(out) {
			each(bytes.TrimSpace(line))
		}
		into = nil
	}
	var unread error
	if into != nil && len(bytes.TrimSpace(out)) > 0 {
		unread = json.Unmarshal(out, into)
	} else if into != nil && failed == nil {
		unread = io.ErrUnexpectedEOF
	}
	switch {
	case failed != nil:
		return newFailure(said, failed)
	case unread != nil:
		return fmt.Errorf("pulley %s: its answer cannot be read: %w; the two programs may be of different versions", strings.Join(args, " "), unread)
	}
	return nil
}

// Follow runs `pulley ARGS` until ctx ends, and hands over each line of its output, one after the other. It returns nil when
// the program ended well, be it that it was asked to; otherwise its own last line.
func (t *Tool) Follow(ctx context.Context, line func(string), args ...string) error {
	program, err := t.program()
	if err != nil {
		return err
	}
	command, err := t.owned(ctx, program, args...)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	said := &tail{}
	out, bad := &lines{mu: &mu, line: line}, &lines{mu: &mu, line: line}
	command.Stdout, command.Stderr = out, io.MultiWriter(bad, said)
	err = command.Run()
	out.rest()
	bad.rest()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && (!errors.As(err, &exit) || exit.ExitCode() <= 0): // it was ended before it could see to that itself
		return nil
	}
	return newFailure(said.bytes(), err)
}

func (t *Tool) program() (string, error) {
	if t.Program != "" {
		return t.Program, nil
	}
	return desktop.FindBinary("pulley")
}

func (t *Tool) environ() []string {
	if t.Environ != nil {
		return t.Environ
	}
	return os.Environ()
}

// owned is a command of `pulley` that ends with this program, whatever becomes of it: its standard input does. By that it is also
// asked to end, as not every system has a signal for it.
func (t *Tool) owned(ctx context.Context, program string, args ...string) (*exec.Cmd, error) {
	c := t.command(ctx, program, append([]string{"--until-eof"}, args...)...)
	stdin, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	c.Cancel = stdin.Close
	return c, nil
}

func (t *Tool) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, program, args...) //nolint:gosec // our own program, or the system's for rights
	c.Env = t.environ()
	c.WaitDelay = patience
	c.Cancel = func() error { return askToEnd(c.Process) }
	apart(c)
	return c
}

// failure is a program that ended in error, in its own words.
type failure struct {
	text string
	said string // all of it
	kind string // one of cause.Kinds; "": none of them
	code int    // -1: it was ended
}

func (f *failure) Error() string { return f.text }

// Cause is of which kind it is, for whoever says it in another language.
func (f *failure) Cause() string { return f.kind }

func newFailure(said []byte, err error) *failure {
	f := &failure{said: string(said), code: -1}
	f.text, f.kind = reason(said, err)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		f.code = exit.ExitCode()
	}
	return f
}

// errorPrefix begins the line in which our programs say why they failed.
const errorPrefix = "pulley: "

// reason is that line, or the last one that there is, and the kind of the error where the program told it.
func reason(said []byte, failed error) (text, kind string) {
	last, ours := "", ""
	for line := range strings.Lines(string(said)) {
		line = strings.TrimSpace(line)
		if told, ok := strings.CutPrefix(line, cause.Mark); ok && slices.Contains(cause.Kinds(), told) {
			kind = told
			continue
		}
		if text, ok := strings.CutPrefix(line, errorPrefix); ok {
			ours = text
		}
		if line != "" {
			last = line
		}
	}
	switch {
	case ours != "":
		return ours, kind
	case last != "":
		return last, kind
	}
	return "pulley ended by itself: " + failed.Error(), kind
}

// tail keeps the end of what is written.
type tail struct{ data []byte }

const tailSize = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if extra := len(t.data) - tailSize; extra > 0 {
		t.data = append(t.data[:0], t.data[extra:]...)
	}
	return len(p), nil
}

func (t *tail) bytes() []byte { return t.data }

// lines hands over what is written, line by line.
type lines struct {
	mu   *sync.Mutex // one line at a time, over several
	line func(string)
	part []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.part = append(l.part, p...)
	for {
		before, after, found := bytes.Cut(l.part, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.say(before)
		l.part = append([]byte(nil), after...)
	}
}

// rest hands over a last line that nothing ended.
func (l *lines) rest() {
	if len(l.part) > 0 {
		l.say(l.part)
		l.part = nil
	}
}

func (l *lines) say(text []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line(strings.TrimRight(string(text), "\r"))
}
