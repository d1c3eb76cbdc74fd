package cache

import (
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The folder of a repository below refs has a time, which changes when a file
// comes, goes or is replaced. The catalogue remembers it: a folder that still has
// it holds what the catalogue says, whoever else has been at work there.

// folderTime is 0 for a folder that is not there.
func (c *Cache) folderTime(n Name) int64 {
	fi, err := os.Stat(c.repositoryDir(n))
	if err != nil {
		return 0
	}
	return fi.ModTime().UnixNano()
}

// folder is what folderTime said when the catalogue was last right about n. Needs
// mu.
func (s *store) folder(n Name) (at int64) {
	s.view(tableFolders, []byte(n.String()), func(v []byte) error {
		if len(v) != 8 {
			return errDamaged
		}
		at = int64(binary.BigEndian.Uint64(v))
		return nil
	})
	return at
}

// unknownTime is what no folder has: the catalogue was changed without being right.
const unknownTime = -1

// setFolder needs mu.
func (s *store) setFolder(n Name, at int64) {
	if at == 0 {
		s.unset(tableFolders, []byte(n.String()))
		return
	}
	s.set(tableFolders, []byte(n.String()), binary.BigEndian.AppendUint64(nil, uint64(at)))
}

// changeRefs changes files of one repository's folder with change, and the
// catalogue with note, which runs with the store's mu. If somebody else had been
// there before us, the folder is to be read. Needs refs.mu.
func (c *Cache) changeRefs(n Name, change func() error, note func(*store)) error {
	before := c.folderTime(n)
	err := change()
	c.refs.read.forgetAll()
	after := c.folderTime(n)
	s := c.store
	s.mu.Lock()
	known := s.folder(n) == before
	if err == nil {
		note(s)
	}
	if !known || err != nil {
		after = unknownTime // the time may be the old one again: that of a folder that comes back
	}
	s.setFolder(n, after)
	s.mu.Unlock()
	c.changed(n)
	if !known || err != nil {
		c.stale(n, !known)
	}
	c.index.dirty.Store(true)
	c.soon()
	return err
}

// stale has a repository's folder compared with the catalogue at the next Flush.
// changed: somebody else was at work there.
func (c *Cache) stale(n Name, changed bool) {
	c.refs.staleMu.Lock()
	defer c.refs.staleMu.Unlock()
	if c.refs.stale == nil {
		c.refs.stale = make(map[Name]bool)
	}
	c.refs.stale[n] = c.refs.stale[n] || changed
}

// adoptLater has manifests adopted at the next Flush.
func (c *Cache) adoptLater(roots []key) {
	c.refs.staleMu.Lock()
	defer c.refs.staleMu.Unlock()
	c.refs.unread = append(c.refs.unread, roots...)
	c.soon()
}

// unsettled reports whether folders that somebody changed are to be compared yet, or
// manifests to be read: until then what seems to belong to no image may belong to one
// all the same.
func (c *Cache) unsettled() bool {
	c.refs.staleMu.Lock()
	defer c.refs.staleMu.Unlock()
	for _, changed := range c.refs.stale {
		if changed {
			return true
		}
	}
	return len(c.refs.unread) > 0 || c.refs.settling > 0
}

// refresh compares the folders that are stale. It must be called without locks.
func (c *Cache) refresh() {
	c.refs.staleMu.Lock()
	names, roots := c.refs.stale, c.refs.unread
	c.refs.stale, c.refs.unread = nil, nil
	c.refs.settling++
	c.refs.staleMu.Unlock()
	defer func() {
		c.refs.staleMu.Lock()
		c.refs.settling--
		c.refs.staleMu.Unlock()
	}()
	c.adopt(roots...)
	for n := range names {
		c.readFolder(n)
	}
}

// fresh reports whether the catalogue is right about a repository as far as its
// folder's time tells.
func (c *Cache) fresh(n Name) bool {
	at := c.folderTime(n)
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	return c.store.folder(n) == at
}

// readFolder makes the catalogue agree with a repository's folder. It must be
// called without locks.
func (c *Cache) readFolder(n Name) {
	if c.fresh(n) {
		return
	}
	c.adopt(c.compareFolder(n)...)
	c.index.dirty.Store(true)
}

// compareFolder is readFolder without what follows for the manifests that it returns.
// While something there cannot be read the catalogue forgets nothing: what it knows may
// be all that keeps a pinned image.
func (c *Cache) compareFolder(n Name) (roots []key) {
	c.refs.mu.Lock()
	defer c.refs.mu.Unlock()
	at := c.folderTime(n)
	if at != 0 { // who changed it may have been killed before that was synced
		_ = c.syncUp(c.repositoryDir(n))
	}
	rows := make(map[string]refRow)
	refs, unread := c.listRefs(n)
	for _, r := range refs {
		row := rowOf(r)
		rows[row.id] = row
		roots = append(roots, row.root)
	}
	s := c.store
	if s.replaced() || c.folderTime(n) != at { // the directory is another one, which the next Flush sees to
		c.stale(n, true)
		c.soon()
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	prefix := imagePrefix(n)
	var gone []string
	s.scan(tableRefs, prefix, nil, func(k, _ []byte) bool {
		if id := string(k[len(prefix):]); rows[id].id == "" {
			gone = append(gone, id)
		}
		return true
	})
	for _, row := range rows {
		s.setRef(n, row)
	}
	if unread != nil {
		c.log.Warn("cache: tags could not be read, trying again", "repository", n.String(), "err", unread)
		c.stale(n, true) // what they stand for may seem to be nobody's
		return roots
	}
	for _, id := range gone {
		s.dropRef(n, id, nil)
		delete(c.refs.checked, c.tagPath(n, id))
	}
	s.setFolder(n, at)
	return roots
}

// rowOf is a ref file's row. It was used when it was last checked, as far as the
// file knows.
func rowOf(r refFile) refRow {
	k, _ := keyOf(r.Digest)
	_, id, _, _ := parseReference(r.Reference)
	if id == "" {
		id = linkID(k)
	}
	row := refRow{id: id, root: k, pinned: r.Pinned}
	for _, t := range []time.Time{r.Stored, r.Checked} {
		if !t.IsZero() {
			row.used = max(row.used, t.UnixNano())
		}
	}
	if !r.Checked.IsZero() {
		row.checked = r.Checked.UnixNano()
	}
	if !r.Stored.IsZero() {
		row.first = r.Stored.UnixNano()
	}
	return row
}

// readFolders compares every folder below refs with the catalogue, and forgets
// repositories whose folder has gone. done is called after each, and ends it by
// saying so.
func (c *Cache) readFolders(done func() bool) {
	top := filepath.Join(c.dir, "refs")
	stop := false
	_ = filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if stop {
			return fs.SkipAll
		}
		if err != nil || !e.IsDir() || path == top {
			return nil //nolint:nilerr // left out
		}
		for _, n := range c.namesAt(path) {
			c.readFolder(n)
		}
		stop = done()
		return nil
	})
	if stop {
		return
	}
	var names []Name
	c.store.batches(tableFolders, 1000, func(k, _ []byte) { names = append(names, nameOf(string(k))) })
	for _, n := range names {
		if c.folderTime(n) == 0 {
			c.readFolder(n)
		}
	}
}

// namesAt are the repositories whose folder path is: one as a rule, none for a
// folder in between. The files say it, since not every name is spelled alike on
// every system.
func (c *Cache) namesAt(path string) (out []Name) {
	rel, err := filepath.Rel(filepath.Join(c.dir, "refs"), path)
	if err != nil {
		return nil
	}
	registry, repository, ok := strings.Cut(filepath.ToSlash(rel), "/")
	if n := (Name{registry, repository}); ok && n.check() == nil && c.repositoryDir(n) == path {
		return []Name{n}
	}
	seen := make(map[Name]bool)
	entries, _ := os.ReadDir(path)
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		r, err := readRef(filepath.Join(path, e.Name()))
		if err != nil {
			continue
		}
		if n, _, _, ok := parseReference(r.Reference); ok && !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}
