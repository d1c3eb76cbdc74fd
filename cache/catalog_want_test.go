package cache_test

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// closure is what can be reached from d through manifests that open says are there.
func (l *library) closure(d digest.Digest, open func(digest.Digest) bool) []digest.Digest {
	var out []digest.Digest
	for todo := []digest.Digest{d}; len(todo) > 0; {
		d, todo = todo[0], todo[1:]
		if slices.Contains(out, d) {
			continue
		}
		out = append(out, d)
		if open(d) {
			todo = append(todo, l.children[d]...)
		}
	}
	return out
}

// below is what belongs to an image as far as one can tell.
func (l *library) below(root digest.Digest) []digest.Digest {
	return l.closure(root, func(d digest.Digest) bool { _, there := l.stored[d]; return there })
}

func (l *library) images() map[libImage][]libRef {
	out := map[libImage][]libRef{}
	for r, at := range l.refs {
		i := libImage{r.Name, at.root}
		out[i] = append(out[i], r)
	}
	return out
}

// tidy forgets the times of images that are none any more.
func (l *library) tidy() {
	all := l.images()
	maps.DeleteFunc(l.peak, func(i libImage, _ time.Time) bool { return all[i] == nil })
	maps.DeleteFunc(l.used, func(i libImage, _ time.Time) bool { return all[i] == nil })
}

// inUse is everything that belongs to some image.
func (l *library) inUse() map[digest.Digest]bool {
	out := map[digest.Digest]bool{}
	for _, at := range l.refs {
		for _, d := range l.below(at.root) {
			out[d] = true
		}
	}
	return out
}

func (l *library) pinned(i libImage) bool {
	for _, r := range l.images()[i] {
		if l.refs[r].pinned {
			return true
		}
	}
	return i.Registry == cache.Local
}

// isPart reports whether an image has no name of its own.
func (l *library) isPart(i libImage) bool {
	refs := l.images()[i]
	return len(refs) == 1 && !isTag(refs[0].id) && !l.refs[refs[0]].pinned
}

// hidden reports whether an image is listed as a part of another.
func (l *library) hidden(i libImage) bool {
	for whole := range l.images() {
		if whole.Name == i.Name && whole.root != i.root && slices.Contains(l.below(whole.root), i.root) {
			return l.isPart(i)
		}
	}
	return false
}

func (l *library) size() (n int64) {
	for d := range l.stored {
		n += int64(len(l.body[d]))
	}
	return n
}

func (l *library) complete(d digest.Digest) bool {
	if _, there := l.stored[d]; !there {
		return false
	}
	one := l.indexes[d]
	for _, child := range l.children[d] {
		ok := l.complete(child)
		if l.indexes[d] && ok {
			return true
		}
		if !ok && !l.indexes[d] {
			return false
		}
	}
	return !one
}

// lastUse is when something of an image was used.
func (l *library) lastUse(i libImage) time.Time {
	at := l.used[i]
	for _, d := range l.below(i.root) {
		if len(l.children[d]) > 0 && l.stored[d].After(at) {
			at = l.stored[d]
		}
		if part := (libImage{i.Name, d}); d != i.root && l.isPart(part) && l.used[part].After(at) {
			at = l.used[part]
		}
	}
	return at
}

// shrink evicts to a random size, here one by one.
func (l *library) shrink() {
	keep := l.rng.Int64N(l.size() + 1)
	l.say("keep", keep)
	before := l.size()
	var freed int64
	var err error
	l.c.Quietly(func() { freed, err = l.c.GC(keep) })
	if err != nil {
		l.t.Fatal(err)
	}
	for l.size() > keep && l.evictOne() {
	}
	if freed != before-l.size() {
		l.t.Errorf("%d bytes of %d evicted for %d, want %d", freed, before, keep, before-l.size())
	}
}

func (l *library) evictOne() bool {
	var oldest time.Time
	var what func()
	earlier := func(at time.Time) bool { return what == nil || at.Before(oldest) }
	used := l.inUse()
	for _, d := range slices.Sorted(maps.Keys(l.stored)) {
		if at := l.stored[d]; !used[d] && l.held[d] == nil && earlier(at) {
			oldest, what = at, func() { delete(l.stored, d) }
		}
	}
	all := slices.SortedFunc(maps.Keys(l.images()), func(a, b libImage) int {
		return strings.Compare(a.String()+"\x00"+string(a.root), b.String()+"\x00"+string(b.root))
	})
	for _, i := range all {
		holds := slices.ContainsFunc(l.below(i.root), func(d digest.Digest) bool { return l.held[d] != nil })
		if at := l.lastUse(i); !l.pinned(i) && !holds && earlier(at) {
			oldest, what = at, func() { l.drop(i, func(digest.Digest) bool { return true }) }
		}
	}
	if what != nil {
		what()
	}
	return what != nil
}

// want compares what the cache says with the model.
func (l *library) want() {
	l.t.Helper()
	if st := l.c.Stat(); st.Size != l.size() || st.Blobs != int64(len(l.stored)) {
		l.t.Fatalf("%d blobs of %d bytes, want %d of %d", st.Blobs, st.Size, len(l.stored), l.size())
	}
	got, err := l.c.Images()
	if err != nil {
		l.t.Fatal(err)
	}
	want := l.images()
	maps.DeleteFunc(want, func(i libImage, _ []libRef) bool { return l.hidden(i) })
	if len(got) != len(want) {
		for _, g := range got {
			l.t.Log(g.Name, g.Tags, g.Digest)
		}
		l.t.Fatalf("%d images, want %d: %v", len(got), len(want), want)
	}
	for _, g := range got {
		refs, there := want[libImage{g.Name, g.Digest}]
		if !there {
			l.t.Fatalf("%s %s is listed", g.Name, g.Digest)
		}
		l.wantImage(g, refs)
		for _, r := range refs {
			one, err := l.c.Image(r.Name, r.id)
			if err != nil || one.Digest != g.Digest || one.Size != g.Size || one.Own != g.Own || one.Saved != g.Saved {
				l.t.Fatalf("%+v %v, want %+v", one, err, g)
			}
		}
	}
}

func (l *library) wantImage(g cache.Image, refs []libRef) {
	l.t.Helper()
	i := libImage{g.Name, g.Digest}
	var tags []string
	for _, r := range refs {
		if isTag(r.id) {
			tags = append(tags, r.id)
		}
	}
	slices.Sort(tags)
	others := map[digest.Digest]bool{}
	for other := range l.images() {
		if other != i && (other.Name != i.Name || !l.isPart(other) || !slices.Contains(l.below(i.root), other.root)) {
			for _, d := range l.below(other.root) {
				others[d] = true
			}
		}
	}
	size, own, sources := int64(0), int64(0), map[string]int64{}
	for _, d := range l.below(i.root) {
		if _, there := l.stored[d]; there {
			n := int64(len(l.body[d]))
			size += n
			if !others[d] {
				own += n
			}
			sources[l.source[d]] += n
		}
	}
	if g.Size != size || g.Own != own || g.Complete != l.complete(i.root) || g.Pinned != l.pinned(i) || !slices.Equal(g.Tags, tags) || !maps.Equal(g.Sources, sources) {
		l.t.Fatalf("%s %s: size %d own %d complete %v pinned %v tags %v sources %v\nwant size %d own %d complete %v pinned %v tags %v sources %v", g.Name, g.Digest, g.Size, g.Own, g.Complete, g.Pinned, g.Tags, g.Sources, size, own, l.complete(i.root), l.pinned(i), tags, sources)
	}
	at := l.lastUse(i)
	if at.After(l.peak[i]) {
		l.peak[i] = at
	}
	switch {
	case g.Used.Equal(at):
	case g.Used.Equal(l.peak[i]): // of a part that is gone: whether that still counts depends on whether somebody looked before it went
		l.used[i] = g.Used
	default:
		l.t.Fatalf("%s %s used at %v, want %v", g.Name, g.Digest, g.Used, at)
	}
}
