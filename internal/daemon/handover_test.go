//go:build unix

package daemon_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/daemon"
	"pulley/internal/hubtest"
	"pulley/internal/waytest"
)

// over has another daemon of the same places take over.
func (r *running) over(t *testing.T, environ ...string) *running {
	t.Helper()
	return serve(t, r.hub, daemon.Options{Places: r.places, Version: "next", Environ: environ, TakeOver: true}, func(*daemon.Daemon) {})
}

// TestHandOverKeepsWhatIsKnown: the address, how long it is paused, what was counted, and what the old one still answers; and
// the old one has nothing more to say about what is on disk.
func TestHandOverKeepsWhatIsKnown(t *testing.T) {
	a := start(t, nil)
	small, large := hubtest.RandomImage(1, 1, 100<<10), hubtest.RandomImage(2, 1, 4<<20)
	a.hub.Push("library/small", "latest", small)
	a.hub.Push("library/large", "latest", large)
	a.pull(t, "library/small", small)
	a.get(t, "/v2/library/large/manifests/latest")
	a.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Total: 8 << 20})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.Address()+"/v2/library/large/blobs/"+large.Layers[0].Digest.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	slow, err := a.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Body.Close()
	if err := a.Pause(time.Hour); err != nil {
		t.Fatal(err)
	}
	before := a.State()
	b := a.over(t)
	if b.Address() != a.Address() {
		t.Errorf("it answers at %s, the old one did at %s", b.Address(), a.Address())
	}
	now := b.State()
	if now.PausedUntil == nil || !now.PausedUntil.Equal(*before.PausedUntil) {
		t.Errorf("paused until %v, before %v", now.PausedUntil, before.PausedUntil)
	}
	if now.Traffic.Ever != before.Traffic.Ever {
		t.Errorf("counted %+v, before %+v", now.Traffic.Ever, before.Traffic.Ever)
	}
	if n, err := io.Copy(io.Discard, slow.Body); err != nil || n != large.Layers[0].Content.Size() {
		t.Fatalf("the answer that was begun: %d bytes, %v", n, err)
	}
	a.client.CloseIdleConnections()
	a.ended()
	eventually(t, "what the old one answered is known", func() bool {
		list, err := b.Events(10)
		return err == nil && len(list) > 0 && list[len(list)-1].Bytes == large.Layers[0].Content.Size() &&
			b.State().Traffic.Ever.Requests == before.Traffic.Ever.Requests+1
	})
	if err := b.SetEnabled(true); err != nil {
		t.Fatal(err)
	}
	a.hub.Down()
	b.pull(t, "library/small", small)
	b.pull(t, "library/large", large)
}

// TestHandOverToAnotherAddress: with other settings the new one is where those say, and nobody is where the old one was.
func TestHandOverToAnotherAddress(t *testing.T) {
	a := start(t, nil)
	to := waytest.FreeAddr(t)
	b := a.over(t, "PULLEY_LISTEN="+to)
	if b.Address() != to {
		t.Errorf("it answers at %s", b.Address())
	}
	a.ended()
	if conn, err := net.Dial("tcp", a.Address()); err == nil {
		_ = conn.Close()
		t.Error("somebody is still at the old address")
	}
	if status, _ := b.get(t, "/healthz"); status != http.StatusOK {
		t.Error(status)
	}
	c := b.over(t, "PULLEY_LISTEN="+strings.Replace(to, "127.0.0.1", "localhost", 1)) // the same one, in other words
	if c.Address() != to {
		t.Errorf("it answers at %s", c.Address())
	}
	b.client.CloseIdleConnections()
	b.ended()
}

// TestHandOverWithAnotherCache: each has its own.
func TestHandOverWithAnotherCache(t *testing.T) {
	a := start(t, nil)
	image := hubtest.RandomImage(3, 1, 10<<10)
	a.hub.Push("library/small", "latest", image)
	a.pull(t, "library/small", image)
	b := a.over(t, "PULLEY_CACHE_DIR="+t.TempDir())
	a.client.CloseIdleConnections()
	a.ended()
	if st := b.State(); st.Cache.Blobs != 0 {
		t.Errorf("%+v", st.Cache)
	}
	b.pull(t, "library/small", image)
	b.client.CloseIdleConnections()
	c := b.over(t) // the first one's again
	if st := c.State(); st.Cache.Blobs == 0 {
		t.Errorf("%+v", st.Cache)
	}
}

// TestTakeOverThatCannotStart: whatever is wrong with the new one, the old one goes on, with its cache.
func TestTakeOverThatCannotStart(t *testing.T) {
	a := start(t, nil)
	image := hubtest.RandomImage(4, 1, 10<<10)
	a.hub.Push("library/small", "latest", image)
	for name, environ := range map[string]string{
		"settings": "PULLEY_CACHE_MAX_SIZE=much",
		"address":  "PULLEY_LISTEN=203.0.113.1:1",
	} {
		if d, err := daemon.New(daemon.Options{Places: a.places, Environ: []string{environ}, TakeOver: true}); err == nil {
			d.Close()
			t.Errorf("%s: it started", name)
		}
	}
	// One that has everything when it finds that it cannot: the certificate authority's folder is a file.
	places := a.places
	places.CADir = a.places.ConfigFile
	if d, err := daemon.New(daemon.Options{Places: places, TakeOver: true}); err == nil {
		d.Close()
		t.Error("it started")
	}
	a.pull(t, "library/small", image)
}

// TestHandOverWithASickCache: whatever is wrong with its folder, the next one takes over, and what is being answered is answered.
// Downloads are not handed over then, which is said once.
func TestHandOverWithASickCache(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(dir string) error
		kept  bool // what is cached is served from there
	}{
		{"cannot be written", func(dir string) error {
			return errors.Join(os.Rename(filepath.Join(dir, "partial"), dir+".aside"), os.WriteFile(filepath.Join(dir, "partial"), nil, 0o600))
		}, true},
		{"gone", func(dir string) error { return os.Rename(dir, dir+".aside") }, false},
		{"gone for good", func(dir string) error {
			return errors.Join(os.Rename(dir, dir+".aside"), os.WriteFile(dir, nil, 0o600))
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var log journal
			a := startWith(t, func(o *daemon.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
			small, large := hubtest.RandomImage(5, 1, 100<<10), hubtest.RandomImage(6, 1, 4<<20)
			a.hub.Push("library/small", "latest", small)
			a.hub.Push("library/large", "latest", large)
			a.settled(t, "library/small", small)
			a.get(t, "/v2/library/large/manifests/latest")
			a.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Total: 8 << 20})
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.Address()+"/v2/library/large/blobs/"+large.Layers[0].Digest.String(), nil)
			if err != nil {
				t.Fatal(err)
			}
			slow, err := a.client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer slow.Body.Close()
			if err := tc.spoil(a.places.CacheDir); err != nil {
				t.Fatal(err)
			}
			b := a.over(t)
			if b.Address() != a.Address() {
				t.Errorf("it answers at %s, the old one did at %s", b.Address(), a.Address())
			}
			got, err := io.ReadAll(slow.Body)
			if d := digest.FromBytes(got); err != nil || d != large.Layers[0].Digest {
				t.Errorf("the answer that was begun: %d bytes, %s, %v", len(got), d, err)
			}
			a.hub.SetFaults()
			a.client.CloseIdleConnections()
			a.ended()
			if n := strings.Count(log.String(), "are not handed over"); n != 1 {
				t.Errorf("said %d times that something is not handed over:\n%s", n, log.String())
			}
			b.pull(t, "library/large", large)
			b.pull(t, "library/small", small)
			events, err := b.Events(1)
			if err != nil || (events[0].Source == "cache") != tc.kept {
				t.Errorf("%+v, %v", events, err)
			}
		})
	}
}

// slowly is a log that takes its time for each line, as one on a busy disk does.
type slowly struct{ slog.Handler }

func (slowly) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

func (slowly) Handle(context.Context, slog.Record) error {
	<-time.After(200 * time.Millisecond)
	return nil
}

// TestHandOverWhileNobodyIsThere: with no client left the old one ends at once, also if its port had nothing more to do before
// all was said about the hand-over.
func TestHandOverWhileNobodyIsThere(t *testing.T) {
	a := startWith(t, func(o *daemon.Options) { o.Log = slog.New(slowly{slog.DiscardHandler}) })
	b := a.over(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.ended()
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the one that handed over does not end")
		a.stop()
		<-ended
	}
	if status, _ := b.get(t, "/healthz"); status != http.StatusOK {
		t.Error(status)
	}
}
