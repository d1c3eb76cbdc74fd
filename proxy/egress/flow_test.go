package egress_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"

	"pulley/internal/config"
	"pulley/proxy/egress"
)

// sends is a TLS server that a rig's transport reaches.
func sends(t *testing.T, answer http.HandlerFunc) (get func() *http.Response) {
	t.Helper()
	s := httptest.NewTLSServer(answer)
	t.Cleanup(s.Close)
	roots := pemFile(t, s.Certificate())
	e := newRig(t, egress.Options{}, pins("example.com", s.Listener.Addr().String()), func(c *config.Config) {
		c.Fetch.ExtraRoots = []string{roots}
	})
	return func() *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := e.Transport("").RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
}

// All bytes come, in their order, however the server cuts them into records and the
// reader into reads, request after request on one connection.
func TestBytesThroughTLS(t *testing.T) {
	want := make([]byte, 5<<20)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(want)
	cut := rand.New(random) //nolint:gosec // a test's
	get := sends(t, func(w http.ResponseWriter, _ *http.Request) {
		sizes := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test's
		for rest := want; len(rest) > 0; {
			n := min(1+sizes.IntN(100_000), len(rest))
			_, _ = w.Write(rest[:n])
			w.(http.Flusher).Flush() //nolint:errcheck,forcetypeassert // net/http's can
			rest = rest[n:]
		}
	})
	for _, most := range []int{100, 20_000, 256 << 10, 1 << 20} {
		resp := get()
		got := make([]byte, 0, len(want))
		buf := make([]byte, most)
		for err := error(nil); err == nil; {
			var n int
			n, err = resp.Body.Read(buf[:1+cut.IntN(most)])
			got = append(got, buf[:n]...)
			if err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
		}
		_ = resp.Body.Close()
		if !bytes.Equal(got, want) {
			t.Fatalf("read by up to %d: %d bytes of %d, or not these", most, len(got), len(want))
		}
	}
}

// Who reads waits for no more than the first bytes, and gets all that came before a
// connection broke, then the error.
func TestNoByteWaitsForOthers(t *testing.T) {
	const whole = 1 << 20
	seen, broken := make(chan struct{}), 3*aRecord+7
	get := sends(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1048576")
		for _, n := range []int{1, aRecord, broken - 1 - aRecord} {
			_, _ = w.Write(make([]byte, n))
			w.(http.Flusher).Flush() //nolint:errcheck,forcetypeassert // net/http's can
			select {
			case <-seen:
			case <-r.Context().Done():
				return
			}
		}
		panic(http.ErrAbortHandler)
	})
	resp := get()
	defer func() { _ = resp.Body.Close() }()
	buf := make([]byte, whole)
	for _, n := range []int{1, aRecord, broken - 1 - aRecord} {
		if _, err := io.ReadAtLeast(resp.Body, buf, n); err != nil {
			t.Fatal(err)
		}
		seen <- struct{}{}
	}
	if n, err := resp.Body.Read(buf); n > 0 || err == nil || errors.Is(err, io.EOF) {
		t.Errorf("after the end: %d bytes, %v", n, err)
	}
}

// aRecord is as many bytes as TLS sends in one piece.
const aRecord = 16 << 10
