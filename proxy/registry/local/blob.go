package local

import (
	"errors"
	"net/http"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
	"pulley/proxy/registry"
)

// has reports whether something is in a repository and can be had.
func (r *Registry) has(n cache.Name, d digest.Digest) bool {
	b, err := r.get(n, d)
	if err != nil {
		return false
	}
	_ = b.Close()
	return true
}

// get opens something that is in a repository; *cache.MissError if it is not.
func (r *Registry) get(n cache.Name, d digest.Digest) (*cache.Blob, error) {
	if !r.kept.has(n, d) && !r.cache.References(n, d) {
		return nil, &cache.MissError{Digest: d, Reason: cache.Absent}
	}
	return r.cache.Get(d)
}

// blob answers for one by its digest: "Pulling blobs", "Checking if content exists
// in the registry", "Deleting Blobs".
func (r *Registry) blob(w http.ResponseWriter, req *request) error {
	if req.Method == http.MethodDelete {
		return r.deleteBlob(w, req)
	}
	b, err := r.get(req.name, req.Digest)
	if err != nil {
		if req.Method == http.MethodHead && cache.CannotRead(err) { // who pushes sends it again, which mends it
			return refuse(http.StatusNotFound, registry.BlobUnknown, "this blob cannot be read")
		}
		return missing(err, registry.BlobUnknown, "this blob is not in "+req.name.String())
	}
	defer func() { _ = b.Close() }()
	serve(w, req, b, "application/octet-stream")
	return nil
}

// serve answers with a stored blob; the system sends the file by itself.
func serve(w http.ResponseWriter, req *request, b *cache.Blob, mediaType string) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Docker-Content-Digest", b.Digest().String())
	w.Header().Set("Etag", `"`+b.Digest().String()+`"`)
	http.ServeContent(w, req.Request, "", time.Time{}, b.File())
}

// missing answers for a miss; what else went wrong is the cache's. What is here and
// cannot be read is no miss: it is not to be had anywhere else.
func missing(err error, code registry.Code, message string) error {
	var miss *cache.MissError
	if !cache.CannotRead(err) && errors.As(err, &miss) || errors.Is(err, cache.ErrUnsupported) {
		return refuse(http.StatusNotFound, code, message)
	}
	return err
}

// deleteBlob takes a blob out of the repository that no manifest there points at.
// Else it is part of an image: deleting that is what deletes it. Other repositories
// keep theirs.
func (r *Registry) deleteBlob(w http.ResponseWriter, req *request) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	switch {
	case r.cache.References(req.name, req.Digest):
		return inUse("a manifest of " + req.name.String() + " uses this blob; delete that first")
	case !r.kept.has(req.name, req.Digest):
		return refuse(http.StatusNotFound, registry.BlobUnknown, "this blob is not in "+req.name.String())
	}
	r.kept.take(req.name, req.Digest)
	accepted(w)
	return nil
}

// inUse refuses to delete a part of something: 405 is what the specification has
// for deleting that is not to be.
func inUse(message string) *refusalError {
	no := refuse(http.StatusMethodNotAllowed, registry.Unsupported, message)
	no.header = http.Header{"Allow": {"GET, HEAD"}}
	return no
}

func accepted(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusAccepted)
}
