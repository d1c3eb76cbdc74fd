package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Time-outs of a way out.
const (
	connectTimeout   = 15 * time.Second // one address; the system's own is minutes
	handshakeTimeout = 15 * time.Second // TLS or a proxy's greeting, one address
	raceAfter        = 300 * time.Millisecond
	offTimeout       = 5 * time.Second // direct, when a proxy could be tried next
	keepAlive        = 15 * time.Second
)

// A handshake turns a fresh connection into one that is ready for use. It
// closes the connection if it fails.
type handshake func(context.Context, net.Conn) (net.Conn, error)

// DialContext opens a connection for a tunnel: addr is "host:port" with the
// name unresolved, network "tcp", "tcp4" or "tcp6". Direct connections are
// *net.TCPConn; those through a proxy may not be.
func (e *Egress) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if e.loops.saw(hostOnly(addr)) {
		return nil, errProbe
	}
	scheme := "https"
	if _, port, err := net.SplitHostPort(addr); err == nil && port == "80" {
		scheme = "http"
	}
	return e.dial(ctx, e.current(), destination{network: network, addr: addr, scheme: scheme}, nil)
}

// A destination is what a connection is wanted for.
type destination struct {
	registry string // its name; "" for tunnels
	scheme   string // "http" or "https": which of the environment's proxies counts
	network  string
	addr     string // host:port
	legs     bool   // for a transport: the connection can be asked where it leads
}

func (e *Egress) dial(ctx context.Context, p *plan, d destination, ready handshake) (net.Conn, error) {
	if _, _, err := net.SplitHostPort(d.addr); err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	w, fallback := e.wayFor(ctx, p, d)
	if fallback != nil {
		c, err := e.direct(ctx, p, d, offTimeout, ready)
		if err == nil || isRefused(err) || ctx.Err() != nil {
			return c, err
		}
		w = fallback
	}
	if w != nil {
		return e.through(ctx, p, w, d, ready)
	}
	c, err := e.aside(ctx, p, d, ready)
	if c != nil || err != nil {
		return c, err
	}
	if c, err = e.direct(ctx, p, d, connectTimeout, ready); err == nil {
		return c, nil
	}
	return e.around(ctx, p, d, ready, err)
}

// direct tries every address of a destination until one is ready.
func (e *Egress) direct(ctx context.Context, p *plan, d destination, limit time.Duration, ready handshake) (net.Conn, error) {
	host, port := splitHostPort(d.addr, "")
	list, err := e.candidates(ctx, p, d.network, host, port)
	if err != nil {
		return nil, err
	}
	g := guardOf(ctx)
	var refused error
	allowed := list[:0:0]
	for _, c := range list {
		if err := g.refuses(host, c); err != nil {
			refused = err
			continue
		}
		allowed = append(allowed, c)
	}
	if len(allowed) == 0 {
		return nil, refused
	}
	return e.race(ctx, d, allowed, limit, ready)
}

type attempt struct {
	conn net.Conn
	err  error
	at   candidate
}

// race connects to the addresses in order, the next one when the last has
// failed or has been silent for raceAfter (RFC 8305, 5), and takes the first
// that connects. A handshake that breaks for a reason that another address may
// not share goes on with the addresses that are left.
func (e *Egress) race(ctx context.Context, d destination, list []candidate, limit time.Duration, ready handshake) (net.Conn, error) {
	host, port := splitHostPort(d.addr, "")
	trail, all := trailOf(ctx), keys(list)
	var errs []error
	for len(list) > 0 {
		won, rest, err := e.connect(ctx, list, limit)
		if err != nil {
			errs = append(errs, err)
			break
		}
		list = rest
		conn := won.conn
		if d.legs {
			conn = &leg{Conn: conn, at: won.at.AddrPort, key: won.at.String(), all: all, way: won.at.way(port)}
		}
		if ready != nil {
			conn, err = e.finish(ctx, conn, ready, len(list) > 0)
		}
		if err == nil {
			e.poison.fits(host, won.at, ready != nil)
			trail.took(won.at.way(port))
			return conn, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", won.at, err))
		if ctx.Err() != nil {
			break
		}
		trail.gaveUp(host, won.at.way(port), err)
		e.failed(ctx, won.at)
		e.suspect(host, won.at, err)
	}
	return nil, joined(host, errs)
}

// failed remembers that an address is not to be tried first, nor again by the
// request that this was for.
func (e *Egress) failed(ctx context.Context, c candidate) {
	e.sick.add(c.AddrPort)
	triesOf(ctx).add(c.String())
}

// finish completes the handshake. While other addresses are left, one may not
// be silent for as long as the last one may.
func (e *Egress) finish(ctx context.Context, c net.Conn, ready handshake, others bool) (net.Conn, error) {
	limit := handshakeTimeout
	if others {
		limit = min(limit, e.silence)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return ready(ctx, c)
}

// connect returns the first address to accept, and those that have not failed
// and can still be tried should it turn out bad.
func (e *Egress) connect(ctx context.Context, list []candidate, limit time.Duration) (attempt, []candidate, error) {
	dialCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan attempt, len(list))
	next, flying := 0, 0
	launch := func() {
		c := list[next]
		next++
		flying++
		go func() {
			ctx, cancel := context.WithTimeout(dialCtx, limit)
			defer cancel()
			conn, err := e.tcp(ctx, "tcp", c.String())
			results <- attempt{conn, err, c}
		}()
	}
	launch()
	failed := map[candidate]bool{}
	var errs []error
	timer := time.NewTimer(raceAfter)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if next < len(list) {
				launch()
				timer.Reset(raceAfter)
			}
		case a := <-results:
			flying--
			if a.err == nil {
				e.sick.remove(a.at.AddrPort)
				cancel()
				go discard(results, flying)
				return a, remaining(list, a.at, failed), nil
			}
			if ctx.Err() == nil {
				e.failed(ctx, a.at)
				trailOf(ctx).gaveUp(a.at.Addr().String(), "direct "+a.at.String(), a.err)
			}
			failed[a.at] = true
			errs = append(errs, a.err)
			switch {
			case ctx.Err() != nil:
				go discard(results, flying)
				return attempt{}, nil, ctx.Err()
			case next < len(list):
				launch()
				timer.Reset(raceAfter)
			case flying == 0:
				return attempt{}, nil, errors.Join(errs...)
			}
		}
	}
}

// discard closes the connections that lost a race.
func discard(results <-chan attempt, n int) {
	for range n {
		if a := <-results; a.conn != nil {
			_ = a.conn.Close()
		}
	}
}

func remaining(list []candidate, won candidate, failed map[candidate]bool) []candidate {
	out := make([]candidate, 0, len(list))
	for _, c := range list {
		if c != won && !failed[c] {
			out = append(out, c)
		}
	}
	return out
}

func isRefused(err error) bool {
	var r *RefusedError
	return errors.As(err, &r)
}

// joined puts the failures of several addresses on one line.
func joined(host string, errs []error) error {
	if len(errs) == 1 {
		if errors.Is(errs[0], context.Canceled) {
			return errs[0]
		}
		return fmt.Errorf("%s: %w", host, &oneLineError{errs[0]})
	}
	return fmt.Errorf("%s: %w", host, &oneLineError{errors.Join(errs...)})
}

// oneLineError is an error whose text has no line breaks.
type oneLineError struct{ err error }

func (o *oneLineError) Error() string { return strings.ReplaceAll(o.err.Error(), "\n", "; ") }
func (o *oneLineError) Unwrap() error { return o.err }
