package egress_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/egress"
)

func pemFile(t *testing.T, c *x509.Certificate) string {
	t.Helper()
	f := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(f, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// status asks a hub's /v2/ through an egress.
func status(t *testing.T, e *egress.Egress) (int, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://registry-1.docker.io/v2/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := e.Transport("docker.io").RoundTrip(req)
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode, nil
}

func TestRoots(t *testing.T) {
	h := hubtest.Start(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hub.pem"), h.RootsPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	at := pins("registry-1.docker.io", h.Addr())
	for name, tt := range map[string]struct {
		environ []string
		extra   []string
		ok      bool
	}{
		"none":         {nil, nil, false},
		"extra_roots":  {nil, []string{h.RootsFile()}, true},
		"one missing":  {nil, []string{"/nowhere/at/all.pem", h.RootsFile()}, true},
		"all missing":  {nil, []string{"/nowhere/at/all.pem"}, false},
		"file":         {[]string{"SSL_CERT_FILE=" + h.RootsFile()}, nil, true},
		"dir":          {[]string{"SSL_CERT_DIR=" + t.TempDir() + string(filepath.ListSeparator) + dir}, nil, true},
		"broken":       {[]string{"SSL_CERT_FILE=" + os.DevNull, "SSL_CERT_DIR=/nowhere"}, nil, false},
		"insecure env": {[]string{"SSL_CERT_FILE=", "CURL_INSECURE=1"}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := newRig(t, egress.Options{Environ: tt.environ}, at, func(c *config.Config) { c.Fetch.ExtraRoots = tt.extra })
			code, err := status(t, e.Egress)
			var unknown x509.UnknownAuthorityError
			if tt.ok && (err != nil || code != 401) || !tt.ok && !errors.As(err, &unknown) {
				t.Errorf("%d, %v", code, err)
			}
			if strings.Contains(name, "missing") && !strings.Contains(e.log.String(), "/nowhere/at/all.pem") {
				t.Errorf("the log does not name the missing file: %s", e.log)
			}
		})
	}
}

// Settings that change are taken up by the next request: here the roots.
func TestSettingsAreLive(t *testing.T) {
	h := hubtest.Start(t)
	var cfg atomic.Pointer[config.Config]
	cfg.Store(config.Default())
	cfg.Load().Addresses = []config.Address{{Host: "registry-1.docker.io", Use: []string{h.Addr()}}}
	e := newRig(t, egress.Options{Settings: cfg.Load})
	if _, err := status(t, e.Egress); err == nil {
		t.Fatal("a stranger was trusted")
	}
	next := *cfg.Load()
	next.Fetch.ExtraRoots = []string{h.RootsFile()}
	cfg.Store(&next)
	if code, err := status(t, e.Egress); err != nil || code != 401 {
		t.Fatalf("%d, %v", code, err)
	}
	before, _ := h.Connections()
	for range 5 {
		if _, err := status(t, e.Egress); err != nil {
			t.Fatal(err)
		}
	}
	if after, _ := h.Connections(); after != before {
		t.Errorf("%d connections for five requests in a row", after-before)
	}
	again := next
	again.Fetch.ExtraRoots = nil
	cfg.Store(&again)
	if _, err := status(t, e.Egress); err == nil {
		t.Error("a root that was taken away is still trusted")
	}
}

// An address that resets the handshake, or answers with somebody else's
// certificate, is passed over for the next one, and nothing is trusted for it.
func TestHandshakeMovesOn(t *testing.T) {
	h := hubtest.Start(t)
	reset, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's listener
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reset.Close() }()
	go func() {
		for {
			c, err := reset.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	stranger := httptest.NewTLSServer(http.NotFoundHandler())
	defer stranger.Close()
	stranger.Config.ErrorLog = nil
	e := newRig(t, egress.Options{}, pins("registry-1.docker.io", reset.Addr().String(), stranger.Listener.Addr().String(), h.Addr()),
		func(c *config.Config) { c.Fetch.ExtraRoots = []string{h.RootsFile()} })
	if code, err := status(t, e.Egress); err != nil || code != 401 {
		t.Errorf("%d, %v", code, err)
	}
	e = newRig(t, egress.Options{}, pins("registry-1.docker.io", reset.Addr().String(), stranger.Listener.Addr().String()),
		func(c *config.Config) { c.Fetch.ExtraRoots = []string{h.RootsFile()} })
	_, err = status(t, e.Egress)
	var cert *tls.CertificateVerificationError
	if !errors.As(err, &cert) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

func TestBodiesComeAsTheyAre(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" || r.ProtoMajor != 1 {
			t.Errorf("asked with %v over %s", r.Header, r.Proto)
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, "not gzip at all")
	}))
	defer srv.Close()
	e := newRig(t, egress.Options{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := e.Transport("lab").RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || string(body) != "not gzip at all" || resp.ContentLength != 15 {
		t.Errorf("%q, %d, %v", body, resp.ContentLength, err)
	}
}

func TestSilentProxyIsGivenUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's listener
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	e := newRig(t, egress.Options{Environ: []string{"HTTPS_PROXY=http://" + l.Addr().String()}})
	ctx, cancel := contextFor(t, 50*time.Millisecond)
	defer cancel()
	if c, err := e.DialContext(ctx, "tcp", "far.example:443"); err == nil {
		_ = c.Close()
		t.Error("a proxy that says nothing connected us")
	}
}
