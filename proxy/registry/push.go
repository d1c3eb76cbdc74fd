package registry

import (
	"bytes"
	"io"
	"net/http"
	"sync"

	"github.com/opencontainers/go-digest"
)

// push passes on what changes something: to the origin only, streamed, with
// nobody's credentials but the client's own. A manifest that was put or deleted
// through us is known here at once.
func (h *Handler) push(x *exchange, req *Request) {
	if req.What != Manifest || req.Problem != "" || req.Uncached {
		h.forward(x, req)
		return
	}
	copied := &teeBody{ReadCloser: req.Body, size: req.ContentLength}
	if req.Method == http.MethodPut {
		clone := *req.Request
		clone.Body = copied
		req.Request = &clone
	}
	// Before the client has its answer: it may ask for the tag at once.
	h.forwardThen(x, req, func() {
		switch req.Method {
		case http.MethodPut:
			h.pushed(req, copied)
		case http.MethodDelete:
			h.deleted(req)
		}
	})
}

// pushed takes a manifest that the origin has accepted.
func (h *Handler) pushed(req *Request, copied *teeBody) {
	name := req.cacheName() // that somebody may put does not say who may pull
	body, whole := copied.all()
	if !whole {
		if req.Digest == "" {
			h.warn(h.shelf.disown(name, req.Reference)) // it stands for something else now
		}
		return
	}
	d := digest.FromBytes(body)
	if req.Digest != "" && req.Digest != d {
		return
	}
	f := &found{body: body, from: fromClient, entry: entry{Digest: d, MediaType: req.Header.Get("Content-Type"), Size: int64(len(body))}}
	if req.Digest == "" {
		h.warn(h.shelf.forgetOthers(name, req.Reference))
	}
	// What was put is what every client gets, whichever manifests it takes. A tag that
	// is pinned stays so.
	k := tagKey{name: name, tag: req.Reference, class: everything}
	h.keepManifest(req, k, f)
	if kept, ok := h.shelf.kept(k); ok && req.Digest == "" && kept.Digest != d { // it could not be stored
		h.warn(h.shelf.disown(name, req.Reference))
	}
}

// deleted erases what the origin has deleted.
func (h *Handler) deleted(req *Request) {
	if req.Digest != "" {
		h.warn(h.shelf.forgetDigest(req.cacheName(), req.Digest))
		return
	}
	h.warn(h.shelf.forget(req.cacheName(), req.Reference))
}

// teeBody keeps what is read of a request's body, if it is no larger than a
// manifest may be. The transport reads it in a goroutine of its own, which may
// not be done when the answer is there.
type teeBody struct {
	io.ReadCloser
	size int64 // as the client said, -1: it did not

	mu   sync.Mutex
	kept bytes.Buffer
	over bool
	end  bool
}

func (t *teeBody) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kept.Len()+n > maxManifest {
		t.over = true
		t.kept.Reset()
	}
	if !t.over {
		t.kept.Write(p[:n])
	}
	if err == io.EOF { //nolint:errorlint // a reader's end is never wrapped
		t.end = true
	}
	return n, err
}

// all is the body, if all of it was read and kept.
func (t *teeBody) all() (body []byte, whole bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over || !t.end && int64(t.kept.Len()) != t.size {
		return nil, false
	}
	return bytes.Clone(t.kept.Bytes()), true
}
