package source_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pulley/internal/cause"
	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/source"
)

// clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// timed is a town with a clock.
func timed(t *testing.T, mirrors ...config.Mirror) (*town, *clock) {
	w := newTown(t, &hubtest.Hub{}, mirrors...)
	c := &clock{now: time.Date(2026, 8, 21, 12, 0, 0, 0, time.Local)}
	w.opts.Now = c.Now
	w.restart()
	return w, c
}

var debian = source.Want{Repository: "library/debian", Digest: "sha256:0", Public: true}

// A breaker opens after two failures in a row, tries once after each pause, and
// closes by itself.
func TestBreaker(t *testing.T) {
	var broken atomic.Bool
	broken.Store(true)
	s := newShop(t, func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		serve(blobOf(100))(w, r)
	})
	w, c := timed(t, s.mirror("m", "host"))
	p := w.place("m")
	ref := p.Blob(debian)
	for i := range 2 {
		if p.Connections() == 0 {
			t.Fatalf("out after %d failures", i)
		}
		if _, err := read(t, ref, 0, -1); err == nil {
			t.Fatal("no error")
		}
	}
	pause := 5 * time.Second
	for range 10 {
		asked := s.count()
		_, err := read(t, ref, 0, -1)
		var u *source.UnusableError
		if p.Connections() != 0 || !errors.As(err, &u) || s.count() != asked || u.Until.Sub(c.Now()) != pause || !strings.Contains(u.Why, "502") {
			t.Fatalf("in the pause: %d, %v", p.Connections(), err)
		}
		if names := w.names(); names != "origin m" {
			t.Errorf("order %q", names)
		}
		c.pass(pause)
		if n := p.Connections(); n != 1 {
			t.Fatalf("%d connections for a trial", n)
		}
		if _, err := read(t, ref, 0, -1); err == nil || s.count() != asked+1 {
			t.Fatalf("the trial: %v", err)
		}
		pause = min(2*pause, 10*time.Minute)
	}
	c.pass(pause)
	broken.Store(false)
	b, err := ref.Open(t.Context(), 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if p.Connections() != 0 {
		t.Error("a second trial beside the first")
	}
	if _, err := read(t, p.Blob(debian), 0, -1); err == nil {
		t.Error("and it is made")
	}
	_, err = io.ReadAll(b)
	_ = b.Close()
	if err != nil || p.Connections() < 100 {
		t.Errorf("after a trial that went well: %d, %v", p.Connections(), err)
	}
}

// A trial whose client leaves says nothing, and blocks nothing.
// Why a place waits is told with its kind, where that is a common one.
func TestWaitingHasACause(t *testing.T) {
	s := newShop(t, func(http.ResponseWriter, *http.Request) {})
	gone := s.mirror("gone", "host")
	gone.URL = "http://127.0.0.1:1"
	w, _ := timed(t, gone)
	ref := w.place("gone").Blob(debian)
	for range 3 {
		if _, err := read(t, ref, 0, -1); err == nil {
			t.Fatal("no error")
		}
	}
	if st := w.Standings(w.reg())[1]; st.Usable || st.Cause != cause.Refused {
		t.Errorf("%+v", st)
	}
}

func TestTrialThatIsAbandoned(t *testing.T) {
	var broken atomic.Bool
	broken.Store(true)
	s := newShop(t, func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			panic(http.ErrAbortHandler)
		}
		serve(blobOf(3<<20))(w, r)
	})
	w, c := timed(t, s.mirror("m", "host"))
	p := w.place("m")
	for range 2 {
		_, _ = read(t, p.Blob(debian), 0, -1)
	}
	c.pass(5 * time.Second)
	broken.Store(false)
	ctx, cancel := context.WithCancel(t.Context())
	b, err := p.Blob(debian).Open(ctx, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	_ = b.Close()
	if n := p.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// Bodies that break are failures; answers, whatever they say, and clients that
// have enough are none.
func TestWhatCountsAsFailure(t *testing.T) {
	var how atomic.Value
	data := blobOf(100_000)
	s := newShop(t, func(w http.ResponseWriter, r *http.Request) {
		switch how.Load() {
		case "cut":
			w.Header().Set("Content-Length", strconv.Itoa(len(data)))
			_, _ = w.Write(data[:50_000])
			panic(http.ErrAbortHandler)
		case "lie":
			w.Header().Set("Content-Range", "bytes 7-9/10")
			w.WriteHeader(http.StatusPartialContent)
		case "part":
			serve(data)(w, r)
		default:
			w.WriteHeader(map[any]int{"404": 404, "416": 416, "403": 403, "500": 500}[how.Load()])
		}
	})
	for _, c := range []struct {
		how string
		out bool
	}{{"cut", true}, {"lie", true}, {"500", true}, {"403", true}, {"404", false}, {"416", false}, {"part", false}} {
		w, _ := timed(t, s.mirror("m", "host"))
		p := w.place("m")
		how.Store(c.how)
		for range 5 {
			b, err := p.Blob(debian).Open(t.Context(), 1, -1)
			if err != nil {
				continue
			}
			if c.how == "part" {
				_, _ = b.Read(make([]byte, 10))
			} else {
				for err == nil {
					_, err = b.Read(make([]byte, 10_000))
				}
			}
			_ = b.Close()
		}
		if out := p.Connections() == 0; out != c.out {
			t.Errorf("%s: out %v", c.how, out)
		}
	}
}

// Retry-After takes out whatever the operator runs, over a restart too; on
// another network it was another one who asked too much.
func TestRetryAfter(t *testing.T) {
	var limited atomic.Bool
	limited.Store(true)
	s := newShop(t, func(w http.ResponseWriter, r *http.Request) {
		if limited.Load() {
			w.Header().Set("Retry-After", "7200")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		serve(blobOf(100))(w, r)
	})
	w, c := timed(t, s.mirror("m", "host"))
	quay := func() *source.Place {
		reg, _ := w.cfg.Load().Registry("quay.io")
		reg.Mirrors = []config.Mirror{s.mirror("m", "prefix")}
		return w.Places(reg)[0]
	}
	_ = quay()
	_, err := read(t, w.place("m").Blob(debian), 0, -1)
	var status *source.StatusError
	if !errors.As(err, &status) || status.RetryAfter != 2*time.Hour {
		t.Fatalf("got %v", err)
	}
	limited.Store(false)
	c.pass(time.Hour)
	w.save(t)
	w.restart()
	for _, p := range []*source.Place{w.place("m"), quay()} {
		if p.Origin() {
			continue
		}
		asked := s.count()
		_, err := read(t, p.Blob(source.Want{Repository: "a", Digest: "sha256:0", Public: true}), 0, -1)
		var u *source.UnusableError
		if p.Connections() != 0 || !errors.As(err, &u) || u.Until.Sub(c.Now()) != time.Hour || s.count() != asked {
			t.Errorf("%v: %d, %v", p, p.Connections(), err)
		}
	}
	w.move("office")
	c.pass(10 * time.Second) // the network is looked at now and then
	if w.place("m").Connections() == 0 {
		t.Error("left alone on another network")
	}
	w.move("home")
	c.pass(time.Hour)
	if _, err := read(t, w.place("m").Blob(debian), 0, -1); err != nil {
		t.Errorf("two hours later: %v", err)
	}
}

// save runs the Set to its end, as a clean stop does.
func (w *town) save(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

// An origin is left alone only as long as there is somebody else.
func TestOriginIsTheLastResort(t *testing.T) {
	s := newShop(t, serve(blobOf(100)))
	w, _ := timed(t, s.mirror("m", "host"))
	w.hub.Down()
	origin := w.place("origin")
	for range 3 {
		_, _ = read(t, origin.Blob(debian), 0, -1)
	}
	if origin.Connections() != 0 || w.names() != "m origin" {
		t.Errorf("%d, %s", origin.Connections(), w.names())
	}
	w.change(func(r *config.Registry) { r.Mirrors[0].Enabled = false })
	if origin = w.place("origin"); origin.Connections() == 0 {
		t.Error("nobody is left")
	}
}

// That the origin cannot be reached for a tag is known when it comes to blobs.
func TestOriginIsNotReachedForTags(t *testing.T) {
	s := newShop(t, serve(blobOf(100)))
	w, _ := timed(t, s.mirror("m", "host"))
	w.hub.Down()
	for range 2 {
		if resp, err := w.place("origin").Do(t.Context(), manifest("latest", source.Anonymous())); err == nil {
			_ = resp.Body.Close()
			t.Fatal("it answers")
		}
	}
	if got := w.names(); got != "m origin" {
		t.Error(got)
	}
}

// The network has a name, and the same one twice, and for everybody.
func TestNetwork(t *testing.T) {
	network := source.Networks()
	if a, b, c := network(), network(), source.Networks()(); a == "" || a != b || a != c {
		t.Errorf("%q, then %q", a, b)
	}
}

// Ranks are by what was seen, on the network where it was seen, and survive a
// restart.
func TestRanks(t *testing.T) {
	data := blobOf(4 << 20)
	var c *clock
	at := func(perMiB time.Duration) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			c.pass(4 * perMiB)
			serve(data)(w, r)
		}
	}
	fast, slow := newShop(t, at(300*time.Millisecond)), newShop(t, at(4*time.Second))
	w, c2 := timed(t, slow.mirror("slow", "host"), fast.mirror("fast", "host"))
	c = c2
	if got := w.names(); got != "origin slow fast" {
		t.Errorf("with nothing known: %s", got)
	}
	for range 4 {
		for _, name := range []string{"slow", "fast"} {
			if _, err := read(t, w.place(name).Blob(debian), 0, -1); err != nil {
				t.Fatal(err)
			}
		}
	}
	if rate := w.place("slow").Rate(); rate < 200<<10 || rate > 300<<10 {
		t.Errorf("slow at %.0f bytes a second", rate)
	}
	if rate := w.place("fast").Rate(); rate < 3<<20 || rate > 4<<20 {
		t.Errorf("fast at %.0f bytes a second", rate)
	}
	if first := w.place("fast").FirstByte(); first != 1200*time.Millisecond {
		t.Errorf("first byte after %v", first)
	}
	check := func(when, want string) {
		t.Helper()
		if got := w.names(); got != want {
			t.Errorf("%s: %s", when, got)
		}
	}
	check("seen", "origin fast slow")
	w.save(t)
	w.restart()
	check("after a restart", "origin fast slow")
	w.move("office")
	c.pass(10 * time.Second)
	check("elsewhere", "origin slow fast")
	w.move("home")
	c.pass(10 * time.Second)
	check("back", "origin fast slow")
	if info, err := os.Stat(filepath.Join(w.opts.StateDir, "sources.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := os.WriteFile(filepath.Join(w.opts.StateDir, "sources.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.restart()
	check("with a broken file", "origin slow fast")
	if !strings.Contains(w.log.String(), "sources.json") {
		t.Error("and nobody is told")
	}
}

// Run asks a mirror of which nothing is known for a sign of life, once.
func TestProbe(t *testing.T) {
	asked := make(chan string, 10)
	s := newShop(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path + r.Header.Get("Authorization")
		w.WriteHeader(http.StatusUnauthorized)
	})
	down := newShop(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	off := s.mirror("off", "host")
	off.Enabled = false
	up := s.mirror("up", "host")
	up.Auth = "env:PASS"
	w, c := timed(t, up, down.mirror("down", "host"), off)
	w.env["PASS"] = "me:x"
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	for range 3 {
		_ = w.names()
	}
	if got := <-asked; got != "/v2/" {
		t.Errorf("asked for %s", got)
	}
	wait(t, func() bool { return w.place("down").Connections() == 0 })
	if w.place("up").FirstByte() == 0 {
		t.Error("nothing was learned")
	}
	c.pass(time.Hour)
	_ = w.names()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if s.count() != 1 || w.place("up").Connections() == 0 || len(w.hub.Requests()) != 0 {
		t.Errorf("%d probes, %d at the origin", s.count(), len(w.hub.Requests()))
	}
}

// wait looks until something is so, at most ten seconds.
func wait(t *testing.T, so func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 10_000 {
		if so() {
			return
		}
		<-tick.C
	}
	t.Fatal("it never was")
}
