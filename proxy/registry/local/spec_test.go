package local

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache"
)

// The tests in this file follow the OCI distribution specification, version 1.1, and
// are named after its sections. Quotations are from there.

const (
	repo    = "local/my/app"
	absent  = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	sha512d = "sha512:" + "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
)

// "the response to such a request MUST be 200 OK … Content-Type … The
// Docker-Content-Digest header …"
func TestPullingManifests(t *testing.T) {
	s := newSite(t)
	m := s.image(repo, "layer")
	d := s.pushManifest(repo, "1", m)
	body, _ := encode(t, m)
	for _, ref := range []string{"1", d.String()} {
		for _, method := range []string{"GET", "HEAD"} {
			got := s.want(http.StatusOK, "", method, "/v2/"+repo+"/manifests/"+ref, nil, "Accept", ocispec.MediaTypeImageManifest)
			if got.Header.Get("Docker-Content-Digest") != d.String() || got.Header.Get("Content-Type") != ocispec.MediaTypeImageManifest || got.ContentLength != int64(len(body)) {
				t.Errorf("%s %s: %v", method, ref, got.Header)
			}
			if method == "GET" && !bytes.Equal(got.body, body) {
				t.Errorf("%s: other bytes", ref)
			}
		}
	}
	// "If the manifest is not found in the repository, the response code MUST be 404 Not Found."
	for _, path := range []string{repo + "/manifests/2", repo + "/manifests/" + absent, "local/none/manifests/1", repo + "/manifests/.INVALID", repo + "/manifests/" + sha512d} {
		s.want(http.StatusNotFound, "MANIFEST_UNKNOWN", "GET", "/v2/"+path, nil)
		s.want(http.StatusNotFound, "", "HEAD", "/v2/"+path, nil)
	}
}

// "A GET request to an existing blob URL MUST provide the expected blob, with a
// response code that MUST be 200 OK." and "A registry SHOULD support the Range
// request header in accordance with RFC 9110".
func TestPullingBlobs(t *testing.T) {
	s := newSite(t)
	body := []byte("0123456789")
	d := s.pushBlob(repo, body)
	path := "/v2/" + repo + "/blobs/" + d.String()
	got := s.want(http.StatusOK, "", "GET", path, nil)
	if !bytes.Equal(got.body, body) || got.Header.Get("Docker-Content-Digest") != d.String() || got.Header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("%q %v", got.body, got.Header)
	}
	if got := s.want(http.StatusOK, "", "HEAD", path, nil); got.ContentLength != 10 || got.Header.Get("Docker-Content-Digest") != d.String() {
		t.Error(got.Header)
	}
	for header, want := range map[string]string{"bytes=2-4": "234", "bytes=7-": "789", "bytes=-2": "89", "bytes=5-99": "56789"} {
		if got := s.want(http.StatusPartialContent, "", "GET", path, nil, "Range", header); string(got.body) != want || !strings.HasSuffix(got.Header.Get("Content-Range"), "/10") {
			t.Errorf("%s: %q %v", header, got.body, got.Header)
		}
	}
	s.want(http.StatusRequestedRangeNotSatisfiable, "", "GET", path, nil, "Range", "bytes=10-")
	s.want(http.StatusNotModified, "", "GET", path, nil, "If-None-Match", `"`+d.String()+`"`)
	// "If the blob is not found in the repository, the response code MUST be 404 Not Found."
	for _, missing := range []string{repo + "/blobs/" + absent, "local/other/blobs/" + d.String(), repo + "/blobs/" + sha512d} {
		s.want(http.StatusNotFound, "BLOB_UNKNOWN", "GET", "/v2/"+missing, nil)
		s.want(http.StatusNotFound, "", "HEAD", "/v2/"+missing, nil)
	}
	s.want(http.StatusBadRequest, "DIGEST_INVALID", "GET", "/v2/"+repo+"/blobs/sha256:abc", nil)
}

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

// "When processing a request for an image manifest with the subject field, a registry
// implementation … MUST respond with OCI-Subject", and "Listing Referrers".
func TestListingReferrers(t *testing.T) {
	s := newSite(t)
	list := func(d, query string) ocispec.Index {
		t.Helper()
		got := s.want(http.StatusOK, "", "GET", "/v2/"+repo+"/referrers/"+d+query, nil)
		var index ocispec.Index
		if err := json.Unmarshal(got.body, &index); err != nil || got.Header.Get("Content-Type") != ocispec.MediaTypeImageIndex ||
			index.MediaType != ocispec.MediaTypeImageIndex || index.SchemaVersion != 2 || index.Manifests == nil {
			t.Errorf("%s: %v", got.body, err)
		}
		if applied := got.Header.Get("OCI-Filters-Applied"); (query != "") != (applied == "artifactType") {
			t.Errorf("%q: OCI-Filters-Applied %q", query, applied)
		}
		return index
	}
	// "a registry MUST NOT return a 404 … an empty list"
	if got := list(absent, ""); len(got.Manifests) != 0 {
		t.Error(got)
	}
	s.want(http.StatusBadRequest, "DIGEST_INVALID", "GET", "/v2/"+repo+"/referrers/latest", nil)

	image := s.image(repo, "layer")
	body, _ := encode(t, image)
	subject := &ocispec.Descriptor{MediaType: image.MediaType, Digest: digest.FromBytes(body), Size: int64(len(body))}
	signature := s.image(repo, "signature")
	signature.Subject, signature.ArtifactType = subject, "application/vnd.test.signature"
	signature.Annotations = map[string]string{"by": "alice"}
	sbom := s.image(repo, "sbom")
	sbom.Subject, sbom.Config.MediaType = subject, "application/vnd.test.sbom"
	// "a registry MUST accept an otherwise valid manifest with a subject field that
	// references a manifest that does not exist"
	first, mediaType := encode(t, signature)
	got := s.want(http.StatusCreated, "", "PUT", "/v2/"+repo+"/manifests/"+digest.FromBytes(first).String(), first, "Content-Type", mediaType)
	if got.Header.Get("OCI-Subject") != subject.Digest.String() {
		t.Error(got.Header)
	}
	s.pushManifest(repo, "1", image)
	second := s.pushManifest(repo, "sbom", sbom)

	all := list(subject.Digest.String(), "")
	want := []ocispec.Descriptor{
		{MediaType: mediaType, Digest: digest.FromBytes(first), Size: int64(len(first)), ArtifactType: "application/vnd.test.signature", Annotations: signature.Annotations},
		{MediaType: mediaType, Digest: second, ArtifactType: "application/vnd.test.sbom"},
	}
	if len(all.Manifests) != 2 {
		t.Fatalf("%+v", all)
	}
	for _, w := range want {
		i := slices.IndexFunc(all.Manifests, func(d ocispec.Descriptor) bool { return d.Digest == w.Digest })
		if i < 0 || all.Manifests[i].ArtifactType != w.ArtifactType || all.Manifests[i].Annotations["by"] != w.Annotations["by"] || all.Manifests[i].MediaType != w.MediaType || all.Manifests[i].Size == 0 {
			t.Errorf("%+v", all.Manifests)
		}
	}
	if got := list(subject.Digest.String(), "?artifactType=application/vnd.test.sbom"); len(got.Manifests) != 1 || got.Manifests[0].Digest != second {
		t.Errorf("%+v", got)
	}
	if got := list(subject.Digest.String(), "?artifactType=none"); len(got.Manifests) != 0 {
		t.Errorf("%+v", got)
	}
	s.want(http.StatusAccepted, "", "DELETE", "/v2/"+repo+"/manifests/"+second.String(), nil)
	if got := list(subject.Digest.String(), ""); len(got.Manifests) != 1 {
		t.Errorf("%+v", got)
	}
	if got := s.want(http.StatusOK, "", "GET", "/v2/local/other/referrers/"+subject.Digest.String(), nil); !strings.Contains(string(got.body), `"manifests":[]`) {
		t.Errorf("another repository: %s", got.body)
	}
}

// "the tags MUST be in lexical order (i.e. case-insensitive alphanumeric order)"
func TestListingTags(t *testing.T) {
	s := newSite(t)
	s.want(http.StatusNotFound, "NAME_UNKNOWN", "GET", "/v2/"+repo+"/tags/list", nil)
	m := s.image(repo, "layer")
	list := func(query string, next string, want ...string) {
		t.Helper()
		got := s.want(http.StatusOK, "", "GET", "/v2/"+repo+"/tags/list"+query, nil)
		var doc struct {
			Name string
			Tags []string
		}
		if err := json.Unmarshal(got.body, &doc); err != nil || doc.Name != repo || doc.Tags == nil || !slices.Equal(doc.Tags, want) {
			t.Errorf("%s: %s, want %v", query, got.body, want)
		}
		if link := got.Header.Get("Link"); link != next {
			t.Errorf("%s: Link %q, want %q", query, link, next)
		}
	}
	list("", "") // "The list of tags MAY be empty"
	for _, tag := range []string{"b", "C", "a", "10", "_x"} {
		s.pushManifest(repo, tag, m)
	}
	list("", "", "10", "_x", "a", "b", "C")
	list("?n=2", `</v2/local/my/app/tags/list?last=_x&n=2>; rel="next"`, "10", "_x")
	list("?last=_x&n=2", `</v2/local/my/app/tags/list?last=b&n=2>; rel="next"`, "a", "b")
	list("?last=b&n=2", "", "C")
	list("?last=b", "", "C")
	list("?last=B1", "", "C") // it need not exist
	list("?n=5", "", "10", "_x", "a", "b", "C")
	// "When n is zero, this endpoint MUST return an empty list, and MUST NOT include a Link header."
	list("?n=0", "")
	s.want(http.StatusBadRequest, "UNSUPPORTED", "GET", "/v2/"+repo+"/tags/list?n=x", nil)
	s.want(http.StatusBadRequest, "UNSUPPORTED", "GET", "/v2/"+repo+"/tags/list?n=-1", nil)
}

// "Deleting tags": the manifest stays if something else stands for it.
func TestDeletingTags(t *testing.T) {
	s := newSite(t)
	d := s.pushManifest(repo, "1", s.image(repo, "layer"))
	s.pushManifest(repo, "2", s.image(repo, "layer"))
	s.want(http.StatusNotFound, "MANIFEST_UNKNOWN", "DELETE", "/v2/"+repo+"/manifests/3", nil)
	s.want(http.StatusAccepted, "", "DELETE", "/v2/"+repo+"/manifests/1", nil)
	s.want(http.StatusNotFound, "MANIFEST_UNKNOWN", "GET", "/v2/"+repo+"/manifests/1", nil)
	s.want(http.StatusNotFound, "MANIFEST_UNKNOWN", "DELETE", "/v2/"+repo+"/manifests/1", nil)
	s.want(http.StatusOK, "", "GET", "/v2/"+repo+"/manifests/2", nil)
	s.want(http.StatusOK, "", "GET", "/v2/"+repo+"/manifests/"+d.String(), nil)
	s.want(http.StatusAccepted, "", "DELETE", "/v2/"+repo+"/manifests/2", nil)
	s.pass(keepFor) // for those who are pulling it
	s.want(http.StatusNotFound, "MANIFEST_UNKNOWN", "GET", "/v2/"+repo+"/manifests/"+d.String(), nil)
	// Pushed by its digest, it stays without a tag.
	s.pushManifest(repo, "", s.image(repo, "layer"))
	s.pushManifest(repo, "1", s.image(repo, "layer"))
	s.want(http.StatusAccepted, "", "DELETE", "/v2/"+repo+"/manifests/1", nil)
	s.want(http.StatusOK, "", "GET", "/v2/"+repo+"/manifests/"+d.String(), nil)
}

// "Deleting Manifests", and every tag that stands for one.
func TestDeletingManifests(t *testing.T) {
	s := newSite(t)
	m := s.image(repo, "layer")
	d := s.pushManifest(repo, "1", m)
	s.pushManifest(repo, "2", m)
	s.pushManifest(repo, "", m)
	kept := s.pushManifest(repo, "kept", s.image(repo, "other layer"))
	s.want(http.StatusNotFound, "MANIFEST_UNKNOWN", "DELETE", "/v2/"+repo+"/manifests/"+absent, nil)
	s.want(http.StatusNotFound, "MANIFEST_UNKNOWN", "DELETE", "/v2/local/none/manifests/"+d.String(), nil)
	s.want(http.StatusAccepted, "", "DELETE", "/v2/"+repo+"/manifests/"+d.String(), nil)
	for _, ref := range []string{"1", "2", d.String()} {
		s.want(http.StatusNotFound, "MANIFEST_UNKNOWN", "GET", "/v2/"+repo+"/manifests/"+ref, nil)
	}
	s.want(http.StatusOK, "", "GET", "/v2/"+repo+"/blobs/"+m.Layers[0].Digest.String(), nil)
	s.pass(keepFor) // for those who are pulling it
	s.want(http.StatusNotFound, "BLOB_UNKNOWN", "GET", "/v2/"+repo+"/blobs/"+m.Layers[0].Digest.String(), nil)
	s.want(http.StatusOK, "", "GET", "/v2/"+repo+"/manifests/"+kept.String(), nil)

	// A part of an index goes after it.
	body, mediaType := encode(t, m)
	s.image(repo, "layer")
	s.pushManifest(repo, "", m)
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{{MediaType: mediaType, Digest: d, Size: int64(len(body))}}}
	whole := s.pushManifest(repo, "index", index)
	s.want(http.StatusMethodNotAllowed, "UNSUPPORTED", "DELETE", "/v2/"+repo+"/manifests/"+d.String(), nil)
	s.want(http.StatusAccepted, "", "DELETE", "/v2/"+repo+"/manifests/"+whole.String(), nil)
	s.want(http.StatusOK, "", "GET", "/v2/"+repo+"/manifests/"+d.String(), nil)
	s.want(http.StatusAccepted, "", "DELETE", "/v2/"+repo+"/manifests/"+d.String(), nil)
	s.want(http.StatusNotFound, "MANIFEST_UNKNOWN", "GET", "/v2/"+repo+"/manifests/"+d.String(), nil)
}

// "Deleting Blobs": in that repository. What an image there is made of stays.
func TestDeletingBlobs(t *testing.T) {
	s := newSite(t)
	d := s.pushBlob(repo, []byte("layer"))
	s.pushBlob("local/other", []byte("layer"))
	path := "/v2/" + repo + "/blobs/" + d.String()
	s.want(http.StatusAccepted, "", "DELETE", path, nil)
	s.want(http.StatusNotFound, "BLOB_UNKNOWN", "GET", path, nil)
	s.want(http.StatusNotFound, "BLOB_UNKNOWN", "DELETE", path, nil)
	s.want(http.StatusOK, "", "GET", "/v2/local/other/blobs/"+d.String(), nil)
	m := s.pushManifest(repo, "1", s.image(repo, "layer"))
	s.want(http.StatusMethodNotAllowed, "UNSUPPORTED", "DELETE", path, nil)
	s.want(http.StatusOK, "", "GET", path, nil)
	s.want(http.StatusAccepted, "", "DELETE", "/v2/"+repo+"/manifests/"+m.String(), nil)
	s.want(http.StatusAccepted, "", "DELETE", path, nil)
	s.want(http.StatusNotFound, "BLOB_UNKNOWN", "GET", path, nil)
	s.want(http.StatusNotFound, "BLOB_UNKNOWN", "DELETE", path, nil)
}

// "Error Codes", and what is no endpoint.
func TestErrors(t *testing.T) {
	s := newSite(t)
	s.want(http.StatusNotFound, "UNSUPPORTED", "GET", "/v2/local/_catalog", nil)
	s.want(http.StatusBadRequest, "NAME_INVALID", "GET", "/v2/local/manifests/1", nil)
	s.want(http.StatusBadRequest, "NAME_INVALID", "GET", "/v2/local/My/manifests/1", nil)
	s.want(http.StatusBadRequest, "NAME_INVALID", "GET", "/v2/local/..%2f..%2fx/manifests/1", nil)
	s.want(http.StatusBadRequest, "NAME_INVALID", "POST", "/v2/local/"+strings.Repeat("a", 256)+"/blobs/uploads/", nil)
	for what, allow := range map[string]string{
		repo + "/manifests/1": "GET, HEAD, PUT, DELETE", repo + "/blobs/" + absent: "GET, HEAD, DELETE",
		repo + "/tags/list": "GET, HEAD", repo + "/referrers/" + absent: "GET, HEAD",
	} {
		if got := s.want(http.StatusMethodNotAllowed, "UNSUPPORTED", "POST", "/v2/"+what, nil); got.Header.Get("Allow") != allow {
			t.Errorf("%s: %q", what, got.Header.Get("Allow"))
		}
	}
	// Who may.
	s.write = false
	s.want(http.StatusForbidden, "DENIED", "POST", "/v2/"+repo+"/blobs/uploads/", nil)
	s.want(http.StatusForbidden, "DENIED", "PUT", "/v2/"+repo+"/manifests/1", []byte("{}"))
	s.want(http.StatusForbidden, "DENIED", "DELETE", "/v2/"+repo+"/manifests/1", nil)
	s.want(http.StatusNotFound, "MANIFEST_UNKNOWN", "GET", "/v2/"+repo+"/manifests/1", nil)
	s.read = false
	s.want(http.StatusForbidden, "DENIED", "GET", "/v2/"+repo+"/manifests/1", nil)
}
