package cache

// account is what an image consists of.
type account struct {
	records   map[key]record
	links     map[key]links // of the manifests that are held
	manifest  map[key]bool  // manifests, the root among them
	manifests []key         // the same without the root
	size, own int64
	parts     []key // images of the same repository that are part of this one

	known map[key]bool // answers of complete
}

// account adds an image up. Needs mu.
func (s *store) account(n Name, root key) *account {
	a := &account{records: make(map[key]record), links: make(map[key]links), manifest: make(map[key]bool), known: make(map[key]bool)}
	uses := map[key]uint32{root: 1} // from within
	s.walk(root, func(at link, l links, held bool) bool {
		k := at.key
		a.records[k] = s.blob(k)
		if !at.manifest {
			return true
		}
		a.manifest[k] = true
		if held {
			a.links[k] = l
			for _, child := range l.children() {
				uses[child]++
			}
		}
		if k == root {
			return true
		}
		a.manifests = append(a.manifests, k)
		if i, ok := s.image(imageKeyOf(n, k)); ok && i.part() {
			a.parts = append(a.parts, k)
			uses[k]++
		}
		return true
	})
	var shared []key
	for k, r := range a.records {
		if r.stored {
			a.size += r.size
		}
		if r.refs > uses[k] {
			shared = append(shared, k)
		}
	}
	a.own = a.size
	for seen := make(map[key]bool); len(shared) > 0; {
		k := shared[len(shared)-1]
		shared = shared[:len(shared)-1]
		if seen[k] {
			continue
		}
		seen[k] = true
		if r := a.records[k]; r.stored {
			a.own -= r.size
		}
		l := a.links[k]
		shared = append(shared, l.children()...)
	}
	return a
}

// parts are the images of a repository that are part of another one of it. Needs mu.
func (s *store) parts(n Name, root key) (out []key) {
	s.walk(root, func(at link, _ links, _ bool) bool {
		if !at.manifest || at.key == root {
			return true
		}
		if i, ok := s.image(imageKeyOf(n, at.key)); ok && i.part() {
			out = append(out, at.key)
		}
		return true
	})
	return out
}

// part reports whether an image may be a part of another: it has no name of its own.
func (i image) part() bool {
	for _, r := range i.refs {
		if r.pinned || !isLink(r.id) {
			return false
		}
	}
	return true
}

// complete reports whether a manifest can be had from here: with config and
// layers, or an index with those of at least one platform.
func (a *account) complete(k key) bool {
	if ok, known := a.known[k]; known {
		return ok
	}
	ok := a.isComplete(k)
	a.known[k] = ok
	return ok
}

func (a *account) isComplete(k key) bool {
	l, held := a.links[k]
	if !held || !a.records[k].stored || l.mediaType == "" {
		return false
	}
	for _, b := range l.blobs {
		if !a.records[b.key].stored && !b.foreign {
			return false
		}
	}
	if !l.index {
		return true
	}
	for _, m := range l.manifests {
		if m.platform && m.manifest && a.complete(m.key) {
			return true
		}
	}
	return false
}
