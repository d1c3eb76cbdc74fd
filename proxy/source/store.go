package source

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/config"
	"pulley/proxy/source/shared"
)

// The store that a team's machines share is one more place of each registry, a
// mirror that keeps things under keys of its own. This is where it differs.

// tier is the store of the settings of now, running while [Set.Run] does.
type tier struct {
	mu    sync.Mutex
	on    string // cache.shared as it was read
	store *shared.Store
	moved chan struct{} // closed when the store is another one
}

// now is the store that was looked up last.
func (t *tier) now() *shared.Store {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.store
}

// storeNow is the store of the settings of now, nil if there is none.
func (s *Set) storeNow() *shared.Store {
	c := s.settings().Cache
	t := &s.tier
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.moved == nil {
		t.moved = make(chan struct{})
	}
	if t.on == c.Shared {
		return t.store
	}
	t.on, t.store = c.Shared, nil
	if at, err := config.ParseShared(c.Shared); err == nil {
		t.store = shared.New(shared.Options{
			Store:     at,
			Transport: func() http.RoundTripper { return s.network.Transport(config.SharedName) },
			Rate:      func() int64 { return int64(s.settings().Fetch.MaxRate) },
			Busy:      func() bool { return s.open.Load() > 0 },
			Changed:   s.changed,
			Log:       s.log,
		})
	}
	close(t.moved)
	t.moved = make(chan struct{})
	return t.store
}

// runStores runs the store of the settings of each moment until ctx ends.
func (s *Set) runStores(ctx context.Context) {
	for ctx.Err() == nil {
		store := s.storeNow()
		s.tier.mu.Lock()
		moved := s.tier.moved
		s.tier.mu.Unlock()
		running, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		if store != nil {
			wg.Go(func() { _ = store.Run(running) }) // it returns nil
		}
		select {
		case <-ctx.Done():
		case <-moved:
		}
		cancel()
		wg.Wait()
	}
}

// StyleStore is the style of the place that the store is.
const StyleStore = "s3"

// asMirror is the store as a mirror of the settings.
func (s *Set) asMirror(store *shared.Store) *config.Mirror {
	return &config.Mirror{
		Name: config.SharedName, URL: store.String(), Style: StyleStore, Enabled: true, Private: s.settings().Cache.SharedPrivate,
		About: "the store that cache.shared names",
	}
}

// sharedAt is the store as a place of a registry, nil if there is none or it has
// nothing of that registry.
func (s *Set) sharedAt(reg *config.Registry, host string) *Place {
	store := s.storeNow()
	if store == nil || !shareable(calledBy(reg, host)) {
		return nil
	}
	m := s.asMirror(store)
	p, err := s.place(reg, m, host)
	if err != nil || p.shared != store {
		return nil
	}
	return p
}

// shareable reports whether a registry's name means the same on all machines.
func shareable(registry string) bool {
	host := registry
	if h, _, err := net.SplitHostPort(registry); err == nil {
		host = h
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return registry != "local" && host != "localhost" && !strings.HasSuffix(host, ".localhost") && (err != nil || !ip.IsLoopback())
}

// sharedMirror is what mirrorAt is for the others.
func (s *Set) sharedMirror(reg *config.Registry, host string) *Place {
	p := s.sharedAt(reg, host)
	if p == nil || s.trust.expelled(trustKey(p.mirror)) != nil {
		return nil
	}
	return p
}

// Shared reports whether the place is the store of cache.shared.
func (p *Place) Shared() bool { return p.shared != nil }

// slowerBy is how much slower than another place the store may be before it is no
// help to ask it first.
const slowerBy = 2

// sharedLeads reports whether the store comes before all others: what a colleague
// has pulled need not be asked of anybody else, and counts for no limit. Unless it
// is known here to be much slower.
func (s *Set) sharedLeads(reg *config.Registry, host string) bool {
	p := s.sharedMirror(reg, host)
	if p == nil || s.lead(reg, host) != "" {
		return false
	}
	others := s.mirrors(reg, host)
	if origin, err := s.place(reg, nil, host); err == nil {
		others = append(others, origin)
	}
	return leads(p, others)
}

// leads says that a store which can be asked is not known to be much slower than
// one of the others.
func leads(p *Place, others []*Place) bool {
	if n, _, _ := p.alone(); n == 0 {
		return false
	}
	mine := p.Rate()
	for _, o := range others {
		if o != p && mine > 0 && o.Rate() > slowerBy*mine {
			return false
		}
	}
	return true
}

// The store has so long to begin an answer: it answered a moment ago, and others
// have what it has. A slow way to it is known by then.
const (
	leastTurn = 500 * time.Millisecond
	mostTurn  = 4 * time.Second
	turnTimes = 8
)

func (p *Place) storeTurn() time.Duration {
	first := max(p.FirstByte(), p.shared.Latency())
	return min(max(turnTimes*first, leastTurn), mostTurn)
}

// askStore sends a request for a key. Every answer but success is an error: what it
// has not, a *StatusError of 404, is remembered for a moment.
func (p *Place) askStore(ctx context.Context, method, key string, header http.Header) (*http.Response, error) {
	if p.shared.Missed(key) {
		return nil, p.notThere(nil)
	}
	began := p.set.now()
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(p.storeTurn(), func() { cancel(ErrHeaderTimeout) })
	resp, err := p.at.follow(ctx, method, Anonymous(), func(ctx context.Context) (*http.Request, error) {
		return p.shared.Request(ctx, method, key, header)
	})
	late.Stop()
	if err != nil {
		cancel(nil)
		return nil, err
	}
	resp.Body = &body{ReadCloser: resp.Body, cancel: cancel, took: p.set.now().Sub(began)}
	if resp.StatusCode/100 == 2 || resp.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		p.shared.Answered(key)
		return resp, nil
	}
	return nil, p.noObject(resp, key)
}

// noObject is the error of an answer that is no object. The body stays here: it may
// quote the signature.
func (p *Place) noObject(resp *http.Response, key string) error {
	e := p.at.Fail(resp)
	code := shared.Code(e.Body)
	e.Body, e.Message, e.Code, e.Header = nil, "", code, nil
	if shared.Absent(e.Status, code) {
		p.shared.Miss(key)
		if e.Status == http.StatusForbidden {
			p.shared.Suspect("it refuses to give something") // or it is the credentials
		}
		return p.notThere(e)
	}
	return e
}

// notThere says that the store has not something.
func (p *Place) notThere(e *StatusError) error {
	if e == nil {
		e = &StatusError{Registry: p.at.reg.Name, Host: p.at.host}
	}
	e.Status, e.Size = http.StatusNotFound, -1
	return e
}

// storeBlob opens a blob in the store, as [BlobRef.Open] does.
func (p *Place) storeBlob(ctx context.Context, d digest.Digest, off, end int64) (*Body, error) {
	if d.Validate() != nil {
		return nil, p.notThere(nil)
	}
	h := http.Header{"User-Agent": {userAgent}}
	if v := rangeOf(off, end); v != "" {
		h.Set("Range", v)
	}
	resp, err := p.askStore(ctx, http.MethodGet, shared.BlobKey(d), h)
	if err != nil {
		return nil, err
	}
	return p.at.body(resp, off, end)
}

// askManifest answers for a manifest by digest, and to HEAD for a tag.
func (p *Place) askManifest(ctx context.Context, r Req) (*http.Response, error) {
	repo, rest, err := splitPath(r.Path)
	if err != nil {
		return nil, p.unusable(err.Error(), time.Time{})
	}
	registry := calledBy(p.reg, p.host)
	reference, ok := strings.CutPrefix(rest, "/manifests/")
	header := http.Header{"User-Agent": {userAgent}}
	switch d := digest.Digest(reference); {
	case ok && d.Validate() == nil:
		return p.askStore(ctx, r.Method, shared.ManifestKey(registry, repo, d), header)
	case !ok || r.Method != http.MethodHead:
		return nil, p.unusable("the store has manifests by digest, and blobs", time.Time{})
	}
	return p.askRef(ctx, shared.RefKey(registry, repo, reference), header)
}

// maxRef caps what is read of a Ref.
const maxRef = 4 << 10

// askRef makes of what is written down about a tag the answer that a registry gives
// to HEAD.
func (p *Place) askRef(ctx context.Context, key string, header http.Header) (*http.Response, error) {
	resp, err := p.askStore(ctx, http.MethodGet, key, header)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxRef))
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	var ref shared.Ref
	if json.Unmarshal(text, &ref) != nil || ref.Digest.Validate() != nil {
		return nil, p.notThere(nil)
	}
	resp.Body, resp.ContentLength = http.NoBody, ref.Size
	resp.Header = http.Header{
		"Content-Type": {ref.MediaType}, "Content-Length": {strconv.FormatInt(ref.Size, 10)}, "Docker-Content-Digest": {ref.Digest.String()},
	}
	return resp, nil
}

// doubt has a failure of the store looked into: nothing more is asked of it until
// it gives a sign of life.
func (p *Place) doubt(why string) {
	if p.shared != nil {
		p.shared.Suspect(why)
	}
}

// Kept is something that was stored here and may be put into the shared store.
type Kept struct {
	Registry   *config.Registry
	Host       string // of the registry, as a client means it; "" its own
	Repository string
	Digest     digest.Digest
	MediaType  string // of a manifest; "" for a blob
	// Public says, when it is about to be sent, that anybody may know of the
	// repository.
	Public func() bool
	Open   func() (shared.Content, error) // as shared.Item has it
}

// Keep has something put into the shared store behind the pulls, if there is one.
// It does not wait.
func (s *Set) Keep(k Kept) {
	store := s.storeNow()
	if registry := calledBy(k.Registry, k.Host); store != nil && shareable(registry) && k.Digest.Validate() == nil && k.Digest.Algorithm() == digest.SHA256 {
		it := shared.Item{
			Key: shared.BlobKey(k.Digest), Type: "application/octet-stream", Digest: k.Digest, Open: k.Open, Allowed: s.mayKeep(k.Public),
		}
		if k.MediaType != "" {
			it.Key, it.Type = shared.ManifestKey(registry, k.Repository, k.Digest), k.MediaType
		}
		store.Offer(it)
	}
}

// KeepTag writes down in the shared store what the origin said of a tag.
func (s *Set) KeepTag(k Kept, tag string, size int64) {
	store := s.storeNow()
	registry := calledBy(k.Registry, k.Host)
	if store == nil || !shareable(registry) {
		return
	}
	text, err := json.Marshal(shared.Ref{Digest: k.Digest, MediaType: k.MediaType, Size: size})
	if err != nil {
		return
	}
	store.Offer(shared.Item{
		Key: shared.RefKey(registry, k.Repository, tag), Type: "application/json", Replace: true, Mark: string(k.Digest), Allowed: s.mayKeep(k.Public),
		Open: func() (shared.Content, error) { return inMemory{bytes.NewReader(text)}, nil },
	})
}

// mayKeep asks the settings of when something is sent.
func (s *Set) mayKeep(public func() bool) func() bool {
	return func() bool { return s.settings().Cache.SharedPrivate || public() }
}

// Keeps reports whether there is a store that things are put into.
func (s *Set) Keeps() bool { return s.storeNow() != nil }

// StoreProblem is what a person has to see to about the shared store, "" if there
// is nothing.
func (s *Set) StoreProblem() string {
	if store := s.storeNow(); store != nil {
		return store.Problem()
	}
	return ""
}

// inMemory is content that is not in a file.
type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }
