package local

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
	"pulley/proxy/registry"
)

// pushed is who brought what was pushed, as cache.Image names sources.
const pushed = "push"

// upload answers for uploads: "Pushing blobs".
func (r *Registry) upload(w http.ResponseWriter, req *request) error {
	if (req.Reference == "") != (req.Method == http.MethodPost) {
		return refuse(http.StatusNotFound, blobUploadUnknown, "an upload begins with POST, and goes on where its answer says")
	}
	if req.Method == http.MethodPost {
		return r.begin(w, req)
	}
	one, err := r.sessions.enter(req.Context(), req.name, req.Reference)
	if err != nil {
		return err
	}
	defer r.sessions.leave(one)
	switch req.Method {
	case http.MethodPatch:
		return r.patch(w, req, one)
	case http.MethodPut:
		return r.finish(w, req, one)
	case http.MethodDelete:
		r.sessions.end(one)
		w.WriteHeader(http.StatusNoContent)
	default:
		one.describe(w.Header())
		w.WriteHeader(http.StatusNoContent)
	}
	return nil
}

// begin opens a session, mounts a blob from another repository, or takes a whole
// blob at once: "POST then PUT", "Mounting a blob from another repository", "Single
// POST".
func (r *Registry) begin(w http.ResponseWriter, req *request) error {
	query := req.URL.Query()
	if a := query.Get("digest-algorithm"); a != "" && a != string(digest.SHA256) {
		return refuse(http.StatusBadRequest, registry.Unsupported, "images here have sha256 digests only")
	}
	if d := digest.Digest(query.Get("mount")); d != "" && r.mount(req, d, query.Get("from")) {
		created(w, req.path("blobs/"+d.String()), d)
		return nil
	}
	whole := query.Has("digest")
	if whole {
		if _, err := wantedDigest(query.Get("digest")); err != nil {
			return err
		}
	}
	one, err := r.sessions.begin(r.cache, req.name)
	if err != nil {
		return err
	}
	defer r.sessions.leave(one)
	if whole {
		defer r.sessions.end(one)
		return r.finish(w, req, one)
	}
	one.describe(w.Header())
	accepted(w)
	return nil
}

// mount puts a blob of another repository into the request's, if the client could
// read it there as well: any own image, and what anybody may have. Else the client
// is to send it.
func (r *Registry) mount(req *request, d digest.Digest, from string) bool {
	if d.Validate() != nil {
		return false
	}
	release := r.cache.Hold(d)
	defer release()
	if !r.mountable(req, d, from) {
		return false
	}
	r.kept.put(req.name, d)
	return true
}

func (r *Registry) mountable(req *request, d digest.Digest, from string) bool {
	if r.has(req.name, d) {
		return true
	}
	if own, ok := strings.CutPrefix(from, prefix); ok {
		n := cache.Name{Registry: cache.Local, Repository: own}
		return registry.ValidRepository(from) && r.has(n, d)
	}
	if from == "" || r.opt.Public == nil {
		return false
	}
	n, public := r.opt.Public(req.Request, from)
	if !public || !r.cache.References(n, d) {
		return false
	}
	b, err := r.cache.Get(d)
	if err != nil {
		return false
	}
	_ = b.Close()
	return true
}

// describe says where a session stands: "Pushing a blob in chunks".
func (one *session) describe(header http.Header) {
	header.Set("Location", "/v2/"+one.name.String()+"/blobs/uploads/"+one.id)
	header.Set("Range", fmt.Sprintf("0-%d", max(one.upload.Size()-1, 0)))
	header.Set("Docker-Upload-Uuid", one.id)
}

func created(w http.ResponseWriter, location string, d digest.Digest) {
	w.Header().Set("Location", location)
	w.Header().Set("Docker-Content-Digest", d.String())
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusCreated)
}

// patch takes a chunk, or all that comes if the client does not say which bytes
// these are, as Docker does: "Pushing a blob in chunks".
func (r *Registry) patch(w http.ResponseWriter, req *request, one *session) error {
	if err := r.take(w, req, one); err != nil {
		return err
	}
	one.describe(w.Header())
	accepted(w)
	return nil
}

var chunkRange = regexp.MustCompile(`^([0-9]{1,18})-([0-9]{1,18})$`)

// expected checks the Content-Range of a chunk and returns its size, -1 if none is
// said.
func (one *session) expected(req *request) (int64, error) {
	said := req.Header.Get("Content-Range")
	if said == "" {
		return req.ContentLength, nil
	}
	m := chunkRange.FindStringSubmatch(said)
	if m == nil {
		return 0, one.outOfOrder("a chunk's Content-Range is <first>-<last>")
	}
	first, _ := strconv.ParseInt(m[1], 10, 64)
	last, _ := strconv.ParseInt(m[2], 10, 64)
	if first != one.upload.Size() {
		return 0, one.outOfOrder(fmt.Sprintf("the next chunk begins with byte %d", one.upload.Size()))
	}
	n := last - first + 1
	if n < 0 || req.ContentLength >= 0 && n != req.ContentLength {
		return 0, refuse(http.StatusBadRequest, sizeInvalid, "Content-Range and Content-Length contradict each other")
	}
	return n, nil
}

// outOfOrder says with what the client is to go on.
func (one *session) outOfOrder(message string) *refusalError {
	no := refuse(http.StatusRequestedRangeNotSatisfiable, blobUploadInvalid, message)
	no.header = http.Header{}
	one.describe(no.header)
	return no
}

const bufSize = 256 << 10

var buffers = sync.Pool{New: func() any { return new([bufSize]byte) }}

// take adds a request's body to a session. What arrived of a body that broke off
// stays; a failure of this machine ends the session.
func (r *Registry) take(w http.ResponseWriter, req *request, one *session) error {
	want, err := one.expected(req)
	if err != nil {
		return err
	}
	wait := http.NewResponseController(w)
	defer func() { _ = wait.SetReadDeadline(time.Time{}) }()
	buf := buffers.Get().(*[bufSize]byte)
	defer buffers.Put(buf)
	for got := int64(0); ; {
		_ = wait.SetReadDeadline(time.Now().Add(idleFor)) // a server that cannot waits on
		n, err := fill(req.Body, buf[:])
		got += int64(n)
		if want >= 0 && got > want {
			return refuse(http.StatusBadRequest, sizeInvalid, "the chunk is larger than its Content-Range says")
		}
		if _, werr := one.upload.Write(buf[:n]); werr != nil {
			r.sessions.end(one)
			return werr
		}
		switch {
		case errors.Is(err, io.EOF) && want >= 0 && got < want:
			return refuse(http.StatusBadRequest, sizeInvalid, "the chunk is smaller than its Content-Range says")
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return refuse(http.StatusBadRequest, blobUploadInvalid, "the body broke off")
		}
	}
}

// fill reads until p is full or err says why not. (io.ReadFull does not tell a body
// that ends from one that breaks off.)
func fill(body io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = body.Read(p[n:])
		n += m
	}
	return n, err
}

// wantedDigest is a digest that something pushed is to have.
func wantedDigest(s string) (digest.Digest, error) {
	d := digest.Digest(s)
	switch err := d.Validate(); {
	case errors.Is(err, digest.ErrDigestUnsupported), err == nil && d.Algorithm() != digest.SHA256:
		return "", refuse(http.StatusBadRequest, registry.Unsupported, "images here have sha256 digests only")
	case err != nil:
		return "", refuse(http.StatusBadRequest, registry.DigestInvalid, "?digest= must be sha256: and 64 hexadecimal digits")
	}
	return d, nil
}

// finish takes the rest of a blob and makes it one. A blob that is not what it
// should be ends the session: its bytes cannot be put right.
func (r *Registry) finish(w http.ResponseWriter, req *request, one *session) error {
	d, err := wantedDigest(req.URL.Query().Get("digest"))
	if err != nil {
		return err
	}
	if err := r.take(w, req, one); err != nil {
		return err
	}
	release := r.cache.Hold(d)
	defer release()
	err = one.upload.Commit(d, pushed)
	r.sessions.end(one)
	var wrong *cache.DigestError
	if errors.As(err, &wrong) {
		no := refuse(http.StatusBadRequest, registry.DigestInvalid, "the bytes hash to "+wrong.Got.String())
		no.entries[0].Detail = about{d}
		return no
	}
	if err != nil {
		return err
	}
	r.kept.put(req.name, d)
	created(w, req.path("blobs/"+d.String()), d)
	return nil
}
