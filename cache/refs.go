package cache

import (
	"io/fs"
	"path/filepath"
)

// AllTags lists every tag of every repository, in no order. It reads the ref
// files: for a list that a person asked for, not for each request.
func (c *Cache) AllTags() (out []Tag) {
	c.walkRefs(func(n Name, tag string, r refFile) {
		if tag != "" {
			out = append(out, Tag{Name: n, Tag: tag, Digest: r.Digest, MediaType: r.MediaType, Size: r.Size, Checked: r.Checked, Stored: r.Stored})
		}
	})
	return out
}

// walkRefs calls f for every ref file; tag is "" for a manifest pulled by digest.
// What cannot be read is left out.
func (c *Cache) walkRefs(f func(n Name, tag string, r refFile)) {
	_ = filepath.WalkDir(filepath.Join(c.dir, "refs"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return nil //nolint:nilerr // left out
		}
		if r, err := readRef(path); err == nil {
			n, tag, _, _ := parseReference(r.Reference)
			f(n, tag, r)
		}
		return nil
	})
}
