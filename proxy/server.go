package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/elazarl/goproxy"

	"pulley/internal/config"
	"pulley/proxy/ca"
	"pulley/proxy/registry"
)

// RegistryHandler answers the requests that are meant for registries.
// All methods are called concurrently.
type RegistryHandler interface {
	// ServeMirror answers an origin-form /v2/ request on our own port, whose Host
	// is a name of ours.
	ServeMirror(w http.ResponseWriter, r *http.Request)
	// ServeHost answers any request, in origin form, on a connection to a
	// registry's host; upgrades are its business too.
	ServeHost(w http.ResponseWriter, r *http.Request, t registry.Target)
	// ServeReady answers as ServeHost would, or without a Target as ServeMirror, if
	// that takes nothing that has to be waited for. False: it did nothing at all.
	ServeReady(w http.ResponseWriter, r *http.Request, t *registry.Target) bool
}

// Timeouts say how long a client may be silent. Zero means the default.
type Timeouts struct {
	FirstByte  time.Duration // after connecting, and after CONNECT to a registry: 30s
	Handshake  time.Duration // SOCKS5 and TLS, each as a whole: 15s
	Header     time.Duration // from the first byte of a request to the end of its header: 30s
	Idle       time.Duration // between requests of one connection: 3m
	Dial       time.Duration // to reach what a client asked for: 60s
	TunnelIdle time.Duration // no byte in either direction: 12h, for WebSockets are silent for long
	Drain      time.Duration // for running requests once Serve's context has ended: 10s
}

func (t Timeouts) withDefaults() Timeouts {
	t.FirstByte = cmp.Or(t.FirstByte, 30*time.Second)
	t.Handshake = cmp.Or(t.Handshake, 15*time.Second)
	t.Header = cmp.Or(t.Header, 30*time.Second)
	t.Idle = cmp.Or(t.Idle, 3*time.Minute)
	t.Dial = cmp.Or(t.Dial, time.Minute)
	t.TunnelIdle = cmp.Or(t.TunnelIdle, 12*time.Hour)
	t.Drain = cmp.Or(t.Drain, 10*time.Second)
	return t
}

// maxHeaderBytes is room for the longest tokens registries hand out.
const maxHeaderBytes = 64 << 10

// Options of a Server. Settings, CA, Dial and Registry must be set.
type Options struct {
	Settings func() *config.Config // asked for each connection and request
	CA       *ca.Store
	// Dial opens a connection for a tunnel or a plain HTTP request. addr is as the
	// client said it: the name is not resolved. The context may carry a guard, see
	// egress.WithGuard.
	Dial     func(ctx context.Context, network, addr string) (net.Conn, error)
	Registry RegistryHandler
	Own      http.Handler // /healthz and /metrics; nil: 404
	Timeouts Timeouts
	Crowd    Crowd
	Now      func() time.Time  // nil: time.Now
	Log      *slog.Logger      // nil: discarded
	Record   func(TunnelEvent) // called once per tunnel, at its end; nil: not
}

// TunnelEvent is one tunnel that has ended, or that could not be opened.
type TunnelEvent struct {
	Time     time.Time // when it began
	Door     string    // "http", "socks5" or "tls"
	Client   string    // address
	Host     string    // host:port as asked for
	Reason   string    // why it was not intercepted: one of the Reason constants
	Sent     int64     // bytes from the client
	Received int64     // bytes to the client
	Duration time.Duration
	Err      string
}

// Why a connection was tunnelled.
const (
	ReasonNoRegistry = "not a registry"
	ReasonOff        = "switched off"
	ReasonRejected   = "a client rejected our certificate"
	ReasonProtocol   = "not a protocol we can answer"
	ReasonName       = "names another host in TLS"
	ReasonLeaf       = "no certificate for it"
	ReasonUpgrade    = "protocol upgrade"
	ReasonWildcard   = "a registry by a wildcard, for a client elsewhere"
)

// Server is the port. It may serve several listeners, also at once.
type Server struct {
	opt      Options
	proxy    *goproxy.ProxyHttpServer
	plain    plainTransports
	siteTLS  *tls.Config // for intercepted hosts
	doorTLS  *tls.Config // for our own port
	rejected rejections
	users    *passwords
	refusals refusals
	crowd    crowd
	own      ownAddresses
	doorCert doorCertificate
}

// New returns a Server that serves nothing yet.
func New(o Options) (*Server, error) {
	if o.Settings == nil || o.CA == nil || o.Dial == nil || o.Registry == nil {
		return nil, errors.New("proxy: Settings, CA, Dial and Registry must be set")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Own == nil {
		o.Own = http.NotFoundHandler()
	}
	o.Timeouts = o.Timeouts.withDefaults()
	s := &Server{opt: o, users: newPasswords(o.Now), crowd: crowd{Crowd: o.Crowd.withDefaults()}}
	s.plain = newPlainTransports(s)
	s.proxy = newGoproxy(s)
	s.siteTLS = newSiteTLS()
	s.doorTLS = newDoorTLS(s)
	return s, nil
}

// Serve accepts connections from ln until ctx ends, then closes ln, lets running
// requests finish within Timeouts.Drain, closes tunnels and returns nil. An
// error means that ln failed. When ln says ErrLeft, everything that was accepted
// goes on until its clients are done with it, or ctx ends.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	r := newRun(s, ln)
	err := r.accept(ctx)
	if errors.Is(err, ErrLeft) {
		r.leave(ctx)
		err = nil
	}
	r.drain(context.WithoutCancel(ctx))
	s.plain.closeIdle()
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the listener was closed because ctx ended
	}
	return err
}
