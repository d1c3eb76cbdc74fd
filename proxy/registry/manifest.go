package registry

import (
	"bytes"
	"cmp"
	"context"
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
	x.event.Digest = f.Digest
	if f.header == nil {
		x.event.Source = fromCache
	} else {
		x.event.Source, x.event.Way = cmp.Or(f.from, fromOrigin), f.way
		if f.led {
			x.event.FromNet = int64(len(f.body))
		}
		copyLimits(x.Header(), f.header)
	}
	if f.note != "" {
		x.note(f.note)
	}
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

// manifest resolves a reference for the request's asker.
func (h *Handler) manifest(x *exchange, req *Request) (*found, error) {
	h.wonder(req, "manifests/"+req.Reference, 0) // by the time blobs are asked for it is known
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
	if e.Digest.Algorithm() != digest.SHA256 {
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

// byTag asks the origin what the tag stands for, unless it said so a moment ago
// and the asker may know.
func (h *Handler) byTag(x *exchange, req *Request) (*found, error) {
	k := tagKey{req.cacheName(), req.Reference, classOf(req.Header.Values("Accept"))}
	last, held := h.shelf.latest(k)
	ttl := h.settings().Cache.TagTTL
	if held && h.now().Sub(last.Checked) < ttl && h.ledger.admits(req.name(), req.Asker) {
		if req.head() {
			return &found{entry: last}, nil
		}
		f, err := h.byDigest(x, req, last)
		if limited(err) {
			return h.lastKnown(req, k, err)
		}
		return f, err
	}
	others := len(h.mirrors(req)) > 0
	may := h.reachable
	if held || others {
		may = h.worthAsking
	}
	if err := may(req); err != nil {
		return h.lastKnown(req, k, err)
	}
	if !held && !req.head() {
		f, err := h.unlessSlow(req, k, h.getManifest)
		switch {
		case err == nil:
			return f, nil
		case !limited(err) || !others:
			return h.lastKnown(req, k, err)
		}
		// HEAD costs nothing of the limit, and mirrors have what it names.
	}
	wait := h.opt.Waits.Ask
	if _, ok := h.shelf.kept(k); ok {
		wait = h.opt.Waits.Check
	}
	f, err := h.unlessSlow(req, k, func(req *Request, reference string) (*found, error) {
		return h.headManifest(req, reference, wait)
	})
	if err != nil {
		return h.lastKnown(req, k, err)
	}
	if f.stale {
		return f, nil
	}
	if spent(f.header) && !others {
		if old, ok := h.instead(k, f.entry); ok {
			return old, nil
		}
	}
	switch {
	case req.head():
		return f, nil
	case f.Digest == "":
		return h.getManifest(req, req.Reference)
	}
	f, err = h.byDigest(x, req, f.entry)
	if limited(err) {
		return h.lastKnown(req, k, err)
	}
	return f, err
}

// errLate is why mirrors are asked about a tag before the origin has failed.
var errLate = errors.New("the origin has not answered yet")

// unlessSlow asks the origin about a tag. If that takes long and mirrors may be
// believed about it, theirs is the answer; if they may not, the origin is waited for.
func (h *Handler) unlessSlow(req *Request, k tagKey, ask func(*Request, string) (*found, error)) (*found, error) {
	if len(h.mirrors(req)) == 0 || !h.admitsOffline(req) {
		return ask(req, k.tag)
	}
	ctx, cancel := context.WithTimeoutCause(req.Context(), h.opt.Waits.Check, errLate)
	defer cancel()
	hasty := *req
	hasty.Request = req.Request.WithContext(ctx)
	f, err := ask(&hasty, k.tag)
	if !errors.Is(err, errLate) {
		return f, err
	}
	if f, err := h.supposed(req, k, errLate); err == nil {
		return f, nil
	}
	return ask(req, k.tag) // which is still being asked
}

// lastKnown is what is served when the origin gave no answer: the last one it
// gave, marked as such. An answer, however unwelcome, is passed on.
func (h *Handler) lastKnown(req *Request, k tagKey, cause error) (*found, error) {
	if definite(cause) {
		_, held := h.shelf.kept(k)
		h.turnedAway(req, cause, held)
		return nil, cause
	}
	if !h.admitsOffline(req) {
		return nil, h.stranger(req, h.untold(req, cause))
	}
	f, err := h.supposed(req, k, cause)
	if err == nil {
		return f, nil
	}
	if !h.settings().Cache.OfflineStale && !req.offline() {
		return nil, err
	}
	if f, ok := h.atHand(k); ok {
		f.note, f.stale = "last known tag: "+reason(cause), true
		return f, nil
	}
	return nil, err
}

// atHand is the stored manifest that the origin last said the tag stands for.
func (h *Handler) atHand(k tagKey) (*found, bool) {
	for _, find := range [...]func(tagKey) (entry, bool){h.shelf.kept, h.shelf.lastResort} {
		if e, ok := find(k); ok {
			if f, ok := h.stored(e); ok {
				return f, true
			}
		}
	}
	return nil, false
}

// instead is the last known manifest of a tag that moved to one which is not here
// and cannot be had while the pull limit is used up.
func (h *Handler) instead(k tagKey, now entry) (*found, bool) {
	if _, here := h.stored(now); here {
		return nil, false
	}
	f, ok := h.atHand(k)
	if ok {
		h.shelf.unhear(k) // so that the next request asks again, and is answered the same
		f.note, f.stale = "last known tag: "+k.name.Registry+"'s limit is used up, and the tag has moved to "+string(now.Digest), true
	}
	return f, ok
}

// headManifest asks the origin, cheaply and for all who ask at once, what a
// reference stands for.
func (h *Handler) headManifest(req *Request, reference string, wait time.Duration) (*found, error) {
	k := tagKey{req.cacheName(), reference, classOf(req.Header.Values("Accept"))}
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
	return h.fetchManifest(req, reference, h.health.down(req.Registry.Name))
}

// fetchManifest is getManifest; away says that the origin cannot be asked just now.
func (h *Handler) fetchManifest(req *Request, reference string, away bool) (*found, error) {
	k := tagKey{req.cacheName(), reference, classOf(req.Header.Values("Accept"))}
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

func valid(d digest.Digest) bool { return d.Validate() == nil }

// keepManifest stores what was proved. That it cannot is no reason not to serve
// it.
func (h *Handler) keepManifest(req *Request, k tagKey, f *found) {
	if digest.FromBytes(f.body) != f.Digest {
		return
	}
	if err := h.cache.Put(f.Digest, f.body); err != nil {
		h.warn(err)
		return
	}
	if digest.Digest(k.tag) == f.Digest {
		h.warn(h.cache.Link(k.name, f.Digest, f.MediaType))
		h.warn(h.shelf.arrived(k.name, f.Digest))
		return
	}
	h.noteTag(req, k, f.entry, true)
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
