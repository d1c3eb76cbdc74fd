package registry_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pulley/internal/config"
	"pulley/internal/hubtest"
)

// TestNotTheAPI: whatever else is asked of an intercepted host is passed on as it
// is: headers, query, redirects, trailers, and nothing is added.
func TestNotTheAPI(t *testing.T) {
	var seen *http.Request
	other := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Clone(r.Context())
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "https://elsewhere.example/x", http.StatusFound)
		case "/secret":
			w.Header().Set("Www-Authenticate", `Bearer realm="https://elsewhere.example/token"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Thing", "1")
			fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.RawQuery, body)
		}
	})
	r := newRoom(t, &hubtest.Hub{Other: other})
	got := r.do("GET", "http://"+hubHost+"/v1/search?q=a;b&n=%zz", "X-Forwarded-For", "1.2.3.4", "Authorization", "Bearer x", "Cookie", "a=b")
	if got.StatusCode != 200 || string(got.body) != "GET q=a;b&n=%zz " || got.Header.Get("X-Thing") != "1" {
		t.Fatalf("%d %q", got.StatusCode, got.body)
	}
	for name, want := range map[string]string{
		"X-Forwarded-For": "1.2.3.4", "Authorization": "Bearer x", "Cookie": "a=b", "X-Forwarded-Host": "", "Via": "", "Accept-Encoding": "",
	} {
		if seen.Header.Get(name) != want {
			t.Errorf("%s arrived as %q", name, seen.Header.Get(name))
		}
	}
	if seen.Host != hubHost {
		t.Errorf("Host %q", seen.Host)
	}
	if got := r.do("GET", "http://"+hubHost+"/moved"); got.StatusCode != http.StatusFound || got.Header.Get("Location") != "https://elsewhere.example/x" {
		t.Errorf("redirect: %d %q", got.StatusCode, got.Header.Get("Location"))
	}
	if got := r.do("GET", "http://"+hubHost+"/secret"); !has(got.Header.Get("Www-Authenticate"), "elsewhere.example") {
		t.Errorf("challenge changed: %q", got.Header.Get("Www-Authenticate"))
	}
	r.route("docker.io", config.RouteOffline)
	wantStatus(t, "route offline", r.do("GET", "http://"+hubHost+"/v1/search").StatusCode, http.StatusServiceUnavailable)
	r.route("docker.io", config.RouteAuto)
	r.hub.Down()
	got = r.do("GET", "http://"+hubHost+"/v1/search")
	if got.StatusCode != http.StatusBadGateway || !strings.HasPrefix(string(got.body), "pulley: "+hubHost) || strings.Count(string(got.body), "\n") != 1 {
		t.Errorf("away: %d %q", got.StatusCode, got.body)
	}
}

// TestUpgrade: a WebSocket, or what engines use for attach, goes through.
func TestUpgrade(t *testing.T) {
	other := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		line, _ := rw.ReadString('\n')
		_, _ = rw.WriteString("you said " + line)
		_ = rw.Flush()
	})
	r := newRoom(t, &hubtest.Hub{Other: other})
	c, err := net.Dial("tcp", r.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, "GET /attach HTTP/1.1\r\nHost: "+hubHost+"\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	rsp, err := http.ReadResponse(in, nil)
	if err != nil || rsp.StatusCode != http.StatusSwitchingProtocols || rsp.Header.Get("Upgrade") != "echo" {
		t.Fatalf("%v %v", rsp, err)
	}
	_ = rsp.Body.Close()
	if line, err := in.ReadString('\n'); line != "you said hello\n" {
		t.Errorf("%q %v", line, err)
	}
}

// TestUnknownAPI at an intercepted host is the origin's business too, with our
// token service in its challenge.
func TestUnknownAPI(t *testing.T) {
	r := newRoom(t, nil)
	r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	e := r.engine("", "")
	e.login("library/a")
	for _, path := range []string{"library/a/manifests/sha256:abc", "UPPER/manifests/1", "library/a/nothing/of/the/kind"} {
		if got := e.ask("GET", path); got.StatusCode/100 != 4 {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
	if n := r.hub.Count("GET", "/v2/library/a/nothing/of/the/kind"); n == 0 {
		t.Error("an unknown request was not passed on")
	}
}

// TestEscapedPathsStayAsTheyCame: what is escaped in a path means what its client
// meant by it.
func TestEscapedPathsStayAsTheyCame(t *testing.T) {
	var seen []string
	r := newRoom(t, &hubtest.Hub{Other: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = append(seen, r.RequestURI) })})
	paths := []string{"/v1/repos/a%2Fb?x=c%2Fd", "/api/a%2fb%20c", "/v2/a%2Fb/extension/x"}
	e := r.engine("", "")
	e.login("a/b")
	for _, p := range paths {
		wantStatus(t, p, r.do("GET", "http://"+hubHost+p, "Authorization", "Bearer "+e.token).StatusCode, http.StatusOK)
	}
	if !slices.Equal(seen, paths) {
		t.Errorf("arrived as %q, want %q", seen, paths)
	}
}
