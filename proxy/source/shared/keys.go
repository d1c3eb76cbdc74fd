package shared

import "github.com/opencontainers/go-digest"

// Keys below the prefix of the settings:
//
//	pulley                                              that the store is one of ours
//	blobs/sha256/ab/abcd…                               a blob, whoever has it
//	manifests/<registry>/<repository>/sha256/abcd…      a manifest that the origin gave for that repository
//	refs/<registry>/<repository>/<tag>                  what the origin said of a tag, as a Ref
//
// A manifest is under its repository, since to have it there says that the
// repository has it: by its digest alone, one of a private repository could be had
// under the name of another.
const marker = "pulley"

// BlobKey is the key of a blob.
func BlobKey(d digest.Digest) string {
	hex := d.Encoded()
	return "blobs/" + d.Algorithm().String() + "/" + hex[:2] + "/" + hex
}

// ManifestKey is the key of a manifest of a repository.
func ManifestKey(registry, repository string, d digest.Digest) string {
	return "manifests/" + registry + "/" + repository + "/" + d.Algorithm().String() + "/" + d.Encoded()
}

// RefKey is the key of what a tag stands for.
func RefKey(registry, repository, tag string) string {
	return "refs/" + registry + "/" + repository + "/" + tag
}

// Ref is what the origin said that a tag stands for. It is a hint: when it was
// said, and by whom it was written down, nobody can prove.
type Ref struct {
	Digest    digest.Digest `json:"digest"`
	MediaType string        `json:"mediaType"`
	Size      int64         `json:"size"`
}

// key is a key in the bucket.
func (s *Store) key(k string) string {
	if s.opt.Store.Prefix == "" {
		return k
	}
	return s.opt.Store.Prefix + "/" + k
}
