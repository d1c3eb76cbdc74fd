package source

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"pulley/internal/cause"
)

// A mirror of which nothing is known on this network is asked for a sign of
// life, /v2/, before a pull has to find out; once in probeEvery at most, since
// operators ban who probes more.
const (
	probeEvery = 6 * time.Hour
	probeLimit = 10 * time.Second
)

// wonder has those probed that nothing is known of, if [Set.Run] runs.
func (s *Set) wonder(list []*Place) {
	now := s.now()
	for _, p := range list {
		if p.shared != nil { // it looks after itself
			continue
		}
		if v := s.health.peek(p.key); v.rate > 0 || v.first > 0 || now.Sub(v.probed) < probeEvery {
			continue
		}
		if n, _, _ := p.alone(); n == 0 {
			continue
		}
		s.health.mu.Lock()
		v := s.health.of(p.key)
		due := now.Sub(v.probed) >= probeEvery
		if due {
			v.probed, s.health.dirty = now, true
		}
		s.health.mu.Unlock()
		if !due {
			continue
		}
		select {
		case s.curious <- p:
		default: // nobody runs it, or there is a queue: the first pull will tell
		}
	}
}

// probe asks for a sign of life: that there is a registry, not that it lets
// anybody in.
func (s *Set) probe(ctx context.Context, p *Place) {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	took, err := p.ping(ctx)
	switch {
	case err == nil:
		s.health.answered(p.key, took)
	case ctx.Err() != nil && context.Cause(ctx) != context.DeadlineExceeded: //nolint:errorlint // the cause itself
	default:
		s.health.trip(p.key, strip(err), cause.Of(err))
		s.log.Info("mirror does not answer", "registry", p.reg.Name, "mirror", p.Name(), "err", strip(err))
	}
}

// ping sends GET /v2/ with no credentials.
func (p *Place) ping(ctx context.Context) (time.Duration, error) {
	if p.shared != nil {
		return p.shared.Ping(ctx)
	}
	hold, err := p.enter(0, 0)
	if err != nil {
		return 0, err
	}
	defer hold.leave(0)
	resp, err := p.at.send(ctx, Req{Method: http.MethodGet, Path: "/v2/"}, "")
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	took := time.Duration(0)
	if b, ok := resp.Body.(*body); ok {
		took = b.took
	}
	drain(resp)
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusUnauthorized {
		return took, fmt.Errorf("%s answers %d", p.at.host, resp.StatusCode)
	}
	return took, nil
}
