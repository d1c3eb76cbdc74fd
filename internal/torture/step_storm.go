//go:build linux

package main

import (
	"context"
	"net/http"
	"time"

	"pulley/internal/hubtest"
)

// fault is one way for upstreams to fail. gentle: no pull may fail for it.
type fault struct {
	name   string
	gentle bool
	lying  bool
	long   bool // it takes half a minute to be noticed
	make   func(r *dice) hubtest.Faults
}

var faults = []fault{
	{name: "slow answers", gentle: true, make: func(r *dice) hubtest.Faults {
		return hubtest.Faults{Latency: time.Duration(50+r.IntN(250)) * time.Millisecond}
	}},
	{name: "slow bytes", gentle: true, make: func(*dice) hubtest.Faults { return hubtest.Faults{Bandwidth: 1 << 20} }},
	{name: "no ranges", gentle: true, make: func(*dice) hubtest.Faults { return hubtest.Faults{NoRange: true} }},
	{name: "no lengths", gentle: true, make: func(*dice) hubtest.Faults { return hubtest.Faults{Chunked: true} }},
	{name: "a blob cut once", gentle: true, make: func(r *dice) hubtest.Faults {
		return hubtest.Faults{Cut: hubtest.At(r.Int64N(300_000)), CutReset: r.IntN(2) == 0, First: 1}
	}},
	{name: "blobs cut", make: func(r *dice) hubtest.Faults {
		return hubtest.Faults{Cut: hubtest.At(r.Int64N(300_000)), CutReset: r.IntN(2) == 0}
	}},
	{name: "a blob stalls", long: true, make: func(r *dice) hubtest.Faults {
		return hubtest.Faults{Stall: hubtest.At(r.Int64N(100_000)), First: 1}
	}},
	{name: "wrong byte", lying: true, make: func(r *dice) hubtest.Faults {
		return hubtest.Faults{WrongByte: hubtest.At(r.Int64N(60_000)), First: 1 + r.IntN(4)}
	}},
	{name: "too short", lying: true, make: func(r *dice) hubtest.Faults { return hubtest.Faults{Length: -1 - r.Int64N(100)} }},
	{name: "too long", lying: true, make: func(r *dice) hubtest.Faults { return hubtest.Faults{Length: 1 + r.Int64N(100)} }},
	{name: "wrong content range", make: func(*dice) hubtest.Faults { return hubtest.Faults{ContentRange: "bytes 0-4/5"} }},
	{name: "server errors", make: func(r *dice) hubtest.Faults {
		return hubtest.Faults{Status: pick(r, []int{500, 502, 503, 504}), Kind: anyKind(r), First: r.IntN(6)}
	}},
	{name: "too many requests", make: func(r *dice) hubtest.Faults {
		return hubtest.Faults{Status: 429, Header: http.Header{"Retry-After": {"1"}}, Kind: anyKind(r), First: r.IntN(6)}
	}},
	{name: "pull limit", make: func(*dice) hubtest.Faults { return hubtest.PullLimit("", "1") }},
	{name: "resets", make: func(r *dice) hubtest.Faults {
		return hubtest.Faults{Reset: true, Kind: anyKind(r), First: r.IntN(6)}
	}},
	{name: "handshakes reset", make: func(r *dice) hubtest.Faults { return hubtest.Faults{ResetHandshake: true, First: r.IntN(4)} }},
	{name: "connections refused", make: func(r *dice) hubtest.Faults { return hubtest.Faults{Refuse: true, First: r.IntN(6)} }},
	{name: "wrong certificate", make: func(r *dice) hubtest.Faults { return hubtest.Faults{WrongCert: true, First: 1 + r.IntN(3)} }},
}

func anyKind(r *dice) hubtest.Kind {
	return pick(r, []hubtest.Kind{"", hubtest.Manifest, hubtest.Blob, hubtest.CDN, hubtest.Token, hubtest.Ping})
}

// stepStorm has the origin fail in one way for some steps, from the middle of pulls on.
func stepStorm(ctx context.Context, w *world, r *dice) {
	f := pick(r, faults)
	if f.long && r.IntN(4) > 0 {
		f = pick(r, faults)
	}
	rule := f.make(r)
	if rule.Status == http.StatusTooManyRequests {
		w.after = 1500 * time.Millisecond
	}
	w.story.tell("    the origin: %s", f.name)
	w.together(ctx, w.crowd(r, 4), func() {
		if f.lying {
			w.weather.set(lying, true, 0)
		}
		if !f.gentle {
			w.unwell(true)
		}
		w.weather.set(rough, rule.Cut != nil, 0)
		w.hub.SetFaults(rule)
	})
	w.storm = 1 + r.IntN(3)
	w.together(ctx, w.crowd(r, 4), nil)
}

// stepDown has the origin be away for some steps: what must be in the cache can be had.
func stepDown(ctx context.Context, w *world, r *dice) {
	w.together(ctx, w.crowd(r, 4), func() {
		w.unwell(true)
		w.hub.Down()
	})
	w.storm = 1 + r.IntN(3)
	w.offlinePulls(ctx, r, 4)
}

// stepMirrorStorm has a mirror fail or lie, which must break nothing.
func stepMirrorStorm(ctx context.Context, w *world, r *dice) {
	m := pick(r, w.mirrors)
	f := pick(r, faults)
	if f.long && r.IntN(4) > 0 {
		f = pick(r, faults)
	}
	w.story.tell("    %s: %s", m.RegistryHost, f.name)
	if f.lying {
		w.weather.set(lying, true, 0)
	}
	if r.IntN(6) == 0 {
		m.Down()
	} else {
		m.SetFaults(f.make(r))
	}
	w.storm = 1 + r.IntN(3)
	w.together(ctx, w.crowd(r, 4), nil)
}

// calm ends what was made to fail upstream.
func (w *world) calm() {
	for _, h := range w.hubs() {
		h.SetFaults()
		if err := h.Up(); err != nil {
			w.breaks("torture itself: %v", err)
		}
	}
	if err := w.way.up(); err != nil {
		w.breaks("torture itself: %v", err)
	}
	if w.storeDown {
		if err := attempt(w.store.Start); err != nil {
			w.breaks("%v", err)
		}
		w.storeDown = false
	}
	if w.liar != nil {
		w.liar()
		w.liar = nil
	}
	w.weather.set(lying, false, time.Second) // what is on its way proves wrong to all who wait for it
	w.weather.set(rough, false, 0)
	w.unwell(false)
}

// unwell says that the origin may fail from now on, or does no more.
func (w *world) unwell(on bool) {
	w.weather.set(failing, on, 0)
	w.weather.set(stale, on, remembered)
	if !on && w.after > 0 { // it said when to come back
		w.weather.set(failing, true, 0)
		w.weather.set(failing, false, w.after)
		w.after = 0
	}
}

// offlinePulls are of what must be in the cache.
func (w *world) offlinePulls(ctx context.Context, r *dice, most int) {
	list := w.held.list()
	var orders []order
	for range min(most, len(list)) {
		h := pick(r, list)
		if h.tag == "" || h.repo.site == nil {
			continue
		}
		o := order{repo: h.repo, tag: h.tag, user: pick(r, h.users)}
		o.door = doorFor(r, h.repo, o.user)
		if o.door.ns && o.user != "" { // its token is the registry's, which is away
			for !o.door.intercepts() {
				o.door = doorFor(r, h.repo, o.user)
			}
		}
		orders = append(orders, o)
	}
	w.together(ctx, orders, nil)
}
