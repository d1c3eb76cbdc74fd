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

	from, to int64 // what it asks for; to -1: the end
	follows  bool  // what is in front of that is there or under way
	wrote    bool  // a byte came that nobody had; work's own, as are the next two
	led      bool  // it has brought leadBytes
	stuck    bool  // it sent all that there was already, and not one byte more

	watchers sync.WaitGroup
	freed    chan struct{} // closed when the claim is let go
	next     chan Claim    // see offer

	// Guarded by mu.
	asks     bool      // it has asked for a range and waits for the answer
	claim    Claim     // nil while it waits for another
	queue    []Claim   // which it goes on with, each where the one before ends
	reach    int64     // it may go on up to here, -1 the end
	offered  bool      // it waits
	at       int64     // … for a claim from that byte on
	exactly  bool      // … and no other
	slow     time.Time // since when it is far slower than another
	squeezed bool      // its claim was cut for the sake of another
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
	off, end := claim.Range()
	w.follows = !w.loose && r.sink.Size() < 0 && r.follows(off)
	r.mu.Lock()
	w.hold(claim)
	w.ask(off, end)
	w.reach = w.to
	if c.over != nil {
		c.over.bound(off)
		if c.over.offered && c.over.exactly {
			c.over.home()
		}
	}
	if c.vain > 0 {
		r.wasted += c.vain
		r.grain = max(c.grain, minChunk)
	}
	c.peer.conns++
	r.workers[w] = struct{}{}
	r.opened = now
	r.mu.Unlock()
	r.wg.Go(w.work)
}

// follows reports whether bytes are there or under way up to off.
func (r *run) follows(off int64) bool {
	for _, p := range r.sink.Provenance() {
		if p.End == off {
			return true
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for w := range r.workers {
		if w.claim == nil {
			continue
		}
		if _, end := w.claim.Range(); end == off {
			return true
		}
	}
	return false
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

// letGo gives back all that the worker has.
func (w *worker) letGo() {
	w.mu.Lock()
	back := w.drop()
	w.mu.Unlock()
	back()
}

// drop takes from the worker all that it has; back gives it back. Needs mu, which
// back must not have.
func (w *worker) drop() (back func()) {
	claim, freed, queue := w.claim, w.freed, w.queue
	w.claim, w.freed, w.queue = nil, nil, nil
	return func() {
		if claim != nil {
			close(freed)
			claim.Release()
		}
		for _, c := range queue {
			c.Release()
		}
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
	if rate, ok := w.meter.end(now); ok && !errors.Is(cause, errMoved) {
		p.observed(rate)
	}
	switch {
	case err == nil, errors.Is(err, ErrStop):
		p.served(n)
		w.grain += w.grain / 8
		return nil, nil
	case w.run.ctx.Err() != nil, errors.Is(err, errRanges),
		errors.Is(cause, errRerouted), errors.Is(cause, errMoved), errors.Is(cause, errUnwanted):
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
	w.lost(p, v, err, w)
	if v == ending {
		fatal = err
	}
	return err, fatal
}

// fetch opens the source and writes what comes. Nil: the claim is written to its
// end, or what is left of it is wanted from somebody else.
func (w *worker) fetch() error {
	p, claim := w.peer, w.claim
	off, _ := claim.Range()
	withhold := !p.src.Proven() && !p.src.Origin()
	claim.From(p.src.Name(), withhold)
	b, err := p.src.Open(w.ctx, w.from, w.to)
	w.heard(b)
	if err != nil {
		return w.refused(err, off)
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
		w.stuck = !w.wrote && at < off && b.Start+w.meter.bytes.Load() == off
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

// ask says which bytes to open. The whole blob needs no Range, so none is sent; it
// is also what to ask for where ranges are not served. Needs mu.
func (w *worker) ask(off, end int64) {
	w.from, w.to = off, end
	switch {
	case w.peer.whole:
		w.from, w.to = 0, -1
	case off == 0 && end >= 0 && end == w.sink.Size():
		w.to = -1
	}
	if w.asks = w.from > 0 || w.to >= 0; w.asks {
		w.peer.asking++
	}
}

// heard notes that the request was answered, by a body or an error (nil).
func (w *worker) heard(b *source.Body) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.peer
	if w.asks {
		p.asking--
		w.asks = false
		if b != nil && b.Ranged && !p.ranged {
			p.ranged = true
			w.release(p)
		}
	}
	if b == nil {
		return
	}
	d := time.Since(w.meter.begun)
	if p.first > 0 {
		d = (3*p.first + d) / 4
	}
	p.first = max(d, 1)
	p.whole = p.whole || !b.Ranged
}

// begins looks at an answer.
func (w *worker) begins(b *source.Body, off int64) error {
	if b.Start > off {
		return &source.LieError{Host: b.Host, Why: fmt.Sprintf("it begins at %d instead of %d", b.Start, off)}
	}
	if b.Total >= 0 {
		if err := w.sized(b.Total, b.Host); err != nil {
			return err
		}
	}
	w.mu.Lock()
	if w.answered.IsZero() {
		w.answered = time.Now()
	}
	alone := w.peer.conns == 1
	w.mu.Unlock()
	if !b.Ranged && off > b.Start && (!alone || w.rangesElsewhere()) {
		return errRanges
	}
	w.widen(w)
	w.mu.Lock()
	w.stir()
	w.mu.Unlock()
	return nil
}

func (w *worker) rangesElsewhere() bool {
	opts := w.look()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.meet(opts) {
		if o.peer != w.peer && !o.whole && o.able() {
			return true
		}
	}
	return false
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
		if origin {
			w.falseSize()
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

// refused looks at an error that says more than itself: a 416 at the end of a blob
// whose size nobody had told, or beyond it, where we asked on because a hint said
// so, or one of the origin's with another size than the one that was told.
func (w *worker) refused(err error, off int64) error {
	var status *source.StatusError
	if errors.As(err, &status) && status.Status == http.StatusRequestedRangeNotSatisfiable &&
		w.sink.Size() < 0 && off > 0 && (w.follows && status.Size > 0 && status.Size <= off || w.to < 0 && status.Size == off) {
		return w.sized(status.Size, status.Host)
	}
	if known := w.sink.Size(); status != nil && status.Status == http.StatusRequestedRangeNotSatisfiable &&
		w.peer.src.Origin() && status.Size >= 0 && known >= 0 && status.Size != known {
		return w.sized(status.Size, status.Host) // it takes back what it, or somebody else, said
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
