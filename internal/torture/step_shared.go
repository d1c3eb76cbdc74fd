//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"pulley/internal/control"
	"pulley/internal/waytest"
)

// stand is what the servers of waytest want of a test.
type stand struct {
	ctx  context.Context //nolint:containedctx // the run's
	dir  string
	ends []func()
}

var errStand = errors.New("torture itself")

func (s *stand) Helper()                           {}
func (s *stand) Context() context.Context          { return s.ctx }
func (s *stand) Cleanup(f func())                  { s.ends = append(s.ends, f) }
func (s *stand) Fatal(args ...any)                 { panic(fmt.Errorf("%w: %s", errStand, fmt.Sprint(args...))) } //nolint:forbidigo // as a test's does; attempt catches it
func (s *stand) Fatalf(format string, args ...any) { s.Fatal(fmt.Sprintf(format, args...)) }
func (s *stand) TempDir() string {
	dir, err := os.MkdirTemp(s.dir, "s")
	if err != nil {
		s.Fatal(err)
	}
	return dir
}

// attempt is the error that f ends with.
func attempt(f func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			stopped, ok := p.(error)
			if !ok || !errors.Is(stopped, errStand) {
				panic(p) //nolint:forbidigo // not ours
			}
			err = stopped
		}
	}()
	f()
	return nil
}

// openStore starts the team's store.
func (w *world) openStore() error {
	return attempt(func() { w.store = waytest.Objects(w.stand, "", "") })
}

// stepShared has the team's store be used, or not, in the middle of pulls; or be away for some steps, which breaks none.
func stepShared(ctx context.Context, w *world, r *dice) {
	if w.store == nil {
		return
	}
	if w.shared && r.IntN(3) > 0 && w.storm == 0 {
		w.story.tell("    the store is away")
		w.together(ctx, w.crowd(r, 4), w.store.Kill)
		w.storm, w.storeDown = 1+r.IntN(3), true
		w.together(ctx, w.crowd(r, 4), nil)
		return
	}
	w.shared = !w.shared
	value := ""
	if w.shared {
		value = w.store.URL("team")
	}
	w.together(ctx, w.crowd(r, 4), func() {
		if err := w.control.SetSetting(ctx, "cache.shared", value); err != nil {
			w.breaks("config set cache.shared %q: %v", value, err)
		}
	})
}

// stepForget has the cache throw everything out that it may, so that it comes from the store, or from upstream, again.
func stepForget(ctx context.Context, w *world, r *dice) {
	if w.store == nil || !w.shared {
		return
	}
	w.held.drop(func(h *holding) bool { return !h.pinned })
	none := int64(0)
	if _, err := w.control.GC(ctx, control.GC{Keep: &none}); err != nil && !w.weather.now(sick) {
		w.breaks("cache gc: %v", err)
	}
	w.together(ctx, w.crowd(r, 6), nil)
}

// stepSpoilStore changes a byte of something in the store, as somebody with the bucket's key can: no wrong byte is served as
// whole, or kept.
func stepSpoilStore(ctx context.Context, w *world, r *dice) {
	if w.store == nil || !w.shared || w.storeDown {
		return
	}
	var bodies []string
	for _, key := range w.store.Keys() {
		if strings.Contains(key, "/blobs/") {
			bodies = append(bodies, filepath.Join(w.store.Dir, filepath.FromSlash(key)))
		}
	}
	if len(bodies) == 0 {
		return
	}
	file := pick(r, bodies)
	body, err := os.ReadFile(file)
	if err != nil || len(body) == 0 {
		return
	}
	w.story.tell("    the store: another byte in %s", filepath.Base(file))
	w.weather.set(lying, true, 0)
	body[r.IntN(len(body))] ^= 1
	if err := os.WriteFile(file, body, 0o600); err != nil {
		w.breaks("torture itself: %v", err)
	}
	before := w.liar
	w.liar = func() {
		if _ = os.Remove(file); before != nil {
			before()
		}
	}
	w.storm = 1 + r.IntN(3)
	stepForget(ctx, w, r)
}

// notShared: nothing that is private is in the team's store.
func (w *world) notShared() {
	if w.store == nil {
		return
	}
	var keys []string
	if err := attempt(func() { keys = w.store.Keys() }); err != nil {
		w.breaks("%v", err)
	}
	text := "/" + strings.Join(keys, "\n/") + "\n"
	for _, one := range w.model.private() {
		if strings.Contains(text, strings.TrimPrefix(one, "sha256:")) {
			w.breaks("something private is in the team's store: %s", one)
		}
	}
}
