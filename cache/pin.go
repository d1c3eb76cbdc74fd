package cache

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
)

// Pin keeps an image from being evicted, or no longer. A pinned tag keeps what it
// stands for, today and after it has moved; a pinned digest that manifest. Taking
// it off a digest takes it off every tag that stands for it, too. It is in the ref
// file when this returns, and so survives the loss of the database. *MissError if
// the image is not known.
func (c *Cache) Pin(n Name, reference string, on bool) error {
	root, ref, err := c.resolve(n, reference)
	if err != nil {
		return err
	}
	ids := []string{reference}
	switch {
	case isDigest(reference) && on:
		ids = []string{linkID(root)}
	case isDigest(reference):
		ids = c.refsOf(n, root)
	}
	for _, id := range ids {
		if err := c.withRoom(func() error { return c.pinRef(n, id, root, on) }); err != nil {
			return diskFault("pin "+ref, err)
		}
	}
	c.checkSize()
	return nil
}

func isDigest(reference string) bool { return digest.Digest(reference).Validate() == nil }

// refsOf are the tags and the link of an image.
func (c *Cache) refsOf(n Name, root key) (ids []string) {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	i, _ := c.store.image(imageKeyOf(n, root))
	for _, r := range i.refs {
		ids = append(ids, r.id)
	}
	return ids
}

func (c *Cache) pinRef(n Name, id string, root key, on bool) error {
	if isLink(id) {
		old, err := readRef(c.linkPath(n, root))
		if maybeGood(err) {
			return err
		}
		return c.writeLink(n, root, old.MediaType, on)
	}
	ref, err := n.tagged(id)
	if err != nil {
		return err
	}
	c.refs.mu.Lock()
	defer c.refs.mu.Unlock()
	path := c.tagPath(n, id)
	t, err := c.readTag(n, id, ref, path)
	if err != nil || t.Pinned == on {
		return err
	}
	t.Pinned = on
	return c.writeTag(t, ref, path, c.now())
}

// DisownTag is for a tag that its registry says it does not have any more: it is
// forgotten as by [Cache.DeleteTag], unless it is pinned. That one stays with what it
// stood for, today and when the registry has it again, and is as one that was never
// checked. One that is not there is no error.
func (c *Cache) DisownTag(n Name, tag string) error {
	ref, err := n.tagged(tag)
	if err != nil {
		return err
	}
	if err := c.withRoom(func() error { return c.disownTag(n, tag, ref) }); err != nil {
		return diskFault("forget "+ref, err)
	}
	return nil
}

func (c *Cache) disownTag(n Name, tag, ref string) error {
	c.refs.mu.Lock()
	defer c.refs.mu.Unlock()
	path := c.tagPath(n, tag)
	t, err := c.readTag(n, tag, ref, path)
	switch {
	case CannotRead(err):
		return err
	case err == nil && t.Pinned:
		t.Checked = time.Time{}
		return c.writeTag(t, ref, path, t.Stored)
	case isUnreadable(err) && c.store.pinned(n, tag):
		return nil // what it stands for is not known anyway
	}
	return c.dropTag(n, tag, ref, nil)
}

// pinned reports whether a tag is pinned as far as the catalogue knows.
func (s *store) pinned(n Name, id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	root, _ := s.ref(n, id)
	i, _ := s.image(imageKeyOf(n, root))
	return slices.ContainsFunc(i.refs, func(r imageRef) bool { return r.id == id && r.pinned })
}

// isUnreadable reports whether a ref file is there, and does not say what it should.
func isUnreadable(err error) bool {
	var miss *MissError
	return errors.As(err, &miss) && miss.Reason == Unreadable
}

// Hold keeps a blob from being evicted until release is called, whether it is
// stored already or not. It may be called more than once.
func (c *Cache) Hold(d digest.Digest) (release func()) {
	k, err := keyOf(d)
	if err != nil {
		return func() {}
	}
	c.hold(k)
	return sync.OnceFunc(func() {
		c.letGo(k)
		c.checkSize()
	})
}
