//go:build linux

package main

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/hubtest"
)

// model is what is true upstream, and since when.
type model struct {
	mu    sync.Mutex
	repos []*repo
	made  uint64 // images so far

	named map[string]bool // digests that somebody asked for by the name of a repository that is everybody's
}

// name takes down that a client said a digest together with a public repository: nobody can know that it is another's.
func (m *model) name(ref string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.named == nil {
		m.named = map[string]bool{}
	}
	m.named[ref] = true
}

// repo is a repository of one of the registries, or of a person's own.
type repo struct {
	registry string // as Pulley calls it
	name     string
	site     *hubtest.Site // nil: local/
	members  []string      // who may see it; nil: everybody

	tags   map[string][]change // oldest first
	images []hubtest.Image     // that it ever had
	gone   map[digest.Digest]time.Time
}

// change is what a tag stood for from a moment on; "" nothing.
type change struct {
	at time.Time
	to digest.Digest
}

func (r *repo) String() string { return r.registry + "/" + r.name }

func (r *repo) private() bool { return r.members != nil }

// may says that a user ("" nobody in particular) may have what is in it.
func (r *repo) may(user string) bool { return r.members == nil || slices.Contains(r.members, user) }

// push puts an image there, upstream too.
func (m *model) push(r *repo, tag string, img hubtest.Image) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.site != nil {
		r.site.Push(r.name, tag, img)
	}
	m.note(r, tag, img)
}

// note takes down that an image is there now, whoever put it.
func (m *model) note(r *repo, tag string, img hubtest.Image) {
	for _, one := range append([]hubtest.Image{img}, img.Children...) {
		delete(r.gone, one.Digest())
		if !slices.ContainsFunc(r.images, func(i hubtest.Image) bool { return i.Digest() == one.Digest() }) {
			r.images = append(r.images, one)
		}
	}
	if tag != "" {
		r.tags[tag] = append(r.tags[tag], change{time.Now(), img.Digest()})
	}
}

// drop deletes an image by digest, or a tag.
func (m *model) drop(r *repo, ref string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.site != nil {
		r.site.Delete(r.name, ref)
	}
	now := time.Now()
	if d := digest.Digest(ref); d.Validate() == nil {
		r.gone[d] = now
	}
	for tag, list := range r.tags {
		if last := list[len(list)-1].to; tag == ref || string(last) == ref {
			r.tags[tag] = append(list, change{now, ""})
		}
	}
}

// meant are the digests that a tag stood for at any time of an interval; "" is among them if there was nothing.
func (m *model) meant(r *repo, tag string, from, to time.Time) []digest.Digest {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := []digest.Digest{}
	last := digest.Digest("")
	for _, c := range r.tags[tag] {
		if c.at.After(to) {
			break
		}
		if c.at.After(from) {
			out = append(out, last)
		}
		last = c.to
	}
	return append(out, last)
}

// now is the image that a tag stands for.
func (m *model) now(r *repo, tag string) (hubtest.Image, bool) {
	t := time.Now()
	return m.image(r, m.meant(r, tag, t, t)[0])
}

// image is one that the repository ever had.
func (m *model) image(r *repo, d digest.Digest) (hubtest.Image, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(r.images, func(i hubtest.Image) bool { return i.Digest() == d })
	if i < 0 || d == "" {
		return hubtest.Image{}, false
	}
	return r.images[i], true
}

// there says that the repository has a manifest, and had it all the time since from.
func (m *model) there(r *repo, d digest.Digest) bool {
	_, ever := m.image(r, d)
	m.mu.Lock()
	defer m.mu.Unlock()
	_, gone := r.gone[d]
	return ever && !gone
}

// blob is the content of a blob that the repository ever had.
func (m *model) blob(r *repo, d digest.Digest) (hubtest.Content, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, img := range r.images {
		if c, ok := contentOf(img, d); ok {
			return c, true
		}
	}
	return nil, false
}

func contentOf(img hubtest.Image, d digest.Digest) (hubtest.Content, bool) {
	if img.Config != nil && digest.FromBytes(img.Config) == d {
		return hubtest.Bytes(img.Config), true
	}
	for _, l := range img.Layers {
		if l.Digest == d {
			return l.Content, true
		}
	}
	return nil, false
}

// platform is the image that a client of linux/amd64 pulls.
func platform(img hubtest.Image) hubtest.Image {
	for _, child := range img.Children {
		if child.Platform.Architecture == "amd64" {
			return child
		}
	}
	return img
}

// sizeOf is what a pull of the image brings.
func sizeOf(img hubtest.Image) int64 {
	one := platform(img)
	n := int64(len(img.Manifest) + len(one.Manifest) + len(one.Config))
	for _, l := range one.Layers {
		n += l.Content.Size()
	}
	return n
}

// fresh is an image that there never was.
func (w *world) fresh(r *dice) hubtest.Image {
	w.model.made++
	layers := 1 + r.IntN(3)
	size := []int64{300, 20_000, 200_000, 700_000, 1_500_000}[r.IntN(5)]
	img := hubtest.RandomImage(w.seed<<24+w.model.made, layers, size/int64(layers))
	if r.IntN(3) == 0 {
		img = hubtest.MultiArch(map[string]hubtest.Image{"linux/amd64": img, "linux/arm64": img})
	}
	if r.IntN(4) == 0 {
		img = img.Docker()
	}
	return img
}

// populate makes the repositories of a run.
func (w *world) populate(r *dice) {
	hub, other := w.hub.Site(""), w.hub.Site(otherHost)
	add := func(registry string, site *hubtest.Site, name string, members ...string) {
		one := &repo{registry, name, site, members, map[string][]change{}, nil, map[digest.Digest]time.Time{}}
		w.model.repos = append(w.model.repos, one)
		if members != nil && site != nil {
			site.SetPrivate(name, members...)
		}
	}
	for i := range 4 {
		add("docker.io", hub, fmt.Sprintf("library/open%d", i))
	}
	add("docker.io", hub, "team/open")
	add(otherHost, other, "team/open")
	add(otherHost, other, "library/open0")
	add("docker.io", hub, "alice/own", "alice")
	add("docker.io", hub, "bob/own", "bob")
	add("docker.io", hub, "team/both", "alice", "bob")
	add(otherHost, other, "alice/own", "alice")
	add(plainHost, w.hub.Site(plainHost), "team/open")
	add(plainHost, w.hub.Site(plainHost), "alice/own", "alice")
	add("local", nil, "mine/a")
	add("local", nil, "mine/b")
	for _, one := range w.model.repos {
		for _, tag := range []string{"latest", "1"} {
			if one.site != nil {
				w.model.push(one, tag, w.fresh(r))
				one.tags[tag][0].at = time.Now().Add(-time.Hour)
			}
		}
	}
}
