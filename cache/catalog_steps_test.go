package cache_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

func (l *library) put(d digest.Digest) {
	l.say("put", d)
	from := []string{"", "origin", "mirror"}[l.rng.IntN(3)]
	if err := l.c.PutFrom(d, l.body[d], from); err != nil {
		l.t.Fatal(err)
	}
	if _, there := l.stored[d]; !there {
		l.source[d] = from
	}
	l.stored[d] = l.clk.now()
}

// pull brings some of an image, before or after its tag is known.
func (l *library) pull() {
	n, root := pick(l.rng, libNames), pick(l.rng, l.all)
	if l.rng.IntN(2) == 0 {
		l.put(root)
		l.name(n, root)
	}
	some := l.closure(root, func(digest.Digest) bool { return true })
	l.rng.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	for _, d := range some {
		if l.rng.IntN(8) > 0 && d != root {
			l.put(d)
		}
	}
	l.put(root)
	l.name(n, root)
	if l.indexes[root] && l.rng.IntN(2) == 0 {
		l.link(n, l.children[root][0])
	}
}

func (l *library) name(n cache.Name, root digest.Digest) {
	if l.rng.IntN(4) == 0 {
		l.link(n, root)
		return
	}
	tag := fmt.Sprintf("t%d", l.rng.IntN(4))
	l.say("tag", n, tag, root)
	setTag(l.t, l.c, n, tag, root)
	r := libRef{n, tag}
	if old := l.refs[r]; old != nil && old.root != root {
		old.root = root
	} else if old == nil {
		l.refs[r] = &libTarget{root: root}
	}
	l.used[libImage{n, root}] = l.clk.now()
	l.tidy()
}

func (l *library) link(n cache.Name, root digest.Digest) {
	l.say("link", n, root)
	r := libRef{n, string(root)}
	if l.refs[r] != nil {
		return
	}
	if err := l.c.Link(n, root, ""); err != nil {
		l.t.Fatal(err)
	}
	l.refs[r] = &libTarget{root: root}
	l.used[libImage{n, root}] = l.clk.now()
}

func (l *library) pin(r libRef, on bool) {
	l.say("pin", r.Name, r.id, on)
	if err := l.c.Pin(r.Name, r.id, on); err != nil {
		l.t.Fatal(err)
	}
	root := l.refs[r].root
	for other, at := range l.refs {
		if other == r || (!isTag(r.id) && !on && other.Name == r.Name && at.root == root) {
			if at.pinned != on || !isTag(other.id) {
				l.used[libImage{r.Name, root}] = l.clk.now()
			}
			at.pinned = on
		}
	}
}

func (l *library) remove(r libRef) {
	l.say("remove", r.Name, r.id)
	before := l.size()
	var freed int64
	var err error
	l.c.Quietly(func() { freed, err = l.c.Remove(r.Name, r.id) })
	if err != nil {
		l.t.Fatal(err)
	}
	root := l.refs[r].root
	tags := 0
	for other, at := range l.refs {
		if other.Name == r.Name && at.root == root && isTag(other.id) {
			tags++
		}
	}
	if isTag(r.id) && tags > 1 {
		delete(l.refs, r)
		l.tidy()
	} else {
		l.drop(libImage{r.Name, root}, func(d digest.Digest) bool { return l.held[d] == nil })
	}
	if freed != before-l.size() {
		l.t.Fatalf("%d bytes freed, want %d", freed, before-l.size())
	}
}

// drop takes an image away, its parts, and what nothing uses any more.
func (l *library) drop(i libImage, may func(digest.Digest) bool) {
	was := l.inUse()
	for r, at := range l.refs {
		if r.Name == i.Name && at.root == i.root {
			delete(l.refs, r)
		}
	}
	for _, d := range l.below(i.root) {
		if part := (libImage{i.Name, d}); d != i.root && l.isPart(part) {
			delete(l.refs, libRef{i.Name, string(d)})
		}
	}
	l.tidy()
	now := l.inUse()
	for d := range was {
		if !now[d] && may(d) {
			delete(l.stored, d)
		}
	}
}

func (l *library) get(d digest.Digest) {
	l.say("get", d)
	_, there := l.stored[d]
	if got := has(l.t, l.c, d); got != there {
		l.t.Fatalf("%s is stored: %v, want %v", d, got, there)
	}
	if there {
		l.stored[d] = l.clk.now()
	}
}

// lose removes a file behind the cache's back, which finds out when it looks, or
// before its eyes.
func (l *library) lose(d digest.Digest) {
	l.say("lose", d)
	if l.rng.IntN(2) == 0 {
		_ = os.Remove(blobPath(l.c, d))
		wantMiss(l.t, l.c, d, cache.Absent)
	} else if err := l.c.Delete(d); err != nil {
		l.t.Fatal(err)
	}
	delete(l.stored, d)
}

func (l *library) holdOrLetGo() {
	d := pick(l.rng, slices.Sorted(maps.Keys(l.body)))
	if release := l.held[d]; release != nil {
		release()
		delete(l.held, d)
		return
	}
	l.held[d] = l.c.Hold(d)
}

func (l *library) dropByHand(r libRef) {
	l.say("drop by hand", r.Name, r.id)
	path := refPath(l.c.Dir(), r)
	long := time.Now().Add(-time.Hour) // not in the same tick as the last change of ours
	if err := errors.Join(os.Remove(path), os.Chtimes(filepath.Dir(path), long, long)); err != nil {
		l.t.Fatal(err)
	}
	if _, err := l.c.Image(r.Name, r.id); err == nil && isTag(r.id) {
		l.t.Fatalf("%s %s was removed by hand", r.Name, r.id)
	}
	delete(l.refs, r)
	l.tidy()
}

// restart opens it again: after an orderly end, after a kill, or with nothing but
// blobs and refs.
func (l *library) restart() {
	dir := l.c.Dir()
	kind := l.rng.IntN(3)
	l.say("restart", kind)
	if kind == 1 {
		if err := l.c.Flush(); err != nil {
			l.t.Fatal(err)
		}
		dir = copyDir(l.t, dir)
	}
	for _, release := range l.held {
		release()
	}
	clear(l.held)
	if err := l.c.Close(); err != nil {
		l.t.Fatal(err)
	}
	if kind == 2 {
		l.loseBooks(dir)
	}
	l.c = open(l.t, cache.Options{Dir: dir, Now: l.clk.now})
}

func (l *library) loseBooks(dir string) {
	if err := os.Remove(filepath.Join(dir, "cache.db")); err != nil {
		l.t.Fatal(err)
	}
	for d, at := range l.stored {
		if err := os.Chtimes(filepath.Join(dir, "blobs", "sha256", d.Encoded()), at, at); err != nil {
			l.t.Fatal(err)
		}
	}
	clear(l.source)
	clear(l.used)
	for r, at := range l.refs { // what the files say
		b, err := os.ReadFile(refPath(dir, r))
		var file struct{ Checked, Stored time.Time }
		if err := errors.Join(err, json.Unmarshal(b, &file)); err != nil {
			l.t.Fatal(err)
		}
		i := libImage{r.Name, at.root}
		for _, at := range []time.Time{file.Checked, file.Stored} {
			if at.After(l.used[i]) {
				l.used[i] = at
			}
		}
	}
}

// refPath knows a/b's folder and a tag b of a, which do not occur here together.
func refPath(dir string, r libRef) string {
	name := r.id
	if !isTag(name) {
		name = "@" + strings.ReplaceAll(name, ":", "-")
	}
	return filepath.Join(dir, "refs", r.Registry, filepath.FromSlash(r.Repository), name)
}
