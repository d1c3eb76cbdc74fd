package wiring

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"pulley/internal/docker/machine"
)

// guestTime is how long one command in a virtual machine may take.
const guestTime = 20 * time.Second

// On is the machine that the file is on: m itself, or what Through leads to.
func (f File) On(m machine.Machine) machine.Machine {
	switch {
	case len(f.Through) == 0:
		return m
	case f.Setting:
		return &settings{Machine: m, through: f.Through}
	default:
		return newGuest(m, f.Through)
	}
}

// guest is a Linux virtual machine in which a program of m runs commands, as root where that is part of it. Its paths need no
// quoting: several of these programs hand them to a shell. It is made for one plan and remembers the folders that it listed.
type guest struct {
	machine.Machine // the machine it runs on

	through []string
	begin   func() (context.Context, context.CancelFunc) // of one command

	mu   sync.Mutex
	dirs map[string]listing
}

type listing struct {
	names []string // folders end in /
	err   error
}

func newGuest(m machine.Machine, through []string) *guest {
	return &guest{Machine: m, through: through, dirs: make(map[string]listing), begin: func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(context.Background(), guestTime)
	}}
}

// newGuestWithin is one whose commands end with ctx, for whoever waits for a list.
func newGuestWithin(ctx context.Context, m machine.Machine, through []string) *guest {
	g := newGuest(m, through)
	g.begin = func() (context.Context, context.CancelFunc) { return context.WithCancel(ctx) }
	return g
}

// glimpse is a file in a virtual machine, as far as it is to be had at once.
func glimpse(ctx context.Context, m machine.Machine, through []string, name string) []byte {
	read, err := newGuestWithin(ctx, m, through).ReadFile(name)
	if err != nil {
		return nil
	}
	return read.Data
}

// Facts are the guest's as far as anybody here asks.
func (g *guest) Facts() machine.Facts {
	return machine.Facts{OS: machine.Linux, Arch: g.Machine.Facts().Arch, Home: "/root", User: "root", Root: true}
}

// Getenv knows none of the guest's.
func (g *guest) Getenv(string) string { return "" }

// Run runs a program in the guest.
func (g *guest) Run(ctx context.Context, c machine.Command) ([]byte, error) {
	return g.Machine.Run(ctx, machine.Command{Args: slices.Concat(g.through, c.Args), Stdin: c.Stdin, Env: c.Env})
}

//nolint:contextcheck // a Machine's files have no context of a caller's
func (g *guest) do(stdin []byte, op, name string, args ...string) ([]byte, error) {
	if strings.ContainsAny(name, " '\"\\$`&;|<>()*?[]#~\n") {
		return nil, &fs.PathError{Op: op, Path: name, Err: errors.New("a name that is not for a shell")}
	}
	ctx, cancel := g.begin()
	defer cancel()
	// Why it did not work is read from what programs say, which they say in the system's language otherwise.
	out, err := g.Run(ctx, machine.Command{Args: slices.Concat([]string{"env", "LC_ALL=C"}, args, []string{name}), Stdin: stdin})
	var status *machine.ExitError
	if errors.As(err, &status) {
		switch {
		case args[0] == "ls" && len(out) > 0: // all but a link that leads nowhere
			return out, nil
		case strings.Contains(status.Stderr, "No such file"), strings.Contains(status.Stderr, "No such container"): // it was deleted
			err = fs.ErrNotExist
		case strings.Contains(status.Stderr, "ermission denied"):
			err = fs.ErrPermission
		}
	}
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return out, nil
}

// ReadFile implements machine.Machine.
func (g *guest) ReadFile(name string) (machine.File, error) {
	out, err := g.do(nil, "open", name, "cat")
	if err != nil {
		return machine.File{}, err
	}
	return machine.File{Path: name, Data: out, Mode: 0o644}, nil
}

// WriteFile writes a file in place, which keeps its mode and owner, and reads it again: not all of these programs say when
// what they were fed was cut.
func (g *guest) WriteFile(name string, data []byte, _ fs.FileMode) (made []string, err error) {
	g.forget() // somebody else with the same guest may have made folders
	if made, err = g.makeDirs(path.Dir(name)); err != nil {
		return made, err
	}
	if _, err := g.do(data, "write", name, "tee"); err != nil {
		return made, err
	}
	g.forget()
	got, err := g.ReadFile(name)
	if err == nil && !bytes.Equal(got.Data, data) {
		err = &fs.PathError{Op: "write", Path: name, Err: errors.New("it did not arrive whole")}
	}
	return made, err
}

func (g *guest) makeDirs(dir string) (made []string, err error) {
	if _, err := g.Stat(dir); err == nil || dir == "/" {
		return nil, nil //nolint:nilerr // of the root itself there is nothing to make
	}
	if made, err = g.makeDirs(path.Dir(dir)); err != nil {
		return made, err
	}
	if _, err := g.do(nil, "mkdir", dir, "mkdir"); err != nil {
		return made, err
	}
	g.forget()
	return append(made, dir), nil
}

// forget has folders listed anew.
func (g *guest) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.dirs)
}

// Remove implements machine.Machine.
func (g *guest) Remove(name string) error {
	g.forget()
	info, err := g.Stat(name)
	if err != nil {
		return err
	}
	tool := "rm"
	if info.IsDir() {
		tool = "rmdir"
	}
	_, err = g.do(nil, "remove", name, tool)
	g.forget()
	return err
}

// List implements machine.Machine.
func (g *guest) List(dir string) ([]string, error) {
	l := g.list(dir)
	names := make([]string, len(l.names))
	for i, n := range l.names {
		names[i] = strings.TrimSuffix(n, "/")
	}
	return names, l.err
}

func (g *guest) list(dir string) listing {
	g.mu.Lock()
	l, ok := g.dirs[dir]
	g.mu.Unlock()
	if ok {
		return l
	}
	if up := path.Dir(dir); up != dir && up != "/" {
		if above := g.list(up); above.err != nil { // what is not there has nothing in it: a command saved
			return listing{err: &fs.PathError{Op: "open", Path: dir, Err: errors.Unwrap(above.err)}}
		}
	}
	out, err := g.do(nil, "open", dir, "ls", "-1", "-A", "-p", "-L")
	l = listing{names: strings.Fields(string(out)), err: err}
	slices.Sort(l.names)
	g.mu.Lock()
	g.dirs[dir] = l
	g.mu.Unlock()
	return l
}

// Stat says whether there is something, and whether it is a folder.
func (g *guest) Stat(name string) (fs.FileInfo, error) {
	if name == "/" {
		return guestInfo{name: "/", dir: true}, nil
	}
	l := g.list(path.Dir(name))
	if l.err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: errors.Unwrap(l.err)}
	}
	for _, dir := range []bool{false, true} {
		base := path.Base(name)
		if dir {
			base += "/"
		}
		if slices.Contains(l.names, base) {
			return guestInfo{name: path.Base(name), dir: dir}, nil
		}
	}
	return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
}

type guestInfo struct {
	name string
	dir  bool
}

func (i guestInfo) Name() string       { return i.name }
func (i guestInfo) Size() int64        { return 0 }
func (i guestInfo) ModTime() time.Time { return time.Time{} }
func (i guestInfo) IsDir() bool        { return i.dir }
func (i guestInfo) Sys() any           { return nil }
func (i guestInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

// settings are those of a program, each a file with one key.
type settings struct {
	machine.Machine

	through []string
}

func (s *settings) run(args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), guestTime)
	defer cancel()
	return s.Machine.Run(ctx, machine.Command{Args: slices.Concat(s.through, args)})
}

// ReadFile implements machine.Machine.
func (s *settings) ReadFile(name string) (machine.File, error) {
	out, err := s.run("get", name)
	if err != nil {
		return machine.File{}, &fs.PathError{Op: "get", Path: name, Err: err}
	}
	object, err := json.Marshal(map[string]string{name: strings.TrimSpace(string(out))})
	return machine.File{Path: name, Data: object, Mode: 0o600}, err
}

// WriteFile implements machine.Machine.
func (s *settings) WriteFile(name string, data []byte, _ fs.FileMode) ([]string, error) {
	var object map[string]string
	if err := json.Unmarshal(data, &object); err != nil {
		return nil, &fs.PathError{Op: "set", Path: name, Err: err}
	}
	to, ok := object[name]
	if !ok {
		return nil, &fs.PathError{Op: "set", Path: name, Err: errors.New("no value")}
	}
	if _, err := s.run("set", name, to); err != nil {
		return nil, &fs.PathError{Op: "set", Path: name, Err: err}
	}
	return nil, nil
}

// Remove cannot be: a setting always has a value.
func (s *settings) Remove(name string) error {
	return &fs.PathError{Op: "remove", Path: name, Err: errors.New("is a setting")}
}

// Stat implements machine.Machine.
func (s *settings) Stat(name string) (fs.FileInfo, error) { return guestInfo{name: name}, nil }
