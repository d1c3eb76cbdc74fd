package cache

import "errors"

// Remove takes an image out: by a tag that tag, by a digest every tag of the
// repository that stands for it. The last tag takes the image with it, pinned or
// not, and the bytes go with the last image that uses them; those that somebody
// reads or holds go when room is needed. freed is bytes. *MissError if it is not
// known.
func (c *Cache) Remove(n Name, reference string) (freed int64, err error) {
	root, ref, err := c.resolve(n, reference)
	if err != nil {
		return 0, err
	}
	ids := c.refsOf(n, root)
	if !isDigest(reference) {
		last := true
		for _, id := range ids {
			last = last && (isLink(id) || id == reference)
		}
		if !last {
			ids = []string{reference}
		}
	}
	c.refs.mu.Lock()
	gone, err := c.dropRefs(n, root, ids)
	c.refs.mu.Unlock()
	for _, k := range gone {
		if size, ok := c.evictBlob(k, false); ok {
			freed += size
		}
	}
	if err != nil {
		return freed, diskFault("remove "+ref, err)
	}
	return freed, nil
}

// dropRefs removes refs of an image, and with the last one the parts that were
// pulled by their own digests. It answers with what nothing uses any more. Needs
// refs.mu.
func (c *Cache) dropRefs(n Name, root key, ids []string) (gone []key, err error) {
	collect := func(k key) { gone = append(gone, k) }
	var parts []key
	c.store.mu.Lock()
	c.store.reading(func() { parts = c.store.parts(n, root) })
	c.store.mu.Unlock()
	for _, id := range ids {
		err = errors.Join(err, c.dropFile(n, id, root, collect))
	}
	c.store.mu.Lock()
	_, left := c.store.image(imageKeyOf(n, root))
	c.store.mu.Unlock()
	if !left {
		for _, k := range parts {
			err = errors.Join(err, c.dropLink(n, k, collect))
		}
	}
	return gone, err
}

// dropFile removes the file of a tag or link. Needs refs.mu.
func (c *Cache) dropFile(n Name, id string, root key, gone func(key)) error {
	if isLink(id) {
		return c.dropLink(n, root, gone)
	}
	ref, err := n.tagged(id)
	if err != nil {
		return err
	}
	return c.dropTag(n, id, ref, gone)
}
