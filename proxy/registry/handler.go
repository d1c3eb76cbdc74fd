// Package registry is what a registry request means. Every door makes the same
// Request of what it was asked; one piece of code then decides who may have it,
// what the cache knows, what the origin has to be asked, and joins a download in
// the cache to a fetch.
//
// It must not know how connections come in or go out, how bytes lie on disk, or
// what a person's screen looks like: those are proxy, egress, cache and ui.
package registry

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"pulley/cache"
	"pulley/internal/config"
	"pulley/proxy/fetch"
	"pulley/proxy/source"
	"pulley/proxy/token"
)

// Options of New. Settings, Cache, Sources, Tokens, Network and StateDir must be
// set.
type Options struct {
	Settings func() *config.Config // asked at each request
	Cache    *cache.Cache
	Sources  *source.Set
	Tokens   *token.Keeper
	Network  token.Network // ways out, for what is passed on unchanged; *egress.Egress
	StateDir string        // rights, keys and what was learned about registries
	Now      func() time.Time
	Log      *slog.Logger // nil discards
	Own      http.Handler // the person's own images, /v2/local/…; nil: there are none
	Waits    Waits
	Line     *fetch.Line // says when the machine is on another network; nil: nobody does
	Record   func(Event) // called once per request, at its end, concurrently; nil: not
	Moved    func()      // called when a download begins and when it ends, concurrently; nil: not
	// Stored is called after a blob or manifest came into the cache from a registry
	// (not from a client), with what it was asked for as and whether anybody may
	// know of that; concurrently, by those who have it to serve: it must not wait.
	// Nil: not.
	Stored func(n cache.Name, d digest.Digest, public bool)
}

// Handler answers registry requests from all doors. It is safe for concurrent
// use. Requests may be served as soon as it is made; Close ends what it does in
// the background.
type Handler struct {
	opt      Options
	settings func() *config.Config
	cache    *cache.Cache
	tokens   *token.Keeper
	now      func() time.Time
	log      *slog.Logger
	silent   *log.Logger

	own      *token.Own
	hash     hasher
	links    *links
	ledger   *ledger
	shelf    *shelf
	health   *health
	hints    *book[[]token.Hint]
	manners  *manners
	handed   *handed
	sizes    *sizes
	secrets  *secrets
	compared *seldom
	awaited  *seldom
	pace     *rate.Limiter
	flights  singleflight.Group

	ctx    context.Context //nolint:containedctx // of the downloads, which belong to no request
	cancel context.CancelFunc
	wg     sync.WaitGroup
	drives drives
}

// New opens what is remembered in StateDir. It starts nothing.
func New(o Options) (*Handler, error) {
	if o.Settings == nil || o.Cache == nil || o.Sources == nil || o.Tokens == nil || o.Network == nil || o.StateDir == "" {
		return nil, errors.New("registry: Settings, Cache, Sources, Tokens, Network and StateDir must be set")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Waits = o.Waits.withDefaults()
	h := &Handler{
		opt: o, settings: o.Settings, cache: o.Cache, tokens: o.Tokens, now: o.Now, log: o.Log,
		silent: log.New(io.Discard, "", 0), // what ReverseProxy logs is in the event
		links:  newLinks(o.Now), health: newHealth(o.Now), manners: newManners(o.Now), handed: newHanded(o.Now),
		sizes: newSizes(), secrets: newSecrets(o.Now), compared: newSeldom(o.Now), awaited: newSeldom(o.Now), pace: newPace(o.Settings()),
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.drives.init()
	if err := h.open(); err != nil {
		h.cancel()
		return nil, err
	}
	return h, nil
}

func (h *Handler) open() error {
	dir := h.opt.StateDir
	key, err := token.OpenKey(dir)
	if err != nil {
		return err
	}
	if h.own, err = token.NewOwn(key, h.now); err != nil {
		return err
	}
	h.hash = hasher(h.hash.derive(key))
	if h.ledger, err = openLedger(filepath.Join(dir, "access"), h.now); err != nil {
		return err
	}
	if h.shelf, err = openShelf(h.cache, filepath.Join(dir, "tags"), h.now); err != nil {
		return err
	}
	if h.hints, err = openBook[[]token.Hint](filepath.Join(dir, "registries")); err != nil {
		return err
	}
	h.tokens.Restore(h.hints.get(hintPage))
	return nil
}

const hintPage = "hints"

// saveHints keeps what was learned about how registries want to be spoken to:
// without a network there is nobody to ask.
func (h *Handler) saveHints() {
	now := h.tokens.Hints()
	if slices.Equal(now, h.hints.get(hintPage)) {
		return
	}
	h.warn(h.hints.update(hintPage, func(old []token.Hint) ([]token.Hint, bool) { return now, !slices.Equal(old, now) }))
}

// Run waits for ctx to end, then ends what goes on in the background and returns
// nil.
func (h *Handler) Run(ctx context.Context) error {
	<-ctx.Done()
	h.Close()
	return nil
}

// Close stops downloads, keeping every byte that arrived, and waits for them. It
// may be called more than once, and before the cache is closed.
func (h *Handler) Close() {
	h.drives.close()
	h.cancel()
	h.wg.Wait()
}

// enter counts something that goes on beside the requests and that Close waits
// for, until h.wg.Done; false: the handler is being closed.
func (h *Handler) enter() bool {
	h.drives.mu.Lock()
	defer h.drives.mu.Unlock()
	if h.drives.closed {
		return false
	}
	h.wg.Add(1)
	return true
}

// background runs f beside the requests, unless the handler is being closed.
func (h *Handler) background(f func(context.Context)) {
	if !h.enter() {
		return
	}
	go func() {
		defer h.wg.Done()
		f(h.ctx)
	}()
}

// warn logs what went wrong beside a request that was answered all the same.
func (h *Handler) warn(err error) {
	if err != nil {
		h.log.Warn("registry: not remembered", "err", err)
	}
}

// ServeHost answers a request on an intercepted connection.
func (h *Handler) ServeHost(w http.ResponseWriter, r *http.Request, t Target) {
	x := h.begin(w, r, t.Door)
	defer x.end()
	req := &Request{Request: r, Registry: t.Registry, Door: t.Door, Target: t, Path: ParsePath(r.URL.Path), Uncached: !h.settings().Enabled}
	isAPI := r.URL.Path == "/v2" || strings.HasPrefix(r.URL.Path, "/v2/")
	if r.URL.Path == tokenPath {
		req.What = Token
	}
	x.about(req)
	if !isAPI && req.What != Token {
		h.forward(x, req)
		return
	}
	if req.What == Token {
		h.serveToken(x, req)
		return
	}
	value, one := authorization(r)
	if !one {
		h.forward(x, req)
		return
	}
	who, no := h.askerOf(t.Registry.Name, t.Host, value)
	if no != nil {
		hint, _ := h.tokens.Hint(req.site())
		hint.Scheme = token.Bearer
		no.header = http.Header{"Www-Authenticate": {req.challenge(hint, "invalid_token")}}
		no.write(x, r)
		return
	}
	req.Asker = who
	if req.What == Ping {
		h.servePing(x, req)
		return
	}
	h.serve(x, req)
}

// serve answers an API request, whichever door it came through.
func (h *Handler) serve(x *exchange, req *Request) {
	if req.Named == NotMirror && (!req.reads() || req.What == Upload) {
		h.push(x, req)
		return
	}
	if req.Named == NotMirror && !req.known() {
		h.passThrough(x, req) // not understood: the origin says what it is
		return
	}
	if req.Named == NotMirror && req.Asker.anonymous() && !req.Asker.Own {
		// As the origin would: a client that has credentials is to use them.
		if hint := h.greeting(req.Context(), req); hint.Scheme == token.Bearer {
			h.unauthorized(req, "", "authentication required").write(x, req.Request)
			return
		}
	}
	if req.Uncached {
		h.passThrough(x, req)
		return
	}
	x.countsFor(h.cache, req)
	switch req.What {
	case Manifest:
		h.serveManifest(x, req)
	case Blob:
		h.serveBlob(x, req)
	case Tags:
		h.serveTags(x, req)
	default:
		h.passThrough(x, req)
	}
}

// share runs ask once for all who want the same on the same asker's behalf. It
// goes on when the one who began it leaves, for the sake of the others.
func (h *Handler) share(kind string, req *Request, k tagKey, ask func(context.Context) (*found, error)) (*found, error) {
	key := kind + " " + req.Registry.Name + " " + req.Target.Host + " " + k.String() + " " + req.Asker.Key
	led := false
	ch := h.flights.DoChan(key, func() (any, error) {
		if !h.enter() {
			return nil, context.Canceled
		}
		defer h.wg.Done()
		led = true
		return ask(h.ctx)
	})
	select {
	case r := <-ch:
		f, _ := r.Val.(*found) //nolint:errcheck // nil with an error
		if f == nil || r.Err != nil {
			return nil, r.Err
		}
		mine := *f
		mine.led = led
		return &mine, nil
	case <-req.Context().Done():
		return nil, context.Cause(req.Context())
	}
}
