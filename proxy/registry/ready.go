package registry

import (
	"io"
	"net/http"
	"sync"

	"github.com/opencontainers/go-digest"
)

// ServeReady answers a ping, or a manifest or a blob for a client without credentials
// of its own, if that takes nothing but what is known and stored: nobody is asked,
// nothing is hashed and nobody waited for but the client. It reports whether it did.
// Else it did nothing at all, and the request is for ServeHost or, without a Target,
// ServeMirror, which would give the same answer.
func (h *Handler) ServeReady(w http.ResponseWriter, r *http.Request, t *Target) bool {
	req := h.readyRequest(r, t)
	if req == nil || req.Uncached || !req.known() || !req.reads() || !req.Asker.anonymous() {
		return false
	}
	room := exchanges.Get().(*exchange) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	defer func() {
		*room = exchange{}
		exchanges.Put(room)
	}()
	x := h.beginIn(room, w, r, req.Door)
	x.about(req)
	give := h.readyAnswer(x, req, t)
	if give == nil {
		return false
	}
	defer x.end() // also if the connection breaks off
	give()
	return true
}

// exchanges is room for those that ServeReady ends itself: nobody has one after it.
var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// readyAnswer is what answers the request at once; nil if nothing does.
func (h *Handler) readyAnswer(x *exchange, req *Request, t *Target) (give func()) {
	switch req.What {
	case Ping:
		if t == nil || req.Asker.Own {
			return func() { ping(x, req.Request) }
		}
	case Manifest:
		if f, ok := h.ready(req); ok {
			return func() {
				x.countsFor(h.cache, req)
				h.giveManifest(x, req, f)
			}
		}
	case Blob:
		return h.readyBlob(x, req)
	}
	return nil
}

// readyRequest makes a Request of what came through a door; nil if that is not
// understood, or has to be refused.
func (h *Handler) readyRequest(r *http.Request, t *Target) *Request {
	if IsBrowser(r) {
		return nil
	}
	cfg := h.settings()
	if t == nil {
		if first, _ := firstComponent(r.URL.Path); first == ownName {
			return nil
		}
		req, no := h.mirrorRequest(cfg, r)
		if no != nil {
			return nil
		}
		return req
	}
	value, one := authorization(r)
	if !one || value == "" { // nobody's: such a one is shown where to get a token
		return nil
	}
	who, no := h.askerOf(t.Registry.Name, t.Host, value)
	if no != nil {
		return nil
	}
	return &Request{Request: r, Registry: t.Registry, Door: t.Door, Target: *t, Path: ParsePath(r.URL.Path), Uncached: !cfg.Enabled, Asker: who}
}

// ready is the manifest that a request is for, if all is here that it takes to give
// it: what its tag stands for now, that the asker may have it, and the manifest. One
// for which a tag waits that is to be written down is not at hand.
func (h *Handler) ready(req *Request) (*found, bool) {
	e := entry{Digest: req.Digest}
	if req.Digest == "" {
		last, held := h.shelf.latest(req.tagKey())
		if !held || !h.fresh(req, last) {
			return nil, false
		}
		e = last
	}
	if h.shelf.awaits(e.Digest) {
		return nil, false
	}
	if req.Digest == "" && req.head() {
		return &found{entry: e}, true
	}
	if !h.admits(req, e.Digest, h.cache.References(req.cacheName(), e.Digest)) {
		return nil, false
	}
	return h.stored(e)
}

// smallBlob is the most that is read into memory to be sent in one piece with its
// head. From there on a file is better sent by the system.
const smallBlob = 64 << 10

var smallBlobs = sync.Pool{New: func() any { return new([smallBlob]byte) }}

// readyBlob answers with a blob that is stored, needs no hashing, and that the asker
// may have; nil if it is not so.
func (h *Handler) readyBlob(x *exchange, req *Request) (give func()) {
	d := req.Digest
	if req.head() || d.Algorithm() != digest.SHA256 || req.Header["Range"] != nil || req.Header["If-None-Match"] != nil {
		return nil
	}
	v := x.visit(d)
	if h.manners.complains(v) || !h.admits(req, d, h.cache.References(req.cacheName(), d)) {
		return nil
	}
	room := smallBlobs.Get().(*[smallBlob]byte) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	if n, ok := h.cache.ReadSmall(d, room[:]); ok {
		return func() {
			defer smallBlobs.Put(room)
			x.countsFor(h.cache, req)
			h.giveSmall(x, req, room[:n], v)
		}
	}
	smallBlobs.Put(room)
	b, ok := h.cache.GetStamped(d)
	if !ok {
		return nil
	}
	return func() {
		defer func() { _ = b.Close() }()
		x.countsFor(h.cache, req)
		h.giveStored(x, req, b, nil, v, false)
	}
}

// giveSmall answers with a blob that was read whole.
func (h *Handler) giveSmall(x *exchange, req *Request, content []byte, v visit) {
	x.event.Source = fromCache
	x.Header().Set("Accept-Ranges", "bytes")
	b := &body{digest: req.Digest, mediaType: octets, size: int64(len(content))}
	b.copy = func(w io.Writer, s span) error {
		_, err := w.Write(content[s.off : s.off+s.n])
		return err
	}
	err := b.serve(x, req.Request, nil)
	x.fail(err)
	if err == nil {
		h.manners.served(v, false)
	}
}
