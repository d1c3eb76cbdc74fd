package daemon

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"pulley/internal/handover"
	"pulley/proxy/registry"
)

// glance is between two looks whether something is over.
const glance = 50 * time.Millisecond

// leaveAtMost is how long a daemon that handed over serves what it had accepted. A tunnel that is still used then is cut.
const leaveAtMost = 12 * time.Hour

// takeover is what a daemon has from the one before it.
type takeover struct {
	peer     *handover.Peer
	given    handover.Given // what nobody has taken out of it yet
	unwanted handover.Given // what is not for us, and closed once we serve
	patience time.Duration  // for a cache that the one before us still has
}

func (t *takeover) close() {
	t.given.Close()
	t.unwanted.Close()
	if t.peer != nil {
		t.peer.Close()
	}
}

// tale is an event as it goes from one daemon to the next.
type tale struct {
	registry.Event
	Passed bool   `json:"passed,omitempty"`
	Unkept string `json:"unkept,omitempty"`
}

// hear takes up what the daemon tells that we took over from, and in the end what it left.
func (d *Daemon) hear(ctx context.Context) error {
	if d.take.peer == nil {
		return nil
	}
	defer context.AfterFunc(ctx, d.take.peer.Close)()
	err := d.take.peer.Hear(func(m json.RawMessage) {
		var t tale
		if json.Unmarshal(m, &t) == nil {
			t.Event.Passed, t.Event.Unkept = t.Passed, t.Unkept
			d.record(t.Event)
		}
	})
	if ctx.Err() != nil {
		return nil
	}
	d.opt.Log.Info("the daemon that handed over has finished", "err", err)
	if d.cacheErr == nil {
		d.cache.Adopt()
	}
	d.moved()
	return nil
}

// teller is who hears of events in place of this daemon.
type teller interface {
	Tell(v any) error
	Close()
}

// hand is what becomes of a daemon's events from the moment it begins to hand over.
type hand struct {
	busy sync.Mutex // one at a time

	mu      sync.Mutex
	news    sync.Cond // of mu
	begun   bool
	to      teller // nil: it is not over yet
	alone   bool   // nobody hears any more
	closed  bool
	pending []registry.Event
	untend  context.CancelFunc
	limit   *time.Timer
	told    sync.WaitGroup
}

// until is a context that ends with ctx, or when the daemon has handed over.
func (h *hand) until(ctx context.Context) (context.Context, context.CancelFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ctx, h.untend = context.WithCancel(ctx)
	return ctx, h.untend
}

// gone reports whether another daemon is the one now.
func (h *hand) gone() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.to != nil
}

// keep takes an event that is, or may soon be, another daemon's.
func (h *hand) keep(e registry.Event) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.begun || h.alone {
		return false
	}
	h.pending = append(h.pending, e)
	if h.to != nil {
		h.news.Broadcast()
	}
	return true
}

func (h *hand) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.begun = true
}

// fail says that nothing came of it, and returns what has happened meanwhile.
func (h *hand) fail() []registry.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	events := h.pending
	h.begun, h.pending = false, nil
	return events
}

// leave says that it is over: end is called when what is left takes too long.
func (h *hand) leave(to teller, end func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.news.L = &h.mu
	h.to = to
	h.limit = time.AfterFunc(leaveAtMost, end)
	if h.untend != nil {
		h.untend()
	}
	h.told.Go(h.tell)
}

// tell tells what happens, until close.
func (h *hand) tell() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		for len(h.pending) == 0 {
			if h.closed {
				return
			}
			h.news.Wait()
		}
		e := h.pending[0]
		h.pending = h.pending[1:]
		h.mu.Unlock()
		err := h.to.Tell(tale{e, e.Passed, e.Unkept})
		h.mu.Lock()
		if err != nil {
			h.alone = true
			return
		}
	}
}

// close tells what is left and says good-bye.
func (h *hand) close() {
	h.mu.Lock()
	h.closed = true
	to := h.to
	if to != nil {
		h.limit.Stop()
		h.news.Broadcast()
	}
	h.mu.Unlock()
	if to != nil {
		h.told.Wait()
		to.Close()
	}
}

// finish waits for what goes on beside the connections of a port that was left.
func (d *Daemon) finish(ctx context.Context, asked <-chan struct{}) {
	select {
	case <-asked:
	case <-ctx.Done():
	}
	ticks := time.NewTicker(glance)
	defer ticks.Stop()
	for len(d.handler.Active()) > 0 {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
	}
}
