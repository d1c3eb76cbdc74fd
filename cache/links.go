package cache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"
)

// maxReach bounds for how many repositories it is remembered what belongs to
// them.
const maxReach = 256

// reach is everything that belongs to one repository, as far as is known.
type reach struct {
	changed int64     // time of the directory when it was read
	looked  time.Time // at that
	all     map[key]struct{}
	missing []key // manifests not stored: what they point at is not known
}

// Link remembers that a manifest was pulled by its digest from a repository.
func (c *Cache) Link(n Name, manifest digest.Digest, mediaType string) error {
	if err := n.check(); err != nil {
		return err
	}
	k, err := keyOf(manifest)
	if err != nil {
		return err
	}
	if c.isClosed() {
		return ErrClosed
	}
	switch _, err := os.Lstat(c.linkPath(n, k)); {
	case err == nil:
		c.use(n, k, 0)
		return nil
	case !errors.Is(err, fs.ErrNotExist) && !isNotDir(err): // it may be there, and pinned
		return diskFault("remember "+n.String()+"@"+string(manifest), err)
	}
	if err := c.withRoom(func() error { return c.writeLink(n, k, mediaType, false) }); err != nil {
		return diskFault("remember "+n.String()+"@"+string(manifest), err)
	}
	c.adopt(k)
	return nil
}

// writeLink writes the file of a manifest pulled by digest.
func (c *Cache) writeLink(n Name, k key, mediaType string, pinned bool) error {
	c.refs.mu.Lock()
	defer c.refs.mu.Unlock()
	path := c.linkPath(n, k)
	r := refFile{Reference: n.String() + "@" + string(k.digest()), Digest: k.digest(), MediaType: mediaType, Stored: c.now().UTC(), Pinned: pinned}
	if old, err := readRef(path); err == nil && old.Reference == r.Reference {
		r.Stored = old.Stored
	}
	row := rowOf(r)
	row.used = c.now().UnixNano()
	return c.changeRefs(n, func() error {
		if err := c.makeRefDir(c.repositoryDir(n)); err != nil {
			return err
		}
		return c.writeRef(path, r, path)
	}, func(s *store) { s.setRef(n, row) })
}

// dropLink removes that file and takes it out of the catalogue, as dropTag does.
// Needs refs.mu.
func (c *Cache) dropLink(n Name, k key, gone func(key)) error {
	path := c.linkPath(n, k)
	return c.changeRefs(n, func() error {
		if err := c.disk.remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) && !isNotDir(err) {
			return err
		}
		c.pruneRefs(filepath.Dir(path))
		return nil
	}, func(s *store) { s.dropRef(n, linkID(k), gone) })
}

// References reports whether d belongs to a repository: it is what a tag or link
// of it stands for, or a manifest, config or layer that can be reached from
// there through stored manifests.
func (c *Cache) References(n Name, d digest.Digest) bool {
	k, err := keyOf(d)
	if err != nil || c.isClosed() {
		return false
	}
	c.refs.reaching.Lock()
	defer c.refs.reaching.Unlock()
	if c.refs.reach[n] == nil && n.check() != nil { // those in there were
		return false
	}
	r := c.reachOf(n)
	if r == nil {
		return false
	}
	_, ok := r.all[k]
	return ok
}

// changed has what belongs to a repository found out again after its refs changed.
func (c *Cache) changed(n Name) {
	c.refs.staleMu.Lock()
	defer c.refs.staleMu.Unlock()
	if c.refs.moved == nil {
		c.refs.moved = make(map[Name]bool)
	}
	c.refs.moved[n] = true
}

// forgetMoved makes reach forget what changed said. Needs refs.reaching.
func (c *Cache) forgetMoved() {
	c.refs.staleMu.Lock()
	defer c.refs.staleMu.Unlock()
	for n := range c.refs.moved {
		delete(c.refs.reach, n)
	}
	clear(c.refs.moved)
}

// reachOf needs refs.reaching. It answers from memory while the directory is as
// it was and no manifest has come that was missing.
func (c *Cache) reachOf(n Name) *reach {
	c.forgetMoved()
	now := time.Now()
	r := c.refs.reach[n]
	if r != nil && now.Sub(r.looked) < trusted && !c.anyStored(r.missing) {
		return r
	}
	fi, err := os.Stat(c.repositoryDir(n))
	if err != nil {
		delete(c.refs.reach, n)
		return nil
	}
	changed := fi.ModTime().UnixNano()
	if r != nil && r.changed == changed && !c.anyStored(r.missing) {
		r.looked = now
		return r
	}
	if !c.fresh(n) { // somebody else was at work there
		c.stale(n, true)
		c.soon()
	}
	r = &reach{changed: changed, looked: now, all: make(map[key]struct{})}
	refs, unread := c.listRefs(n)
	for _, ref := range refs {
		if k, err := keyOf(ref.Digest); err == nil {
			c.follow(k, true, r)
		}
	}
	if unread != nil { // there is more, which the next one who asks may read
		return r
	}
	if c.refs.reach == nil || len(c.refs.reach) >= maxReach {
		c.refs.reach = make(map[Name]*reach)
	}
	c.refs.reach[n] = r
	return r
}

func (c *Cache) anyStored(keys []key) bool {
	for _, k := range keys {
		if _, ok := c.store.get(k); ok {
			return true
		}
	}
	return false
}

func (c *Cache) follow(k key, manifest bool, r *reach) {
	if _, seen := r.all[k]; seen {
		return
	}
	r.all[k] = struct{}{}
	if !manifest {
		return
	}
	l, ok := c.linksOf(k)
	if !ok {
		r.missing = append(r.missing, k)
		return
	}
	for _, child := range l.blobs {
		c.follow(child.key, false, r)
	}
	for _, child := range l.manifests {
		c.follow(child.key, child.manifest, r)
	}
}
