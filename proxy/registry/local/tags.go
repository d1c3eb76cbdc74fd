package local

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/proxy/registry"
)

// lexical is the order of tags: "The tags MUST be in lexical order (i.e.
// case-insensitive alphanumeric order)".
func lexical(a, b string) int {
	return cmp.Or(cmp.Compare(strings.ToLower(a), strings.ToLower(b)), cmp.Compare(a, b))
}

// tags lists those of a repository: "Listing Tags".
func (r *Registry) tags(w http.ResponseWriter, req *request) error {
	tags, err := r.cache.Tags(req.name)
	if err != nil {
		return missing(err, registry.NameUnknown, req.name.String()+" is not a repository here")
	}
	if len(tags) == 0 && !r.known(req) {
		return refuse(http.StatusNotFound, registry.NameUnknown, "there is no "+req.name.String()+"; docker push creates it")
	}
	slices.SortFunc(tags, lexical)
	query := req.URL.Query()
	if last := query.Get("last"); last != "" {
		tags = slices.DeleteFunc(tags, func(t string) bool { return lexical(t, last) <= 0 })
	}
	if query.Has("n") {
		n, err := strconv.Atoi(query.Get("n"))
		if err != nil || n < 0 {
			return refuse(http.StatusBadRequest, registry.Unsupported, "?n= is how many tags to list")
		}
		if n > 0 && n < len(tags) {
			next := url.Values{"n": {strconv.Itoa(n)}, "last": {tags[n-1]}}
			w.Header().Set("Link", "<"+req.path("tags/list?"+next.Encode())+`>; rel="next"`)
		}
		tags = tags[:min(n, len(tags))]
	}
	writeJSON(w, req, "application/json", struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{req.name.String(), append([]string{}, tags...)})
	return nil
}

// known reports whether a repository has anything at all.
func (r *Registry) known(req *request) bool {
	all, err := r.cache.Manifests(req.name)
	return err == nil && len(all) > 0 || r.kept.any(req.name)
}

// filtered names the filter that was applied to referrers.
const filtered = "OCI-Filters-Applied"

// referrers lists manifests whose subject is a digest: "Listing Referrers". There
// need not be any, nor the subject.
func (r *Registry) referrers(w http.ResponseWriter, req *request) error {
	all, err := r.cache.Manifests(req.name)
	if err != nil {
		return missing(err, registry.NameUnknown, req.name.String()+" is not a repository here")
	}
	only := req.URL.Query().Get("artifactType")
	found := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{}}
	for _, d := range all {
		m := r.digested.of(r.cache, d)
		if m.subject != req.Digest || only != "" && m.artifactType != only {
			continue
		}
		found.Manifests = append(found.Manifests, ocispec.Descriptor{
			MediaType: m.mediaType, Digest: d, Size: m.size, ArtifactType: m.artifactType, Annotations: m.annotations,
		})
	}
	if only != "" {
		w.Header().Set(filtered, "artifactType")
	}
	writeJSON(w, req, ocispec.MediaTypeImageIndex, found)
	return nil
}

func writeJSON(w http.ResponseWriter, req *request, mediaType string, v any) {
	body, err := json.Marshal(v)
	if err != nil { // strings and numbers always marshal
		body = nil
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if req.Method == http.MethodGet {
		_, _ = w.Write(body) // the client is gone, or it has it
	}
}
