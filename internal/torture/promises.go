//go:build linux

package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pulley/internal/control"
	"pulley/internal/hubtest"
)

// slack is what the cache may be above max_size for a moment: what is being written, or read and so not thrown out.
const slack = 4 << 20

// promises are looked at after each step.
func (w *world) promises(ctx context.Context, step int) {
	w.kept(ctx)
	w.told()
	w.restless = w.restless || step%8 == 0
	if w.restless && !w.weather.now(failing) && !w.weather.now(sick) { // else what is tried again and again is no leak
		w.restless = false
		w.rests(ctx)
	}
	if step%8 == 0 {
		w.notShared()
	}
	if step%4 == 0 {
		w.pinned(ctx)
	}
	if step%64 == 0 {
		w.secret()
	}
}

// kept: the cache is within max_size.
func (w *world) kept(ctx context.Context) {
	if w.weather.now(sick) {
		return
	}
	var size int64
	err := until(ctx, 8*time.Second, func() bool {
		s, err := w.control.State(ctx)
		size = s.Cache.Size
		for _, p := range s.Problems {
			if p.Kind == control.ProblemRejected {
				w.breaks("a client that trusts the CA was taken for one that does not: %s", p.Text)
			}
		}
		return err == nil && size <= maxSize+slack
	})
	if err != nil && ctx.Err() == nil {
		w.breaks("the cache is not within max_size: %d of %d bytes", size, maxSize)
	}
}

// pinned: a tag that a person pinned stays pinned as long as it is there, wherever it moves. A list is behind by the time in
// which a folder that came back is looked at.
func (w *world) pinned(ctx context.Context) {
	if w.weather.now(sick) {
		return
	}
	var lost string
	err := until(ctx, 15*time.Second, func() bool {
		list, err := w.control.Images(ctx)
		if lost = w.unpinned(list); err != nil {
			lost = err.Error()
		}
		return lost == ""
	})
	if err != nil && ctx.Err() == nil {
		w.breaks("images: %s", lost)
	}
}

// unpinned is what a list says of a tag that was pinned, and is not any more; "" of none.
func (w *world) unpinned(list []control.Image) string {
	for _, i := range list {
		for _, tag := range i.Tags {
			if name := i.Registry + "/" + i.Repository + ":" + tag; w.held.isPinned(name) && !i.Pinned {
				file, _ := os.ReadFile(filepath.Join(w.disk.cache(), "refs", i.Registry, i.Repository, tag))
				return name + " was pinned, and is not any more; its file: " + string(file)
			}
		}
	}
	return ""
}

// told: mirrors hear of nothing that is private and are given no credentials, nor is a CDN; a token of Pulley's own goes
// nowhere; passwords go to token services alone.
func (w *world) told() {
	private := w.model.private()
	for _, m := range w.mirrors {
		for _, q := range m.Requests() {
			if q.Authorization != "" || q.Header.Get("Cookie") != "" {
				w.breaks("%s was given credentials: %s %s", m.RegistryHost, q.Method, q.Path)
			}
			words := fmt.Sprint(q.Path, q.Query, q.Referer)
			for _, one := range private {
				if strings.Contains(words, one) {
					w.breaks("%s was told of something private, %s: %s %s?%s", m.RegistryHost, one, q.Method, q.Path, q.Query)
				}
			}
		}
		m.Reset()
	}
	for _, q := range w.hub.Requests() {
		if q.Kind == hubtest.CDN && (q.Authorization != "" || q.Header.Get("Cookie") != "") {
			w.breaks("the CDN was given credentials: %s %s", q.Method, q.Path)
		}
		if q.Authorization == "Basic" && q.Kind != hubtest.Token {
			w.breaks("a password went to %s %s%s", q.Method, q.Host, q.Path)
		}
		if strings.HasPrefix(q.Header.Get("Authorization"), "Bearer pulley.") {
			w.breaks("a token of Pulley's own went to %s%s", q.Host, q.Path)
		}
	}
	w.hub.Reset()
}

// private are the names and digests that nobody but the origin may hear, of Pulley's own accord.
func (m *model) private() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	open, out := map[string]bool{}, []string{}
	for _, secret := range []bool{false, true} {
		for _, r := range m.repos {
			if r.private() != secret {
				continue
			}
			if secret {
				out = append(out, "/"+r.name+"/")
			}
			for _, img := range r.images {
				for _, d := range append(img.Blobs(), img.Digest()) {
					if !secret {
						open[d.String()] = true
					} else if !open[d.String()] && !m.named[d.String()] {
						out = append(out, d.String())
					}
				}
			}
		}
	}
	return out
}

// vitals are what a process has open when it rests.
type vitals struct {
	files, goroutines int
	at                time.Time
}

// What an idle daemon may have more of than when it was first looked at: connections to upstreams that are kept open for
// 90 s, a few for each host.
const (
	moreFiles      = 48
	moreGoroutines = 160
)

// rests: with nothing in flight no temporary file is there, nothing has leaked, and the counters add up.
func (w *world) rests(ctx context.Context) {
	if err := until(ctx, 60*time.Second, func() bool {
		s, err := w.control.State(ctx)
		return err == nil && len(s.Active) == 0
	}); err != nil {
		w.breaks("downloads go on though nobody wants them: %v", err)
		return
	}
	if err := until(ctx, 5*time.Second, func() bool { return len(w.leftovers()) == 0 }); err != nil {
		w.breaks("temporary files are left: %v", w.leftovers())
	}
	var m map[string]float64
	var now vitals
	err := until(ctx, 5*time.Second, func() bool {
		m, _ = w.metrics(ctx)
		files, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", w.daemon.pid()))
		now = vitals{len(files), int(m["go_goroutines"]), time.Now()}
		first := w.daemon.idle
		return m != nil && (first.at.IsZero() || now.files <= first.files+moreFiles && now.goroutines <= first.goroutines+moreGoroutines)
	})
	if err != nil {
		w.breaks("something leaks: it rests with %d files and %d goroutines, and began with %d and %d",
			now.files, now.goroutines, w.daemon.idle.files, w.daemon.idle.goroutines)
		return
	}
	if w.daemon.idle.at.IsZero() {
		w.daemon.idle = now
	}
	if w.soak != nil {
		if err := w.soak.take(w.daemon.pid(), now); err != nil {
			w.breaks("torture itself: %v", err)
		}
	}
	var wrong error
	if err := until(ctx, 2*time.Second, func() bool { // the last byte is seen before it is counted
		if m, _ = w.metrics(ctx); m != nil {
			wrong = w.addUp(m)
		}
		return m != nil && wrong == nil
	}); err != nil {
		w.breaks("counters do not add up: %v", wrong)
	}
}

// leftovers are temporary files in the cache, but for those that a disk may have refused to remove: they are there until the
// next start.
func (w *world) leftovers() (names []string) {
	for _, dir := range []string{"tmp", "partial/handed"} {
		list, _ := os.ReadDir(filepath.Join(w.disk.cache(), dir))
		for _, e := range list {
			if name := filepath.Join(dir, e.Name()); !slices.Contains(w.debris, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// secret: no password, and no token that a person's password got, is in anything that Pulley wrote or printed.
func (w *world) secret() {
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.Contains(path, "/blobs/") || strings.Contains(path, "/partial/") {
			return nil //nolint:nilerr // what is gone by now holds nothing
		}
		body, err := os.ReadFile(path) //nolint:gosec // nobody else writes there
		if err != nil || path == w.disk.ballast() {
			return nil //nolint:nilerr // the same
		}
		if word := w.secrets.in(body); word != "" {
			w.breaks("%s holds a secret: %q", path, word)
		}
		return nil
	})
	if err != nil {
		w.breaks("torture itself: %v", err)
	}
}

// wholeCache: at the end every stored blob is what its name says, read by somebody else than the daemon.
func (w *world) wholeCache(ctx context.Context) {
	v, err := w.run(ctx, "cache", "verify")
	if err != nil && !strings.Contains(v, "damaged") && !strings.Contains(err.Error(), "damaged") {
		w.breaks("cache verify at the end: %v", err)
	}
}
