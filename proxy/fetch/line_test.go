package fetch_test

import (
	"bytes"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pulley/proxy/fetch"
)

// The network changes under a transfer: connections over the old one are silent from then on. They are given up at
// once, the blob goes on at the byte over new ones, and nobody is blamed.
func TestNetworkChanges(t *testing.T) {
	for _, c := range []struct{ connections, sources int }{{1, 1}, {1, 2}, {8, 1}, {8, 4}} {
		synctest.Test(t, func(t *testing.T) {
			const size = 32 * mib
			all, src := fours(blob(size), mib)
			all, src = all[:c.sources], src[:c.sources]
			var moved atomic.Bool
			for _, f := range all {
				f.dead = &moved
			}
			line, s, m := &fetch.Line{}, these(src...), newMemory(blob(size))
			time.AfterFunc(2*time.Second, func() { moved.Store(true) })
			time.AfterFunc(3*time.Second, func() {
				line.NetworkChanged()
				synctest.Wait()
				for _, f := range all {
					f.hooks.Lock()
					f.mu.Lock()
					for _, b := range f.bodies {
						if b.old && !b.closed {
							t.Errorf("%d by %d: a connection to %s is left", c.connections, c.sources, f.name)
						}
					}
					f.mu.Unlock()
					f.hooks.Unlock()
				}
			})
			began := time.Now()
			if err := fetch.Run(t.Context(), s, m, fetch.Options{Connections: c.connections, Hint: size, Line: line}); err != nil {
				t.Fatal(err)
			}
			m.verify(t)
			best := time.Duration(float64(size) / mib / float64(c.connections) * float64(time.Second))
			took(t, began, best+best/8+2*time.Second)
			if len(s.failed) > 0 {
				t.Errorf("failed %v: %v", s.failed, s.errs)
			}
			frugal(t, size, 1.05, all...)
		})
	}
}

// What has failed on the old network, or waits because it did, is tried at once on the new one.
func TestNetworkChangesWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, src := fours(blob(mib), 0)
		var moved atomic.Bool
		all[0].refuse = func(int, int64) error {
			if moved.Load() {
				return nil
			}
			return errReset
		}
		line, m := &fetch.Line{}, newMemory(blob(mib))
		began := time.Now()
		time.AfterFunc(4*time.Second, func() { moved.Store(true); line.NetworkChanged() })
		if err := fetch.Run(t.Context(), these(src[0]), m, fetch.Options{Line: line, Attempts: 100}); err != nil {
			t.Fatal(err)
		}
		took(t, began, 4*time.Second+50*time.Millisecond)
	})
}

// So it is while the origin is asked who lied.
func TestNetworkChangesDuringInquiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 8 * mib
		truth := blob(size)
		wrong := bytes.Clone(truth)
		wrong[5*mib] ^= 1
		all, src := fours(truth, 4*mib)
		all[1].truth = wrong
		var moved atomic.Bool
		all[0].dead = &moved
		line, s, m := &fetch.Line{}, these(src[1]), newMemory(truth)
		m.wrongly = func() {
			s.set(src[0])
			time.AfterFunc(time.Second, func() { moved.Store(true) })
			time.AfterFunc(1500*time.Millisecond, line.NetworkChanged)
		}
		began := time.Now()
		if err := fetch.Run(t.Context(), s, m, fetch.Options{Connections: 1, Hint: size, Line: line}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		took(t, began, 5*time.Second)
		if len(s.failed) > 0 || len(s.liars) != 1 {
			t.Errorf("failed %v, named %v", s.failed, s.liars)
		}
		frugal(t, size, 2.05, all...)
	})
}
