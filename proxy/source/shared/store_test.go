//go:build linux

package shared_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"go.uber.org/goleak"

	"pulley/internal/config"
	"pulley/internal/waytest"
	"pulley/proxy/source/shared"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// content is in memory.
type content struct{ *bytes.Reader }

func (content) Close() error { return nil }

// blob is an item of so many random bytes.
func blob(n int) (shared.Item, []byte) {
	body := make([]byte, n)
	_, _ = rand.Read(body)
	d := digest.FromBytes(body)
	return shared.Item{
		Key: shared.BlobKey(d), Type: "application/octet-stream", Digest: d,
		Open: func() (shared.Content, error) { return content{bytes.NewReader(body)}, nil },
	}, body
}

// journal is a log that may be read while it is written.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// open runs a store in front of a server until the test ends.
func open(t *testing.T, server *waytest.ObjectStore, env []string, change func(*shared.Options)) (*shared.Store, *journal) {
	t.Helper()
	for _, line := range env {
		key, value, _ := strings.Cut(line, "=")
		t.Setenv(key, value)
	}
	at, err := config.ParseShared(server.URL("a/b"))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	log := &journal{}
	o := shared.Options{Store: at, Transport: func() http.RoundTripper { return transport }, Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if change != nil {
		change(&o)
	}
	s := shared.New(o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		transport.CloseIdleConnections()
	})
	return s, log
}

// until waits for what a store does beside the test.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick, enough := time.NewTicker(10*time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-enough:
			t.Fatalf("no %s", what)
		}
	}
}

// read is what the store has under a key.
func read(t *testing.T, s *shared.Store, key string) (int, []byte) {
	t.Helper()
	r, err := s.Request(t.Context(), http.MethodGet, key, http.Header{"Range": {"bytes=0-"}})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.URL.String(), "Signature") {
		t.Errorf("signed in its URL: %s", r.URL)
	}
	rsp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rsp.Body.Close() }()
	body, err := io.ReadAll(rsp.Body)
	if err != nil {
		t.Fatal(err)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	return rsp.StatusCode, body
}

// What is offered arrives, small and in parts, once; what is not what its digest
// says, or not allowed, does not.
func TestOffer(t *testing.T) {
	server := waytest.Objects(t, "", "")
	s, log := open(t, server, server.Environ(), nil)
	until(t, "answer", func() bool { return s.Why() == "" })
	for _, size := range []int{0, 1, 300 << 10, 40 << 20} {
		it, body := blob(size)
		s.Offer(it)
		until(t, "empty queue", func() bool { return s.Waiting() == 0 })
		if status, got := read(t, s, it.Key); size > 0 && (status != http.StatusPartialContent || !bytes.Equal(got, body)) {
			t.Errorf("%d bytes: %d, %d bytes\n%s", size, status, len(got), log)
		}
		if on, err := os.ReadFile(filepath.Join(server.Dir, "a/b", it.Key)); err != nil || !bytes.Equal(on, body) {
			t.Errorf("%d bytes: %v, %d bytes\n%s", size, err, len(on), log)
		}
	}
	wrong, _ := blob(100)
	wrong.Open = func() (shared.Content, error) { return content{bytes.NewReader(make([]byte, 100))}, nil }
	secret, _ := blob(100)
	secret.Allowed = func() bool { return false }
	gone, _ := blob(100)
	gone.Open = func() (shared.Content, error) { return nil, errors.New("evicted") }
	for _, it := range []shared.Item{wrong, secret, gone} {
		s.Offer(it)
		until(t, "empty queue", func() bool { return s.Waiting() == 0 })
		if slices.Contains(server.Keys(), "a/b/"+it.Key) {
			t.Errorf("%s is in the store", it.Key)
		}
	}
	if strings.Contains(log.String(), server.Secret) {
		t.Error("the log holds the secret")
	}
}

// A store that ceases to answer is left alone at once and found again; what could
// not be brought there in the meantime is brought then.
func TestAwayAndBack(t *testing.T) {
	server := waytest.Objects(t, "", "")
	s, log := open(t, server, server.Environ(), nil)
	until(t, "answer", func() bool { return s.Why() == "" })
	server.Kill()
	it, _ := blob(100 << 10)
	s.Offer(it)
	until(t, "doubt", func() bool { return s.Why() != "" })
	if s.Problem() != "" {
		t.Errorf("a person is troubled with %q", s.Problem())
	}
	server.Start()
	until(t, "object", func() bool { return slices.Contains(server.Keys(), "a/b/"+it.Key) })
	if strings.Contains(log.String(), "Signature") || strings.Contains(log.String(), server.Secret) {
		t.Error("the log holds secrets")
	}
}

// Whoever is refused is told why and what to do, once, without a secret.
func TestRefused(t *testing.T) {
	for want, line := range map[string]string{
		"AWS_SECRET_ACCESS_KEY": "AWS_SECRET_ACCESS_KEY=wrong-wrong-wrong", "AWS_ACCESS_KEY_ID": "AWS_ACCESS_KEY_ID=AKIANOBODY", "aws configure": "AWS_SECRET_ACCESS_KEY=",
	} {
		t.Run(want, func(t *testing.T) {
			server := waytest.Objects(t, "", "")
			s, log := open(t, server, append(server.Environ(), line), nil)
			until(t, "problem", func() bool { return s.Problem() != "" })
			if why := s.Problem(); !strings.Contains(why, want) || strings.Contains(why, "\n") || s.Why() != why {
				t.Errorf("problem %q, why %q", why, s.Why())
			}
			until(t, "line in the log", func() bool { return strings.Contains(log.String(), "not used") })
			if n := strings.Count(log.String(), "not used"); n != 1 {
				t.Errorf("logged %d times:\n%s", n, log)
			}
		})
	}
	server := waytest.Objects(t, "", "")
	server.Bucket = "nobodys"
	s, _ := open(t, server, server.Environ(), nil)
	until(t, "problem", func() bool { return strings.Contains(s.Problem(), "no such bucket") })
}

// What a person allows in bytes a second is kept to.
func TestUploadsKeepTheirPace(t *testing.T) {
	server := waytest.Objects(t, "", "")
	s, _ := open(t, server, server.Environ(), func(o *shared.Options) { o.Rate = func() int64 { return 1 << 20 } })
	until(t, "answer", func() bool { return s.Why() == "" })
	it, _ := blob(2 << 20)
	began := time.Now()
	s.Offer(it)
	until(t, "object", func() bool { return s.Waiting() == 0 })
	if took := time.Since(began); took < 1500*time.Millisecond {
		t.Errorf("2 MiB at 1 MiB/s took %v", took)
	}
}
