package cache

import "github.com/opencontainers/go-digest"

// ReadSmall reads a stored blob into p, if p has room for it and its file looks as
// it did when it was last hashed: nothing is hashed, and nothing is waited for. ok is
// false otherwise, and Get is next. Like Get it counts as a use of the blob.
func (c *Cache) ReadSmall(d digest.Digest, p []byte) (n int, ok bool) {
	k, err := keyOf(d)
	if err != nil || c.isClosed() {
		return 0, false
	}
	rec, known := c.store.get(k)
	if !known || !rec.stamped || rec.stamp.size > int64(len(p)) {
		return 0, false
	}
	st, n, err := readStamped(c.blobPath(k), p)
	if err != nil || st != rec.stamp || int64(n) != st.size || c.isSpoiled(k, st) {
		return 0, false
	}
	c.touch(k, rec)
	return n, true
}
