package registry

import (
	"cmp"
	"errors"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// maxTries bounds how often a request looks again for a blob that came or went
// between two looks.
const maxTries = 5

// serveBlob answers HEAD and GET of a blob.
func (h *Handler) serveBlob(x *exchange, req *Request) {
	d := req.Digest
	if d.Algorithm() != digest.SHA256 {
		h.passThrough(x, req)
		return
	}
	if req.head() {
		h.headBlob(x, req)
		return
	}
	specs, err := wanted(req.Request, d)
	if err != nil {
		unsatisfiable(x, req.Request, -1)
		return
	}
	if specs != nil && h.manners.startsOver(x.visit(d)) {
		x.note("the client has a wrong prefix of this blob: sent whole")
		specs = nil
	}
	if err := h.permitted(x, req, d); err != nil {
		h.answerError(x, req, err)
		return
	}
	for range maxTries {
		if h.blobFromCache(x, req, specs) || h.blobFromFill(x, req, specs) {
			return
		}
	}
	x.note("the blob came and went")
	h.passThrough(x, req)
}

// blobFromCache serves a stored blob; false: there is none. The file goes to the
// connection as a file, so that the system can send it by itself.
func (h *Handler) blobFromCache(x *exchange, req *Request, specs []rangeSpec) bool {
	v := x.visit(req.Digest)
	var options []cache.GetOption
	verified := h.manners.complains(v)
	if verified {
		options = append(options, cache.Verified())
	}
	b, err := h.cache.Get(req.Digest, options...)
	if err != nil {
		var miss *cache.MissError
		if errors.As(err, &miss) && miss.Reason != cache.Absent {
			x.note("the cached blob was " + string(miss.Reason) + ": fetched again")
			h.log.Warn("registry: a cached blob is not served", "digest", req.Digest, "reason", string(miss.Reason), "err", miss.Err)
		}
		return false
	}
	defer func() { _ = b.Close() }()
	if verified {
		x.note("asked for again: verified")
	}
	h.giveStored(x, req, b, specs, v, verified)
	return true
}

// giveStored answers with a stored blob. verified: it was hashed on this client's
// account.
func (h *Handler) giveStored(x *exchange, req *Request, b *cache.Blob, specs []rangeSpec, v visit, verified bool) {
	x.event.Source = fromCache
	x.Header().Set("Accept-Ranges", "bytes")
	complete := false
	served := &body{digest: req.Digest, mediaType: octets, size: b.Size()}
	served.copy = func(w io.Writer, s span) error {
		err := h.copyStored(req.Context(), x, w, req, b, s)
		complete = err == nil && s.off+s.n == b.Size()
		return err
	}
	if err := served.serve(x, req.Request, specs); err != nil {
		h.abort(x, req, err)
	}
	if complete {
		h.manners.served(v, verified)
	}
}

// blobFromFill serves a blob that is on its way, setting it on its way if nobody
// else has; false: look again.
func (h *Handler) blobFromFill(x *exchange, req *Request, specs []rangeSpec) bool {
	f, first, err := h.cache.Join(req.Digest)
	switch {
	case errors.Is(err, cache.ErrStored):
		return false
	case err != nil:
		h.failOpen(x, req, err)
		return true
	}
	d := h.drives.of(h, f)
	if neverHeals(x.event.Agent) {
		d.careful.Store(true)
		f.Doubt(fromOrigin)
	}
	d.join(req)
	h.wonder(req, "blobs/"+string(req.Digest), wonderFor)
	s := &stream{h: h, x: x, req: req, fill: f, drive: d, specs: specs, first: first}
	defer s.close()
	return s.serve()
}

// failOpen passes a blob through that cannot be kept here.
func (h *Handler) failOpen(x *exchange, req *Request, err error) {
	if !cache.IsLocal(err) {
		h.answerError(x, req, err)
		return
	}
	x.unkept(err)
	h.log.Warn("registry: passed through, not kept", "digest", req.Digest, "err", err)
	h.passThrough(x, req)
}

func sortTransfers(list []Transfer) {
	slices.SortFunc(list, func(a, b Transfer) int {
		if c := a.Begun.Compare(b.Begun); c != 0 {
			return c
		}
		return cmp.Compare(a.Digest, b.Digest)
	})
}
