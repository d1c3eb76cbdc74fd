package daemon_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pulley/internal/control"
	"pulley/internal/daemon"
	"pulley/internal/hubtest"
)

// journal is a log that several goroutines write.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// TestNoSecretLeaves sends a secret of its own through every place that takes one, with
// the log as talkative as it gets and much of what is asked for failing; then none of
// them, in whatever coding, is in the log, the events, the state, the metrics, an
// answer of the control interface, or a file but the settings.
func TestNoSecretLeaves(t *testing.T) {
	hub := &hubtest.Hub{Users: map[string]string{"alice": "secret-of-alice"}}
	if err := hub.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hub.Close)
	image := hubtest.RandomImage(1, 2, 5000)
	hub.Push("alice/app", "latest", image)
	hub.SetPrivate("alice/app", "alice")
	hub.Push("library/open", "latest", hubtest.RandomImage(2, 1, 5000))
	var plain []string // requests that reached a plain server, as proof that the test sends what it says
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		plain = append(plain, r.URL.String())
		w.Header().Set("Location", "http://nobody.test/?sig=secret-of-location")
		w.WriteHeader(http.StatusFound)
	}))
	t.Cleanup(server.Close)
	_, plainPort, _ := net.SplitHostPort(server.Listener.Addr().String())
	// A mirror that says aloud what it was shown.
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Www-Authenticate", `Basic realm="`+r.Header.Get("Authorization")+`"`)
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"errors":[{"code":"DENIED","message":"who is that"}]}`)
	}))
	t.Cleanup(mirror.Close)

	places := daemon.PlacesOf(t)
	settings := fmt.Sprintf(`listen = "127.0.0.1:0"
[fetch]
extra_roots = [%q]
[[registry]]
name = "docker.io"
route = "loud"
  [[registry.mirror]]
  name = "loud"
  url = %q
  auth = "env:MIRROR"
  enabled = true
[[registry]]
name = "dead.test"
hosts = ["dead.test"]
[[registry]]
name = "other.test"
hosts = ["other.test"]
[[egress]]
name = "dead"
url = "socks5://me:secret-of-egress@127.0.0.1:1"
for = ["dead.test"]
[[egress]]
name = "deadhttp"
url = "http://me:secret-of-egress@127.0.0.1:1"
for = ["other.test"]
`, hub.RootsFile(), mirror.URL) + addresses(hub)
	if err := os.WriteFile(places.ConfigFile, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	log := &journal{}
	r := serve(t, hub, daemon.Options{
		Places: places, Version: "test", Environ: []string{"MIRROR=me:secret-of-mirror", "HTTPS_PROXY=http://me:secret-of-env@127.0.0.1:1"},
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}, func(*daemon.Daemon) {})

	dial := func() net.Conn {
		c, err := net.Dial("tcp", r.Address())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	raw := func(c net.Conn, request string) string {
		defer func() { _ = c.Close() }()
		_, _ = io.WriteString(c, request+"Connection: close\r\n\r\n")
		b, _ := io.ReadAll(c)
		return string(b)
	}
	trust := x509.NewCertPool()
	pem, err := os.ReadFile(filepath.Join(places.CADir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	trust.AppendCertsFromPEM(pem)
	// at is a connection to a registry's host, through us.
	at := func(host string) net.Conn {
		c := dial()
		fmt.Fprintf(c, "CONNECT %s:443 HTTP/1.1\r\nProxy-Authorization: Basic %s\r\n\r\n", host, base64.StdEncoding.EncodeToString([]byte("me:secret-of-connect")))
		if _, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodConnect}); err != nil {
			t.Fatal(err)
		}
		return tls.Client(c, &tls.Config{RootCAs: trust, ServerName: host})
	}
	hubHost := "registry-1.docker.io"
	login := base64.StdEncoding.EncodeToString([]byte("alice:secret-of-alice"))
	token := tokenOf(t, hub, "alice", "secret-of-alice", "alice/app")
	manifest := "GET /v2/alice/app/manifests/latest HTTP/1.1\r\nHost: " + hubHost + "\r\nAccept: " + image.MediaType + "\r\n"
	for name, answer := range map[string]string{
		"token":        raw(at(hubHost), "GET /.pulley/token?scope=repository:alice/app:pull&service=registry.docker.io HTTP/1.1\r\nHost: "+hubHost+"\r\nAuthorization: Basic "+login+"\r\n"),
		"wrong token":  raw(at(hubHost), "GET /.pulley/token?scope=repository:alice/app:pull HTTP/1.1\r\nHost: "+hubHost+"\r\nAuthorization: Basic "+base64.StdEncoding.EncodeToString([]byte("alice:secret-of-typo"))+"\r\n"),
		"form":         raw(at(hubHost), "POST /.pulley/token HTTP/1.1\r\nHost: "+hubHost+"\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 72\r\n\r\ngrant_type=password&username=alice&password=secret-of-form&client_id=xx&"),
		"bearer":       raw(at(hubHost), manifest+"Authorization: Bearer "+token+"\r\n"),
		"bad bearer":   raw(at(hubHost), manifest+"Authorization: Bearer secret-of-bearer\r\n"),
		"upload":       raw(at(hubHost), "PATCH /v2/alice/app/blobs/uploads/x?_state=secret-of-upload HTTP/1.1\r\nHost: "+hubHost+"\r\nAuthorization: Bearer "+token+"\r\nContent-Length: 0\r\n"),
		"catalogue":    raw(at(hubHost), "GET /v2/_catalog?key=secret-of-query HTTP/1.1\r\nHost: "+hubHost+"\r\nCookie: secret-of-cookie\r\nReferer: https://x/?sig=secret-of-referer\r\n"),
		"mirror":       raw(dial(), "GET /v2/library/open/manifests/latest HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic "+base64.StdEncoding.EncodeToString([]byte("me:secret-of-door"))+"\r\n"),
		"ns":           raw(dial(), "GET /v2/alice/app/manifests/latest?ns=docker.io&token=secret-of-ns HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer secret-of-nsbearer\r\n"),
		"dead":         raw(dial(), "GET /v2/x/manifests/latest?ns=dead.test HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer secret-of-dead\r\n"),
		"other":        raw(dial(), "GET /v2/x/manifests/latest?ns=other.test HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer secret-of-other\r\n"),
		"dead host":    raw(at("dead.test"), "GET /v2/x/manifests/latest HTTP/1.1\r\nHost: dead.test\r\nAuthorization: Basic c2VjcmV0LW9mLWRlYWRob3N0\r\n"),
		"absolute":     raw(dial(), "GET http://me:secret-of-user@localhost:"+plainPort+"/?token=secret-of-url HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic c2VjcmV0LW9mLXByb3h5\r\n"),
		"nobody":       raw(dial(), "GET http://me:secret-of-user@nobody.test/?token=secret-of-url HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret-of-plain\r\n"),
		"upgrade":      raw(dial(), "GET http://me:secret-of-user@nobody.test/?token=secret-of-url HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nSec-Websocket-Key: secret-of-socket\r\nConnection: upgrade\r\n"),
		"broken":       raw(dial(), "GET http://nobody.test/?token=secret-of-broken HTTP/1.1\r\nHost: x\r\nX secret-of-line\r\n"),
		"no host":      raw(dial(), "CONNECT me:secret-of-target@nobody.test:443 HTTP/1.1\r\nHost: x\r\n"),
		"SOCKS5":       raw(dial(), "\x05\x01\x02\x01\x02me\x0fsecret-of-socks\x05\x01\x00\x03\x0bnobody.test\x01\xbb"),
		"foreign host": raw(dial(), "GET /v2/x/manifests/secret?k=secret-of-foreign HTTP/1.1\r\nHost: evil.test\r\n"),
	} {
		if name != "SOCKS5" && !strings.HasPrefix(answer, "HTTP/1.1 ") {
			t.Errorf("%s: no answer: %q", name, answer)
		}
		for _, s := range []string{"secret-of-egress", "secret-of-mirror", "secret-of-env", "secret-of-location"} { // what is not the client's own
			if strings.Contains(answer, s) && !strings.Contains(answer, "Location: ") {
				t.Errorf("%s: the answer holds %s: %q", name, s, answer)
			}
		}
	}
	if _, err := r.Pull(t.Context(), control.Pull{
		Images:      []control.PullImage{{Image: "dead.test/x:1"}, {Image: "docker.io/alice/app:latest"}},
		Credentials: map[string]control.Secret{"dead.test": "Bearer secret-of-pull", "docker.io": "Refresh secret-of-refresh"},
	}, func(control.Pulling) {}); err != nil {
		t.Log(err)
	}
	_, _ = r.TestEgress(t.Context(), "dead", "")
	_, _ = r.TestEgress(t.Context(), "deadhttp", "")
	_, _ = r.TestMirror(t.Context(), control.MirrorTest{Registry: "docker.io", Name: "loud"}, func(control.MirrorTesting) {})
	_ = r.AddEgress(control.Egress{Name: "third", URL: "ftp://me:secret-of-third@proxy:1"})
	if err := r.SetSetting("fetch.doh", "https://me:secret-of-doh@127.0.0.1:1/"); err != nil && strings.Contains(err.Error(), "secret-of") {
		t.Error(err)
	}
	r.pull(t, "library/open", hubtest.RandomImage(2, 1, 5000))

	events, err := r.Events(1000)
	if err != nil {
		t.Fatal(err)
	}
	families, err := r.Metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	sources, err := r.Sources("")
	if err != nil {
		t.Fatal(err)
	}
	show := map[string]string{"log": log.String(), "metrics": fmt.Sprint(families)}
	for name, v := range map[string]any{"events": events, "state": r.State(), "sources": sources, "egresses": r.Egresses(), "history": r.History(), "addresses": r.Addresses()} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		show[name] = string(b)
	}
	r.stop()
	r.ended()
	show["log at the end"] = log.String()
	err = filepath.WalkDir(places.Home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(path, places.ConfigFile) {
			return err
		}
		b, err := os.ReadFile(path)
		show[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(plain) == 0 || !strings.Contains(show["log"], "nobody.test") || !strings.Contains(show["events"], "alice/app") {
		t.Errorf("the test sees nothing: %v, %.3000s, %.3000s", plain, show["log"], show["events"])
	}
	for where, text := range show {
		if found := secretsIn(text, token, login); len(found) > 0 {
			t.Errorf("%s holds %v", where, found)
		}
	}
}

// secretsIn finds what says "secret-of" in a text, as it is and as it may be written
// otherwise, and the further ones in full.
func secretsIn(text string, further ...string) (found []string) {
	for line := range strings.Lines(text) {
		if i := strings.Index(line, "secret-of-"); i >= 0 {
			found = append(found, fmt.Sprintf("%.300s", line[max(0, i-150):]))
		}
	}
	for at := range 3 { // base64 of it, at any offset
		coded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", at) + "secret-of-"))
		coded = coded[(at*8+5)/6 : len(coded)-2]
		if strings.Contains(text, coded) {
			found = append(found, "base64 "+coded)
		}
	}
	for _, s := range append(slices.Clone(further), hex.EncodeToString([]byte("secret-of-")), url.QueryEscape("me:secret-of")) {
		if strings.Contains(text, s) {
			found = append(found, s)
		}
	}
	return found
}
