package cache

import (
	"encoding/json"
	"os"

	"github.com/opencontainers/go-digest"
)

// maxReach bounds for how many repositories it is remembered what belongs to
// them.
const maxReach = 256

// reach is everything that belongs to one repository, as far as is known.
type reach struct {
	changed int64 // time of the directory when it was read
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
	path := c.linkPath(n, k)
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	ref := n.String() + "@" + string(manifest)
	body, err := json.Marshal(refFile{Reference: ref, Digest: manifest, MediaType: mediaType, Stored: c.now().UTC()})
	if err != nil {
		return err
	}
	c.refs.mu.Lock()
	defer c.refs.mu.Unlock()
	if err := c.makeRefDir(c.repositoryDir(n)); err != nil {
		return diskFault("remember "+ref, err)
	}
	if err := c.writeRef(path, body, n, path); err != nil {
		return diskFault("remember "+ref, err)
	}
	c.index.dirty.Store(true)
	c.soon()
	return nil
}

// References reports whether d belongs to a repository: it is what a tag or link
// of it stands for, or a manifest, config or layer that can be reached from
// there through stored manifests.
func (c *Cache) References(n Name, d digest.Digest) bool {
	k, err := keyOf(d)
	if err != nil || n.check() != nil || c.isClosed() {
		return false
	}
	c.refs.reaching.Lock()
	defer c.refs.reaching.Unlock()
	r := c.reachOf(n)
	if r == nil {
		return false
	}
	_, ok := r.all[k]
	return ok
}

// changed forgets what belongs to a repository after its refs changed.
func (c *Cache) changed(n Name) {
	c.refs.reaching.Lock()
	defer c.refs.reaching.Unlock()
	delete(c.refs.reach, n)
}

// reachOf needs refs.reaching. It answers from memory while the directory is as
// it was and no manifest has come that was missing.
func (c *Cache) reachOf(n Name) *reach {
	fi, err := os.Stat(c.repositoryDir(n))
	if err != nil {
		delete(c.refs.reach, n)
		return nil
	}
	changed := fi.ModTime().UnixNano()
	if r := c.refs.reach[n]; r != nil && r.changed == changed && !c.anyStored(r.missing) {
		return r
	}
	r := &reach{changed: changed, all: make(map[key]struct{})}
	for _, ref := range c.readRefs(n) {
		if k, err := keyOf(ref.Digest); err == nil {
			c.follow(k, true, r)
		}
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
