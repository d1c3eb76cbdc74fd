package cache

// adopt reads manifests that are in use and stored into the catalogue, and those
// they point at. Whoever adds a use of a manifest or stores one calls it
// afterwards, holding no lock.
func (c *Cache) adopt(todo ...key) {
	for len(todo) > 0 {
		k := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !c.store.wanting(k) {
			continue
		}
		l, ok := c.readLinks(k)
		if !ok {
			c.adoptAgain(k)
			continue
		}
		c.store.mu.Lock()
		held := c.store.hold(k, l)
		c.store.mu.Unlock()
		if !held {
			continue
		}
		c.index.dirty.Store(true)
		for _, m := range l.manifests {
			if m.manifest {
				todo = append(todo, m.key)
			}
		}
	}
}

// adoptAgain has a manifest adopted at the next Flush that could not be read, unless
// it was no good and is not stored any more.
func (c *Cache) adoptAgain(k key) {
	if !c.store.wanting(k) {
		return
	}
	c.refs.staleMu.Lock()
	defer c.refs.staleMu.Unlock()
	c.refs.unread = append(c.refs.unread, k)
}

// wanting reports whether a manifest is in use and stored, and what it points at
// is not known.
func (s *store) wanting(k key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.blob(k)
	if !r.stored || !r.manifest || r.refs == 0 {
		return false
	}
	_, held := s.links(k)
	return !held
}

// readLinks reads what a stored manifest points at. What is no manifest points at
// nothing.
func (c *Cache) readLinks(k key) (links, bool) {
	body, err := c.readAll(k, manifestMax)
	if err != nil {
		r, stored := c.store.get(k)
		return links{}, stored && r.size > manifestMax
	}
	l, err := parseManifest(body)
	if err != nil {
		return links{}, true
	}
	if l.mediaType == dockerManifest {
		w, _ := wrapperOf(k, int64(len(body)))
		l.wrapper = string(w[:])
	}
	return l, true
}
