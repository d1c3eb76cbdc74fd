package cache

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/opencontainers/go-digest"
)

// Tag is what a tag stood for when its registry was last asked.
type Tag struct {
	Name
	Tag       string
	Digest    digest.Digest
	MediaType string
	Size      int64     // bytes of the manifest
	Checked   time.Time // when the registry last said so
	Stored    time.Time // when it first said so
	Pinned    bool      // see Pin; SetTag sets it, and never takes it away
}

// refFile is the content of a file below refs.
type refFile struct {
	Reference string        `json:"reference"` // in full: a mismatch is a miss
	Digest    digest.Digest `json:"digest"`
	MediaType string        `json:"mediaType,omitempty"`
	Size      int64         `json:"size,omitempty"`
	Checked   time.Time     `json:"checked,omitzero"`
	Stored    time.Time     `json:"stored,omitzero"`
	Pinned    bool          `json:"pinned,omitempty"`
}

// refCache is what is kept in memory of refs.
type refCache struct {
	mu      sync.Mutex     // held while files below refs change
	checked map[string]Tag // by path: checked again, and not yet written
	read    recall[tagID, tagFile]

	reaching sync.Mutex
	reach    map[Name]*reach
	children map[key]links
	entries  int // in children

	staleMu  sync.Mutex    // taken last
	stale    map[Name]bool // folders to be compared; true: somebody else was at work there
	unread   []key         // manifests that are to be adopted
	settling int           // who is at these just now
	moved    map[Name]bool // refs changed: what reach says is old
}

// SetTag remembers a tag. Zero times are now. One that is as before, only checked
// again, is written with the next Flush; a new one is on disk when this returns.
// A tag that was pinned stays so, whatever it stands for now.
func (c *Cache) SetTag(t Tag) error {
	ref, err := t.tagged(t.Tag)
	if err != nil {
		return err
	}
	k, err := keyOf(t.Digest)
	if err != nil {
		return err
	}
	if c.isClosed() {
		return ErrClosed
	}
	if err := c.withRoom(func() error { return c.setTag(t, ref, k) }); err != nil {
		return diskFault("remember "+ref, err)
	}
	c.adopt(k)
	return nil
}

// withRoom tries again after making room when the disk is full. f holds no lock
// when it returns.
func (c *Cache) withRoom(f func() error) error {
	err := f()
	if err != nil && isNoSpace(err) && c.makeRoom(1) {
		err = f()
	}
	return err
}

func (c *Cache) setTag(t Tag, ref string, k key) error {
	now := c.now()
	if t.Checked.IsZero() {
		t.Checked = now
	}
	path := c.tagPath(t.Name, t.Tag)
	c.refs.mu.Lock()
	defer c.refs.mu.Unlock()
	old, err := c.readTag(t.Name, t.Tag, ref, path)
	if CannotRead(err) {
		return err
	}
	same := err == nil && old.same(t) && (old.Pinned || !t.Pinned)
	t.Pinned = t.Pinned || err == nil && old.Pinned || err != nil && c.store.pinned(t.Name, t.Tag)
	if t.Stored.IsZero() {
		t.Stored = now
		if same {
			t.Stored = old.Stored
		}
	}
	if same {
		if c.refs.checked == nil {
			c.refs.checked = make(map[string]Tag)
		}
		c.refs.checked[path] = t
		c.use(t.Name, k, 0)
		c.soon()
		return nil
	}
	return c.writeTag(t, ref, path, now)
}

// writeTag writes the file of a tag that was used at some time. Needs refs.mu.
func (c *Cache) writeTag(t Tag, ref, path string, used time.Time) error {
	r := refFile{Reference: ref, Digest: t.Digest, MediaType: t.MediaType, Size: t.Size, Checked: t.Checked.UTC(), Stored: t.Stored.UTC(), Pinned: t.Pinned}
	row := rowOf(r)
	row.used = max(row.used, used.UnixNano())
	return c.changeRefs(t.Name, func() error {
		if err := c.makeRefDir(filepath.Dir(path)); err != nil {
			return err
		}
		if fi, err := os.Lstat(path); err == nil && fi.IsDir() {
			return c.writeRef(besides(path), r, path)
		}
		if err := c.writeRef(path, r, path); err != nil {
			return err
		}
		_ = c.disk.remove(besides(path))
		return nil
	}, func(s *store) { s.setRef(t.Name, row) })
}

// writeRef writes a ref file, whose own path may be taken.
func (c *Cache) writeRef(target string, r refFile, path string) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := c.writeFile(target, append(body, '\n')); err != nil {
		return err
	}
	delete(c.refs.checked, path)
	return nil
}

// makeRefDir makes a directory below refs. A tag's file in its way moves aside.
func (c *Cache) makeRefDir(dir string) error {
	err := c.makeDir(dir)
	if err == nil {
		return nil
	}
	top := filepath.Join(c.dir, "refs")
	rel, rerr := filepath.Rel(top, dir)
	if rerr != nil {
		return err
	}
	for part := range strings.SplitSeq(rel, string(filepath.Separator)) {
		top = filepath.Join(top, part)
		if fi, serr := os.Lstat(top); serr == nil && fi.Mode().IsRegular() {
			if err := c.disk.rename(top, besides(top)); err != nil {
				return err
			}
			return c.makeDir(dir)
		}
	}
	return err
}

// tagID and tagFile are for refCache.read.
type (
	tagID struct {
		Name
		tag string
	}
	tagFile struct {
		Tag
		path string
	}
)

// Tag looks a tag up; *MissError if it is not known.
func (c *Cache) Tag(n Name, tag string) (Tag, error) {
	if r, ok := c.refs.read.get(tagID{n, tag}); ok {
		c.refs.mu.Lock()
		defer c.refs.mu.Unlock()
		return c.newest(r.Tag, r.path), nil
	}
	ref, err := n.tagged(tag)
	if err != nil {
		return Tag{}, err
	}
	path := c.tagPath(n, tag)
	c.refs.mu.Lock()
	defer c.refs.mu.Unlock()
	st, serr := stampAt(path)
	t, err := c.readTag(n, tag, ref, path)
	if err == nil && serr == nil && !exists(besides(path)) {
		c.refs.read.note(c.now(), tagID{n, tag}, tagFile{t, path}, path, st, 512)
	}
	return t, err
}

// newest is a tag as it was read from its file, and when it was checked since. All
// else is in the file alone, which somebody may have changed behind us. Needs refs.mu.
func (c *Cache) newest(t Tag, path string) Tag {
	if since, ok := c.refs.checked[path]; ok && since.same(t) {
		t.Checked = since.Checked
	}
	return t
}

// same reports whether a tag stands for the same as another one.
func (t Tag) same(o Tag) bool {
	return t.Name == o.Name && t.Tag == o.Tag && t.Digest == o.Digest && t.MediaType == o.MediaType && t.Size == o.Size
}

// readTag needs refs.mu.
func (c *Cache) readTag(n Name, tag, ref, path string) (Tag, error) {
	r, err := readRef(path)
	if err != nil {
		if moved, merr := readRef(besides(path)); merr == nil {
			r, err = moved, nil
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Tag{}, &MissError{Ref: ref, Reason: Absent}
	case err != nil:
		return Tag{}, &MissError{Ref: ref, Reason: Unreadable, Err: err}
	case r.Reference != ref:
		return Tag{}, &MissError{Ref: ref, Reason: Mismatch}
	}
	t := Tag{Name: n, Tag: tag, Digest: r.Digest, MediaType: r.MediaType, Size: r.Size, Checked: r.Checked, Stored: r.Stored, Pinned: r.Pinned}
	return c.newest(t, path), nil
}

// refMax is more than any ref file has.
const refMax = 64 << 10

var errRef = errors.New("not what this cache writes")

// maybeGood reports whether an error of reading a file says nothing of what is in it: it is
// there, as far as is known, and the system could not read it.
func maybeGood(err error) bool {
	var system syscall.Errno
	return errors.As(err, &system) && !errors.Is(err, fs.ErrNotExist)
}

func readRef(path string) (refFile, error) {
	fi, err := os.Stat(path)
	if err != nil {
		if isNotDir(err) {
			err = fs.ErrNotExist
		}
		return refFile{}, err
	}
	if fi.IsDir() {
		return refFile{}, fs.ErrNotExist
	}
	if !fi.Mode().IsRegular() || fi.Size() > refMax {
		return refFile{}, errRef
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return refFile{}, err
	}
	return parseRef(b)
}

// parseRef reads a ref file and holds it against the grammar.
func parseRef(b []byte) (refFile, error) {
	var r refFile
	if json.Unmarshal(b, &r) != nil {
		return refFile{}, errRef
	}
	_, _, d, ok := parseReference(r.Reference)
	if _, err := keyOf(r.Digest); err != nil || !ok || r.Size < 0 || (d != "" && d != r.Digest) {
		return refFile{}, errRef
	}
	return r, nil
}

// DeleteTag forgets a tag, pinned or not; its image stays until room is needed.
// One that is not there is no error.
func (c *Cache) DeleteTag(n Name, tag string) error {
	ref, err := n.tagged(tag)
	if err != nil {
		return err
	}
	c.refs.mu.Lock()
	defer c.refs.mu.Unlock()
	if err := c.dropTag(n, tag, ref, nil); err != nil {
		return diskFault("forget "+ref, err)
	}
	return nil
}

// dropTag removes a tag's file and takes it out of the catalogue. gone hears of
// the blobs that nothing uses any more. Needs refs.mu.
func (c *Cache) dropTag(n Name, tag, ref string, gone func(key)) error {
	path := c.tagPath(n, tag)
	delete(c.refs.checked, path)
	return c.changeRefs(n, func() error {
		for _, p := range []string{path, besides(path)} {
			r, err := readRef(p)
			if errors.Is(err, fs.ErrNotExist) || (err == nil && r.Reference != ref) {
				continue
			}
			if err := c.disk.remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		c.pruneRefs(filepath.Dir(path))
		return nil
	}, func(s *store) { s.dropRef(n, tag, gone) })
}

// pruneRefs removes directories that became empty.
func (c *Cache) pruneRefs(dir string) {
	top := filepath.Join(c.dir, "refs")
	for ; dir != top && strings.HasPrefix(dir, top); dir = filepath.Dir(dir) {
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 || c.disk.remove(dir) != nil {
			return
		}
	}
}

// Tags lists the known tags of a repository, sorted; none is no error.
func (c *Cache) Tags(n Name) ([]string, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	var tags []string
	for _, r := range c.readRefs(n) {
		if _, tag, _, _ := parseReference(r.Reference); tag != "" {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags), nil
}

// readRefs reads the ref files of one repository; what is no good is left out.
func (c *Cache) readRefs(n Name) []refFile {
	refs, _ := c.listRefs(n)
	return refs
}

// listRefs is readRefs. The error is of what could not be read now, and may be as it
// should all the same: with too many files open, say.
func (c *Cache) listRefs(n Name) (refs []refFile, unread error) {
	dir := c.repositoryDir(n)
	entries, err := os.ReadDir(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || isNotDir(err) {
			err = nil
		}
		return nil, err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		r, err := readRef(filepath.Join(dir, e.Name()))
		if err != nil {
			if maybeGood(err) {
				unread = err
			}
			continue
		}
		if of, _, _, _ := parseReference(r.Reference); of == n {
			refs = append(refs, r)
		}
	}
	return refs, unread
}

// flushTags writes the check times that lag behind, one after the other: who asks for
// a tag waits for the disk no longer than one of them takes.
func (c *Cache) flushTags() (errs error) {
	c.refs.mu.Lock()
	paths := slices.Collect(maps.Keys(c.refs.checked))
	c.refs.mu.Unlock()
	for _, path := range paths {
		errs = errors.Join(errs, c.flushTag(path))
	}
	return errs
}

// flushTag writes one. A tag whose file somebody removed or changed meanwhile stays as
// it is.
func (c *Cache) flushTag(path string) error {
	c.refs.mu.Lock()
	defer c.refs.mu.Unlock()
	t, lags := c.refs.checked[path]
	if !lags {
		return nil
	}
	ref, err := t.tagged(t.Tag)
	if err != nil {
		return err
	}
	now, err := c.readTag(t.Name, t.Tag, ref, path)
	switch {
	case CannotRead(err):
		return err
	case isUnreadable(err):
		t.Pinned = t.Pinned || c.store.pinned(t.Name, t.Tag)
	case err != nil || !now.same(t):
		delete(c.refs.checked, path)
		c.stale(t.Name, true)
		return nil
	default:
		t = now
	}
	return c.writeTag(t, ref, path, t.Checked)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
