//go:build linux

package main

import (
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/hubtest"
)

// shelf is what must be in the cache: images that were pulled whole while nothing was wrong with the disk, and since which
// no more was used than fits.
type shelf struct {
	mu     sync.Mutex
	uses   []use // in the order of time
	images []*holding
	pins   map[string]bool // tags that are pinned, also while nothing is known of what they stand for
	own    int64           // of local/, which is never thrown out
}

// use is a blob that was asked for.
type use struct {
	digest digest.Digest
	size   int64
}

// holding is an image that somebody pulled.
type holding struct {
	repo   *repo
	tag    string // "" by digest alone
	image  hubtest.Image
	users  []string
	since  int // uses when its last pull began
	pinned bool
}

func (h *holding) name() string {
	if h.tag == "" {
		return h.repo.String() + "@" + h.image.Digest().String()
	}
	return h.repo.String() + ":" + h.tag
}

// has says that a blob or manifest is part of what was pulled.
func (h *holding) has(d digest.Digest) bool {
	one := platform(h.image)
	if d == h.image.Digest() || d == one.Digest() {
		return true
	}
	_, ok := contentOf(one, d)
	return ok
}

// mark is now, for what is pulled from now on.
func (s *shelf) mark() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.uses)
}

// used takes down that something was asked for, whatever came of it.
func (s *shelf) used(d digest.Digest, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uses = append(s.uses, use{d, size})
}

// keep takes down that an image was pulled whole, since a mark.
func (s *shelf) keep(r *repo, tag string, img hubtest.Image, user string, since int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.images {
		if h.repo == r && h.tag == tag && h.image.Digest() == img.Digest() {
			h.since = max(h.since, since)
			if !slices.Contains(h.users, user) {
				h.users = append(h.users, user)
			}
			return
		}
	}
	h := &holding{repo: r, tag: tag, image: img, users: []string{user}, since: since}
	h.pinned = s.pins[h.name()] // a pinned tag stays pinned when it moves
	s.images = append(s.images, h)
}

// moved takes down that a tag was seen to stand for something.
func (s *shelf) moved(r *repo, tag string, to digest.Digest) {
	s.drop(func(h *holding) bool { return h.repo == r && h.tag == tag && h.image.Digest() != to })
}

// pin takes down that a tag is pinned, or not any more.
func (s *shelf) pin(h *holding, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pins == nil {
		s.pins = map[string]bool{}
	}
	s.pins[h.name()], h.pinned = on, on
	if !on {
		h.since = 0
	}
}

// isPinned says that a tag was pinned, and not let go of since.
func (s *shelf) isPinned(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pins[name]
}

// drop forgets those that something happened to.
func (s *shelf) drop(which func(*holding) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.images = slices.DeleteFunc(s.images, which)
}

// list are those that must be there.
func (s *shelf) list() []*holding {
	s.mu.Lock()
	defer s.mu.Unlock()
	room := int64(maxSize)*3/4 - s.own
	for _, h := range s.images {
		if h.pinned {
			room -= sizeOf(h.image)
		}
	}
	seen, total, first := map[digest.Digest]bool{}, int64(0), len(s.uses)
	for first > 0 {
		u := s.uses[first-1]
		if !seen[u.digest] {
			if total += u.size + 4096; total > room {
				break
			}
			seen[u.digest] = true
		}
		first--
	}
	var out []*holding
	for _, h := range s.images {
		if h.pinned || h.since >= first {
			out = append(out, h)
		}
	}
	if len(out) < len(s.images)/2 {
		s.images = slices.Clone(out) // the others have gone as far as anybody knows
	}
	return out
}

// mustHold says that what was asked for must be in the cache and may be had by the asker, whatever upstream says.
func (w *world) mustHold(a *answer) bool {
	if w.weather.during(sick, a.begun.Add(-time.Second), a.ended) {
		return false
	}
	for _, h := range w.held.list() {
		// Nobody's pull shows that a repository is public, somebody's that this one may: by doors that take a password.
		if h.repo != a.repo || h.repo.site != nil && !slices.Contains(h.users, "") && (!slices.Contains(h.users, a.user) || !doorOf(a.door).intercepts()) {
			continue
		}
		d := digest.Digest(a.ref)
		if d.Validate() == nil && h.has(d) || d.Validate() != nil && h.tag == a.ref {
			return true
		}
	}
	return false
}
