package cache_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// parcel is an image: a manifest and what it points at.
type parcel struct {
	manifest []byte
	blobs    [][]byte
}

func newParcel(name string, blobs ...[]byte) *parcel {
	list := ""
	for i, b := range blobs {
		if i > 0 {
			list += ","
		}
		list += fmt.Sprintf(`{"digest":%q,"size":%d}`, digest.FromBytes(b), len(b))
	}
	return &parcel{fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","layers":[%s],"annotations":{"of":%q}}`, list, name), blobs}
}

func (p *parcel) digest() digest.Digest { return digest.FromBytes(p.manifest) }

// place is a tag of a repository.
type place struct {
	cache.Name
	tag string
}

// state is what a place may hold: of several, whichever; nil is nothing.
type state struct {
	may    []*parcel
	pinned []bool
}

func (s state) mayBe(p *parcel) bool { return slices.Contains(s.may, p) }

// ledger is what a cache has promised. Between begin and end of a deed both the
// old and the new holds.
type ledger struct {
	mu     sync.Mutex
	places map[place]state
	bodies map[digest.Digest][]byte // of everything that ever was on its way in
	power  bool                     // what was removed may come back
	loose  bool                     // nor is what was found there for good
}

func newLedger() *ledger {
	return &ledger{places: map[place]state{}, bodies: map[digest.Digest][]byte{}}
}

func (l *ledger) clone() *ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := newLedger()
	c.power, c.loose = l.power, l.loose
	maps.Copy(c.bodies, l.bodies)
	for at, s := range l.places {
		c.places[at] = state{slices.Clone(s.may), slices.Clone(s.pinned)}
	}
	return c
}

func (l *ledger) state(at place) state {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, known := l.places[at]
	if !known {
		return state{[]*parcel{nil}, []bool{false}}
	}
	return s
}

func (l *ledger) set(at place, s state) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.places[at] = s
}

func (l *ledger) body(b []byte) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bodies[digest.FromBytes(b)] = b
	return b
}

// begin says that a place may come to hold p, too.
func (l *ledger) begin(at place, p *parcel) {
	s := l.state(at)
	l.set(at, state{append(slices.Clone(s.may), p), s.pinned})
}

// end says that it holds p and nothing else.
func (l *ledger) end(at place, p *parcel) {
	s := l.state(at)
	may, pinned := []*parcel{p}, s.pinned
	if p == nil {
		pinned = []bool{false}
		if l.power {
			may, pinned = append(slices.Clone(s.may), nil), []bool{true, false}
		}
	}
	l.set(at, state{may, pinned})
}

// bringBy are ways to store a blob.
var bringBy = map[string]func(c *cache.Cache, b []byte) error{
	"put": func(c *cache.Cache, b []byte) error { return c.PutFrom(digest.FromBytes(b), b, "origin") },
	"fill": func(c *cache.Cache, b []byte) error {
		f, first, err := c.Join(digest.FromBytes(b))
		if errors.Is(err, cache.ErrStored) {
			blob, err := c.Get(digest.FromBytes(b))
			if err == nil {
				err = blob.Close()
			}
			return err
		}
		if err != nil || !first {
			return err
		}
		f.WantAll()
		return drive(f, b)
	},
	"upload": func(c *cache.Cache, b []byte) error {
		u, err := c.Upload()
		if err != nil {
			return err
		}
		defer u.Close()
		for p := range slices.Chunk(b, 3000) {
			if _, err := u.Write(p); err != nil {
				return err
			}
		}
		return u.Commit(digest.FromBytes(b), "push")
	},
}

// commit stores an image and names it.
func (l *ledger) commit(c *cache.Cache, at place, p *parcel, how string) {
	l.begin(at, p)
	for _, b := range append([][]byte{p.manifest}, p.blobs...) {
		defer c.Hold(digest.FromBytes(b))()
	}
	for _, b := range p.blobs {
		if bringBy[how](c, l.body(b)) != nil {
			return
		}
	}
	if bringBy["put"](c, l.body(p.manifest)) != nil {
		return
	}
	if c.SetTag(cache.Tag{Name: at.Name, Tag: at.tag, Digest: p.digest(), Size: int64(len(p.manifest))}) == nil {
		l.end(at, p)
	}
}

// half begins a download and leaves it.
func (l *ledger) half(c *cache.Cache, b []byte) {
	f, first, err := c.Join(digest.FromBytes(l.body(b)))
	if err != nil || !first {
		return
	}
	defer f.Fail(nil)
	f.WantAll()
	if f.SetSize(int64(len(b))) != nil {
		return
	}
	cl, err := f.Claim(bg)
	if err != nil {
		return
	}
	defer cl.Release()
	_, _ = cl.Write(b[cl.Off : cl.Off+(cl.End-cl.Off)/2])
}

func (l *ledger) pin(c *cache.Cache, at place, on bool) {
	s := l.state(at)
	l.set(at, state{s.may, append(slices.Clone(s.pinned), on)})
	if c.Pin(at.Name, at.tag, on) == nil {
		l.set(at, state{s.may, []bool{on}})
	}
}

func (l *ledger) remove(c *cache.Cache, at place) {
	l.begin(at, nil)
	if _, err := c.Remove(at.Name, at.tag); err == nil {
		l.end(at, nil)
	}
}

// evict makes room, which may take whatever is neither pinned nor one's own.
func (l *ledger) evict(c *cache.Cache, keep int64) {
	var going []place
	l.mu.Lock()
	for at, s := range l.places {
		if at.Registry != cache.Local && slices.Contains(s.pinned, false) {
			going = append(going, at)
		}
	}
	l.mu.Unlock()
	was := map[place]state{}
	for _, at := range going {
		was[at] = l.state(at)
		l.begin(at, nil)
	}
	_, err := c.GC(keep)
	for _, at := range going {
		tag, terr := c.Tag(at.Name, at.tag)
		switch s := l.state(at); {
		case terr != nil && err == nil:
			l.end(at, nil)
		case terr == nil:
			may := slices.DeleteFunc(slices.Clone(s.may), func(p *parcel) bool { return p == nil || p.digest() != tag.Digest })
			if len(may) > 0 && complete(c, may[0]) {
				l.set(at, was[at])
			}
		}
	}
}

// complete reports whether all of an image is stored.
func complete(c *cache.Cache, p *parcel) bool {
	for _, b := range append([][]byte{p.manifest}, p.blobs...) {
		blob, err := c.Get(digest.FromBytes(b))
		if err != nil {
			return false
		}
		_ = blob.Close()
	}
	return true
}

// check holds a cache that was opened after a crash against what was promised, and
// takes down what it found.
func (l *ledger) check(t *testing.T, c *cache.Cache) {
	t.Helper()
	for at, s := range l.places {
		tag, err := c.Tag(at.Name, at.tag)
		var miss *cache.MissError
		if err != nil {
			if !errors.As(err, &miss) || !s.mayBe(nil) {
				t.Fatalf("%v is lost: %v", at, err)
			}
			if !l.loose {
				l.places[at] = state{[]*parcel{nil}, []bool{false}}
			}
			continue
		}
		i := slices.IndexFunc(s.may, func(p *parcel) bool { return p != nil && p.digest() == tag.Digest })
		if i < 0 || !slices.Contains(s.pinned, tag.Pinned) {
			t.Fatalf("%v is %+v, of %d that may be, pinned %v", at, tag, len(s.may), s.pinned)
		}
		p := s.may[i]
		found := state{[]*parcel{p}, []bool{tag.Pinned}}
		if whole := l.whole(t, c, p); whole != imageOf(t, c, at.Name, at.tag).Complete {
			t.Fatalf("%v: complete is %v", at, !whole)
		} else if !whole {
			if !s.mayBe(nil) {
				t.Fatalf("%v is not whole any more", at)
			}
			found.may = append(found.may, nil)
		}
		if !l.loose {
			l.places[at] = found
		}
	}
	l.checkFiles(t, c)
}

// whole reports whether all of an image is there, right byte for byte.
func (l *ledger) whole(t *testing.T, c *cache.Cache, p *parcel) bool {
	t.Helper()
	all := true
	for _, b := range append([][]byte{p.manifest}, p.blobs...) {
		if d := digest.FromBytes(b); !isStored(c, d) {
			all = false
		} else if !bytes.Equal(get(t, c, d, cache.Verified()), b) {
			t.Fatalf("%s: other bytes", d)
		}
	}
	return all
}

func isStored(c *cache.Cache, d digest.Digest) bool {
	b, err := c.Get(d)
	if err == nil {
		_ = b.Close()
	}
	return err == nil
}

// checkFiles holds the books against the files: no temporary file, only downloads
// that can go on, and each blob accounted for.
func (l *ledger) checkFiles(t *testing.T, c *cache.Cache) {
	t.Helper()
	wantClean(t, c)
	for d, body := range l.bodies {
		if _, err := os.Stat(partialPath(c, d)); err != nil {
			if _, err := os.Stat(partialPath(c, d) + ".journal"); err == nil {
				t.Fatalf("%s: a journal and no file", d)
			}
			continue
		}
		f := join(t, c, d)
		if f.Resumed() == 0 {
			t.Fatalf("%s: it cannot go on", d)
		}
		f.WantAll()
		if err := drive(f, body); err != nil {
			t.Fatalf("%s: going on: %v", d, err)
		}
	}
	if st := c.Stat(); st.Partials > 0 || st.PartialSize > 0 {
		t.Fatalf("%+v", st)
	}
	for d, body := range l.bodies { // what is no good goes when it is asked for
		if isStored(c, d) && !bytes.Equal(get(t, c, d), body) {
			t.Fatalf("%s: other bytes", d)
		}
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	count, size := blobFiles(t, c)
	if st := c.Stat(); st.Blobs != count || st.Size != size {
		t.Fatalf("the books have %d blobs of %d bytes, the disk %d of %d", st.Blobs, st.Size, count, size)
	}
}

func blobFiles(t *testing.T, c *cache.Cache) (count, size int64) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(c.Dir(), "blobs", "sha256"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		count++
		size += fi.Size()
	}
	return count, size
}

// clear takes everything out: nothing is in the way of that, and nothing is left.
func (l *ledger) clear(t *testing.T, c *cache.Cache) {
	t.Helper()
	images, err := c.Images()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range images {
		if i.Registry == cache.Local {
			if _, err := c.Remove(i.Name, string(i.Digest)); err != nil {
				t.Fatal(err)
			}
		} else if err := c.Pin(i.Name, string(i.Digest), false); err != nil {
			t.Fatal(err)
		}
	}
	gc(t, c, 0)
	count, size := blobFiles(t, c)
	if st := c.Stat(); st.Blobs != 0 || st.Size != 0 || count != 0 {
		t.Fatalf("after evicting everything: %+v, %d files of %d bytes", st, count, size)
	}
	// Of an image that has no bytes any more, as after a loss of power, the name is left.
	if images, err = c.Images(); err != nil {
		t.Fatal(err)
	}
	for _, i := range images {
		if _, err := c.Remove(i.Name, string(i.Digest)); err != nil || !l.power {
			t.Fatal(i, err)
		}
	}
	if left := c.AllTags(); len(left) > 0 {
		t.Fatal(left)
	}
	wantClean(t, c)
}
