package wiring

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"pulley/internal/docker/edit"
	"pulley/internal/docker/machine"
)

// change is what becomes of one file.
type change struct {
	File

	on            machine.Machine
	real          string
	before, after []byte // nil: no file
	base          []byte // without anything of ours; nil: no file
	made          []string
	ours          bool // something of ours is in after
	edited        bool // somebody has changed it since we wrote it
	written       bool
}

func (c *change) moves() bool {
	return (c.before == nil) != (c.after == nil) || !bytes.Equal(c.before, c.after)
}

// read finds out what there is of a file, and what of it is not ours as far as k knows; k may be nil.
func (w *Wirer) read(f File, k *kept) (*change, error) {
	c := &change{File: f, on: f.On(w.Machine), real: f.Path}
	if k != nil && k.Real != "" {
		c.real = k.Real
	}
	file, err := c.on.ReadFile(f.Path)
	switch {
	case err == nil:
		c.real, c.before = file.Path, notNil(file.Data)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	c.base = c.before
	if k != nil {
		c.made = slices.Clone(k.Made)
	}
	if k == nil || c.before == nil {
		return c, nil
	}
	switch now := sum(c.before); {
	case now == k.Wrote && k.Absent:
		c.base = nil
	case now == k.Wrote:
		data, err := w.original(*k)
		if err != nil {
			return nil, err
		}
		c.base = notNil(data)
	case !k.Absent && now == k.Original:
	default:
		c.edited = true
		left, err := k.Edit.Revert(c.before)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; somebody has edited it since: mend it and try again", f.Path, err)
		}
		c.base = notNil(left)
		if len(left) == 0 && k.Absent {
			c.base = nil
		}
	}
	return c, nil
}

func notNil(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

// changes are those that a plan makes, given what was done before.
func (w *Wirer) changes(p *Plan, r *record) ([]*change, error) {
	var list []*change
	files := merged(p.Files)
	for _, f := range files {
		c, err := w.read(f, r.file(f))
		if err != nil {
			return nil, err
		}
		after, err := f.Edit.Apply(c.base)
		if errors.Is(err, edit.ErrTaken) {
			return nil, fmt.Errorf("%s %w; move it away to have it written", f.Path, err)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
		c.after, c.ours = notNil(after), !bytes.Equal(after, c.base)
		if !c.ours {
			c.after = c.base
		}
		list = append(list, c)
	}
	if r == nil {
		return list, nil
	}
	for i := range r.Files { // what is not wanted any more
		k := &r.Files[i]
		if slices.ContainsFunc(files, k.same) {
			continue
		}
		c, err := w.read(k.File, k)
		if err != nil {
			return nil, err
		}
		c.after = c.base
		list = append(list, c)
	}
	return list, nil
}

// undone are the changes that leave nothing of ours.
func (w *Wirer) undone(r *record) ([]*change, error) {
	return w.changes(&Plan{}, r)
}

// file is what the record has of a file; nil if nothing. r may be nil.
func (r *record) file(f File) *kept {
	if r == nil {
		return nil
	}
	if i := slices.IndexFunc(r.Files, func(k kept) bool { return k.same(f) }); i >= 0 {
		return &r.Files[i]
	}
	return nil
}

// kept is the change for the ledger.
func (c *change) kept() kept {
	k := kept{File: c.File, Absent: c.base == nil, Wrote: sum(c.after), Made: c.made}
	if c.real != c.Path {
		k.Real = c.real
	}
	if c.base != nil {
		k.Original = sum(c.base)
	}
	return k
}

// missing are the folders that a file needs and that are not there, outermost first: noted before they are made.
func missing(m machine.Machine, name string) (list []string) {
	cut := strings.LastIndexAny(name, `/\`)
	for ; cut > 0; cut = strings.LastIndexAny(name[:cut], `/\`) {
		dir := name[:cut]
		if _, err := m.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		list = append(list, dir)
	}
	slices.Reverse(list)
	return list
}

// do makes the change.
func (c *change) do() error {
	if !c.moves() {
		if c.after == nil {
			c.clear() // somebody has removed the file, not the folders that were made for it
		}
		return nil
	}
	if c.stale() {
		return fmt.Errorf("%s: somebody has changed it just now; try again", c.Path)
	}
	c.written = true // from here on there may be something to put back
	if c.after == nil {
		if err := c.on.Remove(c.real); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		c.clear()
		return nil
	}
	made, err := c.on.WriteFile(c.Path, c.after, c.Mode)
	c.makes(made)
	return err
}

// stale says that a file of this machine is not what it was when the change was thought out.
func (c *change) stale() bool {
	if len(c.Through) > 0 {
		return false // a command more for each of many files
	}
	now, err := c.on.ReadFile(c.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return c.before != nil
	}
	return err == nil && (c.before == nil || !bytes.Equal(now.Data, c.before))
}

// makes notes folders that are, or will be, made.
func (c *change) makes(dirs []string) {
	for _, dir := range dirs {
		if !slices.Contains(c.made, dir) {
			c.made = append(c.made, dir)
		}
	}
}

// undo makes it as it was before do.
func (c *change) undo() error {
	if !c.written {
		return nil
	}
	now, err := c.on.ReadFile(c.Path)
	switch {
	case c.before == nil:
		if err == nil {
			err = c.on.Remove(now.Path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		c.clear()
		return nil
	case err == nil && bytes.Equal(now.Data, c.before):
		return nil
	}
	_, err = c.on.WriteFile(c.Path, c.before, c.Mode)
	return err
}

// clear removes the folders that were made, as far as nobody has put anything in.
func (c *change) clear() {
	for _, dir := range slices.Backward(c.made) {
		if c.on.Remove(dir) != nil {
			return
		}
	}
}

// check copies changed files to where no engine looks and runs a command on them.
func (w *Wirer) check(list []*change, run func(replace *strings.Replacer) error) error {
	dir := w.Machine.Getenv("TMPDIR")
	if w.Machine.Facts().OS == machine.Windows {
		dir = w.Machine.Getenv("TEMP")
	}
	if dir == "" {
		dir = "/tmp"
	}
	sep := "/"
	if strings.Contains(dir, `\`) {
		sep = `\`
	}
	var pairs []string
	for _, c := range list {
		if c.after == nil || len(c.Through) > 0 {
			continue // checks run on the machine itself
		}
		// Others may write there: a name that they cannot know, or a link of theirs might lie in its place.
		name := strings.TrimRight(dir, `/\`) + sep + "pulley-check-" + rand.Text() + filepath.Ext(c.Path)
		if _, err := c.on.WriteFile(name, c.after, 0o600); err != nil {
			return err
		}
		defer func() { _ = c.on.Remove(name) }()
		pairs = append(pairs, "{"+c.Path+"}", name)
	}
	return run(strings.NewReplacer(pairs...))
}
