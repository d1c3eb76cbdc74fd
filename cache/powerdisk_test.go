package cache

import (
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// PowerDisk is a disk that knows what a loss of power leaves of it: the bytes of a
// file up to its last Sync, and the entries of a folder up to its last syncDir.
// Whatever else was changed since may have reached the disk or not, each on its
// own and in any order; only what one call does within one folder is done or not
// done as a whole.
//
// It is the harshest reading of POSIX. Journalling file systems keep more.
type PowerDisk struct {
	Before func(op, path string) // with nothing locked

	mu      sync.Mutex
	dir     string
	root    *node
	pending []entry
	dead    bool
}

// node is a file or folder. Of a folder, entries as they are and as they are on
// disk for good; of a file, its bytes.
type node struct {
	live, durable map[string]*node // nil: a file
	synced        []byte
	last          []byte // of a file that has no name any more
}

// entry is a change of one folder that is not there for good.
type entry struct {
	dir *node
	of  []named
}

type named struct {
	name string
	to   *node // nil: gone
}

// NewPowerDisk takes all that is in dir as being there for good.
func NewPowerDisk(dir string) *PowerDisk {
	return &PowerDisk{dir: dir, root: scanned(dir)}
}

func scanned(dir string) *node {
	n := &node{live: map[string]*node{}, durable: map[string]*node{}}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() {
			n.live[e.Name()] = scanned(path)
		} else if isModelled(e.Name()) {
			b, _ := os.ReadFile(path)
			n.live[e.Name()] = &node{synced: b}
		}
	}
	n.durable = maps.Clone(n.live)
	return n
}

// isModelled is false for files that are not written over this disk.
func isModelled(name string) bool { return name != "lock" && !strings.HasPrefix(name, "cache.db") }

func (d *PowerDisk) parts(path string) []string {
	rel, err := filepath.Rel(d.dir, path)
	if err != nil || rel == "." {
		return nil
	}
	return strings.Split(filepath.ToSlash(rel), "/")
}

// find needs mu.
func (d *PowerDisk) find(parts []string) *node {
	at := d.root
	for _, p := range parts {
		if at == nil {
			return nil
		}
		at = at.live[p]
	}
	return at
}

// change makes name in the folder parent be to. Needs mu.
func (d *PowerDisk) change(path string, to *node) {
	parts := d.parts(path)
	if len(parts) == 0 {
		return
	}
	dir, name := d.find(parts[:len(parts)-1]), parts[len(parts)-1]
	if dir == nil {
		return
	}
	if to == nil {
		delete(dir.live, name)
	} else {
		dir.live[name] = to
	}
	d.pending = append(d.pending, entry{dir: dir, of: []named{{name, to}}})
}

// keep has the bytes of a file remembered that is about to lose its name. Needs mu.
func (d *PowerDisk) keep(path string) {
	if n := d.find(d.parts(path)); n != nil && n.live == nil {
		n.last, _ = os.ReadFile(path)
	}
}

// begin is before each call; it takes mu unless the machine is off.
func (d *PowerDisk) begin(op, path string) error {
	if d.Before != nil {
		d.Before(op, path)
	}
	d.mu.Lock()
	if d.dead {
		d.mu.Unlock()
		return &fs.PathError{Op: op, Path: path, Err: syscall.EIO}
	}
	return nil
}

func (d *PowerDisk) open(name string, flag int) (file, error) {
	if err := d.begin("open", name); err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	f, err := openShared(name, os.O_RDWR|flag, fileMode)
	if err != nil {
		return nil, err
	}
	n := d.find(d.parts(name))
	if n == nil {
		n = &node{}
		d.change(name, n)
	}
	return &powerFile{d: d, f: f, n: n}, nil
}

func (d *PowerDisk) mkdir(dir string) error {
	if err := d.begin("mkdir", dir); err != nil {
		return err
	}
	defer d.mu.Unlock()
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return err
	}
	parts := d.parts(dir)
	for i := range parts {
		if d.find(parts[:i+1]) == nil {
			d.change(filepath.Join(append([]string{d.dir}, parts[:i+1]...)...), &node{live: map[string]*node{}, durable: map[string]*node{}})
		}
	}
	return nil
}

func (d *PowerDisk) rename(from, to string) error {
	if err := d.begin("rename", to); err != nil {
		return err
	}
	defer d.mu.Unlock()
	n := d.find(d.parts(from))
	d.keep(to)
	if err := os.Rename(from, to); err != nil {
		return err
	}
	d.change(to, n)
	d.change(from, nil)
	if len(d.pending) > 1 && filepath.Dir(from) == filepath.Dir(to) {
		last := len(d.pending) - 1
		d.pending[last-1].of = append(d.pending[last-1].of, d.pending[last].of...)
		d.pending = d.pending[:last]
	}
	return nil
}

func (d *PowerDisk) remove(name string) error {
	if err := d.begin("remove", name); err != nil {
		return err
	}
	defer d.mu.Unlock()
	d.keep(name)
	if err := os.Remove(name); err != nil {
		return err
	}
	d.change(name, nil)
	return nil
}

func (d *PowerDisk) syncDir(dir string) error {
	if err := d.begin("syncdir", dir); err != nil {
		return err
	}
	defer d.mu.Unlock()
	n := d.find(d.parts(dir))
	d.pending = slices.DeleteFunc(d.pending, func(e entry) bool {
		if e.dir != n {
			return false
		}
		e.apply()
		return true
	})
	return nil
}

func (e entry) apply() {
	for _, c := range e.of {
		if c.to == nil {
			delete(e.dir.durable, c.name)
		} else {
			e.dir.durable[c.name] = c.to
		}
	}
}

func (d *PowerDisk) writable(string) error             { return nil }
func (d *PowerDisk) lock(dir string) (*os.File, error) { return osDisk{}.lock(dir) }

type powerFile struct {
	d *PowerDisk
	f *os.File
	n *node
}

func (f *powerFile) Write(p []byte) (int, error) {
	if err := f.d.begin("write", f.f.Name()); err != nil {
		return 0, err
	}
	defer f.d.mu.Unlock()
	return f.f.Write(p)
}

func (f *powerFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.d.begin("write", f.f.Name()); err != nil {
		return 0, err
	}
	defer f.d.mu.Unlock()
	return f.f.WriteAt(p, off)
}

func (f *powerFile) Truncate(n int64) error {
	if err := f.d.begin("truncate", f.f.Name()); err != nil {
		return err
	}
	defer f.d.mu.Unlock()
	return f.f.Truncate(n)
}

func (f *powerFile) Sync() error {
	if err := f.d.begin("sync", f.f.Name()); err != nil {
		return err
	}
	defer f.d.mu.Unlock()
	fi, err := f.f.Stat()
	if err != nil {
		return err
	}
	f.n.synced, err = io.ReadAll(io.NewSectionReader(f.f, 0, fi.Size()))
	return err
}

func (f *powerFile) Close() error { return f.f.Close() }

// Off ends everything: from now on each call fails.
func (d *PowerDisk) Off() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
}

// Lose makes into what is left when the power goes now. lucky is how likely it is
// that a change that was not synced has reached the disk.
func (d *PowerDisk) Lose(into string, rng *rand.Rand, lucky float64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := make(map[*node]string)
	names(d.root, d.dir, now)
	for _, e := range d.pending {
		if rng.Float64() < lucky {
			e.apply()
		}
	}
	d.pending = nil
	return left(d.root, into, now, rng, lucky)
}

// names are the paths of all files that have one.
func names(n *node, path string, to map[*node]string) {
	if n.live == nil {
		to[n] = path
	}
	for name, child := range n.live {
		names(child, filepath.Join(path, name), to)
	}
}

// left writes down what is on disk for good.
func left(n *node, path string, now map[*node]string, rng *rand.Rand, lucky float64) error {
	if n.live == nil {
		return os.WriteFile(path, n.after(now[n], rng, lucky), fileMode)
	}
	if err := os.MkdirAll(path, dirMode); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(n.durable)) {
		if err := left(n.durable[name], filepath.Join(path, name), now, rng, lucky); err != nil {
			return err
		}
	}
	return nil
}

// after is what a file holds: of each page what was synced or what was written
// since, and an end that is one or the other.
func (n *node) after(path string, rng *rand.Rand, lucky float64) []byte {
	written := n.last
	if path != "" {
		written, _ = os.ReadFile(path)
	}
	size := len(n.synced)
	if rng.Float64() < lucky {
		size = len(written)
	}
	out := make([]byte, size)
	copy(out, n.synced)
	const page = 4096
	for at := 0; at < size && at < len(written); at += page {
		if rng.Float64() < lucky {
			copy(out[at:], written[at:min(at+page, len(written))])
		}
	}
	return out
}

// Killed is the same disk in another folder, after the process was killed: what
// was not synced still is not.
func (d *PowerDisk) Killed(into string) (*PowerDisk, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := os.CopyFS(into, os.DirFS(d.dir)); err != nil {
		return nil, err
	}
	as := map[*node]*node{nil: nil}
	k := &PowerDisk{dir: into, root: d.root.clone(as)}
	for _, e := range d.pending {
		c := entry{dir: e.dir.clone(as)}
		for _, n := range e.of {
			c.of = append(c.of, named{n.name, n.to.clone(as)})
		}
		k.pending = append(k.pending, c)
	}
	return k, nil
}

func (n *node) clone(as map[*node]*node) *node {
	if c, done := as[n]; done {
		return c
	}
	c := &node{synced: n.synced, last: n.last}
	as[n] = c
	if n.live != nil {
		c.live, c.durable = map[string]*node{}, map[string]*node{}
		for name, child := range n.live {
			c.live[name] = child.clone(as)
		}
		for name, child := range n.durable {
			c.durable[name] = child.clone(as)
		}
	}
	return c
}
