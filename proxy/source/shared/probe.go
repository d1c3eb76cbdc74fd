package shared

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// signText is what the object says that shows a store to be one of ours, and that
// it answers.
const signText = "a store of layers that several Pulleys share; see docs/design.md of Pulley\n"

// ErrProbeTimeout is what a store fails with that gives no sign of life.
var ErrProbeTimeout = errors.New("no answer within " + probeLimit.String())

// probe asks the store for a sign of life: the object that every store of ours has,
// which is made where it is not.
func (s *Store) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, probeLimit, ErrProbeTimeout)
	defer cancel()
	err := s.sign(ctx)
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil && problemOf(err) == "" {
		err = cause
	}
	if problemOf(err) != "" {
		s.creds.Expire() // they may have been corrected by the next time
	}
	return err
}

func (s *Store) sign(ctx context.Context) error {
	if err := s.learn(ctx); err != nil {
		return err
	}
	began := time.Now()
	_, code, err := s.get(ctx, marker)
	took := time.Since(began)
	write := true
	switch {
	case err != nil:
		return err
	case code == "":
	case missing(code), code == "AccessDenied":
		if write, err = s.make(ctx, code == "AccessDenied"); err != nil {
			return err
		}
	default:
		return plain(minio.ErrorResponse{Code: code})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took, s.heard, s.write = took, time.Now(), write
	return nil
}

// make puts the sign there, and reports whether it may. Whoever may not even do
// that and was refused to read it has no rights there at all.
func (s *Store) make(ctx context.Context, unread bool) (write bool, err error) {
	c, err := s.dial()
	if err != nil {
		return false, err
	}
	_, err = c.PutObject(ctx, s.opt.Store.Bucket, s.key(marker), strings.NewReader(signText), int64(len(signText)),
		minio.PutObjectOptions{ContentType: "text/plain", SendContentMd5: true})
	switch {
	case err == nil:
		return true, nil
	case codeOf(err) == "AccessDenied" && !unread:
		return false, nil
	}
	return false, unquoted(err)
}

// Ping asks for a sign of life now, for a person, and says how long it took.
func (s *Store) Ping(ctx context.Context) (time.Duration, error) {
	err := s.probe(ctx)
	s.settle(err)
	return s.Latency(), err
}

// missFor is how long it is remembered that the store has not something: a pull
// asks for it several times, and soon somebody may have put it there.
const (
	missFor   = 30 * time.Second
	maxMissed = 4096
)

// Missed reports whether the store said a moment ago that it has no such key.
func (s *Store) Missed(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Before(s.missed[key])
}

// Miss remembers that it has not.
func (s *Store) Miss(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.missed) >= maxMissed {
		clear(s.missed)
	}
	s.missed[key] = time.Now().Add(missFor)
}

// kept is that something was seen in the store, and what it said.
type kept struct {
	mark  string
	until time.Time
}

// thereFor is for how long the store is believed to have still what it had, when
// that is offered to it again.
const thereFor = 6 * time.Hour

// has remembers that the store has something.
func (s *Store) has(key, mark string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.missed, key)
	if len(s.there) >= maxMissed {
		clear(s.there)
	}
	s.there[key] = kept{mark, time.Now().Add(thereFor)}
}

// hasIt reports whether it was seen there.
func (s *Store) hasIt(key, mark string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.there[key]
	return ok && k.mark == mark && time.Now().Before(k.until)
}
