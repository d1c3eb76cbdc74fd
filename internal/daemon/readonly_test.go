package daemon_test

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pulley/internal/control"
	"pulley/internal/daemon"
	"pulley/internal/hubtest"
)

// A cache that cannot be written still serves what is in it; the rest passes through, and a person is told.
func TestCacheThatCannotBeWrittenIsServed(t *testing.T) {
	r := start(t, nil)
	cached, other := hubtest.RandomImage(21, 2, 200<<10), hubtest.RandomImage(22, 2, 200<<10)
	r.hub.Push("library/cached", "latest", cached)
	r.hub.Push("library/other", "latest", other)
	r.settled(t, "library/cached", cached)
	r.stop()
	r.ended()
	// Not the modes of a folder, which mean nothing to root: the lock is none that can be taken.
	lock := filepath.Join(r.places.CacheDir, "lock")
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(lock, 0o700); err != nil {
		t.Fatal(err)
	}
	var log journal
	r = serve(t, r.hub, daemon.Options{Places: r.places, Version: "test", Log: slog.New(slog.NewTextHandler(&log, nil))}, func(*daemon.Daemon) {})
	before, err := r.Events(10_000)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r.pull(t, "library/cached", cached)
		r.pull(t, "library/other", other)
	}
	for _, e := range r.logged(t, len(before)+12)[len(before):] {
		if e.What == "blob" && (e.Source == "cache") != (e.Repository == "library/cached") || e.Status != http.StatusOK {
			t.Errorf("%+v", e)
		}
	}
	s := r.State()
	if len(s.Problems) != 1 || s.Problems[0].Kind != control.ProblemDisk || !strings.HasPrefix(s.Problems[0].Text, "the cache cannot be written: ") || !strings.Contains(s.Problems[0].Text, lock) {
		t.Errorf("problems %+v", s.Problems)
	}
	if s.Cache.Images != 1 || s.Cache.Size == 0 {
		t.Errorf("cache %+v", s.Cache)
	}
	if n := strings.Count(log.String(), "cannot be written"); n != 1 {
		t.Errorf("told %d times:\n%s", n, log.String())
	}
}
