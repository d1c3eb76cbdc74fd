package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// A Result is what a test of a way out has found. Times are from its beginning.
type Result struct {
	Way       string        // the way, as [Trail.Way] names it
	Connected time.Duration // the target was connected to; for a proxy, through it
	Secured   time.Duration // its certificate was verified; 0 for plain HTTP
	FirstByte time.Duration // the first byte of its answer came
	Status    int           // of that answer
}

// Names of ways out for [Egress.Test] that are no [[egress]].
const (
	Direct      = "direct"
	Environment = "environment" // the proxy that HTTPS_PROXY names
	System      = "system"      // the one of the system's settings
)

// testTarget is asked where a person names nothing: what Pulley is for.
const testTarget = "registry-1.docker.io"

// Test connects to target ("host" or "host:port", "" for Docker Hub) through the
// named way out, whatever the settings use it for, and asks for /v2/: over TLS,
// or in plain HTTP on port 80. What failed before is tried anew. A
// *ssh.HostKeyError says which key is to be accepted first.
func (e *Egress) Test(ctx context.Context, name, target string) (Result, error) {
	if target == "" {
		target = testTarget
	}
	host, port := splitHostPort(target, "443")
	d := destination{scheme: "https", network: "tcp", addr: net.JoinHostPort(host, port)}
	if port == "80" {
		d.scheme = "http"
	}
	p := e.current()
	w, err := e.named(ctx, p, name, d)
	if err != nil {
		return Result{}, err
	}
	ctx, trail := WithTrail(ctx)
	begin := time.Now()
	var c net.Conn
	if w == nil {
		c, err = e.direct(ctx, p, d, connectTimeout, nil)
	} else {
		c, err = e.through(ctx, p, w, d, nil)
	}
	if err != nil {
		return Result{}, err
	}
	r := Result{Way: trail.Way(), Connected: time.Since(begin)}
	if d.scheme == "https" {
		cfg, err := e.tlsConfig(p, host)
		if err == nil {
			c, err = e.finish(ctx, c, tlsHandshake(cfg), false)
		}
		if err != nil {
			return r, fmt.Errorf("%s: %w", host, err)
		}
		r.Secured = time.Since(begin)
	}
	defer func() { _ = c.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	if r.Status, err = askV2(ctx, c, target, func() { r.FirstByte = time.Since(begin) }); err != nil {
		return r, fmt.Errorf("%s: no answer: %w", host, err)
	}
	return r, nil
}

// askV2 makes the request that every registry answers.
func askV2(ctx context.Context, c net.Conn, host string, first func()) (int, error) {
	scheme := "http://"
	if _, ok := c.(*tls.Conn); ok {
		scheme = "https://"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+host+"/v2/", nil)
	if err != nil {
		return 0, err
	}
	req.Close = true
	if err := req.Write(c); err != nil {
		return 0, err
	}
	br := bufio.NewReader(io.LimitReader(c, maxHeader))
	if _, err := br.Peek(1); err != nil {
		return 0, err
	}
	first()
	resp, err := http.ReadResponse(br, req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// ErrUnknown is in the error where a way out is named that there is none of.
var ErrUnknown = errors.New("no such egress")

// named finds a way out by its name; nil is direct.
func (e *Egress) named(ctx context.Context, p *plan, name string, d destination) (*way, error) {
	var w *way
	switch name {
	case Direct:
		return nil, nil
	case Environment, System:
		if w = p.env(d.scheme, d.addr); w == nil || w.name != name {
			return nil, fmt.Errorf("the %s has no proxy for %s", name, hostOnly(d.addr))
		}
	default:
		for _, x := range p.ways {
			if x.name == name {
				w = x
				break
			}
		}
	}
	switch {
	case w == nil:
		return nil, fmt.Errorf("%.80s: %w; see: pulley egress ls", strings.ToValidUTF8(name, "?"), ErrUnknown)
	case w.err != nil:
		return nil, w.err
	case w.ssh != nil:
		w.ssh.Retry()
	case e.isUs(ctx, p, w):
		return nil, &WayError{Name: name, Why: "it leads back to pulley itself"}
	}
	return w, nil
}
