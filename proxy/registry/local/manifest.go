package local

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
	"pulley/proxy/registry"
)

// maxManifest is what the specification has registries take at least, and what
// everything else here takes at most.
const maxManifest = 4 << 20

// manifest answers for one by tag or digest: "Pulling manifests", "Pushing
// Manifests", "Deleting tags", "Deleting Manifests".
func (r *Registry) manifest(w http.ResponseWriter, req *request) error {
	switch req.Method {
	case http.MethodPut:
		return r.putManifest(w, req)
	case http.MethodDelete:
		return r.deleteManifest(w, req)
	}
	d := req.Digest
	if d == "" {
		t, err := r.cache.Tag(req.name, req.Reference)
		if err != nil {
			return unknown(err, req)
		}
		d = t.Digest
	} else if !r.kept.has(req.name, d) && !r.cache.References(req.name, d) {
		return unknown(&cache.MissError{Digest: d, Reason: cache.Absent}, req)
	}
	body, mediaType, err := r.cache.Manifest(d)
	if err != nil {
		return unknown(err, req)
	}
	r.cache.Served(req.name, d, 0)
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Docker-Content-Digest", d.String())
	w.Header().Set("Etag", `"`+d.String()+`"`)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if req.Method == http.MethodGet {
		_, _ = w.Write(body) // the client is gone, or it has it
	}
	return nil
}

func unknown(err error, req *request) error {
	return missing(err, registry.ManifestUnknown, req.name.String()+" has no "+req.Reference)
}

// putManifest takes a manifest whose parts are all there.
func (r *Registry) putManifest(w http.ResponseWriter, req *request) error {
	body, err := io.ReadAll(io.LimitReader(req.Body, maxManifest+1))
	switch {
	case len(body) > maxManifest:
		return refuse(http.StatusRequestEntityTooLarge, sizeInvalid, "manifests have 4 MiB at most")
	case err != nil:
		return refuse(http.StatusBadRequest, manifestInvalid, "the body broke off")
	}
	d := digest.FromBytes(body)
	if req.Digest != "" {
		want, err := wantedDigest(req.Reference)
		if err != nil {
			return err
		}
		if want != d {
			return refuse(http.StatusBadRequest, registry.DigestInvalid, "the manifest hashes to "+d.String())
		}
	}
	m, err := parse(body, req.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	if err := r.store(req, d, body, m); err != nil {
		return err
	}
	if m.subject != "" {
		w.Header().Set("OCI-Subject", m.subject.String())
	}
	created(w, req.path("manifests/"+req.Reference), d)
	return nil
}

// store checks that everything is in the repository to which a manifest points, and
// puts it there.
func (r *Registry) store(req *request, d digest.Digest, body []byte, m *manifest) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	defer r.cache.Hold(d)()
	var gone []entry
	for _, c := range m.contents {
		defer r.cache.Hold(c.Digest)()
		// Also a layer that its type says not to push: what a manifest points at
		// is open to all who may read the repository, whoever brings it later.
		if !r.has(req.name, c.Digest) {
			gone = append(gone, entry{manifestBlobUnknown, c.Digest.String() + " is not in " + req.name.String() + "; push it first", about{c.Digest}})
		}
	}
	if len(gone) > 0 {
		return &refusalError{status: http.StatusNotFound, entries: gone[:min(len(gone), maxEntries)]}
	}
	if err := r.cache.PutFrom(d, body, pushed); err != nil {
		return err
	}
	if err := r.name(req, d, int64(len(body)), m.mediaType); err != nil {
		return err
	}
	for _, c := range m.contents {
		r.kept.take(req.name, c.Digest)
	}
	r.kept.take(req.name, d)
	return nil
}

// maxEntries bounds the errors of one answer.
const maxEntries = 100

// name makes the manifest what the request's tag stands for, or remembers it by its
// digest. What the tag stood for before stays a while, for those who are pulling it.
func (r *Registry) name(req *request, d digest.Digest, size int64, mediaType string) error {
	if req.Digest != "" {
		return r.cache.Link(req.name, d, mediaType)
	}
	old, err := r.cache.Tag(req.name, req.Reference)
	if err == nil && old.Digest != d {
		r.leave(req.name, old.Digest)
	}
	return r.cache.SetTag(cache.Tag{Name: req.name, Tag: req.Reference, Digest: d, MediaType: mediaType, Size: size, Checked: r.opt.Now()})
}

// leave puts an image on the shelf, to go when room is needed.
func (r *Registry) leave(n cache.Name, root digest.Digest) {
	r.kept.leave(n, root)
	r.walk(root, func(d digest.Digest) bool {
		r.kept.leave(n, d)
		return true
	})
}

// walk calls f for everything below a manifest, until it says no.
func (r *Registry) walk(root digest.Digest, f func(digest.Digest) bool) {
	seen := map[digest.Digest]bool{root: true}
	for todo := []digest.Digest{root}; len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, c := range r.digested.of(r.cache, at).contents {
			if seen[c.Digest] {
				continue
			}
			seen[c.Digest] = true
			if !f(c.Digest) {
				return
			}
			if c.Manifest {
				todo = append(todo, c.Digest)
			}
		}
	}
}

// deleteManifest removes a tag; or a manifest, and with it every tag that stands for
// it. What is left without any goes when room is needed.
func (r *Registry) deleteManifest(w http.ResponseWriter, req *request) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	var err error
	if req.Digest == "" {
		err = r.deleteTag(req)
	} else {
		err = r.deleteDigest(req)
	}
	if err == nil {
		accepted(w)
	}
	return err
}

func (r *Registry) deleteTag(req *request) error {
	t, err := r.cache.Tag(req.name, req.Reference)
	if err != nil {
		return unknown(err, req)
	}
	r.leave(req.name, t.Digest)
	return r.cache.DeleteTag(req.name, req.Reference)
}

func (r *Registry) deleteDigest(req *request) error {
	d := req.Digest
	if !r.kept.has(req.name, d) && !r.cache.References(req.name, d) {
		return unknown(&cache.MissError{Digest: d, Reason: cache.Absent}, req)
	}
	all, err := r.cache.Manifests(req.name)
	if err != nil {
		return err
	}
	for _, other := range all {
		if other != d && r.contains(other, d) {
			return inUse(fmt.Sprintf("%s of %s is made of it; delete that first", other, req.name))
		}
	}
	r.leave(req.name, d)
	tags, err := r.cache.Tags(req.name)
	for _, tag := range tags {
		if t, terr := r.cache.Tag(req.name, tag); terr == nil && t.Digest == d {
			err = errors.Join(err, r.cache.DeleteTag(req.name, tag))
		}
	}
	err = errors.Join(err, r.cache.Unlink(req.name, d))
	r.kept.take(req.name, d)
	return err
}

// contains reports whether something can be reached from a manifest.
func (r *Registry) contains(root, d digest.Digest) (found bool) {
	r.walk(root, func(at digest.Digest) bool {
		found = at == d
		return !found
	})
	return found
}
