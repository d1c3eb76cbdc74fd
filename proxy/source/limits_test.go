package source_test

import (
	"bytes"
	"errors"
	"fmt"
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

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/source"
	"pulley/proxy/token"
)

func quota(size config.Size, per string) config.Quota { return config.Quota{Bytes: size, Per: per} }

// A quota is never exceeded, by whatever is asked at once, and begins anew with
// the month.
func TestQuota(t *testing.T) {
	data := blobOf(1000)
	var sent sync.Map
	total := func() (n int) {
		sent.Range(func(_, v any) bool { n += v.(int); return true })
		return n
	}
	s := newShop(t, func(w http.ResponseWriter, r *http.Request) {
		rec := &counter{ResponseWriter: w}
		serve(data)(rec, r)
		sent.Store(r, rec.n)
	})
	m := s.mirror("m", "host")
	m.Quota = quota(2500, "month")
	w, c := timed(t, m)
	p := w.place("m")
	get := func(off, end int64) (int, error) {
		b, err := read(t, p.Blob(debian), off, end)
		if err == nil && !bytes.Equal(b, data[off:off+int64(len(b))]) {
			t.Error("wrong bytes")
		}
		return len(b), err
	}
	if n, err := get(0, -1); n != 1000 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	// The rest at once, in parts and as a whole.
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if i%2 == 0 {
				_, _ = get(int64(i), -1)
			} else {
				_, _ = get(int64(i), int64(i)+300)
			}
		})
	}
	wg.Wait()
	left := 2500 - total()
	if left < 0 {
		t.Fatalf("%d bytes were sent", total())
	}
	use := w.Standings(w.reg())[1].Quota
	if use == nil || use.Used != int64(total()) || use.Limit != 2500 || !use.Resets.Equal(time.Date(2026, 9, 1, 0, 0, 0, 0, time.Local)) {
		t.Errorf("%+v, %d sent", use, total())
	}
	for left > 0 { // what is left comes, and no more
		n, err := get(0, -1)
		if err != nil || n > left || n == 0 {
			t.Fatalf("%d of %d, %v", n, left, err)
		}
		left -= n
	}
	asked := s.count()
	_, err := get(0, 1)
	var u *source.UnusableError
	if !errors.As(err, &u) || p.Connections() != 0 || s.count() != asked || !u.Until.Equal(use.Resets) {
		t.Errorf("used up: %v, %d", err, p.Connections())
	}
	resp, err := p.Do(t.Context(), source.Req{Method: "GET", Path: "/v2/library/debian/manifests/1"})
	if err == nil {
		_ = resp.Body.Close()
		t.Error("and a manifest comes all the same")
	}
	w.save(t)
	w.restart()
	if p = w.place("m"); p.Connections() != 0 {
		t.Error("a restart gives it back")
	}
	c.pass(11 * 24 * time.Hour)
	if n, err := get(0, -1); n != 1000 || err != nil {
		t.Errorf("in September: %d, %v", n, err)
	}
	c.pass(-11 * 24 * time.Hour)
	if got := w.Standings(w.reg())[1].Quota.Used; got != 1000 {
		t.Errorf("a clock that is set back makes it %d", got)
	}
}

type counter struct {
	http.ResponseWriter
	n int
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += len(p)
	return c.ResponseWriter.Write(p)
}

// A crash costs some quota and never gives any.
func TestQuotaOverACrash(t *testing.T) {
	data := blobOf(3 << 20)
	s := newShop(t, serve(data))
	m := s.mirror("m", "host")
	m.Quota = quota(100<<20, "day")
	w, c := timed(t, m)
	used := int64(0)
	for range 12 {
		if _, err := read(t, w.place("m").Blob(debian), 0, -1); err != nil {
			t.Fatal(err)
		}
		used += int64(len(data))
		before := w.Set
		w.restart()
		if got := w.Standings(w.reg())[1].Quota.Used; got < used || got > used+20<<20 {
			t.Fatalf("%d used, and after a crash it is %d", used, got)
		}
		w.Set = before
	}
	c.pass(12 * time.Hour)
	if got := w.Standings(w.reg())[1].Quota; got.Used != 0 || !got.Resets.Equal(time.Date(2026, 8, 23, 0, 0, 0, 0, time.Local)) {
		t.Errorf("the next day: %+v", got)
	}
}

// A mirror that knows no ranges and sends more than is left is hung up on.
func TestQuotaWithoutRanges(t *testing.T) {
	data := blobOf(1 << 20)
	s := newShop(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		if r.Header.Get("X") == "" {
			_, _ = w.Write(data)
		}
	})
	chunked := newShop(t, func(w http.ResponseWriter, r *http.Request) {
		for range 4 {
			_, _ = w.Write(data)
			_ = http.NewResponseController(w).Flush()
		}
	})
	for _, m := range []config.Mirror{s.mirror("m", "host"), chunked.mirror("m", "host")} {
		m.Quota = quota(3<<20/2, "month")
		w, _ := timed(t, m)
		got, err := read(t, w.place("m").Blob(debian), 0, -1)
		if m.URL == s.URL && (err != nil || len(got) != len(data)) {
			t.Errorf("%d, %v", len(got), err)
		}
		for range 3 {
			got, err = read(t, w.place("m").Blob(debian), 0, -1)
			if err == nil {
				t.Errorf("%d bytes more", len(got))
			}
		}
		if use := w.Standings(w.reg())[1].Quota; use.Used > use.Limit {
			t.Errorf("%+v", use)
		}
	}
}

// What is hung up on may have been sent all the same, as far as it fits into the
// buffers on the way: it counts, so that no quota is exceeded, and no more than that
// does.
func TestQuotaCountsWhatIsOnItsWay(t *testing.T) {
	const limit = 3 << 20
	var sent atomic.Int64
	var busy sync.WaitGroup
	data := blobOf(64 << 20)
	s := newShop(t, func(w http.ResponseWriter, r *http.Request) {
		busy.Add(1)
		defer busy.Done()
		c := &counter{ResponseWriter: w}
		defer func() { sent.Add(int64(c.n)) }()
		http.ServeContent(c, r, "", time.Time{}, bytes.NewReader(data))
	})
	m := s.mirror("m", "host")
	m.Quota = quota(limit, "month")
	w, _ := timed(t, m)
	used := func() int64 { return w.Standings(w.reg())[1].Quota.Used }
	for i := range 100 {
		b, err := w.place("m").Blob(debian).Open(t.Context(), 0, 1<<20)
		if err != nil {
			break
		}
		if _, err := io.CopyN(io.Discard, b, 1000); err != nil {
			t.Fatal(err)
		}
		_ = b.Close()
		busy.Wait()
		if n := sent.Load(); n > limit || n > used() || used() > limit {
			t.Fatalf("after %d: it sent %d, and %d count", i, n, used())
		}
	}
	if used() != limit || sent.Load() < limit/100 {
		t.Errorf("%d used, %d sent", used(), sent.Load())
	}

	ample := s.mirror("ample", "host")
	ample.Quota = quota(1<<30, "month")
	w, _ = timed(t, ample)
	b, err := w.place("ample").Blob(debian).Open(t.Context(), 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, b, 1000); err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
	if n := used(); n > 5<<20 {
		t.Errorf("%d count of 64 MiB that were hung up on after 1000 bytes", n)
	}
	before := used()
	if got, err := read(t, w.place("ample").Blob(debian), 0, 1<<20); err != nil || used()-before != int64(len(got)) {
		t.Errorf("%d count for %d that were read: %v", used()-before, len(got), err)
	}
}

// Within what an operator puts up with: connections at once, requests a minute,
// over its hosts.
func TestManners(t *testing.T) {
	s := newShop(t, serve(blobOf(100)))
	m := s.mirror("m", "host")
	m.Connections, m.PerMinute = 2, 5
	w, c := timed(t, m)
	p := w.place("m")
	ref := p.Blob(debian)
	if n := ref.Connections(); n != 2 {
		t.Fatalf("%d at first", n)
	}
	var bodies []*source.Body
	for range 2 {
		b, err := ref.Open(t.Context(), 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, b)
	}
	if own, others := ref.Connections(), p.Blob(debian).Connections(); own != 2 || others != 0 {
		t.Errorf("with both open: %d of its own, %d for others", own, others)
	}
	if _, err := read(t, p.Blob(debian), 0, -1); err == nil {
		t.Error("a third one")
	}
	for _, b := range bodies {
		_ = b.Close()
	}
	for range 3 {
		c.pass(10 * time.Second)
		if _, err := read(t, ref, 0, -1); err != nil {
			t.Fatal(err)
		}
	}
	_, err := read(t, ref, 0, -1)
	var u *source.UnusableError
	if !errors.As(err, &u) || ref.Connections() != 0 || s.count() != 5 || u.Until.Sub(c.Now()) != 30*time.Second {
		t.Errorf("a sixth within a minute: %v", err)
	}
	c.pass(30 * time.Second)
	if n := ref.Connections(); n != 2 {
		t.Errorf("%d when the first are a minute old", n)
	}
}

// Requests that are repeated or redirected on the spot count as well.
func TestMannersCountWhatIsSent(t *testing.T) {
	s := newShop(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/there" {
			http.Redirect(w, r, "/there", http.StatusFound)
			return
		}
		serve(blobOf(100))(w, r)
	})
	m := s.mirror("m", "host")
	m.PerMinute = 6
	w, _ := timed(t, m)
	for range 10 {
		_, _ = read(t, w.place("m").Blob(debian), 0, -1)
	}
	if s.count() != 6 {
		t.Errorf("%d requests", s.count())
	}
}

// The limit is the registry's for each who asks.
func TestLimitsPerIdentity(t *testing.T) {
	r := newRig(t, &hubtest.Hub{RateLimit: 100, Users: map[string]string{"ann": "a", "bob": "b"}})
	r.hub.Push(repo, "latest", hubtest.RandomImage(1, 1, 1000))
	ask := func(id source.Identity) {
		t.Helper()
		resp, err := r.Do(t.Context(), manifest("latest", id))
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%v, %v", resp, err)
		}
		_ = resp.Body.Close()
	}
	ask(source.Anonymous())
	ask(source.Client(basic("ann", "a")))
	ask(source.Client(basic("ann", "a")))
	a, err := r.tokens.Forward(t.Context(), token.Site{Registry: r.reg, Host: r.Host()}, token.ForwardRequest{
		Method: "GET", Query: map[string][]string{"scope": {"repository:" + repo + ":pull"}}, Header: http.Header{"Authorization": {basic("bob", "b")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ask(source.Client("Bearer " + strings.Split(strings.SplitN(string(a.Body), `"token":"`, 2)[1], `"`)[0]))
	var got []string
	for _, l := range r.set.LimitList() {
		got = append(got, fmt.Sprint(l.Registry, " ", l.Identity, " ", l.Remaining))
	}
	if want := "[docker.io ann 98 docker.io anonymous 99 docker.io bob 99]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %v", got, want)
	}
	if l := r.set.Limits()["docker.io"]; l.Identity != "bob" {
		t.Errorf("the last: %+v", l)
	}
}

// Credentials of a mirror come from where its settings say, and what is wrong
// is said without them.
func TestAuthOfAMirror(t *testing.T) {
	var got []string
	var mu sync.Mutex
	s := newShop(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		got = append(got, r.Header.Get("Authorization"))
		mu.Unlock()
		serve(blobOf(10))(w, r)
	})
	w, c := timed(t)
	file := filepath.Join(t.TempDir(), "login")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(file, "me:pass:word\n")
	host := strings.TrimPrefix(s.URL, "http://")
	write(filepath.Join(w.opts.DockerDir, "config.json"), `{"auths":{"`+host+`":{"auth":"bWU6cGFzcw=="},"https://index.docker.io/v1/":{"auth":"aHViOmh1Yg=="}}}`)
	w.env["BOTH"], w.env["TOKEN"], w.env["TWO"] = "me:pass", "abc", "a\nb"
	for auth, want := range map[string]string{
		"": "", "env:BOTH": basic("me", "pass"), "env:TOKEN": "Bearer abc", "file:" + file: basic("me", "pass:word"), "docker": basic("me", "pass"),
		"env:NONE": "error", "env:TWO": "error", "file:" + file + "x": "error",
	} {
		m := s.mirror("m", "host")
		m.Auth = auth
		w.change(func(r *config.Registry) { r.Mirrors = []config.Mirror{m} })
		got = nil
		p := w.place("m")
		_, err := read(t, p.Blob(debian), 0, -1)
		var u *source.UnusableError
		switch {
		case want == "error" && (!errors.As(err, &u) || len(got) > 0 || !strings.Contains(err.Error(), auth) || p.Connections() != 0):
			t.Errorf("%s: %v, %q", auth, err, got)
		case want != "error" && (err != nil || len(got) != 1 || got[0] != want):
			t.Errorf("%s: %v, %q", auth, err, got)
		}
		if err != nil && strings.Contains(err.Error(), "a\nb") {
			t.Errorf("%s: the error holds the secret: %v", auth, err)
		}
	}
	// What has changed is read again after a while.
	m := s.mirror("m", "host")
	m.Auth = "file:" + file
	w.change(func(r *config.Registry) { r.Mirrors = []config.Mirror{m} })
	write(file, "you:new")
	c.pass(time.Minute)
	got = nil
	if _, err := read(t, w.place("m").Blob(debian), 0, -1); err != nil || got[0] != basic("you", "new") {
		t.Errorf("%v, %q", err, got)
	}
	// A helper that is not there.
	write(filepath.Join(w.opts.DockerDir, "config.json"), `{"credHelpers":{"`+host+`":"pulley-test-none"}}`)
	m.Auth = "docker"
	w.change(func(r *config.Registry) { r.Mirrors = []config.Mirror{m} })
	c.pass(time.Minute)
	if _, err := read(t, w.place("m").Blob(debian), 0, -1); err == nil || !strings.Contains(err.Error(), "docker login "+host) {
		t.Errorf("a helper that is missing: %v", err)
	}
}
