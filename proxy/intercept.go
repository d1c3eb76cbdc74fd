package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"pulley/internal/config"
)

// site is a registry's host, as a client asked for it.
type site struct {
	registry *config.Registry
	hostport string // as dialled
	name     string // without the port
	port     string
	scheme   string
	host     string // as the client sees it: no default port
	door     string
}

// siteOf returns the site of the host:port that c's client wants to be connected
// to, or why that is to be tunnelled.
func (s *Server) siteOf(c *conn, hostport string) (*site, string) {
	cfg := s.opt.Settings()
	if !cfg.Enabled {
		return nil, ReasonOff
	}
	reg, reason := registryFor(cfg, c.client, hostport)
	if reg == nil {
		return nil, reason
	}
	if s.rejected.active(rejectionKey(c.client, hostport), s.opt.Now()) {
		return nil, ReasonRejected
	}
	st := &site{registry: reg, hostport: hostport, door: c.door}
	st.name, st.port, _ = net.SplitHostPort(hostport)
	st.name = strings.ToLower(strings.TrimSuffix(st.name, "."))
	st.setScheme("https")
	return st, ""
}

// registryFor returns the registry that is answered for under host:port, or why
// there is none. What a registry's requests reach is not guarded: a person
// configured it. But under "*.domain" it is the client who says which host that
// is, so one that is not on this machine gets no more of it than a tunnel.
func registryFor(cfg *config.Config, client netip.Addr, hostport string) (*config.Registry, string) {
	reg, ok := cfg.RegistryByHost(hostport)
	switch {
	case !ok:
		return nil, ReasonNoRegistry
	case !isLocal(client) && !reg.Spells(hostport):
		return nil, ReasonWildcard
	}
	return reg, ""
}

func (st *site) setScheme(scheme string) {
	st.scheme = scheme
	st.host = net.JoinHostPort(st.name, st.port)
	if scheme == "https" && st.port == "443" || scheme == "http" && st.port == "80" {
		st.host = strings.TrimSuffix(st.host, ":"+st.port)
	}
}

// is reports whether scheme and the host of a URL are st.
func (st *site) is(scheme, hostport string) bool {
	name := strings.TrimPrefix(strings.TrimSuffix(st.host, ":"+st.port), "[")
	name = strings.TrimSuffix(name, "]")
	h := strings.ToLower(strings.TrimSuffix(strings.ToLower(hostport), ":"+st.port))
	h = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(h, "["), "]"), ".")
	return scheme == st.scheme && h == name
}

// intercept answers for st on c, a connection the client believes to lead there.
func (r *run) intercept(c *conn, st *site) {
	r.crew.before.add(c)
	if err := c.fill(r.s.opt.Timeouts.FirstByte); err != nil {
		r.s.opt.Log.Debug("client silent after connecting to a registry", "host", st.hostport, "err", err)
		_ = c.Close()
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	c.site = st
	switch kind := sniff(c.peek()); {
	case kind == protocolTLS:
		r.handshake(c)
	case kind == protocolHTTP && st.registry.Insecure:
		// Plain HTTP to a registry that is not configured so is none of ours: it is
		// tunnelled, and its real server says what it thinks of that.
		st.setScheme("http")
		r.crew.before.remove(c)
		r.hand(c)
	default:
		c.site = nil
		r.tunnelTo(c, st.hostport, ReasonProtocol, nil)
	}
}

// hello is what became of a client's first TLS message.
type hello struct {
	mute    bool             // nothing may be written: the connection may still be tunnelled
	reason  string           // why it is to be tunnelled
	leaf    *tls.Certificate // what is presented
	offered bool             // the client is being shown leaf
}

// errTunnel ends a TLS handshake that is not to be ours.
var errTunnel = errors.New("proxy: to be tunnelled")

// newSiteTLS is the one TLS configuration of all intercepted connections; being
// one, it makes session tickets work. HTTP/1.1 only: every engine chooses it,
// and bodies are faster over it.
func newSiteTLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
			return nil, info.Conn.(*conn).greet(info)
		},
		GetCertificate: func(info *tls.ClientHelloInfo) (*tls.Certificate, error) {
			c := info.Conn.(*conn)
			c.hello.offered = true
			return c.hello.leaf, nil
		},
	}
}

// greet decides, on seeing the ClientHello, whether we can stand in for the
// host. If not, nothing was written yet and the connection can be tunnelled.
func (c *conn) greet(info *tls.ClientHelloInfo) error {
	tunnel := func(reason string) error {
		c.hello.reason = reason
		return errTunnel
	}
	// The name asked for in TLS decides who the client takes us for, the name it
	// connected to decides who we are. Where they differ we are nobody.
	if n := strings.TrimSuffix(info.ServerName, "."); n != "" && !strings.EqualFold(n, c.site.name) {
		return tunnel(ReasonName)
	}
	if p := info.SupportedProtos; len(p) > 0 && !slices.Contains(p, "http/1.1") {
		return tunnel(ReasonProtocol) // only HTTP/2, as gRPC; only acme-tls/1
	}
	leaf, err := c.run.s.opt.CA.Leaf(c.site.name)
	if err != nil {
		c.run.s.opt.Log.Warn("not intercepted", "host", c.site.hostport, "err", err)
		return tunnel(ReasonLeaf)
	}
	if err := info.SupportsCertificate(leaf); err != nil {
		return tunnel(ReasonProtocol)
	}
	c.hello.leaf, c.hello.mute = leaf, false
	c.forget()
	return nil
}

// handshake makes c an intercepted connection, or tunnels it after all.
func (r *run) handshake(c *conn) {
	c.hello = hello{mute: true}
	c.record()
	_ = c.SetDeadline(time.Now().Add(r.s.opt.Timeouts.Handshake))
	tc := tls.Server(c, r.s.siteTLS)
	err := tc.Handshake() //nolint:noctx // the deadline ends it, and so does drain; a context costs a goroutine each
	_ = c.SetDeadline(time.Time{})
	st := c.site
	switch {
	case err == nil:
		r.attend(&session{Conn: tc, under: c})
		return
	case c.hello.reason != "", c.hello.mute && !isBroken(err):
		// Also what begins like TLS and is none.
		reason := c.hello.reason
		if reason == "" {
			reason = ReasonProtocol
		}
		c.hello, c.site = hello{}, nil
		c.rewind()
		r.tunnelTo(c, st.hostport, reason, nil)
		return
	case c.hello.offered && isRejection(err):
		r.s.reject(c.client, st, err)
	default:
		r.s.opt.Log.Debug("TLS handshake failed", "host", st.hostport, "client", c.client, "err", err)
	}
	c.release()
	_ = c.Close()
}

// isBroken reports whether err is the connection's and not the protocol's.
func isBroken(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Op == "read" || op.Op == "write"
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed)
}

// session is an intercepted connection after its handshake.
type session struct {
	*tls.Conn
	ahead
	under *conn
	heard bool // the client has sent something
}

// fill reads once into an empty head, waiting no longer than d.
func (s *session) fill(d time.Duration) error { return s.ahead.fill(s.Conn, s.listen, d) }

// Read gives what was read ahead, then what comes.
func (s *session) Read(p []byte) (int, error) {
	if s.pos < len(s.head) {
		return s.take(p, false), nil
	}
	return s.listen(p)
}

// listen watches for the alert of a client that makes up its mind about our
// certificate only after the handshake, as TLS 1.3 lets it.
func (s *session) listen(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if s.heard {
		return n, err
	}
	if n > 0 {
		s.heard = true
		s.under.hello.leaf = nil
		s.under.run.s.rejected.accept(rejectionKey(s.under.client, s.under.site.hostport), s.under.run.s.opt.Now())
	} else if err != nil && s.under.hello.offered && isAlert(err) {
		s.under.run.s.reject(s.under.client, s.under.site, err)
	}
	return n, err
}
