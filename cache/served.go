package cache

import (
	"cmp"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"
)

// servings is what was served and is not in the catalogue yet.
type servings struct {
	mu      sync.Mutex
	pending []served
	last    map[serving]int // the last of each in pending

	recent map[Name][]key // roots last used, the last one first; guarded by the store's mu
}

// serving is something under a name.
type serving struct {
	Name
	key key
}

// served is one or more of a kind, in the order in which they came: what a layer
// belongs to is told by the manifest before it.
type served struct {
	serving
	at, saved int64
}

const (
	recentRoots = 16   // per repository
	recentNames = 1024 // repositories
	// searched is how many images of a repository are looked through for one
	// blob that was served: it is bookkeeping, and not worth more.
	searched = 256
	// servedAtMost is how many are kept apart until the next flush.
	servedAtMost = 1 << 12
)

// Served notes that d was served under n: the last use of the image, and how many
// bytes came from here that were not fetched again. It costs next to nothing and
// never waits for the disk.
//
// Of a layer of several images it is the one whose manifest was served last: that
// is what an engine asks for first.
func (c *Cache) Served(n Name, d digest.Digest, saved int64) {
	if k, err := keyOf(d); err == nil {
		c.use(n, k, saved)
		c.soon()
	}
}

func (c *Cache) use(n Name, k key, saved int64) {
	c.served.mu.Lock()
	defer c.served.mu.Unlock()
	what := serving{n, k}
	at := c.now().UnixNano()
	if i, ok := c.served.last[what]; ok && (i == len(c.served.pending)-1 || len(c.served.pending) > servedAtMost) {
		was := &c.served.pending[i]
		was.at, was.saved = max(at, was.at), was.saved+saved
		return
	}
	if c.served.last == nil {
		c.served.last = make(map[serving]int)
	}
	c.served.last[what] = len(c.served.pending)
	c.served.pending = append(c.served.pending, served{what, at, saved})
}

// applyUses brings the catalogue up to date.
func (c *Cache) applyUses() {
	c.served.mu.Lock()
	pending := c.served.pending
	c.served.pending, c.served.last = nil, nil
	c.served.mu.Unlock()
	c.settleUses()
	s := c.store
	within := map[key]map[key]bool{} // by root, everything below it: of one image many layers are served
	for _, u := range pending {
		s.mu.Lock()
		s.reading(func() {
			root, ok := c.imageOf(u.Name, u.key, within)
			if !ok {
				return
			}
			ik := imageKeyOf(u.Name, root)
			i, _ := s.image(ik)
			i.used, i.saved = max(i.used, u.at), i.saved+u.saved
			s.setImage(ik, i)
			c.noteRecent(u.Name, root)
		})
		s.mu.Unlock()
	}
}

// imageOf finds the image of a repository to which something belongs. within holds
// what is below roots that were looked at a moment ago. Needs the store's mu.
func (c *Cache) imageOf(n Name, k key, within map[key]map[key]bool) (root key, ok bool) {
	s := c.store
	self, exact := s.image(imageKeyOf(n, k))
	if exact && !self.part() {
		return k, true
	}
	for _, r := range c.served.recent[n] {
		if _, there := s.image(imageKeyOf(n, r)); !there || r == k {
			continue
		}
		if within[r] == nil {
			if len(within) >= recentRoots {
				clear(within)
			}
			within[r] = s.below(r)
		}
		if within[r][k] {
			return r, true
		}
	}
	left := searched
	var roots []key
	s.scan(tableImages, imagePrefix(n), nil, func(ik, _ []byte) bool {
		roots = append(roots, imageKey(ik).root())
		left--
		return left > 0
	})
	// An image of several platforms stands for each of them.
	slices.SortStableFunc(roots, func(a, b key) int { return cmp.Compare(s.rank(b), s.rank(a)) })
	for _, r := range roots {
		if r != k && s.contains(r, k) {
			return r, true
		}
	}
	return k, exact
}

// rank is 1 for an index. Needs mu.
func (s *store) rank(k key) int {
	if l, ok := s.links(k); ok && l.index {
		return 1
	}
	return 0
}

// below is everything that can be reached from a manifest, itself included. Needs
// mu.
func (s *store) below(root key) map[key]bool {
	all := map[key]bool{}
	s.walk(root, func(at link, _ links, _ bool) bool {
		all[at.key] = true
		return true
	})
	return all
}

// contains reports whether k can be reached from a manifest. Needs mu.
func (s *store) contains(root, k key) bool {
	found := false
	s.walk(root, func(at link, _ links, _ bool) bool {
		found = found || at.key == k
		return !found
	})
	return found
}

// walk calls f for everything below a manifest, itself included, each once, with
// what it points at if it is a manifest that is held; until f says no. Needs mu.
func (s *store) walk(root key, f func(at link, l links, held bool) bool) {
	seen := map[key]bool{root: true}
	for todo := []link{{key: root, manifest: true}}; len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		var l links
		held := false
		if at.manifest {
			l, held = s.links(at.key)
		}
		if !f(at, l, held) {
			return
		}
		for _, list := range [][]link{l.manifests, l.blobs} {
			for _, child := range list {
				if !seen[child.key] {
					seen[child.key] = true
					todo = append(todo, child)
				}
			}
		}
	}
}

// noteRecent needs the store's mu.
func (c *Cache) noteRecent(n Name, root key) {
	if c.served.recent == nil || len(c.served.recent) > recentNames {
		c.served.recent = make(map[Name][]key)
	}
	list := slices.DeleteFunc(c.served.recent[n], func(k key) bool { return k == root })
	list = slices.Insert(list, 0, root)
	c.served.recent[n] = list[:min(len(list), recentRoots)]
}
