//go:build linux

// Against the servers that people have; see internal/waytest.

package egress_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"pulley/internal/config"
	"pulley/internal/waytest"
	"pulley/proxy/egress"
	"pulley/proxy/egress/ssh"
)

// halves is a server of something large, whose second half comes when it is
// told to.
type halves struct {
	*httptest.Server
	body []byte
	more chan struct{}
}

func newHalves(t *testing.T) *halves {
	t.Helper()
	h := &halves{body: bytes.Repeat([]byte("0123456789abcdef"), 128<<10), more: make(chan struct{})}
	h.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(h.body)))
		_, _ = w.Write(h.body[:len(h.body)/2])
		_ = http.NewResponseController(w).Flush()
		select {
		case <-h.more:
		case <-r.Context().Done():
			return
		}
		_, _ = w.Write(h.body[len(h.body)/2:])
	}))
	t.Cleanup(h.Close)
	return h
}

// settings lead example.com, for which the server has a certificate, to it.
func (h *halves) settings(t *testing.T) func(*config.Config) {
	root := pemFile(t, h.Certificate())
	return func(c *config.Config) {
		c.Fetch.ExtraRoots = []string{root}
		c.Addresses = []config.Address{{Host: "example.com", Use: []string{h.Listener.Addr().String()}}}
	}
}

func (h *halves) get(ctx context.Context, e *egress.Egress) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://example.com/", nil)
	if err != nil {
		return nil, err
	}
	return e.Transport("lab").RoundTrip(req)
}

// A way out that is killed in the middle of a transfer ends it with an error,
// not as if it were complete; dials fail cleanly while it is away and work again
// when it is back.
func TestWayIsKilled(t *testing.T) {
	socks, web := waytest.SOCKS(t, "me", "s3cret"), waytest.HTTP(t, "me", "s3cret")
	m := waytest.SSHD(t, "")
	p := waytest.Knowing(t, m)
	me := url.UserPassword("me", "s3cret").String() + "@"
	for name, tt := range map[string]struct {
		url    string
		server interface {
			Kill()
			Start()
		}
	}{
		"socks5": {"socks5://" + me + socks.Addr, socks},
		"http":   {"http://" + me + web.Addr, web},
		"ssh":    {m.URL(), m},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHalves(t)
			e := newRig(t, egress.Options{Environ: p.Environ()}, h.settings(t), func(c *config.Config) {
				c.Egresses = []config.Egress{{Name: "out", URL: tt.url, For: []string{"*"}}}
			})
			ctx, trail := egress.WithTrail(t.Context())
			resp, err := h.get(ctx, e.Egress)
			if err != nil {
				t.Fatal(err)
			}
			if trail.Way() != "egress out" {
				t.Errorf("went %q", trail.Way())
			}
			if _, err := io.ReadFull(resp.Body, make([]byte, len(h.body)/2)); err != nil {
				t.Fatal(err)
			}
			tt.server.Kill()
			if n, err := io.Copy(io.Discard, resp.Body); err == nil {
				t.Errorf("the transfer looks complete after %d bytes more", n)
			}
			_ = resp.Body.Close()
			resp, err = h.get(t.Context(), e.Egress)
			if err == nil {
				_ = resp.Body.Close()
				t.Fatal("a server that is gone is a way out")
			}
			if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "egress out") {
				t.Errorf("the error: %v", err)
			}
			tt.server.Start()
			e.NetworkChanged() // or wait a second
			close(h.more)
			resp, err = h.get(t.Context(), e.Egress)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil || !bytes.Equal(got, h.body) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

// A way out that does not let us in says so without our password.
func TestWayRefuses(t *testing.T) {
	socks, web := waytest.SOCKS(t, "me", "right"), waytest.HTTP(t, "me", "right")
	for name, way := range map[string]string{
		"socks5": "socks5://me:wr0ng@" + socks.Addr,
		"http":   "http://me:wr0ng@" + web.Addr,
		"ssh":    "ssh://me:wr0ng@127.0.0.1:1",
	} {
		h := newHalves(t)
		e := newRig(t, egress.Options{}, h.settings(t), func(c *config.Config) {
			c.Egresses = []config.Egress{{Name: "out", URL: way, For: []string{"*"}}}
		})
		resp, err := h.get(t.Context(), e.Egress)
		if err == nil {
			_ = resp.Body.Close()
		}
		if err == nil || strings.Contains(err.Error(), "wr0ng") || strings.Contains(e.log.String(), "wr0ng") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An unknown host key waits for a person, outlives what is changed elsewhere in
// the settings, and once accepted opens the way.
func TestHostKeyWaits(t *testing.T) {
	m := waytest.SSHD(t, "")
	p := waytest.NewPerson(t, m)
	h := newHalves(t)
	close(h.more)
	cfg := config.Default()
	h.settings(t)(cfg)
	cfg.Egresses = []config.Egress{{Name: "jump", URL: m.URL(), For: []string{"lab"}}}
	changes := make(chan struct{}, 16)
	e := newRig(t, egress.Options{
		Settings: func() *config.Config { return cfg }, Environ: p.Environ(), Changed: func() { changes <- struct{}{} },
	})
	resp, err := h.get(t.Context(), e.Egress)
	if err == nil {
		_ = resp.Body.Close()
	}
	var unknown *ssh.HostKeyError
	if !errors.As(err, &unknown) {
		t.Fatalf("got %v", err)
	}
	<-changes
	next := *cfg
	next.Fetch.Connections = 3
	cfg = &next
	list := e.Pending()
	if len(list) != 1 || list[0].Egress != "jump" || list[0].Fingerprint != unknown.Fingerprint {
		t.Fatalf("pending: %+v", list)
	}
	if err := e.Accept("other", list[0].Fingerprint); err == nil {
		t.Error("accepted for an egress that is none")
	}
	if err := e.Accept("jump", "SHA256:x"); err == nil {
		t.Error("accepted another fingerprint")
	}
	if err := e.Accept("jump", list[0].Fingerprint); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		ctx, trail := egress.WithTrail(t.Context())
		resp, err = h.get(ctx, e.Egress)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		again := *cfg // new settings each time: the connection stays
		cfg = &again
		if trail.Way() != "egress jump" {
			t.Errorf("went %q", trail.Way())
		}
	}
	if n := m.Connections(); n != 2 { // the one that was refused, and the one that all share
		t.Errorf("%d connections", n)
	}
	if len(e.Pending()) != 0 {
		t.Errorf("pending: %+v", e.Pending())
	}
}
