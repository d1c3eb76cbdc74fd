package egress

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Bounds of a DNS over HTTPS call.
const (
	dohTimeout = 5 * time.Second
	dohPause   = 30 * time.Second // before a resolver that failed is asked again
	maxAnswer  = 64 << 10         // a DNS message has no more
)

// doh is a resolver that is asked over HTTPS (RFC 8484). Its own host is
// resolved by the system, or is an address; its certificate is verified.
type doh struct {
	url  string
	pool *http.Transport

	mu    sync.Mutex
	pause time.Time // not to be asked before
}

// newDoH returns nil if the settings name no resolver.
func (e *Egress) newDoH(p *plan) *doh {
	if p.cfg.Fetch.DoH == "" {
		return nil
	}
	// RFC 8484 describes a URI template; with POST its variable stays empty.
	u, err := url.Parse(strings.TrimSuffix(p.cfg.Fetch.DoH, "{?dns}"))
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil
	}
	pool := e.newPool(p, "")
	pool.Proxy = nil
	pool.TLSNextProto = nil
	pool.ForceAttemptHTTP2 = true // some resolvers speak nothing else
	pool.DialContext = nil
	pool.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _ := splitHostPort(addr, "")
		cfg, err := e.tlsConfig(p, host)
		if err != nil {
			return nil, err
		}
		cfg.NextProtos = []string{"h2", "http/1.1"}
		ctx = context.WithValue(ctx, plainKey{}, true) // or it would be asked about its own name
		return e.dial(ctx, p, destination{scheme: "https", network: network, addr: addr}, tlsHandshake(cfg))
	}
	return &doh{url: u.String(), pool: pool}
}

// lookup returns the addresses of host, and for how long they hold.
func (r *doh) lookup(ctx context.Context, host string, now time.Time) ([]netip.Addr, time.Duration, error) {
	r.mu.Lock()
	wait := now.Before(r.pause)
	r.mu.Unlock()
	if wait {
		return nil, 0, errors.New("fetch.doh failed just now and is not asked again yet")
	}
	ctx, cancel := context.WithTimeout(ctx, dohTimeout)
	defer cancel()
	// Not this request's: neither its trail nor what it has tried, nor the guard
	// on where it may go.
	ctx = context.WithValue(withTries(ctx, nil), trailKey{}, (*Trail)(nil))
	ctx = context.WithValue(ctx, guardKey{}, (*guard)(nil))
	type answer struct {
		addrs []netip.Addr
		ttl   time.Duration
		err   error
	}
	six := make(chan answer, 1)
	go func() {
		addrs, ttl, err := r.ask(ctx, host, dnsmessage.TypeAAAA)
		six <- answer{addrs, ttl, err}
	}()
	addrs, ttl, err := r.ask(ctx, host, dnsmessage.TypeA)
	b := <-six
	if err != nil && b.err != nil {
		if !errors.Is(context.Cause(ctx), context.Canceled) {
			r.mu.Lock()
			r.pause = now.Add(dohPause)
			r.mu.Unlock()
		}
		return nil, 0, fmt.Errorf("fetch.doh: %w", err)
	}
	if len(addrs) == 0 || len(b.addrs) > 0 && b.ttl < ttl {
		ttl = b.ttl
	}
	if addrs = append(addrs, b.addrs...); len(addrs) == 0 {
		return nil, 0, errors.New("fetch.doh knows no address of it either")
	}
	return addrs, ttl, nil
}

func (r *doh) ask(ctx context.Context, host string, kind dnsmessage.Type) ([]netip.Addr, time.Duration, error) {
	name, err := dnsmessage.NewName(strings.TrimSuffix(host, ".") + ".")
	if err != nil {
		return nil, 0, err
	}
	q := dnsmessage.Question{Name: name, Type: kind, Class: dnsmessage.ClassINET}
	// ID 0, as RFC 8484, 4.1 wants it for caches.
	msg := dnsmessage.Message{Header: dnsmessage.Header{RecursionDesired: true}, Questions: []dnsmessage.Question{q}}
	wire, err := msg.Pack()
	if err != nil {
		return nil, 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(wire))
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Content-Type", "application/dns-message")
	req.Header.Set("Accept", "application/dns-message")
	req.Header["Idempotency-Key"] = nil // lets the transport repeat it where its connection had died; not sent
	resp, err := r.pool.RoundTrip(req)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, 0, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("%s answered %d", req.URL.Host, resp.StatusCode)
	}
	return readAnswer(body, q)
}

// readAnswer takes the addresses out of an answer to q. Names in between are
// the resolver's business: whatever address is in the answer is meant.
func readAnswer(wire []byte, q dnsmessage.Question) ([]netip.Addr, time.Duration, error) {
	var p dnsmessage.Parser
	h, err := p.Start(wire)
	if err != nil {
		return nil, 0, fmt.Errorf("not a DNS answer: %w", err)
	}
	questions, err := p.AllQuestions()
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("not a DNS answer: %w", err)
	case !h.Response || len(questions) != 1 || questions[0].Type != q.Type || !strings.EqualFold(questions[0].Name.String(), q.Name.String()):
		return nil, 0, errors.New("a DNS answer to another question")
	case h.RCode == dnsmessage.RCodeNameError:
		return nil, 0, nil
	case h.RCode != dnsmessage.RCodeSuccess:
		return nil, 0, fmt.Errorf("the resolver answered %s", h.RCode)
	}
	var out []netip.Addr
	ttl := poisonFor
	for {
		rec, err := p.Answer()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return out, ttl, nil
		}
		if err != nil {
			return nil, 0, fmt.Errorf("not a DNS answer: %w", err)
		}
		var a netip.Addr
		switch b := rec.Body.(type) {
		case *dnsmessage.AResource:
			a = netip.AddrFrom4(b.A)
		case *dnsmessage.AAAAResource:
			a = netip.AddrFrom16(b.AAAA).Unmap()
		default:
			continue
		}
		if kindOf(a) != nowhere { // what resolvers that block say
			out = append(out, a)
			ttl = min(ttl, time.Duration(rec.Header.TTL)*time.Second)
		}
	}
}

// byDoH connects to the addresses that fetch.doh knows and the system does not;
// why is what those of the system failed with. Without success it returns an
// error that says both.
func (e *Egress) byDoH(ctx context.Context, p *plan, d destination, ready handshake, why error) (net.Conn, error) {
	host, port := splitHostPort(d.addr, "")
	fail := func(err error) (net.Conn, error) { return nil, joined(host, []error{why, err}) }
	n, err := parsePort(ctx, d.network, port)
	if err != nil {
		return fail(err)
	}
	addrs, ttl, err := p.doh.lookup(ctx, host, e.now())
	if err != nil {
		e.once("doh "+host, "fetch.doh does not help", "host", host, "err", &oneLineError{err})
		return fail(err)
	}
	known, _ := e.resolve(ctx, host, n)
	var list []candidate
	for _, c := range interleave(addrs, n) {
		c.doh = true
		if !slices.ContainsFunc(known, func(k candidate) bool { return k.AddrPort == c.AddrPort }) && guardOf(ctx).refuses(host, c) == nil {
			list = append(list, c)
		}
	}
	if len(list) == 0 {
		return fail(errors.New("fetch.doh knows no other address"))
	}
	c, err := e.race(ctx, d, list, connectTimeout, ready)
	if err != nil {
		return fail(err)
	}
	var good []netip.Addr
	for _, c := range list {
		good = append(good, c.Addr())
	}
	e.poison.cured(host, good, "", ttl)
	e.once("doh "+host, "the system's addresses of a name do not serve; using those that fetch.doh knows", "host", host, "err", &oneLineError{why})
	return c, nil
}

// cutOff reports whether a dial failed by a reset, an early end or silence, and
// not for want of a network.
func cutOff(err error) bool {
	var timeout net.Error
	var record tls.RecordHeaderError
	return isReset(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &record) ||
		errors.As(err, &timeout) && timeout.Timeout()
}
