package registry

import (
	"context"
	"errors"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
	"pulley/proxy/source"
)

// end-to-end headers of a client's request and of an origin's answer that mean
// something for reads of the registry API.
var (
	askedHeaders = []string{"Accept", "Range", "If-Range", "If-None-Match", "If-Modified-Since", "User-Agent"}
	saidHeaders  = []string{
		"Content-Type", "Content-Length", "Content-Range", "Accept-Ranges", "Etag", "Last-Modified",
		"Docker-Content-Digest", "Docker-Distribution-Api-Version", "Oci-Subject", "Oci-Filters-Applied", "Warning",
		"Retry-After", "Ratelimit-Limit", "Ratelimit-Remaining", "Docker-Ratelimit-Source",
	}
)

// passThrough asks the origin, on the asker's behalf, for just what the client
// asked for, and hands the answer on without keeping any of it. What has a
// digest is still proved: its end waits for that.
func (h *Handler) passThrough(x *exchange, req *Request) {
	if err := h.reachable(req); err != nil {
		h.answerError(x, req, err)
		return
	}
	rsp, err := h.through(req) //nolint:bodyclose // give closes it
	if err != nil {
		h.passError(x, req, err)
		return
	}
	h.give(x, req, rsp)
}

// through sends a read on to the origin. Every answer from 400 on is an error, a
// *source.StatusError.
func (h *Handler) through(req *Request) (*http.Response, error) {
	header := http.Header{}
	copyHeader(header, req.Header, askedHeaders...)
	q := source.Req{Method: req.Method, Path: req.originPath(), RawQuery: req.originQuery(), Header: header, Auth: req.Asker.identity()}
	if req.Repository != "" && req.Problem == "" {
		q.Scope = "repository:" + req.Repository + ":pull"
	}
	rsp, err := h.send(req.Context(), req, q)
	if err != nil {
		return nil, err
	}
	if rsp.StatusCode >= http.StatusBadRequest {
		return nil, h.origin(req).Fail(rsp)
	}
	return rsp, nil
}

// give hands the origin's answer on.
func (h *Handler) give(x *exchange, req *Request, rsp *http.Response) {
	defer func() { _ = rsp.Body.Close() }()
	x.event.Source, x.event.Passed = fromOrigin, true
	copyHeader(x.Header(), rsp.Header, saidHeaders...)
	for _, link := range rsp.Header.Values("Link") {
		x.Header().Add("Link", req.homeLink(link))
	}
	x.WriteHeader(rsp.StatusCode)
	if req.head() {
		return
	}
	in := &netReader{r: rsp.Body, x: x, place: fromOrigin}
	var err error
	if req.Digest != "" && rsp.StatusCode == http.StatusOK && (req.What == Blob || req.What == Manifest) {
		err = copyProved(x, in, req.Digest, nil)
	} else {
		_, err = io.CopyBuffer(writerOnly{flushing{x}}, in, make([]byte, 64<<10))
	}
	if err != nil {
		h.abort(x, req, err)
	}
}

// passError answers for a request that was only passed through: with the
// origin's own words where it has any.
func (h *Handler) passError(x *exchange, req *Request, err error) {
	var status *source.StatusError
	if req.Named == NotMirror && errors.As(err, &status) && status.Status == http.StatusUnauthorized && status.Header != nil && !req.known() {
		header := status.Header.Clone()
		h.ourChallenge(req, header)
		copyHeader(x.Header(), header, "Www-Authenticate", "Content-Type", "Docker-Distribution-Api-Version")
		x.fail(err)
		x.WriteHeader(status.Status)
		_, _ = x.Write(status.Body)
		return
	}
	h.answerError(x, req, err)
}

// known says that the request is for something with a name.
func (r *Request) known() bool { return r.What != Other && r.Problem == "" }

// originQuery is the query without what is meant for us.
func (r *Request) originQuery() string {
	if r.Named != ByNS {
		return r.URL.RawQuery
	}
	q := r.URL.Query()
	q.Del("ns")
	return q.Encode()
}

// homeLink keeps a Link header ("<url>; rel=next") at the door the client came
// through.
func (r *Request) homeLink(link string) string {
	end := strings.IndexByte(link, '>')
	if !strings.HasPrefix(link, "<") || end < 0 {
		return link
	}
	target, rest := link[1:end], link[end:]
	if r.Named == NotMirror {
		return "<" + r.homeURL(target) + rest
	}
	u, err := url.Parse(target)
	if err != nil {
		return link
	}
	u.Scheme, u.Host, u.User = "", "", nil
	if tail, ok := strings.CutPrefix(u.Path, "/v2/"); ok && r.Named == Explicit {
		u.Path, u.RawPath = "/v2/"+r.Prefix+tail, ""
	}
	if r.Named == ByNS {
		q := u.Query()
		q.Set("ns", r.URL.Query().Get("ns"))
		u.RawQuery = q.Encode()
	}
	return "<" + u.String() + rest
}

// abort ends an answer that has begun and cannot be finished: the connection is
// cut, so that no client takes what it has for the whole.
func (h *Handler) abort(x *exchange, req *Request, err error) {
	if req.Context().Err() != nil {
		x.cause(CauseLeft)
	}
	if x.event.Cause == CauseLeft {
		x.note("the client left")
	}
	x.fail(err)
	cutOff()
}

// cutOff ends the connection a request came on, without another byte.
func cutOff() {
	panic(http.ErrAbortHandler) //nolint:forbidigo // the way net/http has for that
}

// buffers are for copying what does not go by sendfile.
var buffers = sync.Pool{New: func() any { b := make([]byte, 2*chunk); return &b }}

const chunk = 128 << 10

// copyProved copies r to w, but keeps the last bytes back until everything
// hashes to d. A wrong body is then a broken transfer, not a complete one. sum
// holds what went before; nil for nothing.
func copyProved(w io.Writer, r io.Reader, d digest.Digest, sum hash.Hash) error {
	if sum == nil {
		sum = d.Algorithm().Hash()
	}
	buf := buffers.Get().(*[]byte) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	defer buffers.Put(buf)
	held, next := (*buf)[:0:chunk], (*buf)[chunk:]
	for {
		n, err := io.ReadAtLeast(r, next, 1)
		if n > 0 {
			if _, werr := w.Write(held); werr != nil && len(held) > 0 {
				return werr
			}
			sum.Write(next[:n])
			held, next = next[:n:chunk], held[:chunk]
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if got := digest.NewDigest(d.Algorithm(), sum); got != d {
		return &cache.DigestError{Want: d, Got: got}
	}
	_, err := w.Write(held)
	return err
}

// passRest goes on with a body from off on, straight from upstream, after its
// head went to the client out of the cache. sum is the hash of what went, when
// the body is to be proved; n is how many bytes are owed.
func (h *Handler) passRest(ctx context.Context, x *exchange, w io.Writer, req *Request, off, n int64, sum hash.Hash) error {
	b, err := h.openRest(ctx, x, req, off)
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	in := &netReader{r: b, x: x, place: x.event.Source}
	if b.Start < off {
		if _, err := io.CopyN(io.Discard, in, off-b.Start); err != nil {
			return err
		}
	}
	if sum != nil {
		return copyProved(w, in, req.Digest, sum)
	}
	if n >= 0 {
		_, err = io.CopyN(w, in, n)
		return err
	}
	_, err = io.Copy(w, in)
	return err
}

// openRest opens a blob from off on, at the first place that has it and whose bytes
// need not be proved before they are sent.
func (h *Handler) openRest(ctx context.Context, x *exchange, req *Request, off int64) (b *source.Body, err error) {
	err = errOffline
	for _, p := range h.places(req) {
		if !p.Proven() {
			continue
		}
		b, err = p.Blob(source.Want{
			Repository: req.Repository, Digest: string(req.Digest), Public: h.tellable(req.home()), As: req.Asker.identity(),
		}).Open(ctx, off, -1)
		if p.Origin() {
			h.heard(req.called(), err)
		}
		if err == nil {
			x.event.Source = p.Name()
			return b, nil
		}
		x.note(p.Name() + ": " + reason(err))
		x.failed([]turn{{p.Name(), reason(err), x.now()}})
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// netReader counts what comes from upstream on a request's account.
type netReader struct {
	r     io.Reader
	x     *exchange
	place string
}

func (n *netReader) Read(p []byte) (int, error) {
	m, err := n.r.Read(p)
	n.x.fetched(n.place, int64(m))
	return m, err
}

// writerOnly hides ReadFrom, which would wait for a full buffer.
type writerOnly struct{ io.Writer }

// flushing hands each piece to the client as it comes.
type flushing struct{ x *exchange }

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.x.Write(p)
	if err == nil {
		f.x.Flush()
	}
	return n, err
}

// serveTags answers a tags list: the origin's, or what is known here when it
// cannot be asked.
func (h *Handler) serveTags(x *exchange, req *Request) {
	cause := h.reachable(req)
	if cause == nil {
		rsp, err := h.through(req) //nolint:bodyclose // give closes it
		if err == nil {
			h.give(x, req, rsp)
			return
		}
		if definite(err) {
			h.answerError(x, req, err)
			return
		}
		cause = err
	}
	if !h.admitsOffline(req) {
		h.answerError(x, req, h.stranger(req, cause))
		return
	}
	tags, err := h.cache.Tags(req.cacheName())
	if err != nil || len(tags) == 0 {
		h.answerError(x, req, cause)
		return
	}
	list, err := tagsList(req.Repository, tags)
	if err != nil {
		h.answerError(x, req, cause)
		return
	}
	x.event.Source = fromCache
	x.note("the tags known here: " + reason(cause))
	x.Header().Set("Warning", `110 pulley "the tags known here"`)
	giveJSON(x, req.Request, http.StatusOK, list)
}
