package local

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache"
)

// "POST then PUT", and "Single POST".
func TestPushingABlobMonolithically(t *testing.T) {
	s := newSite(t)
	body := bytes.Repeat([]byte("layer"), 200_000)
	d := digest.FromBytes(body)
	begun := s.want(http.StatusAccepted, "", "POST", "/v2/"+repo+"/blobs/uploads/", nil)
	location := begun.Header.Get("Location")
	if len(location) < len("/v2/"+repo+"/blobs/uploads/")+26 {
		t.Errorf("%q can be guessed", location)
	}
	done := s.want(http.StatusCreated, "", "PUT", location+"?digest="+d.String(), body, "Content-Type", "application/octet-stream")
	if done.Header.Get("Docker-Content-Digest") != d.String() {
		t.Error(done.Header)
	}
	// "With <blob-location> being a pullable blob URL."
	if got := s.want(http.StatusOK, "", "GET", done.Header.Get("Location"), nil); !bytes.Equal(got.body, body) {
		t.Error("other bytes")
	}
	s.want(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "PUT", location+"?digest="+d.String(), body)

	other := []byte("single")
	d = digest.FromBytes(other)
	done = s.want(http.StatusCreated, "", "POST", "/v2/"+repo+"/blobs/uploads/?digest="+d.String(), other)
	if got := s.want(http.StatusOK, "", "GET", done.Header.Get("Location"), nil); !bytes.Equal(got.body, other) {
		t.Error("other bytes")
	}
	// "the <digest> MUST match the blob's digest"
	for _, bad := range []struct{ digest, code string }{{absent, "DIGEST_INVALID"}, {"", "DIGEST_INVALID"}, {"sha256:abc", "DIGEST_INVALID"}, {sha512d, "UNSUPPORTED"}} {
		s.want(http.StatusBadRequest, bad.code, "POST", "/v2/"+repo+"/blobs/uploads/?digest="+bad.digest, other)
		begun := s.want(http.StatusAccepted, "", "POST", "/v2/"+repo+"/blobs/uploads/", nil)
		s.want(http.StatusBadRequest, bad.code, "PUT", begun.Header.Get("Location")+"?digest="+bad.digest, other)
	}
	s.want(http.StatusNotFound, "BLOB_UNKNOWN", "GET", "/v2/"+repo+"/blobs/"+absent, nil)
	s.want(http.StatusBadRequest, "UNSUPPORTED", "POST", "/v2/"+repo+"/blobs/uploads/?digest-algorithm=sha512", nil)
	// An empty blob is one.
	s.pushBlob(repo, []byte{})
}

// "Chunks MUST be uploaded in order, with the first byte of a chunk being the last
// chunk's <end-of-range> plus one. If a chunk is uploaded out of order, the registry
// MUST respond with a 416 Requested Range Not Satisfiable code."
func TestPushingABlobInChunks(t *testing.T) {
	s := newSite(t)
	body := []byte("0123456789abcdefghij")
	d := digest.FromBytes(body)
	at := s.want(http.StatusAccepted, "", "POST", "/v2/"+repo+"/blobs/uploads/", nil, "Content-Length", "0").Header.Get("Location")
	chunk := func(status int, code, contentRange string, p []byte, want string) {
		t.Helper()
		got := s.want(status, code, "PATCH", at, p, "Content-Range", contentRange, "Content-Type", "application/octet-stream")
		if got.Header.Get("Range") != want {
			t.Errorf("%s: Range %q, want %q", contentRange, got.Header.Get("Range"), want)
		}
		if location := got.Header.Get("Location"); location != "" {
			at = location
		}
		if want == "" {
			return
		}
		// "the registry MUST respond with 204 No Content … Location … Range: 0-<end-of-range>"
		if got := s.want(http.StatusNoContent, "", "GET", at, nil); got.Header.Get("Range") != want || got.Header.Get("Location") == "" {
			t.Errorf("status %v", got.Header)
		}
	}
	chunk(http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID", "1-5", body[1:6], "0-0")
	chunk(http.StatusAccepted, "", "0-4", body[:5], "0-4")
	chunk(http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID", "0-4", body[:5], "0-4")
	chunk(http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID", "6-9", body[6:10], "0-4")
	chunk(http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID", "bytes 5-9/20", body[5:10], "0-4")
	chunk(http.StatusBadRequest, "SIZE_INVALID", "5-9", body[5:9], "")
	chunk(http.StatusAccepted, "", "5-9", body[5:10], "0-9")
	chunk(http.StatusAccepted, "", "10-10", body[10:11], "0-10")
	s.want(http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID", "PUT", at+"?digest="+d.String(), body[:1], "Content-Range", "0-0")
	// "The final chunk … MAY be uploaded in the closing PUT request."
	s.want(http.StatusCreated, "", "PUT", at+"?digest="+d.String(), body[11:], "Content-Range", "11-19")
	if got := s.want(http.StatusOK, "", "GET", "/v2/"+repo+"/blobs/"+d.String(), nil); !bytes.Equal(got.body, body) {
		t.Errorf("%q", got.body)
	}
	// As Docker does: one PATCH of unknown length, then PUT without a body.
	at = s.want(http.StatusAccepted, "", "POST", "/v2/"+repo+"/blobs/uploads/", nil).Header.Get("Location")
	big := bytes.Repeat(body, 50_000)
	got := s.do("PATCH", at, struct{ *bytes.Reader }{bytes.NewReader(big)})
	if got.StatusCode != http.StatusAccepted || got.Header.Get("Range") != fmt.Sprintf("0-%d", len(big)-1) {
		t.Fatal(got.Status, got.Header)
	}
	s.want(http.StatusCreated, "", "PUT", got.Header.Get("Location")+"?digest="+digest.FromBytes(big).String(), nil)
}

// "DELETE <location>": "204 No Content", and the session is no more.
func TestCancellingABlobUpload(t *testing.T) {
	s := newSite(t)
	at := s.want(http.StatusAccepted, "", "POST", "/v2/"+repo+"/blobs/uploads/", nil).Header.Get("Location")
	s.want(http.StatusAccepted, "", "PATCH", at, []byte("begun"))
	if s.temporary() != 1 {
		t.Error("nothing on disk")
	}
	s.want(http.StatusNoContent, "", "DELETE", at, nil)
	for _, method := range []string{"GET", "PATCH", "PUT", "DELETE"} {
		s.want(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", method, at, nil)
	}
	if s.temporary() != 0 {
		t.Error("left on disk")
	}
	s.want(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "GET", "/v2/"+repo+"/blobs/uploads/guess", nil)
	s.want(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "GET", "/v2/"+repo+"/blobs/uploads/", nil)
}

// "The response to a successful mount MUST be 201 Created … Alternatively, if a
// registry … is unable to mount the requested blob, it SHOULD return a 202."
func TestMountingABlobFromAnotherRepository(t *testing.T) {
	s := newSite(t)
	d := s.pushBlob(repo, []byte("layer"))
	mount := func(status int, to, d, from string) {
		t.Helper()
		got := s.want(status, "", "POST", "/v2/"+to+"/blobs/uploads/?mount="+d+"&from="+from, nil)
		if status == http.StatusCreated {
			s.want(http.StatusOK, "", "GET", got.Header.Get("Location"), nil)
		} else {
			s.want(http.StatusNoContent, "", "GET", got.Header.Get("Location"), nil)
			s.want(http.StatusNotFound, "BLOB_UNKNOWN", "GET", "/v2/"+to+"/blobs/"+d, nil)
		}
	}
	mount(http.StatusAccepted, "local/b", d.String(), "local/none")
	mount(http.StatusAccepted, "local/b", d.String(), "")
	mount(http.StatusAccepted, "local/b", absent, repo)
	mount(http.StatusAccepted, "local/b", d.String(), "local/../my/app")
	mount(http.StatusCreated, "local/b", d.String(), repo)
	mount(http.StatusCreated, "local/b", d.String(), "local/none") // it is there
	s.want(http.StatusAccepted, "", "POST", "/v2/local/b/blobs/uploads/?mount=nonsense&from="+repo, nil)

	// What was pulled: what anybody may have, and nothing else.
	pulled := func(repository, layer string) string {
		body := []byte(layer)
		d := digest.FromBytes(body)
		n := cache.Name{Registry: "docker.io", Repository: repository}
		m := []byte(`{"schemaVersion":2,"mediaType":"` + ocispec.MediaTypeImageManifest + `","config":{"digest":"` + d.String() + `"},"layers":[]}`)
		for _, b := range [][]byte{body, m} {
			if err := s.cache.Put(digest.FromBytes(b), b); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.cache.SetTag(cache.Tag{Name: n, Tag: "1", Digest: digest.FromBytes(m)}); err != nil {
			t.Fatal(err)
		}
		return d.String()
	}
	open, secret := pulled("library/debian", "public"), pulled("alice/app", "secret")
	s.public["library/debian"] = cache.Name{Registry: "docker.io", Repository: "library/debian"}
	mount(http.StatusAccepted, repo, secret, "alice/app")
	mount(http.StatusAccepted, repo, secret, "library/debian")
	mount(http.StatusCreated, repo, open, "library/debian")
}

// "Pushing Manifests".
func TestPushingManifests(t *testing.T) {
	s := newSite(t)
	m := s.image(repo, "a", "b")
	body, mediaType := encode(t, m)
	d := digest.FromBytes(body)
	put := func(status int, code, reference string, body []byte, header ...string) reply {
		t.Helper()
		return s.want(status, code, "PUT", "/v2/"+repo+"/manifests/"+reference, body, header...)
	}
	for _, ref := range []string{"v1", "V1", d.String()} {
		got := put(http.StatusCreated, "", ref, body, "Content-Type", mediaType)
		if got.Header.Get("Docker-Content-Digest") != d.String() || got.Header.Get("OCI-Subject") != "" {
			t.Error(got.Header)
		}
		// "<location> is a pullable manifest URL."
		if got := s.want(http.StatusOK, "", "GET", got.Header.Get("Location"), nil); !bytes.Equal(got.body, body) {
			t.Error("other bytes")
		}
	}
	put(http.StatusCreated, "", "plain", body)
	put(http.StatusCreated, "", "charset", body, "Content-Type", mediaType+"; charset=utf-8")
	put(http.StatusBadRequest, "DIGEST_INVALID", absent, body, "Content-Type", mediaType)
	put(http.StatusBadRequest, "UNSUPPORTED", sha512d, body, "Content-Type", mediaType)
	put(http.StatusBadRequest, "MANIFEST_INVALID", ".x", body, "Content-Type", mediaType)
	put(http.StatusBadRequest, "MANIFEST_INVALID", "x", body, "Content-Type", ocispec.MediaTypeImageIndex)
	put(http.StatusBadRequest, "MANIFEST_INVALID", "x", body, "Content-Type", ";;")
	for _, bad := range []string{"", "nonsense", "{}", `[]`, `{"mediaType":"` + mediaType + `","layers":[]}`, `{"mediaType":"` + ocispec.MediaTypeImageIndex + `"}`, `{"mediaType":"` + ocispec.MediaTypeImageIndex + `","manifests":[],"layers":[]}`, `{"config":{"digest":"x"}}`} {
		put(http.StatusBadRequest, "MANIFEST_INVALID", "x", []byte(bad))
	}
	put(http.StatusBadRequest, "UNSUPPORTED", "x", []byte(`{"schemaVersion":1,"fsLayers":[]}`))
	put(http.StatusBadRequest, "UNSUPPORTED", "x", []byte(`{"config":{"digest":"`+sha512d+`"}}`))

	// "the registry … MUST return 413 Payload Too Large"; at least 4 MiB are taken.
	m.Annotations = map[string]string{"fill": ""}
	empty, _ := encode(t, m)
	m.Annotations["fill"] = strings.Repeat("x", maxManifest-len(empty))
	largest, _ := encode(t, m)
	put(http.StatusCreated, "", "large", largest)
	put(http.StatusRequestEntityTooLarge, "SIZE_INVALID", "larger", append(largest, ' '))
	if len(largest) != maxManifest {
		t.Error(len(largest))
	}

	// What it points at must be there, config, layers, and manifests of an index.
	m = s.image(repo, "c")
	m.Layers[0].Digest = absent
	missing, _ := encode(t, m)
	put(http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN", "x", missing)
	m = s.image(repo, "c")
	m.Config.Digest = absent
	missing, _ = encode(t, m)
	put(http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN", "x", missing)
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{
		{MediaType: ocispec.MediaTypeImageManifest, Digest: d, Size: int64(len(body)), Platform: &ocispec.Platform{OS: "linux", Architecture: "amd64"}},
		{MediaType: ocispec.MediaTypeImageManifest, Digest: absent, Size: 1},
	}}
	missing, _ = encode(t, index)
	put(http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN", "x", missing)
	s.want(http.StatusNotFound, "MANIFEST_UNKNOWN", "GET", "/v2/"+repo+"/manifests/x", nil)
	index.Manifests = index.Manifests[:1]
	s.pushManifest(repo, "index", index)
	image, err := s.cache.Image(cache.Name{Registry: "local", Repository: "my/app"}, "index")
	if err != nil || !image.Complete || !image.Pinned || image.Sources["push"] == 0 {
		t.Errorf("%+v %v", image, err)
	}
}
