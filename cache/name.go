package cache

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

// Name is a repository of a registry: "docker.io" and "library/debian".
type Name struct{ Registry, Repository string }

func (n Name) String() string { return n.Registry + "/" + n.Repository }

// check holds a name against the grammar of references, so that no name leads
// out of the directory or onto another name's files.
func (n Name) check() error {
	_, err := n.named()
	return err
}

func (n Name) named() (reference.Named, error) {
	named, err := reference.WithName(n.String())
	if err != nil {
		return nil, fmt.Errorf("cache: name %.80q: %w (%w)", n.String(), ErrUnsupported, err)
	}
	if reference.Domain(named) != n.Registry || reference.Path(named) != n.Repository {
		return nil, fmt.Errorf("cache: name %.80q: %w", n.String(), ErrUnsupported)
	}
	return named, nil
}

// tagged is the full reference of a tag, checked.
func (n Name) tagged(tag string) (string, error) {
	named, err := n.named()
	if err != nil {
		return "", err
	}
	t, err := reference.WithTag(named, tag)
	if err != nil {
		return "", fmt.Errorf("cache: tag %.80q: %w (%w)", tag, ErrUnsupported, err)
	}
	return t.String(), nil
}

// repositoryDir is where a repository's files are.
func (c *Cache) repositoryDir(n Name) string {
	parts := []string{c.dir, "refs", pathElement(n.Registry)}
	for p := range strings.SplitSeq(n.Repository, "/") {
		parts = append(parts, pathElement(p))
	}
	return filepath.Join(parts...)
}

// tagPath is where a tag's file is, unless a directory lies there: tag b of a and
// repository a/b want the same path. The tag's file is then called "b@", which
// is neither a tag nor part of a repository's name.
func (c *Cache) tagPath(n Name, tag string) string {
	return filepath.Join(c.repositoryDir(n), pathElement(tag))
}

// besides is the tag's file when its own place is taken.
func besides(path string) string { return path + "@" }

func (c *Cache) linkPath(n Name, k key) string {
	return filepath.Join(c.repositoryDir(n), "@sha256-"+k.hex())
}

// parseReference takes apart what a ref file holds: name:tag or name@digest.
func parseReference(s string) (n Name, tag string, d digest.Digest, ok bool) {
	ref, err := reference.Parse(s)
	if err != nil {
		return n, "", "", false
	}
	named, isNamed := ref.(reference.Named)
	if !isNamed {
		return n, "", "", false
	}
	n = Name{reference.Domain(named), reference.Path(named)}
	switch r := ref.(type) {
	case reference.Canonical:
		if _, tagged := ref.(reference.Tagged); tagged {
			return n, "", "", false
		}
		d = r.Digest()
	case reference.NamedTagged:
		tag = r.Tag()
	default:
		return n, "", "", false
	}
	return n, tag, d, n.check() == nil
}
