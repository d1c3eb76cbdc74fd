package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"pulley/proxy/source"
)

// A worker is one connection to one source. It serves one claim, and those that
// follow if its source sends no ranges.
type worker struct {
	*run
	peer   *peer
	ctx    context.Context //nolint:containedctx // the connection's
	cancel context.CancelCauseFunc
	meter  meter
	loose  bool // its claim goes as far as it can

	watchers sync.WaitGroup
	freed    chan struct{} // closed when the claim is let go
	next     chan Claim    // see offer

	// Guarded by mu.
	claim    Claim // nil while it waits for another
	offered  bool  // it waits
	at       int64 // … for a claim from that byte on
	squeezed bool  // its claim was cut for the sake of another
}

// sinkError marks what a sink failed with.
type sinkError struct{ error }

func (e *sinkError) Unwrap() error { return e.error }

// Why a connection is given up.
var (
	errUnwanted = errors.New("the claim is not wanted any more")
	errRanges   = errors.New("it sends no ranges, and others do")
	errSlow     = errors.New("another one is faster")
)

// start opens a connection for a claim.
func (r *run) start(c choice, claim Claim) {
	now := time.Now()
	w := &worker{run: r, peer: c.peer, loose: r.portion(c, claim), next: make(chan Claim, 1)}
	w.ctx, w.cancel = context.WithCancelCause(r.ctx)
	w.meter.begun = now
	w.meter.wait(now)
	r.mu.Lock()
	w.hold(claim)
	c.peer.conns++
	r.workers[w] = struct{}{}
	r.opened = now
	r.mu.Unlock()
	r.wg.Go(w.work)
}

// hold makes the claim the worker's: it is given up when it is not wanted any
// more. Needs mu.
func (w *worker) hold(claim Claim) {
	freed := make(chan struct{})
	w.claim, w.freed = claim, freed
	w.watchers.Go(func() {
		select {
		case <-claim.Done():
		case <-freed:
		case <-w.ctx.Done():
		}
		select {
		case <-freed: // which closes Done too
		default:
			w.cancel(errUnwanted)
		}
	})
}

// letGo gives the claim back.
func (w *worker) letGo() {
	w.mu.Lock()
	claim, freed := w.claim, w.freed
	w.claim, w.freed = nil, nil
	w.mu.Unlock()
	if claim != nil {
		close(freed)
		claim.Release()
	}
}

// work serves what the worker was made for.
func (w *worker) work() {
	err := w.fetch()
	cause := context.Cause(w.ctx)
	w.cancel(nil)
	w.watchers.Wait()
	failed, fatal := w.settle(err, cause)
	if failed != nil {
		w.Log.Debug("a connection failed", "source", w.peer.src.Name(), "err", failed)
		w.sources.Failed(w.peer.src, failed)
	}
	if fatal != nil {
		w.fail(fatal)
	}
	w.letGo()
	w.mu.Lock()
	w.stir()
	w.mu.Unlock()
}

// settle notes what the connection has ended with, and says what is its source's
// failure and what ends the run.
func (w *worker) settle(err, cause error) (failed, fatal error) {
	now := time.Now()
	p, n := w.peer, w.meter.bytes.Load()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.workers, w)
	p.conns--
	if rate, ok := w.meter.end(now); ok {
		p.observed(rate)
	}
	switch {
	case err == nil, errors.Is(err, ErrStop):
		p.served(n)
		return nil, nil
	case w.run.ctx.Err() != nil, errors.Is(err, errRanges),
		errors.Is(cause, errRerouted), errors.Is(cause, errUnwanted):
		return nil, nil
	case errors.Is(cause, errSlow):
		p.shun = now.Add(firstShun)
		return nil, nil
	case errors.Is(cause, ErrStalled):
		err = fmt.Errorf("%s: %w", p.src.Name(), ErrStalled)
	}
	var sink *sinkError
	if errors.As(err, &sink) {
		return nil, sink.error
	}
	v := judge(p, err)
	w.lost(p, v, err, w.meter.begun, n > 0)
	if v == ending {
		fatal = err
	}
	return err, fatal
}

// fetch opens the source and writes what comes. Nil: the claim is written to its
// end, or what is left of it is wanted from somebody else.
func (w *worker) fetch() error {
	p, claim := w.peer, w.claim
	off, end := claim.Range()
	if end >= 0 && off >= end {
		return nil
	}
	withhold := !p.src.Proven() && !p.src.Origin()
	claim.From(p.src.Name(), withhold)
	b, err := p.src.Open(w.ask(off, end))
	if err != nil {
		return w.refused(err, off, end)
	}
	defer func() { _ = b.Close() }()
	if err := w.begins(b, off); err != nil {
		return err
	}
	s := w.reader(w.ctx, b, p.src, func() { w.cancel(ErrStalled) })
	s.meter = &w.meter
	defer s.close()
	for at := b.Start; ; {
		err = w.copy(s, claim, off-at)
		if errors.Is(err, io.EOF) {
			err = w.ends(b, claim)
		}
		if err != nil {
			return err
		}
		at, _ = claim.Range()
		if claim = w.another(b, at); claim == nil {
			return nil
		}
		claim.From(p.src.Name(), withhold)
		off, _ = claim.Range()
	}
}

// ask says which bytes to open: all from off on where no end needs to be named,
// so that from 0 on no Range is sent, and everything where ranges are not served.
func (w *worker) ask(off, end int64) (ctx context.Context, from, to int64) {
	w.mu.Lock()
	whole := w.peer.whole
	w.mu.Unlock()
	switch {
	case whole:
		return w.ctx, 0, -1
	case end >= 0 && end == w.sink.Size():
		return w.ctx, off, -1
	}
	return w.ctx, off, end
}

// begins looks at an answer.
func (w *worker) begins(b *source.Body, off int64) error {
	p := w.peer
	if b.Start > off {
		return &source.LieError{Host: b.Host, Why: fmt.Sprintf("it begins at %d instead of %d", b.Start, off)}
	}
	if b.Total >= 0 {
		if err := w.sized(b.Total, b.Host); err != nil {
			return err
		}
	}
	others := false
	if !b.Ranged && off > b.Start {
		for _, o := range w.look() {
			others = others || o.peer != p && !o.whole && o.able()
		}
	}
	w.mu.Lock()
	d := time.Since(w.meter.begun)
	if p.first > 0 {
		d = (3*p.first + d) / 4
	}
	p.first = max(d, 1)
	p.whole = p.whole || !b.Ranged
	w.answered = true
	w.mu.Unlock()
	if others {
		return errRanges
	}
	w.widen(w)
	w.mu.Lock()
	w.stir()
	w.mu.Unlock()
	return nil
}

// sized tells the sink the size that the source says.
func (w *worker) sized(n int64, host string) error {
	origin := w.peer.src.Origin()
	known := w.sink.Size()
	if known < 0 && w.Hint > 0 && n != w.Hint && !origin {
		return &SizeError{host, n, fmt.Errorf("its manifest says %d", w.Hint)}
	}
	if err := w.sink.SetSize(n); err != nil {
		if w.sink.Size() == n {
			return &sinkError{err}
		}
		w.mu.Lock()
		by := w.sizedBy
		w.mu.Unlock()
		if origin && by != nil && !by.src.Origin() {
			w.sources.Lied(by.src, 0, w.sink.Size())
		}
		return &SizeError{host, n, err}
	}
	if known < 0 {
		w.mu.Lock()
		w.sizedBy = w.peer
		w.mu.Unlock()
	}
	return nil
}

// refused looks at an error that says more than itself: a 416 at the very end of
// a blob whose size nobody had told.
func (w *worker) refused(err error, off, end int64) error {
	var status *source.StatusError
	if errors.As(err, &status) && status.Status == http.StatusRequestedRangeNotSatisfiable && end < 0 && status.Size == off && off > 0 {
		return w.sized(off, status.Host)
	}
	return err
}

// ends judges a body that came to its end in good order. One that was announced as
// shorter than asked for, as where a quota ends, has done its part.
func (w *worker) ends(b *source.Body, claim Claim) error {
	now, end := claim.Range()
	if end < 0 {
		end = w.sink.Size()
	}
	switch {
	case end >= 0 && now >= end, b.Ranged && b.Length > 0 && now == b.Start+b.Length && now < end:
		return nil
	case end < 0: // nobody said how long it is, so this is how long
		return w.sized(now, b.Host)
	}
	return fmt.Errorf("%s: ends at %d instead of %d: %w", b.Host, now, end, io.ErrUnexpectedEOF)
}
