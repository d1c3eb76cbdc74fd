package egress

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Shape of the pools. dockerd asks for many small things one after another, a
// pull of layers for several at once, and a fetch in ranges for a few per layer:
// 32 idle connections per host hold all of these, and a minute and a half keeps
// them over a build's pulls.
const (
	idlePerHost = 32
	idleTotal   = 256
	idleTimeout = 90 * time.Second

	// The read buffer holds a header; bodies bypass it, since they are read in
	// larger pieces, as those of uploads are written.
	readBuffer = 8 << 10

	maxHeader = 256 << 10

	// expectTimeout is how long an upload with "Expect: 100-continue" waits
	// for the registry's word before it sends its body anyway (RFC 9110,
	// 10.1.1 asks not to wait for ever).
	expectTimeout = 2 * time.Second
)

// Transport returns the transport for a registry's requests, those to its token
// service and storage included; "" is for plain HTTP requests to anything else.
// It is shared and changes with the settings: ask for it per request. It never
// decompresses, never follows the environment behind our back, and has no
// response-header time-out, since an upload's last request may be silent for
// minutes: callers bound their own requests.
//
// A GET or HEAD without a body that is reset, cut off or kept waiting (for
// Options.Silence, while another address is left) before the first byte of its
// answer is sent again to the next address of the name, to each once.
func (e *Egress) Transport(registry string) http.RoundTripper {
	return e.transport(e.current(), registry)
}

func (e *Egress) transport(p *plan, registry string) *transport {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := p.transports[registry]
	if t == nil {
		t = &transport{e: e, pool: e.newPool(p, registry)}
		p.transports[registry] = t
	}
	return t
}

func (e *Egress) newPool(p *plan, registry string) *http.Transport {
	o := &outlet{e: e, p: p, registry: registry, chosen: map[string]*way{}}
	return &http.Transport{
		Proxy:                  o.proxy,
		DialContext:            o.dialPlain,
		DialTLSContext:         o.dialTLS,
		TLSNextProto:           map[string]func(string, *tls.Conn) http.RoundTripper{},
		DisableCompression:     true,
		MaxIdleConns:           idleTotal,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idleTimeout,
		ExpectContinueTimeout:  expectTimeout,
		MaxResponseHeaderBytes: maxHeader,
		ReadBufferSize:         readBuffer,
	}
}

// An outlet dials for one registry's transport.
type outlet struct {
	e        *Egress
	p        *plan
	registry string

	mu     sync.Mutex
	chosen map[string]*way // by the host name that stands for it in dialPlain
}

// proxy chooses, for http:// requests alone, the HTTP proxy that gets them in
// absolute form: many proxies refuse CONNECT to port 80. What needs an address
// checked or chosen here goes through dialPlain and CONNECT instead, as do
// https:// requests.
//
// The transport dials a proxy by name through the same function as everything
// else, where a client could ask for that name too. So it is given a name that
// nobody can guess.
func (o *outlet) proxy(r *http.Request) (*url.URL, error) {
	if r.URL.Scheme != "http" || guardOf(r.Context()).sees(r.URL.Hostname()) {
		return nil, nil
	}
	addr := r.URL.Host
	if r.URL.Port() == "" {
		addr = net.JoinHostPort(r.URL.Hostname(), "80")
	}
	w, _ := o.e.wayFor(r.Context(), o.p, destination{registry: o.registry, scheme: "http", network: "tcp", addr: addr})
	if w == nil || w.err != nil || w.url.Scheme != "http" && w.url.Scheme != "https" {
		return nil, nil //nolint:nilerr // dialPlain goes the same way, and fails with w.err
	}
	host, port := splitHostPort(addr, "80")
	if n, err := parsePort(r.Context(), "tcp", port); err != nil || len(o.p.pinned(host, n)) > 0 {
		return nil, err
	}
	name := hex.EncodeToString([]byte(w.name)) // a label may not hold more than 63 bytes
	name = name[:min(len(name), 60)] + "." + o.e.nonce + ".invalid"
	o.mu.Lock()
	o.chosen[name] = w
	o.mu.Unlock()
	return &url.URL{Scheme: "http", Host: name, User: w.url.User}, nil
}

func (o *outlet) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	cfg, err := o.e.tlsConfig(o.p, host)
	if err != nil {
		return nil, err
	}
	return o.e.dial(ctx, o.p, destination{o.registry, "https", network, addr, true}, flowing(cfg))
}

// dialPlain dials for http:// requests: their host, or the proxy that proxy
// chose for them.
func (o *outlet) dialPlain(ctx context.Context, network, addr string) (net.Conn, error) {
	o.mu.Lock()
	w := o.chosen[hostOnly(addr)]
	o.mu.Unlock()
	if w == nil {
		return o.e.dial(ctx, o.p, destination{o.registry, "http", network, addr, true}, nil)
	}
	c, err := o.e.reach(ctx, o.p, w)
	if err != nil {
		return nil, fmt.Errorf("through %s: %w", w, err)
	}
	return &leg{Conn: c, key: w.String(), way: w.String()}, nil
}
