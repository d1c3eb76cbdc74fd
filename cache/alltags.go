package cache

import (
	"io/fs"
	"path/filepath"
)

// AllTags lists every tag of every repository, in no order. It reads the ref
// files: for a list that a person asked for, not for each request.
func (c *Cache) AllTags() (out []Tag) {
	_ = filepath.WalkDir(filepath.Join(c.dir, "refs"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return nil //nolint:nilerr // what cannot be read is left out
		}
		r, err := readRef(path)
		if err != nil {
			return nil //nolint:nilerr // the same
		}
		if n, tag, _, ok := parseReference(r.Reference); ok && tag != "" {
			out = append(out, Tag{Name: n, Tag: tag, Digest: r.Digest, MediaType: r.MediaType, Size: r.Size, Checked: r.Checked, Stored: r.Stored})
		}
		return nil
	})
	return out
}
