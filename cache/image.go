package cache

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// Local is the registry name of a person's own images: always pinned, no upstream.
const Local = "local"

// Platform is one of the manifests of an image, and what it runs on.
type Platform struct {
	OS, Architecture, Variant string
	Digest                    digest.Digest
	Complete                  bool // it can be had from here
}

// Image is one manifest or index in one repository under the tags that stand for
// it.
type Image struct {
	Name
	Digest    digest.Digest
	MediaType string   // "" while the manifest is not stored
	Tags      []string // sorted; none: pulled by digest
	Platforms []Platform
	Complete  bool  // at least one platform can be had from here
	Size, Own int64 // stored bytes; of those, the ones no other image uses
	Pinned    bool  // never evicted

	First, Used, Checked time.Time // Checked: when the registry last said what a tag stands for

	Sources map[string]int64 // bytes by who brought them; "": nobody knows
	Saved   int64            // bytes served from here that were not fetched again
}

// Images lists the images, sorted by name and digest. A manifest that was pulled by its digest
// and belongs to an image of several platforms is part of that.
//
// It looks at every blob of every image once, for a person who asked for the
// list, not for each request.
func (c *Cache) Images() ([]Image, error) {
	if c.isClosed() {
		return nil, ErrClosed
	}
	if c.store.replaced() {
		c.soon() // the next Flush looks at what is there
	}
	var out []Image
	err := c.eachPortrait(func(p *portrait) error {
		out = append(out, p.Image)
		return nil
	})
	slices.SortFunc(out, func(a, b Image) int {
		if n := strings.Compare(a.String(), b.String()); n != 0 {
			return n
		}
		return strings.Compare(string(a.Digest), string(b.Digest))
	})
	return out, err
}

// Image looks one up by its tag or digest; *MissError if it is not known.
func (c *Cache) Image(n Name, reference string) (Image, error) {
	root, ref, err := c.resolve(n, reference)
	if err != nil {
		return Image{}, err
	}
	c.applyUses()
	p, ok := c.portray(n, root)
	if !ok {
		return Image{}, &MissError{Ref: ref, Reason: Absent}
	}
	return p.Image, nil
}

// resolve finds the image that a tag or digest stands for. ref is the reference in
// full.
func (c *Cache) resolve(n Name, reference string) (root key, ref string, err error) {
	if err := n.check(); err != nil {
		return key{}, "", err
	}
	if c.isClosed() {
		return key{}, "", ErrClosed
	}
	c.readFolder(n)
	id := reference
	if strings.Contains(reference, ":") {
		if root, err = keyOf(digest.Digest(reference)); err != nil {
			return key{}, "", err
		}
		ref, id = n.String()+"@"+reference, ""
	} else if ref, err = n.tagged(reference); err != nil {
		return key{}, "", err
	}
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	var ok bool
	if id == "" {
		_, ok = c.store.image(imageKeyOf(n, root))
	} else {
		root, ok = c.store.ref(n, id)
	}
	if !ok {
		return key{}, ref, &MissError{Ref: ref, Reason: Absent}
	}
	return root, ref, nil
}

// eachPortrait calls f for every image, repository by repository. It holds no lock
// meanwhile.
func (c *Cache) eachPortrait(f func(*portrait) error) error {
	c.applyUses()
	var names []Name
	roots := make(map[Name][]key)
	c.store.batches(tableImages, 1000, func(k, _ []byte) {
		n := imageKey(k).name()
		if len(names) == 0 || names[len(names)-1] != n {
			names = append(names, n)
		}
		roots[n] = append(roots[n], imageKey(k).root())
	})
	for _, n := range names {
		all := c.imagesOf(n, roots[n])
		delete(roots, n)
		for _, p := range all {
			if err := f(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// imagesOf describes the images of one repository, without those that are part of
// another one of them.
func (c *Cache) imagesOf(n Name, roots []key) (out []*portrait) {
	inner := make(map[key]bool)
	for _, root := range roots {
		if p, ok := c.portray(n, root); ok {
			out = append(out, p)
			for _, k := range p.inner {
				inner[k] = true
			}
		}
	}
	return slices.DeleteFunc(out, func(p *portrait) bool { return p.part && inner[p.root] })
}

// portrait is an image being described.
type portrait struct {
	Image
	root     key
	inner    []key // manifests below the root
	rootSize int64
	wrapped  bool // something may stand for it in index.json
	part     bool // it may be part of another one
}

// portray describes an image.
func (c *Cache) portray(n Name, root key) (*portrait, bool) {
	s := c.store
	for {
		var p *portrait
		var ask key
		var ok bool
		s.mu.Lock()
		s.reading(func() { p, ask, ok = s.portray(n, root) })
		s.mu.Unlock()
		if !ok || ask == (key{}) || !c.learnPlatform(ask) {
			return p, ok
		}
	}
}

// portray describes an image as far as the books tell. ask is a manifest whose
// platform only its config knows. Needs mu.
func (s *store) portray(n Name, root key) (p *portrait, ask key, ok bool) {
	i, ok := s.image(imageKeyOf(n, root))
	if !ok {
		return nil, ask, false
	}
	p = &portrait{root: root, part: i.part(), Image: Image{
		Name: n, Digest: root.digest(), Pinned: !i.evictable(n), Saved: i.saved,
		First: moment(i.first), Checked: moment(i.checked),
		Sources: make(map[string]int64),
	}}
	for _, r := range i.refs {
		if !isLink(r.id) {
			p.Tags = append(p.Tags, r.id)
		}
	}
	slices.Sort(p.Tags)
	a := s.account(n, root)
	for _, k := range a.parts {
		part, _ := s.image(imageKeyOf(n, k))
		p.Saved += part.saved
		i.used = max(i.used, part.used)
	}
	p.inner, p.Size, p.Own = a.manifests, a.size, a.own
	for k, r := range a.records {
		if r.stored {
			addShares(p.Sources, r.from, r.size)
			if a.manifest[k] {
				i.used = max(i.used, r.used)
			}
		}
	}
	p.Used = moment(i.used)
	l, held := s.links(root)
	p.MediaType, p.wrapped = l.mediaType, l.wrapper != ""
	p.rootSize = a.records[root].size
	if !held || !a.records[root].stored {
		return p, ask, true
	}
	list := []link{{key: root, manifest: true, platform: true, on: l.on}}
	if l.index {
		list = l.manifests
	}
	for _, m := range list {
		if !m.platform || !m.manifest {
			continue
		}
		on := m.on
		if below, ok := s.links(m.key); ok && on == "" {
			if on = below.on; on == "" && s.config(below).stored {
				ask = m.key
			}
		}
		at := platformOf(on)
		at.Digest, at.Complete = m.key.digest(), a.complete(m.key)
		if p.Complete = p.Complete || at.Complete; on != noPlatform || l.index {
			p.Platforms = append(p.Platforms, at)
		}
	}
	return p, ask, true
}

func moment(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}

// noPlatform stands for a config that names none.
const noPlatform = "-"

func platformOf(on string) (p Platform) {
	if on == noPlatform {
		return p
	}
	p.OS, on, _ = strings.Cut(on, "/")
	p.Architecture, p.Variant, _ = strings.Cut(on, "/")
	return p
}

// config is the record of an image's config. Needs mu.
func (s *store) config(l links) (r record) {
	for _, b := range l.blobs {
		if b.config {
			return s.blob(b.key)
		}
	}
	return r
}

// configMax is more than any config of an image has.
const configMax = 4 << 20

// learnPlatform reads a manifest's config; false if that changes nothing.
func (c *Cache) learnPlatform(manifest key) bool {
	s := c.store
	s.mu.Lock()
	l, held := s.links(manifest)
	s.mu.Unlock()
	if !held || l.on != "" {
		return held
	}
	for _, b := range l.blobs {
		if !b.config {
			continue
		}
		body, err := c.readAll(b.key, configMax)
		if err != nil {
			return false
		}
		l.on = noPlatform
		var p platform
		if json.Unmarshal(body, &p) == nil && p.OS != "" {
			l.on = p.String()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, held := s.links(manifest); held {
		s.set(tableLinks, manifest[:], encodeLinks(l))
	}
	return l.on != ""
}
