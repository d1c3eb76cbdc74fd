package registry

import (
	"net/http"
	"strings"

	"pulley/internal/config"
)

// Request is what every door makes of what it was asked; one piece of code
// serves it, whichever door it came through.
type Request struct {
	Path
	Registry *config.Registry
	// Door is "mirror" or the Target's.
	Door  string
	Asker Asker
	// Target is where the client believes itself to be. At the mirror door it is
	// zero, but for the Host of a registry that is named under a "*.domain".
	Target Target
	// Prefix is what the mirror door's client wrote before the repository
	// ("ghcr.io/"), so that links can be written the same way.
	Prefix string
	// Named is how the mirror door's client chose the registry.
	Named Named
	// Uncached passes the request through without looking at the cache.
	Uncached bool
	// Fresh has the origin asked about a tag, however short ago it spoke of it.
	Fresh bool

	*http.Request
}

// Named says how a client at the mirror door chose the registry.
type Named int

// The ways; only Explicit has no origin of its own to fall back to.
const (
	NotMirror Named = iota
	Bare            // an engine's registry-mirrors: Docker Hub
	ByNS            // containerd's ?ns=
	Explicit        // a first path component
)

// fallsBack says that the client goes to the origin by itself when it is told
// 404, and gives up on anything worse.
func (r *Request) fallsBack() bool { return r.Named == Bare || r.Named == ByNS }

// offline says that the registry's route forbids asking upstream.
func (r *Request) offline() bool { return r.Registry.Route == config.RouteOffline }

// reads says that the method changes nothing.
func (r *Request) reads() bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

func (r *Request) head() bool { return r.Method == http.MethodHead }

// originPath is the request's path as the origin knows it, escaped as the
// client escaped it.
func (r *Request) originPath() string {
	if r.Named == NotMirror {
		return r.URL.EscapedPath()
	}
	switch r.What {
	case Manifest:
		return "/v2/" + r.Repository + "/manifests/" + r.Reference
	case Blob:
		return "/v2/" + r.Repository + "/blobs/" + r.Reference
	case Referrers:
		return "/v2/" + r.Repository + "/referrers/" + r.Reference
	case Tags:
		return "/v2/" + r.Repository + "/tags/list"
	default: // the mirror door passes nothing else on
		return "/v2/"
	}
}

// unreachable is the answer when upstream gave none and the cache has none.
// A client that can go to the origin itself is sent there: containerd does not
// fall back on 5xx (containerd/containerd#4531).
func (r *Request) unreachable(status int, why string) *refusalError {
	if r.fallsBack() {
		code := ManifestUnknown
		if r.What == Blob {
			code = BlobUnknown
		}
		return refuse(http.StatusNotFound, code, why)
	}
	return refuse(status, Unavailable, why)
}

// IsBrowser says whether a page in a browser is behind the request; no engine
// sends these headers.
func IsBrowser(r *http.Request) bool {
	if _, ok := r.Header["Origin"]; ok {
		return true
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "Sec-Fetch-") {
			return true
		}
	}
	return false
}
