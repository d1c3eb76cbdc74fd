package cache

import (
	"slices"

	"github.com/opencontainers/go-digest"
)

// Unlink takes back what Link said: the manifest is the repository's by its tags
// only, or as part of another one. It is no error if nothing had been said.
func (c *Cache) Unlink(n Name, manifest digest.Digest) error {
	if err := n.check(); err != nil {
		return err
	}
	k, err := keyOf(manifest)
	if err != nil {
		return err
	}
	if c.isClosed() {
		return ErrClosed
	}
	c.refs.mu.Lock()
	defer c.refs.mu.Unlock()
	if err := c.dropLink(n, k, nil); err != nil {
		return diskFault("forget "+n.String()+"@"+string(manifest), err)
	}
	return nil
}

// Manifests lists the manifests that tags and links of a repository stand for,
// sorted; none is no error.
func (c *Cache) Manifests(n Name) ([]digest.Digest, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	var out []digest.Digest
	for _, r := range c.readRefs(n) {
		out = append(out, r.Digest)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
