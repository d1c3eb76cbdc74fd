// Package fetch brings one blob from a source into a sink, whatever happens on
// the way: a connection that breaks is taken up at the byte where it stopped, a
// signed URL that runs out is asked for anew, an answer that is not the one
// asked for is not written.
//
// It knows neither what a sink does with bytes nor whose they are: a sink says
// which ranges it wants by handing out claims, and proves digests itself.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"pulley/proxy/source"
)

// A Source opens a blob at an offset, as [source.Ref] does. It may be opened
// several times at once.
type Source interface {
	Open(ctx context.Context, off, end int64) (*source.Body, error)
}

// A Sink takes a blob. It is used by several goroutines.
type Sink interface {
	// Size returns the blob's size, -1 if it is not known yet.
	Size() int64
	// SetSize tells the size. It fails if another one is known.
	SetSize(int64) error
	// Claim waits for a range that is wanted and that nobody has or fetches.
	// It fails with ErrIdle when nothing is wanted any more, ErrComplete when
	// everything is there, or ctx's error. Every claim is released once.
	Claim(ctx context.Context) (Claim, error)
}

// A Claim is a range that its holder alone writes, front to back.
type Claim interface {
	// Range returns the next byte to write and the end (exclusive), -1 for the
	// blob's end.
	Range() (off, end int64)
	// Write takes bytes. It fails with ErrStop when the rest is not wanted from
	// this claim any more.
	Write(p []byte) (int, error)
	// Release gives back what was not written.
	Release()
}

// What sinks and claims say, possibly wrapped.
var (
	ErrStop     = errors.New("not wanted any more")
	ErrIdle     = errors.New("nobody is waiting")
	ErrComplete = errors.New("complete")
)

// Options of [Run]. The zero value is usable.
type Options struct {
	// Connections is how many claims are fetched at once; 0 is 4.
	Connections int
	// StallTimeout is how long a body may stay silent before its connection is
	// given up; 0 is 30 s.
	StallTimeout time.Duration
	// Attempts is how many in a row may bring no byte; 0 is 4 before anything
	// came from this source, 10 after: what worked a moment ago is worth
	// waiting for through a change of network.
	Attempts int
	// MaxWait caps what a Retry-After can make us wait; one that asks for more
	// ends the fetch. 0 is 30 s.
	MaxWait time.Duration
	// Received, if set, is called with each number of bytes that came over the
	// network, by any of the goroutines.
	Received func(n int)
	Log      *slog.Logger // nil discards
}

func (o Options) withDefaults() Options {
	if o.Connections <= 0 {
		o.Connections = 4
	}
	if o.StallTimeout <= 0 {
		o.StallTimeout = 30 * time.Second
	}
	if o.MaxWait <= 0 {
		o.MaxWait = 30 * time.Second
	}
	if o.Received == nil {
		o.Received = func(int) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Run serves a sink's claims from a source until everything is there (nil), a
// claim cannot be served (that error: a *source.StatusError, *SizeError,
// *source.LieError, or what a claim's Write failed with), nothing is wanted any
// more (ErrIdle), or ctx ends. When it returns, every claim is released and no
// connection is open. Bytes written stay the sink's: Run can be called again.
func Run(ctx context.Context, src Source, sink Sink, o Options) error {
	r := &run{src: src, sink: sink, Options: o.withDefaults()}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	defer r.cancel(nil)
	err := r.serve() //nolint:contextcheck // r.ctx is made of ctx
	if err != nil {
		r.cancel(err)
	}
	r.workers.Wait()
	if first := r.failure(); first != nil {
		return first
	}
	return err
}

type run struct {
	Options
	src    Source
	sink   Sink
	ctx    context.Context
	cancel context.CancelCauseFunc

	workers sync.WaitGroup
	mu      sync.Mutex
	err     error // the first claim that could not be served
	came    bool  // a byte has arrived
}

// serve hands claims to workers, never more at once than there are slots.
func (r *run) serve() error {
	slots := make(chan struct{}, r.Connections)
	for {
		select {
		case slots <- struct{}{}:
		case <-r.ctx.Done():
			return context.Cause(r.ctx)
		}
		claim, err := r.sink.Claim(r.ctx)
		switch {
		case errors.Is(err, ErrComplete):
			return nil
		case errors.Is(err, ErrIdle):
			// What is under way may still end in something wanted: a claim given
			// back, a reader that came meanwhile.
			busy := len(slots) > 1
			<-slots
			r.workers.Wait()
			if !busy || r.ctx.Err() != nil {
				return ErrIdle
			}
			continue
		case r.ctx.Err() != nil:
			return context.Cause(r.ctx)
		case err != nil:
			return err
		}
		r.workers.Go(func() {
			defer func() { <-slots }()
			defer claim.Release()
			w := worker{run: r, claim: claim}
			if err := w.work(); err != nil {
				r.fail(err)
			}
		})
	}
}

func (r *run) fail(err error) {
	r.mu.Lock()
	if r.err == nil && r.ctx.Err() == nil {
		r.err = err
	}
	r.mu.Unlock()
	r.cancel(err)
}

func (r *run) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// A SizeError says that a source contradicts what is known of a blob's size.
type SizeError struct {
	Host string
	Size int64
	Err  error
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("%s: says the blob has %d bytes: %v", e.Host, e.Size, e.Err)
}

func (e *SizeError) Unwrap() error { return e.Err }
