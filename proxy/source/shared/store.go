// Package shared is the store on S3-compatible object storage that a team's
// machines have in common: its keys, its requests signed on this machine, whether
// it can be asked now, and what is put into it behind the pulls.
//
// A [Store] is asked for nothing by a pull unless it answered a moment ago: whether
// it does is found out beside the pulls, so that a store that is gone costs them no
// time. What it gives is proved by whoever asks, as with any mirror.
//
// It must not know registries, the cache or what a client may have. Credentials
// come from where Amazon's own tools look for them, are put into a header of each
// request by this package, and are in nothing that it returns, logs or fails with.
package shared

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"pulley/internal/config"
)

// Options of New. Store and Transport must be set.
type Options struct {
	Store     config.SharedStore
	Transport func() http.RoundTripper // asked for each request
	Rate      func() int64             // bytes a second that uploads keep under, 0 for any; nil: any
	Busy      func() bool              // downloads are going on, which come first; nil: never
	Changed   func()                   // called when Why or Problem says something else; nil: not
	Log       *slog.Logger             // nil discards
}

// Store is one bucket, or a folder of one. It is safe for concurrent use. It does
// nothing until it is run.
type Store struct {
	opt   Options
	creds *credentials.Credentials
	wake  chan struct{} // something is wanted of it
	queue queue
	log   *slog.Logger

	mu     sync.Mutex
	client *minio.Client
	base   *url.URL // of the bucket, with the path's last "/"
	region string
	value  credentials.Value // of the last probe
	ready  bool
	write  bool
	heard  time.Time // when it last answered
	asked  time.Time // when somebody last looked for it
	why    string    // it is not ready
	refuse string    // what a person has to see to
	took   time.Duration
	missed map[string]time.Time
	there  map[string]kept // what was seen in it
}

// New makes a Store.
func New(o Options) *Store {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Rate == nil {
		o.Rate = func() int64 { return 0 }
	}
	if o.Busy == nil {
		o.Busy = func() bool { return false }
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	s := &Store{
		opt: o, log: o.Log, creds: chain(), wake: make(chan struct{}, 1), missed: map[string]time.Time{}, there: map[string]kept{},
		why: "it has not been tried yet", asked: time.Now(),
	}
	s.queue.init()
	return s
}

// Run finds out, again and again, whether the store can be asked, and fills it,
// until ctx ends; then it returns nil. What waits to be put into it is forgotten.
func (s *Store) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for range uploads {
		wg.Go(func() { s.fill(ctx) })
	}
	s.watch(ctx)
	wg.Wait()
	return nil
}

// Host is the host[:port] that requests go to, for a person; Amazon's own if the
// settings name none.
func (s *Store) Host() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.base != nil {
		return s.base.Host
	}
	u := s.endpoint()
	return u.Host
}

// Secure reports whether it is reached over TLS.
func (s *Store) Secure() bool { return s.opt.Store.Secure() }

// String is the store as the settings have it; it holds no secret.
func (s *Store) String() string { return s.opt.Store.String() }

// Why says why it cannot be asked now, "" if it can. To ask counts as wanting it.
func (s *Store) Why() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	idle := now.Sub(s.asked) > idleAfter
	s.asked = now
	switch {
	case !s.ready:
		if idle {
			s.poke()
		}
		return s.why
	case now.Sub(s.heard) > stale: // the machine slept, or nobody wanted it
		s.poke()
		return "it is being asked whether it is there"
	}
	return ""
}

// Problem is what a person has to see to: credentials that are missing or refused.
// "" if there is nothing.
func (s *Store) Problem() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refuse
}

// Latency is how long the last sign of life took, 0 if there was none.
func (s *Store) Latency() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.took
}

// Answered tells that a request for a key was answered with what it stands for.
func (s *Store) Answered(key string) {
	s.mu.Lock()
	s.heard = time.Now()
	s.mu.Unlock()
	s.has(key, "")
}

// Suspect tells that a request failed: nothing more is asked of the store until it
// has given a sign of life, for which it is asked at once.
func (s *Store) Suspect(why string) {
	s.mu.Lock()
	changed := s.ready
	s.ready = false
	if changed {
		s.why = why
	}
	s.poke()
	s.mu.Unlock()
	if changed {
		s.opt.Changed()
	}
}

// poke has watch look now.
func (s *Store) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

const (
	// probeEvery is how often a store that is in use is asked for a sign of life.
	probeEvery = 20 * time.Second
	// stale is for how long one counts.
	stale = time.Minute
	// idleAfter is when nobody needs to know any more.
	idleAfter = 10 * time.Minute
	// probeLimit is how long one may take.
	probeLimit = 5 * time.Second
	// The pauses of a store that gives none double between these.
	firstPause = time.Second
	mostPause  = time.Minute
)

// watch probes the store until ctx ends.
func (s *Store) watch(ctx context.Context) {
	pause := time.Duration(0)
	for {
		err := s.probe(ctx)
		if ctx.Err() != nil {
			return
		}
		s.settle(err)
		wait := probeEvery
		if err != nil {
			pause = min(max(2*pause, firstPause), mostPause)
			wait = pause
		} else {
			pause = 0
		}
		if !s.wait(ctx, wait, err != nil) {
			return
		}
	}
}

// wait waits so long, and on until somebody wants the store; false: ctx has ended.
// A store that is in order is asked at once when it is doubted; one that is not
// keeps its pause.
func (s *Store) wait(ctx context.Context, d time.Duration, down bool) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	wake := s.wake
	if down {
		wake = nil
	}
	select {
	case <-ctx.Done():
		return false
	case <-wake:
		return true
	case <-t.C:
	}
	s.mu.Lock()
	idle := time.Since(s.asked) > idleAfter
	s.mu.Unlock()
	if !idle {
		return true
	}
	select {
	case <-ctx.Done():
		return false
	case <-s.wake:
		return true
	}
}

// settle takes down what a probe said.
func (s *Store) settle(err error) {
	s.mu.Lock()
	was, had := s.ready, s.refuse
	s.ready, s.why, s.refuse = err == nil, "", ""
	if err != nil {
		s.why = err.Error()
		s.refuse = problemOf(err)
	}
	now := s.refuse
	s.mu.Unlock()
	switch {
	case now != "" && now != had:
		s.log.Warn("shared store is not used", "store", s.String(), "why", now)
	case err != nil && was:
		s.log.Info("shared store does not answer", "store", s.String(), "why", err)
	case err == nil && !was:
		s.log.Info("shared store answers", "store", s.String())
		s.queue.stir()
	}
	if was != (err == nil) || had != now {
		s.opt.Changed()
	}
}
