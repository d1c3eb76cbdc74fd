//go:build linux

package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pulley/internal/control"
	"pulley/internal/hubtest"
)

// calmly are steps that make nothing fail by themselves.
var calmly = []step{
	{"pull", 6, stepPull}, {"head", 1, stepHead}, {"range", 3, stepRange}, {"stranger", 4, stepStranger}, {"move", 3, stepMove},
	{"way", 2, stepWay}, {"bundle", 2, stepBundle}}

// TestBrokenPromisesAreNoticed breaks each promise behind the checker's back, by a daemon or hub that does wrong, and wants it
// to say so; and nothing as long as nothing is wrong.
func TestBrokenPromisesAreNoticed(t *testing.T) {
	home := t.TempDir()
	t.Chdir(filepath.Join("..", ".."))
	binary, err := build(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, says string
		wrong      func(context.Context, *testing.T, *world)
	}{
		{"nothing", "", func(context.Context, *testing.T, *world) {}},
		{"nothing, by a clock that is wrong", "", func(ctx context.Context, t *testing.T, w *world) {
			must(t, w.clock.set(10*time.Hour))
			w.pull(ctx, w.orderOf(roll(1, 1), w.upstream()[0], "latest"))
			list, err := w.control.Images(ctx)
			must(t, err)
			if len(list) == 0 || time.Until(list[0].Stored) < 9*time.Hour {
				t.Errorf("the daemon's clock was not set: %+v", list)
			}
		}},
		{"a wrong byte", "digest says|wrong or missing bytes|wrong bytes were sent|manifest of another", oneWrongByte},
		{"a tag that is too old", "older than tag_ttl", func(ctx context.Context, t *testing.T, w *world) {
			must(t, w.control.SetSetting(ctx, "cache.tag_ttl", "1h"))
			w.tagsFor = 0 // as the settings would say
		}},
		{"a private image for everybody", "given to somebody without access", func(_ context.Context, _ *testing.T, w *world) {
			for _, r := range w.model.repos {
				if r.private() {
					r.site.SetPublic(r.name)
				}
			}
		}},
		{"another repository's manifest", "manifest of another repository", func(_ context.Context, _ *testing.T, w *world) {
			for _, r := range w.upstream() { // upstream, and not in the model
				r.site.Push(r.name, "latest", hubtest.RandomImage(99, 1, 1000))
			}
		}},
		{"a failure without a reason", "failed though it could be served", func(_ context.Context, _ *testing.T, w *world) {
			w.hub.SetFaults(hubtest.Faults{Status: 500, Kind: hubtest.CDN})
		}},
		{"a cache without an end", "not within max_size", func(ctx context.Context, t *testing.T, w *world) {
			must(t, w.control.SetSetting(ctx, "cache.max_size", "1GiB"))
			for i := range uint64(3) {
				r := w.upstream()[i]
				w.model.push(r, "latest", hubtest.RandomImage(500+i, 1, 12<<20))
				w.pull(ctx, order{repo: r, tag: "latest", door: doors[0]})
			}
		}},
		{"a mirror that is told", "was told of something private", func(ctx context.Context, t *testing.T, w *world) {
			must(t, w.control.AddMirror(ctx, control.Mirror{Registry: "docker.io", Name: "m1", Private: true, Amend: true}))
			w.mirror(ctx, "m1", true)
			w.setRoute(ctx, "docker.io", "m1")
		}},
		{"a temporary file", "temporary files are left", func(_ context.Context, t *testing.T, w *world) {
			must(t, os.WriteFile(filepath.Join(w.disk.cache(), "tmp", "left"), nil, 0o600))
		}},
		{"a password in a file", "holds a secret", func(_ context.Context, t *testing.T, w *world) {
			must(t, os.WriteFile(filepath.Join(w.home, "state", "note"), []byte("by "+users["alice"]), 0o600))
		}},
		{"counters", "do not add up", func(_ context.Context, _ *testing.T, w *world) {
			w.rests(t.Context())
			w.book.requests += 10_000
		}},
		{"connections that stay", "something leaks", leak},
		{"a cache that loses things", "failed though it could be served", func(ctx context.Context, t *testing.T, w *world) {
			for _, r := range w.upstream() {
				w.pull(ctx, w.orderOf(roll(1, 1), r, "latest"))
			}
			files, err := filepath.Glob(filepath.Join(w.disk.cache(), "blobs", "sha256", "*"))
			must(t, err)
			for _, f := range files {
				must(t, os.Remove(f))
			}
			w.withoutUpstream(ctx, roll(1, 2))
		}},
		{"a port that is closed", "port was closed", func(ctx context.Context, t *testing.T, w *world) {
			stop := w.knock(ctx)
			w.daemon.kill()
			must(t, until(ctx, 10*time.Second, func() bool { return w.verdict() != nil }))
			stop()
			must(t, w.start(ctx))
		}},
		{"a way out that is passed by", "past the way out", func(ctx context.Context, _ *testing.T, w *world) {
			w.leaves = []string{"*"}
			w.leavesSo(ctx, roll(1, 1))
		}},
		{"a way out that was removed", "through a way out that was removed", func(ctx context.Context, t *testing.T, w *world) {
			must(t, w.control.AddEgress(ctx, control.Egress{Name: wayOut, URL: "socks5://" + w.way.addr, For: []string{"*"}}))
			w.leavesSo(ctx, roll(1, 1))
		}},
		{"a store that is told", "private is in the team's store", func(ctx context.Context, t *testing.T, w *world) {
			must(t, w.openStore())
			for _, r := range w.model.repos {
				if r.private() {
					must(t, os.WriteFile(filepath.Join(w.store.Dir, platform(r.images[0]).Blobs()[0].Encoded()), nil, 0o600))
					return
				}
			}
		}},
		{"a pin that is gone", "was pinned, and is not any more", func(ctx context.Context, t *testing.T, w *world) {
			w.pull(ctx, w.orderOf(roll(1, 1), w.upstream()[0], "latest"))
			for i := uint64(0); i < 40 && len(w.held.pins) == 0; i++ {
				stepPin(ctx, w, roll(1, i))
			}
			for name := range w.held.pins {
				_, err := w.control.PinImage(ctx, name, false)
				must(t, err)
			}
		}},
		{"a bundle that cannot be had", "cannot be exported", func(ctx context.Context, t *testing.T, w *world) {
			for i := uint64(0); i < 40 && w.verdict() == nil; i++ {
				for _, r := range w.upstream() {
					w.pull(ctx, w.orderOf(roll(1, 1), r, "latest"))
				}
				files, err := filepath.Glob(filepath.Join(w.disk.cache(), "blobs", "sha256", "*"))
				must(t, err)
				for _, f := range files {
					_ = os.Remove(f)
				}
				stepBundle(ctx, w, roll(1, i))
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "torture") // short: a socket's path may not be long
			must(t, err)
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			w, err := newWorld(t.Context(), 5, binary, dir, false)
			must(t, err)
			t.Cleanup(w.close)
			tc.wrong(t.Context(), t, w)
			err = w.verdict()
			if err == nil {
				_, err = w.steps(t.Context(), t.Output(), calmly, 40, 0)
			}
			if err == nil {
				w.secret()
				err = w.verdict()
			}
			switch {
			case tc.says == "" && err != nil:
				t.Errorf("nothing is wrong, and it says: %v\n%s\n%s", err, w.story, tail(w.logFile(), 20))
			case tc.says != "" && (err == nil || !says(err.Error(), tc.says)):
				t.Errorf("it says: %v; want %s", err, tc.says)
			}
		})
	}
}

func says(text, any string) bool {
	for _, one := range strings.Split(any, "|") {
		if strings.Contains(text, one) {
			return true
		}
	}
	return false
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// oneWrongByte has one byte in each 50 kB that clients read without TLS be another one.
func oneWrongByte(_ context.Context, _ *testing.T, w *world) {
	var read atomic.Int64
	w.meddle = func(c net.Conn) net.Conn { return &meddler{c, &read} }
}

type meddler struct {
	net.Conn
	read *atomic.Int64
}

func (m *meddler) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	if at := m.read.Add(int64(n)); n > 1000 && at%50_000 < int64(n) && p[0] != 0x16 && p[0] != 0x17 {
		p[n-1] ^= 1
	}
	return n, err
}

// leak opens connections that nobody uses and nobody closes.
func leak(ctx context.Context, t *testing.T, w *world) {
	w.rests(ctx)
	for range 2 * moreFiles {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", w.address)
		must(t, err)
		t.Cleanup(func() { _ = c.Close() })
	}
}
