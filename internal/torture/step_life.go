//go:build linux

package main

import (
	"context"
	"syscall"
	"time"
)

// stepKill is kill -9 in the middle of pulls; what was committed is served after the next start, by nobody else.
func stepKill(ctx context.Context, w *world, r *dice) {
	w.together(ctx, w.crowd(r, 5), func() {
		pause(ctx, time.Duration(r.IntN(200))*time.Millisecond)
		w.weather.set(dying, true, 0)
		w.daemon.kill()
	})
	if err := w.start(ctx); err != nil {
		w.breaks("after kill -9: %v", err)
		return
	}
	w.withoutUpstream(ctx, r)
}

// withoutUpstream pulls what must be in the cache, with nobody else to be asked.
func (w *world) withoutUpstream(ctx context.Context, r *dice) {
	if w.weather.now(sick) || w.weather.now(off) {
		return
	}
	well := !w.weather.now(failing)
	w.unwell(true)
	for name := range w.route {
		w.setRoute(ctx, name, "offline")
	}
	w.offlinePulls(ctx, r, 4)
	for name, route := range w.route {
		w.setRoute(ctx, name, route)
	}
	if well {
		w.unwell(false)
	}
}

// stepRestart is Ctrl-C while nothing is pulled, or in the middle of pulls, which are finished.
func stepRestart(ctx context.Context, w *world, r *dice) {
	orders := w.crowd(r, 3)
	if r.IntN(2) == 0 {
		orders = nil
	}
	w.together(ctx, orders, func() {
		pause(ctx, time.Duration(r.IntN(100))*time.Millisecond)
		w.weather.set(dying, true, 0) // whoever comes while it ends is turned away
		if err := w.daemon.end(ctx); err != nil {
			w.breaks("the daemon ended badly: %v", err)
		}
	})
	if err := w.start(ctx); err != nil {
		w.breaks("after SIGINT: %v", err)
		return
	}
	w.withoutUpstream(ctx, r)
}

// stepSleep stops the daemon for a while in the middle of pulls, as a laptop that is closed does.
func stepSleep(ctx context.Context, w *world, r *dice) {
	w.together(ctx, w.crowd(r, 5), func() {
		pause(ctx, time.Duration(r.IntN(50))*time.Millisecond)
		_ = w.daemon.cmd.Process.Signal(syscall.SIGSTOP)
		pause(ctx, time.Duration(200+r.IntN(1200))*time.Millisecond)
		_ = w.daemon.cmd.Process.Signal(syscall.SIGCONT)
	})
}

// stepHandOver has another daemon take the place of the one that runs, in the middle of pulls, of which none may notice; the
// port is never closed.
func stepHandOver(ctx context.Context, w *world, r *dice) {
	w.together(ctx, w.crowd(r, 5), func() {
		pause(ctx, time.Duration(r.IntN(100))*time.Millisecond)
		stop := w.knock(ctx)
		defer stop()
		if err := w.handOver(ctx); err != nil && w.drought != "failing" { // else it may refuse, and who has it goes on
			w.breaks("no hand-over: %v", err)
		}
	})
	w.farewell(ctx)
}

// farewell waits until those that handed over have ended.
func (w *world) farewell(ctx context.Context) {
	for _, d := range w.gone {
		select {
		case <-d.ended:
			if d.err != nil && !d.killed {
				w.breaks("a daemon that had handed over ended badly: %v", d.err)
			}
			continue
		case <-time.After(60 * time.Second):
			w.breaks("a daemon that had handed over did not end within 60 s of its last client")
			_ = d.cmd.Process.Signal(syscall.SIGQUIT) // its goroutines are in the log then
			<-d.ended
		case <-ctx.Done():
		}
		return
	}
	w.gone = nil
}

// knock asks for as little as possible all the time: the port must always be open.
func (w *world) knock(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			c := w.engine(doors[0], "")
			res, err := c.do(ctx, w.model.repos[0], "GET", "http://"+w.address+"/healthz", nil, nil)
			if err == nil {
				_ = res.Body.Close()
			} else if ctx.Err() == nil {
				w.breaks("the port was closed by a hand-over: %v", err)
			}
			c.hangUp()
			pause(ctx, time.Millisecond)
		}
	}()
	return func() { cancel(); <-done }
}
