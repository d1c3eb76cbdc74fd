package egress

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// silentFor is how long an address may keep us waiting while another is left.
// Registries that are well answer in tenths of a second; some mirrors think for
// several before the first byte of a blob.
const silentFor = 10 * time.Second

// maxTries bounds the addresses that one request is sent to.
const maxTries = 16

// A transport sends a registry's requests, over again to the next address where
// an address fails before it has answered.
type transport struct {
	e    *Egress
	pool *http.Transport
}

// RoundTrip is http.RoundTripper's.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	trail := trailOf(ctx)
	if !repeatable(req) {
		if trail != nil {
			ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
				if l := legOf(i.Conn); l != nil {
					trail.took(l.way)
				}
			}})
			req = req.WithContext(ctx)
		}
		return t.pool.RoundTrip(req)
	}
	tried := &tries{}
	ctx = withTries(ctx, tried)
	var errs []error
	for {
		s := &shot{e: t.e, host: req.URL.Hostname(), tried: tried, trail: trail}
		resp, err := t.pool.RoundTrip(req.WithContext(httptrace.WithClientTrace(ctx, s.trace())))
		l, silent := s.end()
		switch {
		case err == nil:
			return resp, nil
		case ctx.Err() != nil:
			return nil, err
		case l == nil: // it did not come to a connection
			if !errors.Is(err, errNoneLeft) || len(errs) == 0 {
				errs = append(errs, err)
			}
			return nil, together(req.URL.Hostname(), errs)
		case silent != nil:
			err = silent
		default:
			s.failed(l, err)
		}
		errs = append(errs, fmt.Errorf("%s: %w", l.key, err))
		if !l.othersLeft(tried) || len(errs) >= maxTries {
			return nil, together(req.URL.Hostname(), errs)
		}
	}
}

// together is one error for all that was tried; a single one stays as it is.
func together(host string, errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return joined(host, errs)
}

// repeatable reports whether a request may be sent a second time.
func repeatable(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && (r.Body == nil || r.Body == http.NoBody)
}

// A shot is one request on its way to one address; the pool may put it on
// several connections, one after another, while they turn out to be dead.
type shot struct {
	e     *Egress
	host  string
	tried *tries
	trail *Trail

	mu       sync.Mutex
	leg      *leg
	timer    *time.Timer
	answered bool
	silent   error // why leg was given up, if it was for that
}

func (s *shot) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{GotConn: s.gotConn, GotFirstResponseByte: s.gotByte}
}

func (s *shot) gotConn(i httptrace.GotConnInfo) {
	l := legOf(i.Conn)
	if l == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
	s.leg, s.silent = l, nil
	s.trail.took(l.way)
	switch {
	case s.tried.has(l.key):
		// The pool has more connections to an address that has failed us, and no
		// way to be told. Closing this one makes it go on to the next, or dial.
		_ = l.Close()
	case l.othersLeft(s.tried):
		s.timer = time.AfterFunc(s.e.silence, func() { s.giveUp(l) })
	}
}

func (s *shot) gotByte() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered = true
	s.stop()
}

// giveUp ends a request that waits on l.
func (s *shot) giveUp(l *leg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answered || s.leg != l || s.timer == nil {
		return
	}
	s.silent = fmt.Errorf("no answer within %s", s.e.silence)
	s.failed(l, s.silent)
	_ = l.Close()
}

// failed remembers that what l leads to did not answer.
func (s *shot) failed(l *leg, err error) {
	if l.at.IsValid() {
		s.e.sick.add(l.at)
	}
	s.tried.add(l.key)
	s.trail.gaveUp(s.host, l.way, err)
}

func (s *shot) stop() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}

// end returns the connection that was used last, and an error if that was given
// up for its silence.
func (s *shot) end() (*leg, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
	return s.leg, s.silent
}
