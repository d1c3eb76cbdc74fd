package context

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pulley/internal/cause"
)

// engine answers as dockerd 28 does to what a test of a context asks.
func engine(slowDisk <-chan struct{}) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", "1.50")
		w.Header().Set("Ostype", "linux")
	})
	mux.HandleFunc("GET /v1.50/info", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"ServerVersion":"28.2.2","OSType":"linux","Architecture":"x86_64","Images":12,"Containers":5,"ContainersRunning":3}`))
	})
	mux.HandleFunc("GET /v1.50/system/df", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-slowDisk:
		case <-r.Context().Done():
			return
		}
		_, _ = w.Write([]byte(`{"LayersSize":1000,"Images":[{"Id":"sha256:a","Size":1000,"SharedSize":0,"Containers":1}],"Containers":[{"Id":"c","SizeRw":20,"State":"running"}],"Volumes":[{"Name":"v","UsageData":{"Size":300,"RefCount":1}}],"BuildCache":[{"ID":"b","Size":4000,"Shared":false}]}`))
	})
	return mux
}

func quick() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// listen serves an engine at a socket, whose path is short, until the test ends.
func listen(t *testing.T, h http.Handler) (path string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ctx")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path = filepath.Join(dir, "s")
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", path)
	must(t, err)
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}}
	s.Start()
	t.Cleanup(s.Close)
	return path
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func wantAnswers(t *testing.T, r Report) {
	t.Helper()
	if r.Error != "" || !r.Reachable || r.Engine != "28.2.2" || r.API != "1.50" || r.System != "linux/x86_64" || r.Images != 12 || r.Containers != 5 || r.Running != 3 || r.Disk != 5320 {
		t.Errorf("it reports %+v", r)
	}
	if r.Connect <= 0 || r.Latency <= 0 {
		t.Errorf("it took %v and %v", r.Connect, r.Latency)
	}
}

func TestOverASocket(t *testing.T) {
	path := listen(t, engine(quick()))
	b := book(t, t.TempDir())
	must(t, b.Create("here", Change{Host: to("unix://" + path)}))
	wantAnswers(t, b.Test(within(t, time.Minute), "here"))
	wantAnswers(t, book(t, t.TempDir(), "DOCKER_HOST=unix://"+path).Test(within(t, time.Minute), Default))
}

// An engine that takes long to count its disk is reachable all the same, and the limit holds.
func TestTimeLimitOnlyCostsTheDisk(t *testing.T) {
	never := make(chan struct{})
	b := book(t, t.TempDir())
	must(t, b.Create("here", Change{Host: to("unix://" + listen(t, engine(never)))}))
	r := b.Test(within(t, 300*time.Millisecond), "here")
	if !r.Reachable || r.Engine != "28.2.2" || r.Disk != -1 || !strings.Contains(r.Error, "no answer in time") {
		t.Errorf("it reports %+v", r)
	}
}

func TestWhyAnEngineIsNotReached(t *testing.T) {
	silent := listen(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	old := listen(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.24") }))
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	closed := l.Addr().String()
	must(t, l.Close())
	secure := httptest.NewUnstartedServer(engine(quick()))
	secure.Config.ErrorLog = quietLog()
	secure.StartTLS()
	defer secure.Close()
	b := book(t, t.TempDir())
	kinds := map[string]string{
		"unix:///nonexistent/docker.sock": cause.NotRunning, "unix://" + silent: cause.Timeout, "tcp://" + closed: cause.NotRunning, "tcp://engine.invalid:2375": cause.Unresolved,
	}
	for host, says := range map[string]string{
		"unix:///nonexistent/docker.sock":          "there is no socket; is the engine running?",
		"unix://" + silent:                         "no answer in time",
		"unix://" + old:                            "older than this program knows",
		"tcp://" + closed:                          "nobody listens",
		"tcp://" + secure.Listener.Addr().String(): "it wants TLS; pulley context update xx --ca FILE",
		"tcp://engine.invalid:2375":                "does not resolve",
	} {
		must(t, b.Create("xx", Change{Host: &host}))
		r := b.Test(within(t, 2*time.Second), "xx")
		if r.Reachable || !strings.Contains(r.Error, says) || !strings.HasPrefix(r.Error, "xx: ") || strings.Contains(r.Error, "\n") {
			t.Errorf("%s: %+v does not say %q", host, r, says)
		}
		if r.Cause != kinds[host] {
			t.Errorf("%s: %q is not of kind %q", host, r.Cause, kinds[host])
		}
		must(t, b.Remove("xx", true))
	}
	if r := b.Test(within(t, time.Second), "gone"); r.Reachable || !strings.Contains(r.Error, "no such context") {
		t.Errorf("one that does not exist: %+v", r)
	}
}

func TestOverTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(engine(quick()))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert}
	server.Config.ErrorLog = quietLog()
	server.StartTLS()
	defer server.Close()
	dir := t.TempDir()
	ca, cert, key := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	clientPair(t, cert, key)
	home := t.TempDir()
	b := book(t, home)
	host := "tcp://" + server.Listener.Addr().String()
	must(t, b.Create("far", Change{Host: &host, CA: &ca}))
	if r := b.Test(within(t, time.Minute), "far"); r.Reachable || !strings.Contains(r.Error, "--cert FILE --key FILE") {
		t.Errorf("without a client certificate: %+v", r)
	}
	must(t, b.Update("far", Change{Cert: &cert, Key: &key})) // the CA stays
	wantAnswers(t, b.Test(within(t, time.Minute), "far"))
	if e, err := b.Get("far"); err != nil || !e.TLS {
		t.Errorf("%+v, %v", e, err)
	}
	kept := filepath.Join(b.store.GetStorageInfo("far").TLSPath, "docker", "key.pem")
	if info, err := os.Stat(kept); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the key's mode: %v, %v", info, err)
	}
	must(t, b.Update("far", Change{CA: to("")}))
	if r := b.Test(within(t, time.Minute), "far"); r.Reachable || !strings.Contains(r.Error, "not believed; pulley context update far --ca FILE") {
		t.Errorf("without its CA: %+v", r)
	}
	// docker's own way, by the environment
	env := book(t, t.TempDir(), "DOCKER_HOST="+host, "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH="+dir)
	wantAnswers(t, env.Test(within(t, time.Minute), Default))
	// A way that has no use for the key does not leave it behind.
	must(t, b.Update("far", Change{Host: to("ssh://far.test")}))
	if _, err := os.Stat(kept); !os.IsNotExist(err) {
		t.Errorf("the key is still there: %v", err)
	}
}
