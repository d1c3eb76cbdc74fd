package registry_test

import (
	"strings"
	"testing"

	"pulley/proxy/registry"
)

const someDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestParsePath(t *testing.T) {
	for _, c := range []struct {
		path, repository, reference string
		what                        registry.What
		problem                     registry.Code
	}{
		{"/v2/", "", "", registry.Ping, ""},
		{"/v2", "", "", registry.Ping, ""},
		{"/v2/library/alpine/manifests/3.20", "library/alpine", "3.20", registry.Manifest, ""},
		{"/v2/a/manifests/" + someDigest, "a", someDigest, registry.Manifest, ""},
		{"/v2/a/b/c/blobs/" + someDigest, "a/b/c", someDigest, registry.Blob, ""},
		{"/v2/a/tags/list", "a", "", registry.Tags, ""},
		{"/v2/a/referrers/" + someDigest, "a", someDigest, registry.Referrers, ""},
		{"/v2/a/blobs/uploads/", "a", "", registry.Upload, ""},
		{"/v2/a/blobs/uploads", "a", "", registry.Upload, ""},
		{"/v2/a/blobs/uploads/x/y", "a", "x/y", registry.Upload, ""},
		// names made of the words of the grammar
		{"/v2/manifests/manifests/latest", "manifests", "latest", registry.Manifest, ""},
		{"/v2/a/manifests/manifests/manifests/1", "a/manifests/manifests", "1", registry.Manifest, ""},
		{"/v2/blobs/uploads/manifests/1", "blobs/uploads", "1", registry.Manifest, ""},
		{"/v2/tags/list/tags/list", "tags/list", "", registry.Tags, ""},
		// not valid, and said so
		{"/v2/A/manifests/1", "A", "1", registry.Manifest, registry.NameInvalid},
		{"/v2/a//b/manifests/1", "a//b", "1", registry.Manifest, registry.NameInvalid},
		{"/v2/../a/manifests/1", "../a", "1", registry.Manifest, registry.NameInvalid},
		{"/v2/a___b/manifests/1", "a___b", "1", registry.Manifest, registry.NameInvalid},
		{"/v2/a/manifests/.x", "a", ".x", registry.Manifest, registry.TagInvalid},
		{"/v2/a/manifests/" + strings.Repeat("x", 129), "a", strings.Repeat("x", 129), registry.Manifest, registry.TagInvalid},
		{"/v2/a/manifests/sha256:abc", "a", "sha256:abc", registry.Manifest, registry.DigestInvalid},
		{"/v2/a/blobs/sha256:" + strings.Repeat("G", 64), "a", "sha256:" + strings.Repeat("G", 64), registry.Blob, registry.DigestInvalid},
		{"/v2/a/blobs/x", "a", "x", registry.Blob, registry.DigestInvalid},
		{"/v2/" + strings.Repeat("a", 256) + "/manifests/1", strings.Repeat("a", 256), "1", registry.Manifest, registry.NameInvalid},
		// not ours to understand
		{"/v2/_catalog", "", "", registry.Other, ""},
		{"/v2/auth", "", "", registry.Other, ""},
		{"/v2x/", "", "", registry.Other, ""},
		{"/", "", "", registry.Other, ""},
		{"", "", "", registry.Other, ""},
	} {
		got := registry.ParsePath(c.path)
		if got.What != c.what || got.Problem != c.problem ||
			c.what != registry.Other && (got.Repository != c.repository || got.Reference != c.reference) {
			t.Errorf("%s: got %+v", c.path, got)
		}
	}
}

func TestComponentsFollowTheSpecification(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "a.b": true, "a_b": true, "a__b": true, "a---b": true, "a-b.c_d__e": true, "0": true,
		"": false, ".a": false, "a.": false, "a..b": false, "a._b": false, "a-_b": false, "a/": false, "/a": false, "aB": false, "ä": false,
	} {
		if registry.ValidRepository(name) != want {
			t.Errorf("ValidRepository(%q) = %v", name, !want)
		}
	}
}

// FuzzParsePath: whatever comes, a repository that is said to be valid can be
// put into a URL and a file name, and a digest that is set is one.
func FuzzParsePath(f *testing.F) {
	for _, s := range []string{
		"/v2/", "/v2/a/manifests/1", "/v2/a/blobs/" + someDigest, "/v2/a/blobs/uploads/x", "/v2/a/tags/list", "/v2/%2e%2e/manifests/x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		p := registry.ParsePath(path)
		if p.Problem != "" || p.What == registry.Other || p.What == registry.Ping {
			return
		}
		if !registry.ValidRepository(p.Repository) || strings.ContainsAny(p.Repository, "\\%?#:\x00") || strings.Contains(p.Repository, "..") {
			t.Fatalf("%q: repository %q", path, p.Repository)
		}
		if p.Digest != "" && p.Digest.Validate() != nil {
			t.Fatalf("%q: digest %q", path, p.Digest)
		}
		if p.What == registry.Manifest && p.Digest == "" && !registry.ValidTag(p.Reference) {
			t.Fatalf("%q: tag %q", path, p.Reference)
		}
		if p.What != registry.Upload && !strings.HasPrefix(path, "/v2/"+p.Repository+"/") {
			t.Fatalf("%q: repository %q", path, p.Repository)
		}
	})
}
