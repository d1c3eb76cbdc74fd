package registry

import (
	"bytes"
	"io"
	"net/http"

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
	copied := &teeBody{ReadCloser: req.Body}
	if req.Method == http.MethodPut {
		clone := *req.Request
		clone.Body = copied
		req.Request = &clone
	}
	h.forward(x, req)
	if x.event.Status/100 != 2 {
		return
	}
	switch req.Method {
	case http.MethodPut:
		h.pushed(req, copied)
	case http.MethodDelete:
		h.deleted(req)
	}
}

// pushed takes a manifest that the origin has accepted.
func (h *Handler) pushed(req *Request, copied *teeBody) {
	h.letIn(req, "")
	name := req.cacheName()
	if copied.over || copied.err != io.EOF { //nolint:errorlint // set by Read, never wrapped
		if req.Digest == "" {
			h.warn(h.shelf.forget(name, req.Reference)) // it stands for something else now
		}
		return
	}
	body := copied.kept.Bytes()
	d := digest.FromBytes(body)
	if req.Digest != "" && req.Digest != d {
		return
	}
	f := &found{body: body, entry: entry{Digest: d, MediaType: req.Header.Get("Content-Type"), Size: int64(len(body))}}
	if req.Digest == "" {
		h.warn(h.shelf.forget(name, req.Reference))
	}
	// What was put is what every client gets, whichever manifests it takes.
	h.keepManifest(tagKey{name: name, tag: req.Reference, class: everything}, f)
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
// manifest may be.
type teeBody struct {
	io.ReadCloser
	kept bytes.Buffer
	over bool
	err  error
}

func (t *teeBody) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if t.kept.Len()+n > maxManifest {
		t.over = true
		t.kept.Reset()
	}
	if !t.over {
		t.kept.Write(p[:n])
	}
	if err != nil {
		t.err = err
	}
	return n, err
}
