package source

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"pulley/internal/cause"
)

// spoke takes an answer's status into the mirror's health; see heard.
func (p *Place) spoke(ctx context.Context, resp *http.Response) {
	if b, ok := resp.Body.(*body); ok && resp.StatusCode/100 == 2 {
		p.set.health.answered(p.key, b.took)
	}
	if resp.StatusCode >= 400 {
		h := *resp
		h.Body = http.NoBody
		p.heard(ctx, p.at.Fail(&h))
	}
}

// heard takes an error into the place's health. What an origin says no to is
// the asker's business; a mirror that says so to everything is none.
func (p *Place) heard(ctx context.Context, err error) {
	var s *StatusError
	var u *UnusableError
	switch {
	case err == nil, errors.As(err, &u):
		p.set.health.abandon(p.key)
	case ctx.Err() != nil && !errors.Is(context.Cause(ctx), ErrHeaderTimeout):
		p.set.health.abandon(p.key)
	case !errors.As(err, &s):
		p.set.health.failed(p.key, strip(err), cause.Of(err))
		p.doubt(strip(err))
	case s.Status == http.StatusTooManyRequests, s.Status == http.StatusServiceUnavailable && s.RetryAfter > 0:
		p.set.health.abandon(p.key)
		wait := s.RetryAfter
		if wait == 0 {
			wait = defaultRest
		}
		p.set.health.rest(p.operator(), wait, fmt.Sprintf("%s answers %d", s.Host, s.Status))
	case s.Status == http.StatusNotFound && !s.Elsewhere, s.Status == http.StatusRequestedRangeNotSatisfiable:
		p.set.health.succeeded(p.key)
	case s.Definite() && p.mirror == nil:
		p.set.health.succeeded(p.key)
	default:
		p.set.health.failed(p.key, strip(err), cause.Of(err))
		p.doubt(strip(err))
	}
}

// defaultRest is how long a place is left alone that says "too many requests"
// and not when to come again: the minute that limits are usually counted in.
const defaultRest = time.Minute

// strip is an error's text without the path of what was asked for.
func strip(err error) string {
	var s *StatusError
	if errors.As(err, &s) && s.Status != 0 {
		return fmt.Sprintf("%s answers %d", s.Host, s.Status)
	}
	text := err.Error()
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	return text
}

func statusOf(resp *http.Response, err error) int {
	var s *StatusError
	switch {
	case errors.As(err, &s):
		return s.Status
	case resp != nil:
		return resp.StatusCode
	}
	return 0
}
