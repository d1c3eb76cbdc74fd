//go:build e2e

package e2e

import (
	"testing"

	"pulley/internal/hubtest"
)

// mode is a way in which an engine reaches Pulley.
type mode string

const (
	viaHTTP   mode = "http proxy"   // and the CA
	viaSOCKS  mode = "socks5 proxy" // and the CA
	viaMirror mode = "mirror"       // the engine's own setting for mirrors
	viaName   mode = "explicit"     // 127.0.0.1:PORT/library/…, nothing configured
)

var modes = []mode{viaHTTP, viaSOCKS, viaMirror, viaName}

// wiring is what an engine is told about Pulley.
type wiring struct {
	mode  mode
	addr  string // host:port of Pulley's port
	ca    []byte // PEM of its local CAs
	login bool   // somebody will log in
}

// proxyURL is the proxy setting of this mode; "" when it has none.
func (w wiring) proxyURL() string {
	switch w.mode {
	case viaHTTP:
		return "http://" + w.addr
	case viaSOCKS:
		return "socks5://" + w.addr
	default:
		return ""
	}
}

// name is how an image of Docker Hub is called in this mode.
func (w wiring) name(repository, tag string) string {
	if w.mode == viaName {
		return w.addr + "/" + repository + ":" + tag
	}
	return "docker.io/" + repository + ":" + tag
}

// login is a person at Docker Hub; nil is nobody.
type login struct{ user, password string }

// engine is one container engine in one version.
type engine struct {
	name string
	// open starts it in a fresh sandbox with an empty store, wired to Pulley.
	open func(t *testing.T, s *sandbox, w wiring) session
}

// session is a running engine.
type session interface {
	// version is what the engine says of itself.
	version(t *testing.T) string
	// pull fetches an image and unpacks it where the engine does that.
	pull(t *testing.T, name string, who *login) error
	// check compares what the engine holds under a name with the image that was meant, byte for byte.
	check(t *testing.T, name string, want hubtest.Image)
	// sound checks, whatever happened to pulls, that nothing the engine holds is wrong, and that it holds nothing under
	// a name whose pull failed.
	sound(t *testing.T, failed string)
	// push sends what it holds under one name to another.
	push(t *testing.T, from, to string, who *login) error
}

// engines are all of them. The first four are Debian's own, the others built from engines/.
var engines = []engine{
	{"dockerd (system)", openSystemDockerd},
	{"containerd (system)", openSystemContainerd},
	{"podman", openPodman},
	{"skopeo", openSkopeo},
	{"dockerd (new)", openNewDockerd},
	{"containerd (new, ctr --local)", openNewContainerd},
	{"containerd (new, transfer)", openTransferContainerd},
}
