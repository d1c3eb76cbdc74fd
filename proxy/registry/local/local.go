// Package local is a registry for a person's own images, in the cache, under the
// name "local": what is pushed there is pinned, has no upstream, and shares its
// bytes with everything that was pulled. It follows the OCI distribution
// specification, version 1.1, whose sections the comments here name.
//
// What a digest opens is decided per repository, as everywhere: a blob is in a
// repository if a manifest of it points there, or if it was pushed or mounted
// there and its manifest is still to come.
//
// It must not know how connections come in, who may connect, or how bytes lie on
// disk: those are proxy, registry and cache.
package local

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"pulley/cache"
	"pulley/proxy/registry"
)

// Options of New. Cache must be set.
type Options struct {
	Cache *cache.Cache
	// Allowed says what a client may do; nil: everything.
	Allowed func(*http.Request) (read, write bool)
	// Public reads the name of a repository elsewhere as the mirror door does, and
	// says whether anybody may have what is in it; nil: nothing is.
	Public func(r *http.Request, name string) (cache.Name, bool)
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger     // nil: silent
}

// Registry answers requests below /v2/local/. It is safe for concurrent use.
type Registry struct {
	opt      Options
	cache    *cache.Cache
	sessions sessions
	kept     shelf
	digested digested
	writing  sync.Mutex // tags and links change
}

// New makes a Registry. It starts nothing.
func New(o Options) *Registry {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Allowed == nil {
		o.Allowed = func(*http.Request) (read, write bool) { return true, true }
	}
	r := &Registry{opt: o, cache: o.Cache}
	r.sessions = sessions{now: o.Now, open: make(map[string]*session)}
	r.kept = shelf{now: o.Now, hold: o.Cache.Hold, on: make(map[place]*held)}
	return r
}

// sweepEvery is how often what nobody came back for is given up.
const sweepEvery = time.Minute

// Run gives up what nobody came back for, until ctx ends; then it drops what is
// unfinished and returns nil. Call it before the cache is closed.
func (r *Registry) Run(ctx context.Context) error {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			r.sessions.close()
			r.kept.clear()
			return nil
		case <-t.C:
			r.sweep()
		}
	}
}

func (r *Registry) sweep() {
	r.sessions.sweep()
	r.kept.sweep()
}

const prefix = cache.Local + "/"

// request is one that is for something here.
type request struct {
	registry.Path
	name cache.Name
	*http.Request
}

// ServeHTTP implements http.Handler.
func (r *Registry) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	read, write := r.opt.Allowed(hr)
	reading := hr.Method == http.MethodGet || hr.Method == http.MethodHead
	switch {
	case reading && !read:
		answer(w, hr, refuse(http.StatusForbidden, registry.Denied, "images under local/ are not for you to read"))
		return
	case !reading && !write:
		answer(w, hr, refuse(http.StatusForbidden, registry.Denied, "pushing to and deleting from local/ is for clients on this machine, and for [access] users"))
		return
	}
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	req := &request{Path: registry.ParsePath(hr.URL.Path), Request: hr}
	if err := r.route(w, req); err != nil { //nolint:contextcheck // req holds the request, and with it the context
		r.answer(w, req, err)
	}
}

// methods are those of each endpoint.
var methods = map[registry.What]string{
	registry.Manifest:  "GET, HEAD, PUT, DELETE",
	registry.Blob:      "GET, HEAD, DELETE",
	registry.Upload:    "GET, POST, PATCH, PUT, DELETE",
	registry.Tags:      "GET, HEAD",
	registry.Referrers: "GET, HEAD",
}

// route answers, or returns why not.
func (r *Registry) route(w http.ResponseWriter, req *request) error {
	allow, known := methods[req.What]
	if !known {
		return refuse(http.StatusNotFound, registry.Unsupported, "local/ has manifests, blobs, tags and referrers only")
	}
	if !strings.Contains(allow, req.Method) {
		no := refuse(http.StatusMethodNotAllowed, registry.Unsupported, req.Method+" is not for "+string(req.What))
		no.header = http.Header{"Allow": {allow}}
		return no
	}
	if err := req.check(); err != nil {
		return err
	}
	switch req.What {
	case registry.Manifest:
		return r.manifest(w, req)
	case registry.Blob:
		return r.blob(w, req)
	case registry.Upload:
		return r.upload(w, req)
	case registry.Tags:
		return r.tags(w, req)
	default:
		return r.referrers(w, req)
	}
}

// check reads the repository's name and looks whether all of the path is valid.
func (req *request) check() error {
	repository, ok := strings.CutPrefix(req.Repository, prefix)
	if !ok || req.Problem == registry.NameInvalid {
		return refuse(http.StatusBadRequest, registry.NameInvalid, "the name of an image here is local/ and lower case components")
	}
	req.name = cache.Name{Registry: cache.Local, Repository: repository}
	if req.Problem == "" {
		return nil
	}
	reads := req.Method == http.MethodGet || req.Method == http.MethodHead
	switch {
	case req.Problem == registry.DigestInvalid:
		return refuse(http.StatusBadRequest, registry.DigestInvalid, "a digest is sha256: and 64 hexadecimal digits")
	case reads: // there can be none, as "Pulling manifests" says it
		return refuse(http.StatusNotFound, registry.ManifestUnknown, "no tag can be called that")
	default:
		return refuse(http.StatusBadRequest, manifestInvalid, "a tag has letters, digits, dots, dashes and underscores, 128 at most")
	}
}

// path is that of something in the request's repository, for Location.
func (req *request) path(rest string) string {
	return "/v2/" + req.name.String() + "/" + rest
}

// answer writes the answer to what went wrong.
func (r *Registry) answer(w http.ResponseWriter, req *request, err error) {
	var no *refusalError
	switch {
	case errors.As(err, &no):
	case cache.CannotRead(err):
		no = refuse(http.StatusInternalServerError, registry.Unknown, "the disk of the cache cannot be read; see pulley log")
		r.opt.Log.Error("local: an image is here and cannot be read", "repository", req.name.String(), "err", err)
	case cache.IsLocal(err):
		no = unkept(err)
		r.opt.Log.Warn("local: a push could not be kept", "repository", req.name.String(), "err", err)
	default:
		no = refuse(http.StatusInternalServerError, registry.Unknown, "something went wrong here; see pulley log")
		r.opt.Log.Warn("local: a request failed", "repository", req.name.String(), "err", err)
	}
	answer(w, req.Request, no)
}
