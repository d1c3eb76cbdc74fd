package local

import (
	"maps"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// FuzzManifest pushes anything as a manifest. What is taken is of a type that was
// said, points at sha256 digests alone, and at no more and no less than the cache
// opens because of it.
func FuzzManifest(f *testing.F) {
	const d = `{"mediaType":"application/octet-stream","size":1,"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}`
	for _, s := range []string{
		`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":` + d + `,"layers":[` + d + `]}`,
		`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[` + d + `],"subject":` + d + `}`,
		`{"schemaVersion":2,"config":` + d + `,"manifests":[]}`, `{"schemaVersion":1,"fsLayers":[{"blobSum":"sha256:x"}]}`,
		`{"schemaVersion":2,"config":` + strings.ReplaceAll(d, "sha256", "sha512") + `}`, `{"Config":` + d + `,"config":null}`, `[]`, `null`, `{"manifests":[{"digest":"sha256:../../x"}]}`,
	} {
		f.Add([]byte(s), "")
		f.Add([]byte(s), "application/vnd.oci.image.manifest.v1+json; charset=utf-8")
	}
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		m, err := parse(body, contentType)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		if m.mediaType == "" {
			t.Errorf("%q: a manifest without a type", body)
		}
		opens, needs := map[digest.Digest]bool{}, map[digest.Digest]bool{}
		_, contents, err := cache.Contents(body)
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		for _, c := range contents {
			opens[c.Digest] = true
			if c.Digest.Validate() != nil || c.Digest.Algorithm() != digest.SHA256 {
				t.Errorf("%q: points at %q", body, c.Digest)
			}
		}
		for _, c := range m.contents {
			needs[c.Digest] = true
		}
		if !maps.Equal(opens, needs) {
			t.Errorf("%q: opens %v and needs %v", body, opens, needs)
		}
	})
}
