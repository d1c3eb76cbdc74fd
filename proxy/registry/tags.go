package registry

import (
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// class says which kinds of index a client takes for a tag; every client takes
// manifests. Registries that convert go by it: a key made of the raw Accept
// header would never be seen twice, one without it would hand an index to a
// client that knows none.
type class uint8

const (
	ociIndex   class = 1 << iota
	dockerList       // Docker's own form of it
	everything = ociIndex | dockerList
)

// classOf reads all Accept headers of a request.
func classOf(accept []string) class {
	var c class
	for _, v := range accept {
		if strings.Contains(v, "*/*") || strings.Contains(v, "application/*") {
			return everything
		}
		c |= kindOf(v)
	}
	return c
}

// kindOf is the class bit of an index's media type, 0 for a manifest's.
func kindOf(mediaType string) class {
	var c class
	if strings.Contains(mediaType, "application/vnd.oci.image.index.v1+json") {
		c |= ociIndex
	}
	if strings.Contains(mediaType, "application/vnd.docker.distribution.manifest.list.v2+json") {
		c |= dockerList
	}
	return c
}

// takes says that a client of this class can be given this media type.
func (c class) takes(mediaType string) bool {
	kind := kindOf(mediaType)
	return kind == 0 || kind&c != 0
}

// entry is what a tag stands for, for one class.
type entry struct {
	Digest    digest.Digest `json:"digest"`
	MediaType string        `json:"mediaType"`
	Size      int64         `json:"size"`
	Checked   time.Time     `json:"checked,omitzero"`
}

// shelf knows what tags stand for. The truth is the cache's refs; besides them
// it keeps, in memory, what the origin said about tags whose manifest is not
// here yet (an engine asks HEAD by tag, then GET by digest), and on disk the
// answers for clients that do not take the index there is.
type shelf struct {
	cache *cache.Cache
	now   func() time.Time
	other *book[entry]

	guesses *book[guess] // of mirrors

	mu    sync.Mutex
	heard hearsay
}

type tagKey struct {
	name cache.Name
	tag  string
	class
}

// tagKey is what a request's tag is known under.
func (r *Request) tagKey() tagKey { return r.keyOf(r.Reference) }

func (r *Request) keyOf(reference string) tagKey {
	return tagKey{r.cacheName(), reference, classOf(r.Header.Values("Accept"))}
}

const (
	maxHeard = 4096
	// heardFor bounds the time between HEAD by tag and GET by digest that
	// still count as one pull.
	heardFor = 10 * time.Minute
)

func openShelf(c *cache.Cache, dir string, now func() time.Time) (*shelf, error) {
	b, err := openBook[entry](dir)
	if err != nil {
		return nil, err
	}
	g, err := openBook[guess](filepath.Join(dir, "guesses"))
	if err != nil {
		return nil, err
	}
	return &shelf{cache: c, now: now, other: b, guesses: g}, nil
}

// String is the key of the answer that differs.
func (k tagKey) String() string {
	return k.name.String() + ":" + k.tag + " " + strconv.Itoa(int(k.class))
}

// kept is what a tag stood for when its manifest was stored: what can be
// served without the origin.
func (s *shelf) kept(k tagKey) (entry, bool) {
	if t, err := s.cache.Tag(k.name, k.tag); err == nil && k.class.takes(t.MediaType) {
		return entry{t.Digest, t.MediaType, t.Size, t.Checked}, true
	}
	e := s.other.get(k.String())
	return e, e.Digest != ""
}

// lastResort is what the tag stands for in any other class, for a client that
// would get nothing otherwise: it may well be able to use it.
func (s *shelf) lastResort(k tagKey) (entry, bool) {
	for c := everything; ; c-- {
		k.class = c
		if e, ok := s.kept(k); ok || c == 0 {
			return e, ok
		}
	}
}

// latest is the origin's last word, manifest here or not.
func (s *shelf) latest(k tagKey) (entry, bool) {
	kept, ok := s.kept(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, heard := s.heard.of[k]; heard && (!ok || h.Checked.After(kept.Checked)) {
		return h, true
	}
	return kept, ok
}

// note takes the origin's word for what a tag stands for now. here says that
// the manifest is stored.
func (s *shelf) note(k tagKey, e entry, here bool) error {
	e.Checked = s.now()
	if !here {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.heard.prune(e.Checked)
		s.heard.set(k, e)
		return nil
	}
	s.unhear(k)
	return s.keep(k, e)
}

func (s *shelf) keep(k tagKey, e entry) error {
	if k.class != everything && kindOf(e.MediaType) == 0 {
		// Perhaps the tag is this manifest; perhaps it is an index that the
		// origin took one manifest out of.
		if t, err := s.cache.Tag(k.name, k.tag); err != nil || t.Digest != e.Digest {
			if err := s.cache.Link(k.name, e.Digest, e.MediaType); err != nil {
				return err
			}
			return s.other.update(k.String(), func(entry) (entry, bool) { return e, true })
		}
	}
	return s.cache.SetTag(cache.Tag{
		Name: k.name, Tag: k.tag, Digest: e.Digest, MediaType: e.MediaType, Size: e.Size, Checked: e.Checked,
	})
}

// unhear forgets what the origin said about a tag whose manifest is not here.
func (s *shelf) unhear(k tagKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard.drop(k)
}

// awaits says that a tag was heard to stand for a manifest and is not kept.
func (s *shelf) awaits(d digest.Digest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard.tags[d] > 0
}

// arrived says that a manifest is stored now: the tags that were heard to stand
// for it do so for good, which it returns.
func (s *shelf) arrived(name cache.Name, d digest.Digest) (map[tagKey]entry, error) {
	if !s.awaits(d) {
		return nil, nil
	}
	tags := map[tagKey]entry{}
	s.mu.Lock()
	for k, e := range s.heard.of {
		if k.name == name && e.Digest == d {
			s.heard.drop(k)
			if s.now().Sub(e.Checked) < heardFor {
				tags[k] = e
			}
		}
	}
	s.mu.Unlock()
	var first error
	for k, e := range tags {
		if err := s.keep(k, e); err != nil && first == nil {
			first = err
		}
	}
	return tags, first
}

// forget erases a tag, for all classes.
func (s *shelf) forget(name cache.Name, tag string) error {
	return errors.Join(s.forgetOthers(name, tag), s.cache.DeleteTag(name, tag))
}

// disown is forget for a tag that the registry has no more, or not as it is known
// here: one that a person pinned stays, and is no word of the registry's any more.
func (s *shelf) disown(name cache.Name, tag string) error {
	return errors.Join(s.forgetOthers(name, tag), s.cache.DisownTag(name, tag))
}

// forgetOthers erases what is known of a tag besides what the cache has it stand for.
func (s *shelf) forgetOthers(name cache.Name, tag string) error {
	var first error
	for c := range everything + 1 {
		k := tagKey{name, tag, c}
		s.unhear(k)
		err := errors.Join(s.forgetGuess(k),
			s.other.update(k.String(), func(old entry) (entry, bool) { return entry{}, old.Digest != "" }))
		if err != nil && first == nil {
			first = err
		}
	}
	return first
}

// forgetDigest erases every tag of the repository that stands for d.
func (s *shelf) forgetDigest(name cache.Name, d digest.Digest) error {
	tags, err := s.cache.Tags(name)
	if err != nil {
		return err
	}
	for _, tag := range tags {
		if t, err := s.cache.Tag(name, tag); err == nil && t.Digest == d {
			if err := s.forget(name, tag); err != nil {
				return err
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, e := range s.heard.of {
		if k.name == name && e.Digest == d {
			s.heard.drop(k)
		}
	}
	return nil
}

// hearsay is what the origin said that tags stand for whose manifests are not here.
type hearsay struct {
	of   map[tagKey]entry
	tags map[digest.Digest]int // how many of them stand for it
}

func (h *hearsay) set(k tagKey, e entry) {
	if h.of == nil {
		h.of, h.tags = map[tagKey]entry{}, map[digest.Digest]int{}
	}
	h.drop(k)
	h.of[k] = e
	h.tags[e.Digest]++
}

func (h *hearsay) drop(k tagKey) {
	e, ok := h.of[k]
	if !ok {
		return
	}
	delete(h.of, k)
	if h.tags[e.Digest]--; h.tags[e.Digest] == 0 {
		delete(h.tags, e.Digest)
	}
}

// prune makes room for one more.
func (h *hearsay) prune(now time.Time) {
	if len(h.of) < maxHeard {
		return
	}
	for k, e := range h.of {
		if now.Sub(e.Checked) >= heardFor {
			h.drop(k)
		}
	}
	if len(h.of) >= maxHeard {
		*h = hearsay{}
	}
}
