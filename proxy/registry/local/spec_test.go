package local

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
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
	layer, large := m.Layers[0].Digest.String(), s.pushBlob(repo, make([]byte, 5<<20)).String() // which are there, and are none
	for _, path := range []string{repo + "/manifests/" + layer, repo + "/manifests/" + large, repo + "/manifests/2", repo + "/manifests/" + absent, "local/none/manifests/1", repo + "/manifests/.INVALID", repo + "/manifests/" + sha512d} {
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
