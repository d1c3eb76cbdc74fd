package fetch

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Run serves a sink's claims until the blob is committed (nil), a claim cannot be
// served (the origin's error if it was asked, else the last source's: a
// *source.StatusError, *SizeError, *source.LieError), the sink fails (its error;
// one that is ErrDigest when wrong bytes could not be repaired), nothing is wanted
// any more (ErrIdle), or ctx ends. When it returns, every claim is released and no
// connection is open. Bytes written stay the sink's: Run can be called again.
func Run(ctx context.Context, sources Sources, sink Sink, o Options) error {
	r := &run{
		Options: o.withDefaults(), sources: sources, sink: sink,
		peers: map[Source]*peer{}, workers: map[*worker]struct{}{}, news: make(chan struct{}),
		attempts: map[int]context.CancelCauseFunc{},
	}
	ctx, r.cancel = context.WithCancelCause(ctx)
	r.ctx = ctx
	moved := r.Line.next() // before anything is begun
	var minders sync.WaitGroup
	defer minders.Wait()
	minders.Go(func() { r.follow(moved) })
	minders.Go(r.mind)
	defer r.cancel(nil) // before the wait for them
	if err := r.gather(); err != nil {
		return err
	}
	return r.commit(ctx)
}

// run is one Run.
type run struct {
	Options
	sources Sources
	sink    Sink
	ctx     context.Context //nolint:containedctx // it ends what the run has started
	cancel  context.CancelCauseFunc
	wg      sync.WaitGroup // workers

	attempts  map[int]context.CancelCauseFunc // the connections of an inquiry; guarded by mu, as are those below
	attempted int                             // how many there were

	mu       sync.Mutex
	news     chan struct{} // closed at each change that a waiting claim may care about
	peers    map[Source]*peer
	workers  map[*worker]struct{}
	err      error     // the first that ends the run
	answered time.Time // when the first source began to answer; zero: none has
	starving time.Time // since when nothing is left to claim; zero: something is
	idle     bool      // nobody wants anything: no worker waits for more
	opened   time.Time // when the last connection was begun
	dry      time.Time // since when no source can be used; zero if one can
	wasted   float64   // bytes that were sent in vain, as far as we can tell
	grain    int64     // how long a claim may be lest it be cut for a reader; 0: any length
	sizedBy  *peer     // who told the size
	ender    string    // who brought the last byte of a blob whose digest does not fit
	last     error     // what a source failed with last
}

// gather brings all bytes: nil when they are there.
func (r *run) gather() error {
	err := r.dispatch()
	if err != nil {
		r.cancel(err)
	}
	r.dismiss()
	r.wg.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	return err
}

// dispatch hands claims to sources, one after the other.
func (r *run) dispatch() error {
	for {
		r.starve(time.Now())
		claim, err := r.sink.Claim(r.ctx)
		r.starve(time.Time{})
		switch {
		case errors.Is(err, ErrComplete):
			return nil
		case errors.Is(err, ErrIdle):
			// What is under way may still end in something wanted: a claim given
			// back, a reader that came meanwhile.
			if busy := r.dismiss(); !busy || r.ctx.Err() != nil {
				return ErrIdle
			}
			r.wg.Wait()
			r.mu.Lock()
			r.idle = false
			r.mu.Unlock()
			continue
		case r.ctx.Err() != nil:
			if err == nil {
				claim.Release()
			}
			return context.Cause(r.ctx)
		case err != nil:
			return err
		}
		if err := r.place(claim); err != nil {
			return err
		}
	}
}

// place finds a connection for a claim and starts it, or gives the claim back.
func (r *run) place(claim Claim) error {
	for waited := false; ; waited = true {
		c := r.choose(claim)
		switch {
		case c.err != nil:
			claim.Release()
			return c.err
		case waited && (c.peer != nil && c.over == nil || c.solo != nil && !c.exactly):
			claim.Release() // something else may be wanted more by now
			return nil
		case c.solo != nil:
			if c.solo.take(claim) {
				return nil
			}
			continue
		case c.onward != nil:
			if c.onward.goOn(claim) {
				return nil
			}
			continue
		case c.peer != nil:
			r.start(c, claim)
			return nil
		}
		t := time.NewTimer(c.wait)
		select {
		case <-c.news:
		case <-t.C:
		case <-claim.Done():
			t.Stop()
			claim.Release()
			return nil
		case <-r.ctx.Done():
			t.Stop()
			claim.Release()
			return context.Cause(r.ctx)
		}
		t.Stop()
	}
}

// fail ends the run, with the first error that it is called with.
func (r *run) fail(err error) {
	r.mu.Lock()
	if r.err == nil && r.ctx.Err() == nil {
		r.err = err
	}
	r.mu.Unlock()
	r.cancel(err)
}

// stir tells a claim that waits for a connection to look again. Needs mu.
func (r *run) stir() {
	close(r.news)
	r.news = make(chan struct{})
}

func (r *run) starve(since time.Time) {
	r.mu.Lock()
	r.starving = since
	r.mu.Unlock()
}

// dismiss sends the workers home that wait for a further claim, and reports
// whether there are others.
func (r *run) dismiss() (busy bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle = true
	for w := range r.workers {
		if w.offered {
			w.home()
		}
	}
	return len(r.workers) > 0
}

// follow gives up connections to sources that the list drops, and all of them when
// the network has changed.
func (r *run) follow(moved <-chan struct{}) {
	for {
		changed := r.sources.Changed()
		select {
		case <-changed:
			r.reroute()
		case <-moved:
			moved = r.Line.next()
			r.moved()
		case <-r.ctx.Done():
			return
		}
	}
}

// moved gives up all connections, which are to be made anew, and forgets how the
// sources did on another network.
func (r *run) moved() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for w := range r.workers {
		w.cancel(errMoved)
	}
	for _, cancel := range r.attempts {
		cancel(errMoved)
	}
	for _, p := range r.peers {
		p.forget()
	}
	r.dry, r.opened, r.grain = time.Time{}, time.Time{}, 0
	r.stir()
}

// reroute looks at the list anew: what comes from a source that is not on it, or
// not as near as one that can be used, is given up at once.
func (r *run) reroute() {
	opts := r.look()
	r.mu.Lock()
	defer r.mu.Unlock()
	opts = r.meet(opts)
	listed := map[*peer]int{}
	for _, o := range opts {
		listed[o.peer] = o.tier
	}
	tier, ok := lowest(ready(opts, time.Now()))
	for w := range r.workers {
		if t, on := listed[w.peer]; !on || ok && t > tier {
			w.cancel(errRerouted)
		}
	}
	r.stir()
}

// Why connections are given up that are nobody's fault.
var (
	errRerouted = errors.New("the route has changed")
	errMoved    = errors.New("the network has changed")
)

// size is how large the blob is, as far as anybody says; -1 if nobody does.
func (r *run) size() int64 {
	if n := r.sink.Size(); n >= 0 || r.Hint <= 0 {
		return n
	}
	return r.Hint
}

// wide reports whether the blob comes over several connections.
func (r *run) wide() bool {
	return r.Connections > 1 && r.size() >= r.RangeMin
}
