package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"golang.org/x/net/proxy"
)

// maxProxyHead caps what a proxy may answer to CONNECT before it is cut off.
const maxProxyHead = 64 << 10

// through opens a connection to a destination by way of a proxy. An address of
// an [[address]] entry is asked for as an address, in turn; any other name goes
// to the proxy as a name.
func (e *Egress) through(ctx context.Context, p *plan, w *way, d destination, ready handshake) (net.Conn, error) {
	if w.err != nil {
		return nil, w.err
	}
	host, port := splitHostPort(d.addr, "")
	targets, err := e.targets(ctx, p, w, d.network, host, port)
	if err != nil {
		return nil, err
	}
	tried, trail := triesOf(ctx), trailOf(ctx)
	errs := []error{}
	for i, t := range targets {
		key := w.String() + " " + t
		if tried.has(key) {
			continue
		}
		c, err := e.negotiate(ctx, p, w, t)
		if err == nil && d.legs {
			c = &leg{Conn: c, key: key, all: prefixed(w.String()+" ", targets), way: w.String()}
		}
		if err == nil && ready != nil {
			c, err = e.finish(ctx, c, ready, i+1 < len(targets))
		}
		if err == nil {
			trail.took(w.String())
			return c, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
		tried.add(key)
		trail.gaveUp(host, w.String(), err)
	}
	if len(errs) == 0 {
		return nil, errNoneLeft
	}
	return nil, fmt.Errorf("%s: through %s: %w", host, w, &oneLineError{errors.Join(errs...)})
}

// targets is what to ask the proxy for, as host:port.
func (e *Egress) targets(ctx context.Context, p *plan, w *way, network, host, port string) ([]string, error) {
	n, err := parsePort(ctx, network, port)
	if err != nil {
		return nil, err
	}
	byName := []string{net.JoinHostPort(host, port)}
	list := p.pinned(host, n)
	_, notIP := netip.ParseAddr(host)
	g := guardOf(ctx)
	if len(list) == 0 && !g.sees(host) {
		return byName, nil
	}
	asName := false
	if len(list) == 0 {
		asName = notIP != nil && !isLocalhost(host) && !e.onThisHost(ctx, p, w)
		if list, err = e.resolve(ctx, host, n); err != nil {
			if asName {
				return byName, nil
			}
			return nil, err
		}
	}
	var out []string
	var refused error
	for _, c := range list {
		if err := g.refuses(host, c); err != nil {
			if refused = err; asName {
				return nil, err
			}
			continue
		}
		out = append(out, c.String())
	}
	if len(out) == 0 {
		return nil, refused
	}
	if asName {
		return byName, nil
	}
	return out, nil
}

// onThisHost reports whether a proxy runs on this machine, as far as its
// address tells; one that cannot be looked up counts as here.
func (e *Egress) onThisHost(ctx context.Context, p *plan, w *way) bool {
	host, port := splitHostPort(w.address(), "")
	list, err := e.candidates(ctx, p, "tcp", host, port)
	if err != nil {
		return true
	}
	for _, c := range list {
		if isOwn(c.Addr().Unmap()) || c.Addr().IsUnspecified() {
			return true
		}
	}
	return false
}

// reach connects to the proxy itself. No guard holds here: the proxy's address
// is a setting, not a client's wish.
func (e *Egress) reach(ctx context.Context, p *plan, w *way) (net.Conn, error) {
	ctx = withTries(context.WithValue(ctx, guardKey{}, (*guard)(nil)), nil)
	host, _ := splitHostPort(w.address(), "")
	var ready handshake
	if w.url.Scheme == "https" {
		cfg, err := e.tlsConfig(p, host)
		if err != nil {
			return nil, err
		}
		ready = tlsHandshake(cfg)
	}
	return e.direct(ctx, p, destination{network: "tcp", addr: w.address()}, connectTimeout, ready)
}

// negotiate asks the proxy for a connection to target.
func (e *Egress) negotiate(ctx context.Context, p *plan, w *way, target string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout+handshakeTimeout)
	defer cancel()
	if w.ssh != nil {
		return w.ssh.DialContext(ctx, target)
	}
	if w.url.Scheme == "socks5" || w.url.Scheme == "socks5h" {
		return e.socks(ctx, p, w, target)
	}
	c, err := e.reach(ctx, p, w)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	ready, err := askConnect(c, target, w.url.User)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return ready, nil
}

// askConnect speaks CONNECT (RFC 9110, 9.3.6).
func askConnect(c net.Conn, target string, user *url.Userinfo) (net.Conn, error) {
	head := "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n"
	if user != nil {
		pass, _ := user.Password()
		head += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+pass)) + "\r\n"
	}
	if _, err := io.WriteString(c, head+"\r\n"); err != nil {
		return nil, err
	}
	capped := &io.LimitedReader{R: c, N: maxProxyHead}
	br := bufio.NewReader(capped)
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return nil, fmt.Errorf("no answer to CONNECT: %w", err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("the proxy answered %q to CONNECT %s", resp.Status, target)
	}
	if br.Buffered() == 0 {
		return c, nil
	}
	early, _ := br.Peek(br.Buffered())
	return &earlyConn{Conn: c, early: append([]byte(nil), early...)}, nil
}

// earlyConn hands out first what the far side sent right behind the proxy's
// answer.
type earlyConn struct {
	net.Conn
	early []byte
}

func (c *earlyConn) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// CloseWrite half-closes, which tunnels rely on.
func (c *earlyConn) CloseWrite() error {
	if h, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (e *Egress) socks(ctx context.Context, p *plan, w *way, target string) (net.Conn, error) {
	var auth *proxy.Auth
	if u := w.url.User; u != nil {
		pass, _ := u.Password()
		auth = &proxy.Auth{User: u.Username(), Password: pass}
	}
	var raw net.Conn
	d, err := proxy.SOCKS5("tcp", w.address(), auth, reacher(func(ctx context.Context) (c net.Conn, err error) {
		raw, err = e.reach(ctx, p, w)
		return raw, err
	}))
	if err != nil {
		return nil, err
	}
	if _, err := d.(proxy.ContextDialer).DialContext(ctx, "tcp", target); err != nil {
		return nil, err
	}
	return raw, nil // the wrapper it returns would hide *net.TCPConn from splice
}

type reacher func(context.Context) (net.Conn, error)

func (r reacher) DialContext(ctx context.Context, _, _ string) (net.Conn, error) { return r(ctx) }
func (r reacher) Dial(_, _ string) (net.Conn, error)                             { return r(context.Background()) }

// tlsHandshake verifies as cfg says, which is never nothing.
func tlsHandshake(cfg *tls.Config) handshake {
	return func(ctx context.Context, c net.Conn) (net.Conn, error) {
		t := tls.Client(c, cfg)
		if err := t.HandshakeContext(ctx); err != nil {
			_ = c.Close()
			return nil, err
		}
		return t, nil
	}
}
