package machine

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Local is this machine. The zero value is the real one.
type Local struct {
	// Dir stands before every path, for tests; "" is the real machine.
	Dir string
	// As replaces what is found out about the machine and the person; nil finds it out.
	As *Facts
	// Environ replaces the environment; nil is the process's own.
	Environ []string
	// Exec replaces the running of programs; nil runs them.
	Exec func(ctx context.Context, c Command) ([]byte, error)
	// Connect replaces Dial; nil dials.
	Connect func(ctx context.Context, network, address string) (net.Conn, error)
}

var _ Machine = (*Local)(nil)

// Facts implements Machine. Behind sudo the person is the one who called it.
func (l *Local) Facts() Facts {
	if l.As != nil {
		return *l.As
	}
	f := Facts{OS: runtime.GOOS, Arch: runtime.GOARCH, UID: os.Getuid(), Root: elevated()}
	f.Home, _ = os.UserHomeDir()
	if me, err := user.Current(); err == nil {
		f.User = me.Username
	}
	if id, err := strconv.Atoi(l.Getenv("SUDO_UID")); err == nil && f.Root {
		f.UID, f.User = id, l.Getenv("SUDO_USER")
	}
	return f
}

// Getenv implements Machine.
func (l *Local) Getenv(name string) string {
	if l.Environ == nil {
		return os.Getenv(name)
	}
	for _, kv := range slices.Backward(l.Environ) {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	return ""
}

// real is where a path of the machine lies.
func (l *Local) real(path string) string {
	if l.Dir == "" {
		return path
	}
	path = strings.TrimPrefix(path, `C:`)
	return filepath.Join(l.Dir, filepath.FromSlash(strings.ReplaceAll(path, `\`, "/")))
}

// own is the reverse of real.
func (l *Local) own(path string) string {
	if l.Dir == "" {
		return path
	}
	if rest, ok := strings.CutPrefix(path, filepath.Clean(l.Dir)); ok {
		path = rest
	}
	if l.Facts().OS == Windows {
		return `C:` + strings.ReplaceAll(filepath.ToSlash(path), "/", `\`)
	}
	return filepath.ToSlash(path)
}

// told has an error speak of the machine's path.
func (l *Local) told(path string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return &fs.PathError{Op: pe.Op, Path: path, Err: pe.Err}
	}
	return err
}

// ReadFile implements Machine.
func (l *Local) ReadFile(path string) (File, error) {
	name, err := l.follow(path)
	if err != nil {
		return File{}, err
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return File{}, l.told(path, err)
	}
	info, err := os.Stat(name)
	if err != nil {
		return File{}, l.told(path, err)
	}
	return File{Path: l.own(name), Data: data, Mode: info.Mode().Perm()}, nil
}

// Remove implements Machine.
func (l *Local) Remove(path string) error { return l.told(path, os.Remove(l.real(path))) }

// List implements Machine.
func (l *Local) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(l.real(dir))
	if err != nil {
		return nil, l.told(dir, err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// Stat implements Machine.
func (l *Local) Stat(path string) (fs.FileInfo, error) {
	name, err := l.follow(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(name)
	return info, l.told(path, err)
}

// afterExit is how long output is still read when the program has ended: a daemon that it started may hold the pipes open.
const afterExit = time.Second

// Run implements Machine.
func (l *Local) Run(ctx context.Context, c Command) ([]byte, error) {
	if l.Exec != nil {
		return l.Exec(ctx, c)
	}
	if l.Dir != "" {
		return nil, &exec.Error{Name: c.Args[0], Err: exec.ErrNotFound} // nothing of the real machine
	}
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.WaitDelay = afterExit
	if l.Environ != nil {
		cmd.Env = slices.Concat(l.Environ, c.Env)
	} else {
		cmd.Env = slices.Concat(os.Environ(), c.Env)
	}
	cmd.Stdin = bytes.NewReader(c.Stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var status *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		err = nil
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.Is(err, fs.ErrNotExist):
		err = &exec.Error{Name: c.Args[0], Err: exec.ErrNotFound} // as for a name without a path
	case errors.As(err, &status):
		err = &ExitError{Program: c.Args[0], Status: status.ExitCode(), Stderr: stderr.String()}
	}
	return stdout.Bytes(), err
}

// Dial implements Machine.
func (l *Local) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if l.Connect != nil {
		return l.Connect(ctx, network, address)
	}
	if network == "unix" {
		address = l.real(address)
	}
	if network == "npipe" {
		return dialPipe(ctx, address)
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}
