package registry

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
	"pulley/proxy/egress"
	"pulley/proxy/source"
)

// maxManifest is the size up to which manifests are kept; the distribution
// specification asks registries to take no larger ones. What is larger is
// passed through.
const maxManifest = 4 << 20

// schema1 manifests are signed: their digest is that of a part of the body.
const schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"

// found is what a manifest's reference stands for.
type found struct {
	entry
	body   []byte      // nil when only HEAD was asked
	header http.Header // of the origin's answer; nil from the cache
	note   string      // why this may be out of date, or came from elsewhere
	from   string      // place that gave it, "" for the cache
	way    string      // to that place
	stale  bool        // it may be out of date
	led    bool        // this request, of all that waited, caused the traffic
	turns  []turn      // who was asked in vain before
}

// without says that the origin did not answer.
func (f *found) without(req *Request, cause error, now time.Time) {
	if !req.offline() {
		f.turns = append(f.turns, turn{fromOrigin, reason(cause), now})
	}
}

var errTooLarge = errors.New("the manifest is too large to be kept")

// serveManifest answers HEAD and GET, by tag and by digest, from one resolver.
func (h *Handler) serveManifest(x *exchange, req *Request) {
	f, err := h.manifest(x, req)
	if errors.Is(err, errTooLarge) {
		x.note("larger than any manifest should be: passed through")
		h.passThrough(x, req)
		return
	}
	if err != nil {
		h.answerError(x, req, err)
		return
	}
	h.giveManifest(x, req, f)
}

// giveManifest answers with what was found.
func (h *Handler) giveManifest(x *exchange, req *Request, f *found) {
	x.resolved(h, f)
	copyLimits(x.Header(), f.header)
	if f.stale {
		x.Header().Set("Warning", `110 pulley "`+strings.ReplaceAll(f.note, `"`, "'")+`"`)
	}
	h.sizes.read(f.Digest, f.body)
	b := &body{digest: f.Digest, mediaType: f.MediaType, size: f.Size}
	b.copy = func(w io.Writer, s span) error {
		_, err := w.Write(f.body[s.off : s.off+s.n])
		return err
	}
	if f.Digest == "" { // an origin that names no digest at HEAD
		copyHeader(x.Header(), f.header, "Content-Type", "Content-Length")
		x.WriteHeader(http.StatusOK)
		return
	}
	x.fail(b.serve(x, req.Request, nil))
}

// resolved takes down where a manifest came from.
func (x *exchange) resolved(h *Handler, f *found) {
	x.event.Digest = f.Digest
	if f.note != "" {
		x.note(f.note)
	}
	x.failed(f.turns)
	if f.header == nil {
		x.event.Source = fromCache
		return
	}
	x.event.Source, x.event.Way = cmp.Or(f.from, fromOrigin), f.way
	if f.led {
		x.fetched(x.event.Source, int64(len(f.body)))
	}
	if l, said := source.ParseRateLimit(f.header, h.now()); said && x.event.Source == fromOrigin && l.Remaining >= 0 {
		x.event.PullsLeft = &l.Remaining
	}
}

// manifest resolves a reference for the request's asker.
func (h *Handler) manifest(x *exchange, req *Request) (*found, error) {
	h.wonder(req, "manifests/"+req.Reference, 0) // by the time blobs are asked for it is known
	if f, ok := h.ready(req); ok {
		return f, nil
	}
	if req.Digest != "" {
		return h.byDigest(x, req, entry{Digest: req.Digest})
	}
	return h.byTag(x, req)
}

// byDigest gives the manifest with this digest: from the cache when the asker
// may have it, from the origin else. e may hold no more than the digest.
func (h *Handler) byDigest(x *exchange, req *Request, e entry) (*found, error) {
	if f, ok := h.stored(e); ok {
		if err := h.permitted(x, req, e.Digest); err != nil {
			return nil, err
		}
		h.arrived(req.home(), e.Digest)
		return f, nil
	}
	if err := h.reachable(req); err != nil {
		return nil, err
	}
	if req.head() {
		return h.headManifest(req, e.Digest.String(), h.opt.Waits.Ask)
	}
	f, err := h.getManifest(req, e.Digest.String())
	if err != nil && definite(err) {
		h.turnedAway(req, err, h.cache.References(req.cacheName(), e.Digest))
	}
	return f, err
}

// stored reads a manifest out of the cache.
func (h *Handler) stored(e entry) (*found, bool) {
	if !valid(e.Digest) || e.Digest.Algorithm() != digest.SHA256 {
		return nil, false
	}
	body, mediaType, err := h.cache.Manifest(e.Digest)
	if err != nil {
		return nil, false
	}
	if e.MediaType == "" {
		e.MediaType = mediaType
	}
	e.Size = int64(len(body))
	return &found{entry: e, body: body}, true
}

// headManifest asks the origin, cheaply and for all who ask at once, what a
// reference stands for.
func (h *Handler) headManifest(req *Request, reference string, wait time.Duration) (*found, error) {
	k := req.keyOf(reference)
	return h.share("HEAD", req, k, func(ctx context.Context) (*found, error) {
		ctx, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		ctx, trail := egress.WithTrail(ctx)
		rsp, err := h.ask(ctx, req, http.MethodHead, "manifests/"+reference, manifestHeader(req))
		if err != nil {
			return nil, err
		}
		defer drain(rsp)
		f := &found{header: rsp.Header, way: trail.Way(), note: detours(trail), entry: entry{
			Digest:    digest.Digest(rsp.Header.Get("Docker-Content-Digest")),
			MediaType: rsp.Header.Get("Content-Type"),
			Size:      rsp.ContentLength,
		}}
		if !valid(f.Digest) || f.Size < 0 {
			f.Digest = ""
			h.letIn(req, "")
			return f, nil
		}
		h.letIn(req, f.Digest)
		if digest.Digest(reference) != f.Digest {
			_, here := h.stored(f.entry)
			h.noteTag(req, k, f.entry, here)
		}
		return f, nil
	})
}

// getManifest fetches a manifest, proves it and keeps it. What a tag stands for is
// the origin's to say; a manifest by digest may come from any place that may know
// of the repository.
func (h *Handler) getManifest(req *Request, reference string) (*found, error) {
	return h.fetchManifest(req, reference, h.health.down(req.called()))
}

// fetchManifest is getManifest; away says that the origin cannot be asked just now.
func (h *Handler) fetchManifest(req *Request, reference string, away bool) (*found, error) {
	k := req.keyOf(reference)
	return h.share("GET", req, k, func(ctx context.Context) (*found, error) {
		ctx, cancel := context.WithTimeout(ctx, h.opt.Waits.Manifest)
		defer cancel()
		return h.race(ctx, req, h.manifestPlaces(req, digest.Digest(reference), away), func(ctx context.Context, p *source.Place) (*found, error) {
			return h.getManifestAt(ctx, req, p, k)
		})
	})
}

// getManifestAt fetches a manifest from one place.
func (h *Handler) getManifestAt(ctx context.Context, req *Request, p *source.Place, k tagKey) (*found, error) {
	ctx, trail := egress.WithTrail(ctx)
	rsp, err := h.askAt(ctx, req, p, http.MethodGet, "manifests/"+k.tag, manifestHeader(req))
	if err != nil {
		return nil, err
	}
	defer drain(rsp)
	body, err := io.ReadAll(io.LimitReader(rsp.Body, maxManifest+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxManifest {
		return nil, errTooLarge
	}
	f, err := prove(k.tag, rsp, body)
	if err != nil {
		return nil, err
	}
	f.from, f.way, f.note = p.Name(), trail.Way(), detours(trail)
	if p.Origin() {
		h.letIn(req, "")
	}
	h.keepManifest(req, k, f)
	return f, nil
}

// detours are what was tried on the way before something answered.
func detours(trail *egress.Trail) string {
	var list []string
	for _, t := range trail.Tried() {
		list = append(list, t.Way+": "+reason(t.Err))
	}
	return strings.Join(list, "; ")
}

// prove holds a manifest against the digest it was asked for by, and against
// the one the origin named.
func prove(reference string, rsp *http.Response, body []byte) (*found, error) {
	f := &found{body: body, header: rsp.Header, entry: entry{
		Digest: digest.FromBytes(body), MediaType: rsp.Header.Get("Content-Type"), Size: int64(len(body)),
	}}
	if f.MediaType == "" || strings.HasPrefix(f.MediaType, "text/") || f.MediaType == octets {
		var m struct {
			MediaType string `json:"mediaType"`
		}
		if json.Unmarshal(body, &m) == nil && m.MediaType != "" {
			f.MediaType = m.MediaType
		}
	}
	named := digest.Digest(rsp.Header.Get("Docker-Content-Digest"))
	if asked := digest.Digest(reference); valid(asked) {
		named = asked
	}
	if !valid(named) || named == f.Digest {
		return f, nil
	}
	if strings.HasPrefix(f.MediaType, schema1) {
		f.Digest = named
		return f, nil
	}
	if named.Algorithm() != digest.SHA256 && named.Algorithm().FromBytes(body) == named {
		f.Digest = named
		return f, nil
	}
	return nil, &cache.DigestError{Want: named, Got: f.Digest}
}

// valid is digest.Digest.Validate, with no regular expression for the usual kind.
func valid(d digest.Digest) bool {
	hex, ok := strings.CutPrefix(string(d), "sha256:")
	if !ok || len(hex) != 2*sha256.Size {
		return d.Validate() == nil
	}
	return strings.Trim(hex, "0123456789abcdef") == ""
}

// keepManifest stores what was proved. That it cannot is no reason not to serve
// it.
func (h *Handler) keepManifest(req *Request, k tagKey, f *found) {
	if digest.FromBytes(f.body) != f.Digest {
		return
	}
	if err := h.cache.PutFrom(f.Digest, f.body, f.from); err != nil {
		h.warn(err)
		return
	}
	if f.from != fromClient {
		h.came(req.home(), f.Digest)
		h.offerManifest(req, f)
	}
	if digest.Digest(k.tag) == f.Digest {
		h.warn(h.cache.Link(k.name, f.Digest, f.MediaType))
		h.arrived(req.home(), f.Digest)
		return
	}
	h.noteTag(req, k, f.entry, true)
}

// arrived says that a manifest is stored now, whoever brought it: tags that the origin
// said stand for it do so for good.
func (h *Handler) arrived(of home, d digest.Digest) {
	tags, err := h.shelf.arrived(of.cacheName(), d)
	h.warn(err)
	for k, e := range tags {
		h.offerTag(of, k, e)
	}
}

// tellStored says that a blob came into the cache.
func (h *Handler) tellStored(of home, d digest.Digest) {
	h.came(of, d)
	h.offerBlob(of, d)
}

// came says that something came into the cache.
func (h *Handler) came(of home, d digest.Digest) {
	if h.opt.Stored != nil {
		h.opt.Stored(of.cacheName(), d, h.tellable(of))
	}
}

// manifestHeader is what of the client's header matters for a manifest.
func manifestHeader(req *Request) http.Header {
	header := http.Header{}
	if accept := req.Header.Values("Accept"); len(accept) > 0 {
		header["Accept"] = accept
	}
	if agent := req.UserAgent(); agent != "" {
		header.Set("User-Agent", agent)
	}
	return header
}

// copyLimits passes on what a registry says about its pull limit.
func copyLimits(to, from http.Header) {
	copyHeader(to, from, "Ratelimit-Limit", "Ratelimit-Remaining", "Docker-Ratelimit-Source")
}

func copyHeader(to, from http.Header, names ...string) {
	for _, name := range names {
		if v, ok := from[name]; ok {
			to[name] = v
		}
	}
}

// drain leaves the connection usable when little is left on it.
func drain(rsp *http.Response) {
	_, _ = io.CopyN(io.Discard, rsp.Body, 64<<10)
	_ = rsp.Body.Close()
}

// tagsList is the body of a tags list.
func tagsList(repository string, tags []string) ([]byte, error) {
	var b bytes.Buffer
	err := json.NewEncoder(&b).Encode(struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{repository, tags})
	return b.Bytes(), err
}
