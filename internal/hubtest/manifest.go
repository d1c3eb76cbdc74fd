package hubtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func (h *Hub) serveManifest(w *response, r *http.Request, t target) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		h.getManifest(w, r, t)
	case http.MethodPut:
		h.putManifest(w, r, t)
	case http.MethodDelete:
		if _, ok := h.authorize(w, r, t, "delete"); !ok {
			return
		}
		h.mu.Lock()
		repo := t.site.repos[t.repo]
		ok := repo != nil && repo.delete(t.ref)
		h.mu.Unlock()
		if !ok {
			manifestUnknown(w)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func manifestUnknown(w http.ResponseWriter) {
	fail(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest unknown")
}

func (h *Hub) getManifest(w *response, r *http.Request, t target) {
	user, ok := h.authorize(w, r, t, "pull")
	if !ok {
		return
	}
	d, m, ok := t.site.negotiate(t.key, t.ref, accepts(r))
	if !ok {
		manifestUnknown(w)
		return
	}
	if t.site.limited {
		identity := cmp.Or(user, hostname(r.RemoteAddr))
		if !h.pull(w, r.Method, identity) {
			fail(w, http.StatusTooManyRequests, "TOOMANYREQUESTS", pullLimitMessage(user))
			return
		}
	}
	h.record.update(func() { w.entry.Digest = d })
	w.Header().Set("Docker-Content-Digest", d.String())
	w.Header().Set("ETag", `"`+d.String()+`"`)
	if r.Header.Get("If-None-Match") == `"`+d.String()+`"` {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	reply(w, http.StatusOK, m.mediaType, m.body)
}

// negotiate resolves a reference. A client that asks for a tag and does not accept the index there gets the manifest for
// linux/amd64, as from Docker Hub; by digest everybody gets what has that digest.
func (s *Site) negotiate(repo, ref string, accept []string) (digest.Digest, manifest, bool) {
	d, m, ok := s.resolve(repo, ref)
	if !ok || !isIndex(m.mediaType) || string(d) == ref {
		return d, m, ok
	}
	for _, a := range accept {
		a, _, _ = cutParams(a)
		if a == m.mediaType || a == "*/*" || a == "application/*" {
			return d, m, true
		}
	}
	var idx ocispec.Index
	if json.Unmarshal(m.body, &idx) != nil {
		return "", manifest{}, false
	}
	for _, child := range idx.Manifests {
		if p := child.Platform; p != nil && p.OS == "linux" && p.Architecture == "amd64" {
			return s.resolve(repo, child.Digest.String())
		}
	}
	return "", manifest{}, false
}

func isIndex(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageIndex || mediaType == DockerManifestList
}

func (h *Hub) putManifest(w *response, r *http.Request, t target) {
	if _, ok := h.authorize(w, r, t, "push"); !ok {
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, h.MaxManifest+1))
	if err != nil {
		return
	}
	if int64(len(body)) > h.MaxManifest {
		fail(w, http.StatusRequestEntityTooLarge, "SIZE_INVALID", "manifest too large")
		return
	}
	var parsed struct {
		MediaType string               `json:"mediaType"`
		Config    *ocispec.Descriptor  `json:"config"`
		Layers    []ocispec.Descriptor `json:"layers"`
		Manifests []ocispec.Descriptor `json:"manifests"`
		Subject   *ocispec.Descriptor  `json:"subject"`
	}
	mediaType, _, _ := cutParams(r.Header.Get("Content-Type"))
	if json.Unmarshal(body, &parsed) != nil || mediaType == "" || parsed.MediaType != "" && parsed.MediaType != mediaType {
		fail(w, http.StatusBadRequest, "MANIFEST_INVALID", "manifest invalid")
		return
	}
	d := digest.FromBytes(body)
	if t.digest != "" && t.digest != d {
		fail(w, http.StatusBadRequest, "DIGEST_INVALID", "provided digest did not match uploaded content")
		return
	}
	h.mu.Lock()
	repo := t.site.repo(t.repo)
	blobs := parsed.Layers
	if parsed.Config != nil {
		blobs = append(blobs, *parsed.Config)
	}
	missing := slices.ContainsFunc(blobs, func(b ocispec.Descriptor) bool { return repo.blobs[b.Digest] == nil }) ||
		slices.ContainsFunc(parsed.Manifests, func(m ocispec.Descriptor) bool { return repo.manifests[m.Digest].body == nil })
	if !missing {
		repo.manifests[d] = manifest{mediaType, body}
		if t.digest == "" {
			repo.tags[t.ref] = d
		}
	}
	h.mu.Unlock()
	if missing {
		fail(w, http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN", "manifest references a blob or manifest unknown to registry")
		return
	}
	h.record.update(func() { w.entry.Digest = d })
	if parsed.Subject != nil && !t.site.NoReferrers {
		w.Header().Set("OCI-Subject", parsed.Subject.Digest.String())
	}
	w.Header().Set("Docker-Content-Digest", d.String())
	w.Header().Set("Location", "/v2/"+t.repo+"/manifests/"+d.String())
	w.WriteHeader(http.StatusCreated)
}

// serveTags lists tags in order, n of them after last, with a Link to the rest.
func (h *Hub) serveTags(w *response, r *http.Request, t target) {
	if _, ok := h.authorize(w, r, t, "pull"); !ok {
		return
	}
	tags := t.site.Tags(t.key)
	if tags == nil {
		fail(w, http.StatusNotFound, "NAME_UNKNOWN", "repository name not known to registry")
		return
	}
	q := r.URL.Query()
	if last := q.Get("last"); last != "" {
		i := sort.SearchStrings(tags, last)
		if i < len(tags) && tags[i] == last {
			i++
		}
		tags = tags[i:]
	}
	if n, err := strconv.Atoi(q.Get("n")); err == nil && n >= 0 && n < len(tags) {
		tags = tags[:n]
		if n > 0 {
			next := url.Values{"n": {strconv.Itoa(n)}, "last": {tags[n-1]}}
			w.Header().Set("Link", fmt.Sprintf(`</v2/%s/tags/list?%s>; rel="next"`, t.repo, next.Encode()))
		}
	}
	reply(w, http.StatusOK, "application/json", mustJSON(map[string]any{"name": t.repo, "tags": tags}))
}

func (h *Hub) serveReferrers(w *response, r *http.Request, t target) {
	if _, ok := h.authorize(w, r, t, "pull"); !ok {
		return
	}
	if t.site.NoReferrers {
		http.NotFound(w, r)
		return
	}
	if t.digest == "" {
		fail(w, http.StatusBadRequest, "DIGEST_INVALID", "invalid digest")
		return
	}
	filter := r.URL.Query().Get("artifactType")
	if filter != "" {
		w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	idx := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: t.site.referrers(t.key, t.digest, filter)}
	idx.SchemaVersion = 2
	reply(w, http.StatusOK, ocispec.MediaTypeImageIndex, mustJSON(idx))
}

func (s *Site) referrers(repo string, subject digest.Digest, artifactType string) []ocispec.Descriptor {
	found := []ocispec.Descriptor{}
	if up, name := s.upstream(repo); up != nil {
		found = up.referrers(name, subject, artifactType)
	}
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	r := s.repos[repo]
	if r == nil {
		return found
	}
	for d, m := range r.manifests {
		var parsed ocispec.Manifest
		if json.Unmarshal(m.body, &parsed) != nil || parsed.Subject == nil || parsed.Subject.Digest != subject {
			continue
		}
		kind := parsed.ArtifactType
		if kind == "" {
			kind = parsed.Config.MediaType
		}
		if artifactType == "" || artifactType == kind {
			found = append(found, ocispec.Descriptor{
				MediaType: m.mediaType, Digest: d, Size: int64(len(m.body)), ArtifactType: kind, Annotations: parsed.Annotations,
			})
		}
	}
	slices.SortFunc(found, func(a, b ocispec.Descriptor) int { return cmpDigest(a.Digest, b.Digest) })
	return found
}
