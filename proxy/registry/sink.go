package registry

import (
	"context"
	"errors"

	"pulley/cache"
	"pulley/proxy/fetch"
)

// sink lets a fetch write into a fill; neither package knows the other.
type sink struct{ *cache.Fill }

func (s sink) Claim(ctx context.Context) (fetch.Claim, error) {
	c, err := s.Fill.Claim(ctx)
	switch {
	case errors.Is(err, cache.ErrIdle):
		return nil, fetch.ErrIdle
	case errors.Is(err, cache.ErrComplete):
		return nil, fetch.ErrComplete
	case err != nil:
		return nil, err
	}
	return claim{c}, nil
}

func (s sink) Provenance() []fetch.Part {
	var list []fetch.Part
	for _, p := range s.Fill.Provenance() {
		list = append(list, fetch.Part(p))
	}
	return list
}

func (s sink) Commit() error {
	err := s.Fill.Commit()
	var wrong *cache.DigestError
	if errors.As(err, &wrong) {
		return wrongDigestError{wrong}
	}
	return err
}

// wrongDigestError is the cache's error for a fetch.
type wrongDigestError struct{ *cache.DigestError }

func (e wrongDigestError) Unwrap() []error { return []error{e.DigestError, fetch.ErrDigest} }

type claim struct{ *cache.Claim }

func (c claim) Range() (off, end int64) {
	off = c.Pos()
	left := c.Remaining()
	if left < 0 {
		return off, -1
	}
	return off, off + left
}

func (c claim) Write(p []byte) (int, error) {
	n, err := c.Claim.Write(p)
	if errors.Is(err, cache.ErrStop) {
		err = fetch.ErrStop
	}
	return n, err
}
