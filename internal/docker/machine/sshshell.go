package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A person's shell may print something before it runs a command (bash reads .bashrc for sshd): what counts comes after
// begin. The status is told by ourselves: ssh's own 255 may be the program's as well.
const (
	begin = "\001pulley\001"
	start = "PATH=$PATH:/usr/local/bin:/usr/local/sbin:/usr/sbin:/sbin LC_ALL=C\nexport PATH LC_ALL\n" +
		`printf '\001pulley\001'` + "\n"
)

var ended = regexp.MustCompile("\001([0-9]+)\001")

// watched keeps what a script writes to stderr, and calls once when it says that it has ended.
type watched struct {
	buf   bytes.Buffer
	once  sync.Once
	ended func()
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.buf.Write(p)
	if ended.Match(w.buf.Bytes()) {
		w.once.Do(w.ended)
	}
	return n, err
}

// afterEnd is how long output is still read when a script has ended.
const afterEnd = time.Second

// result is how a script of ours ended there.
type result struct {
	stdout []byte
	stderr string
	status int
}

// shell runs a script there, with sudo if root is asked for. An error is one of ssh, or ctx's.
func (s *SSH) shell(ctx context.Context, root bool, script string, stdin []byte) (result, error) {
	body := "(\n" + script + "\n)"
	if root {
		body = "sudo -n env LC_ALL=C \"PATH=$PATH\" /bin/sh -c " + quote(script)
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return result{}, fmt.Errorf("%s: %w", s.facts.Name, context.Cause(ctx))
	}
	life, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := s.ssh(life, wrap(start+body+"\nstatus=$?\n"+`printf '\001%d\001' $status >&2`))
	cmd.Stdin = bytes.NewReader(stdin)
	var stdout bytes.Buffer
	// sshd waits for whoever has the program's output open: a daemon that it has started may for ever.
	stderr := &watched{ended: func() { time.AfterFunc(afterEnd, cancel) }}
	cmd.Stdout, cmd.Stderr = &stdout, stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return result{}, fmt.Errorf("%s: %w", s.facts.Name, context.Cause(ctx))
	}
	said := stderr.buf.String()
	m := ended.FindStringSubmatchIndex(said)
	_, out, began := bytes.Cut(stdout.Bytes(), []byte(begin))
	if m == nil || !began {
		var status *exec.ExitError
		if err != nil && !errors.As(err, &status) {
			return result{}, fmt.Errorf("%s: ssh: %w", s.facts.Name, err)
		}
		return result{}, s.explain(said)
	}
	status, _ := strconv.Atoi(said[m[2]:m[3]])
	return result{stdout: out, stderr: said[:m[0]], status: status}, nil
}

// Signs that a person may not do a thing, in the words of those that are run here.
var refusals = []string{
	"ermission denied", "peration not permitted", "nteractive authentication required", "ccess denied", "must be root",
	"must be run as root", "superuser", "only root",
}

func (r result) refused() bool {
	return r.status != 0 && slices.ContainsFunc(refusals, func(sign string) bool { return strings.Contains(r.stderr, sign) })
}

// ErrNeedsRoot is in the errors of what only root may do, where sudo does not help.
var ErrNeedsRoot = errors.New("only root may do that there")

// maySudo reports whether what was refused is tried again as root.
func (s *SSH) maySudo() bool { return s.o.Sudo && s.facts.Root && s.facts.UID != 0 }

// byHand says what a person runs there where neither they nor sudo may.
func (s *SSH) byHand(command string) error {
	why := "and sudo asks for a password"
	if !s.o.Sudo {
		why = "and sudo was not asked for"
	}
	return fmt.Errorf("%s: %w, %s; try: ssh -t %s sudo %s", s.facts.Name, ErrNeedsRoot, why, s.login, command)
}

// Run implements Machine. What the person may not do there is tried once more by `sudo -n`, if that was asked for. A program
// that ctx cuts off may go on there until it reads or writes.
func (s *SSH) Run(ctx context.Context, c Command) ([]byte, error) {
	for _, word := range slices.Concat(c.Args, c.Env) {
		if strings.ContainsRune(word, 0) {
			return nil, errors.New("an argument with a NUL byte")
		}
	}
	script := "command -v " + quote(c.Args[0]) + " >/dev/null 2>&1 || exit 127\n"
	words := make([]string, 0, len(c.Env)+len(c.Args)+1)
	if len(c.Env) > 0 {
		words = append(words, "env")
	}
	for _, word := range slices.Concat(c.Env, c.Args) {
		words = append(words, quote(word))
	}
	script += "exec " + strings.Join(words, " ")
	r, err := s.shell(ctx, false, script, c.Stdin)
	if err == nil && r.refused() && s.facts.UID != 0 {
		if !s.maySudo() {
			return r.stdout, errors.Join(s.byHand(strings.Join(words, " ")), &ExitError{Program: c.Args[0], Status: r.status, Stderr: r.stderr})
		}
		r, err = s.shell(ctx, true, script, c.Stdin)
	}
	switch {
	case err != nil:
		return nil, err
	case r.status == 127 && strings.TrimSpace(r.stderr) == "":
		return r.stdout, &exec.Error{Name: c.Args[0], Err: exec.ErrNotFound}
	case r.status > 128 && r.status < 255:
		return r.stdout, &ExitError{Program: c.Args[0], Status: -1, Stderr: r.stderr}
	case r.status != 0:
		return r.stdout, &ExitError{Program: c.Args[0], Status: r.status, Stderr: r.stderr}
	}
	return r.stdout, nil
}

// quote makes one word of sh's.
func quote(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("/._-:@%+,", r)
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// wrap makes a command of a script for sh that any login shell takes for the same: csh and fish read quotes, newlines and
// exclamation marks in other ways than sh does, so none of these are in it.
func wrap(script string) string {
	var b strings.Builder
	b.WriteString(`exec /bin/sh -c 'eval "$(printf "`)
	for _, c := range []byte(script) {
		switch {
		case c == '%':
			b.WriteString("%%")
		case c <= ' ' && c != ' ', c >= 0x7f, strings.IndexByte("'\"`$\\!", c) >= 0:
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteString(`")"'`)
	return b.String()
}
