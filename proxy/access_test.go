package proxy

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"pulley/internal/config"
	"pulley/proxy/ca"
)

// office is a port that others reach, with a certificate and ann as its user.
func office(t *testing.T, change ...func(*config.Config)) *port {
	t.Helper()
	dir := t.TempDir()
	cert, key := officePair(t, dir)
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return newPort(t, options{listen: fromElsewhere, config: func(c *config.Config) {
		c.Access = config.Access{Users: map[string]string{"ann": string(hash)}, Cert: cert, Key: key}
		for _, f := range change {
			f(c)
		}
	}})
}

// officePair writes a certificate for cache.office.test, of an authority of its own.
func officePair(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	other, err := ca.Open(ca.Options{Dir: filepath.Join(dir, "ca")})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Cover([]string{"cache.office.test"}); err != nil {
		t.Fatal(err)
	}
	pair, err := other.Leaf("cache.office.test")
	if err != nil {
		t.Fatal(err)
	}
	return writePair(t, dir, pair)
}

func (p *port) overTLS() net.Conn {
	p.t.Helper()
	c := tls.Client(p.connect(), &tls.Config{InsecureSkipVerify: true, ServerName: "cache.office.test"})
	if err := c.Handshake(); err != nil {
		p.t.Fatal(err)
	}
	return c
}

// ask sends a request with a name and password ("": none) and further header lines.
func ask(t *testing.T, c net.Conn, line, user, password string, header ...string) (*http.Response, string) {
	t.Helper()
	defer func() { _ = c.Close() }()
	method, _, _ := strings.Cut(line, " ")
	fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: cache.office.test\r\nConnection: close\r\n", line)
	if user != "" {
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth(user, password)
		name := "Authorization"
		if method == http.MethodConnect || strings.Contains(line, "://") {
			name = "Proxy-Authorization"
		}
		fmt.Fprintf(c, "%s: %s\r\n", name, r.Header.Get("Authorization"))
	}
	for _, h := range header {
		fmt.Fprintf(c, "%s\r\n", h)
	}
	fmt.Fprint(c, "\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if method == http.MethodConnect && resp.StatusCode == http.StatusOK {
		return resp, ""
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return resp, string(body)
}

// A password that could be read on its way is not asked for, and not taken.
func TestPasswordsAreTakenOverTLSOnly(t *testing.T) {
	p := office(t)
	p.tcpServer("echo.test:9", echo)
	for _, line := range []string{"GET /v2/", "GET /metrics", "GET /", "CONNECT echo.test:9", "GET http://echo.test:9/"} {
		resp, body := ask(t, p.connect(), line, "ann", "secret")
		if resp.StatusCode != http.StatusForbidden || !strings.Contains(body, "https://") {
			t.Errorf("%s in clear: %s %q", line, resp.Status, body)
		}
		if resp.Header.Get("WWW-Authenticate")+resp.Header.Get("Proxy-Authenticate") != "" {
			t.Errorf("%s in clear is challenged", line)
		}
	}
	c := p.connect()
	fmt.Fprint(c, "\x05\x02\x00\x02")
	wantRead(t, c, "\x05\xff")
	if n := p.s.Refused(); n.Plain != 6 || n.Password != 0 {
		t.Errorf("counted %+v", n)
	}
	for line, want := range map[string]int{"GET /v2/": 200, "GET /metrics": 200, "GET /": 404, "CONNECT echo.test:9": 200} {
		if resp, body := ask(t, p.overTLS(), line, "ann", "secret"); resp.StatusCode != want {
			t.Errorf("%s over TLS: %s %q", line, resp.Status, body)
		}
		missing := http.StatusUnauthorized
		if strings.HasPrefix(line, "CONNECT") {
			missing = http.StatusProxyAuthRequired
		}
		for _, password := range []string{"", "wrong"} {
			user := strings.Repeat("ann", len(password)/5)
			if resp, body := ask(t, p.overTLS(), line, user, password); resp.StatusCode != missing {
				t.Errorf("%s over TLS with %q: %s %q", line, password, resp.Status, body)
			}
		}
	}
}

// Metrics are for this machine, and for whoever has proved to be one of the users.
func TestWhoGetsMetrics(t *testing.T) {
	near := newPort(t, options{})
	for _, tc := range []struct {
		line, header string
		want         int
	}{
		{"GET /metrics", "", 200}, {"HEAD /metrics", "", 200}, {"POST /metrics", "", 405},
		{"GET /metrics", "Origin: http://127.0.0.1:5055", 403},
		{"GET /metrics", "Sec-Fetch-Site: none", 403},
		{"GET /metrics", "Sec-Fetch-Mode: navigate", 403},
	} {
		c := near.connect()
		fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n\r\n", tc.line, strings.TrimSuffix("X: y\r\n"+tc.header, "\r\n"))
		resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: strings.Fields(tc.line)[0]})
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != tc.want {
			t.Errorf("%s %s: %s, want %d", tc.line, tc.header, resp.Status, tc.want)
		}
	}
	byAddressAlone := newPort(t, options{listen: fromElsewhere, config: func(c *config.Config) {
		c.Access.Allow = []string{"192.0.2.0/24"}
	}})
	for _, c := range []net.Conn{byAddressAlone.connect(), tls.Client(byAddressAlone.connect(), &tls.Config{InsecureSkipVerify: true})} {
		fmt.Fprint(c, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		if resp, body := readResponse(t, c); resp.StatusCode != http.StatusForbidden || strings.Contains(body, "own") {
			t.Errorf("by its address alone: %s %q", resp.Status, body)
		}
	}
	far := office(t)
	for password, want := range map[string]int{"secret": 200, "wrong": 401} {
		if resp, _ := ask(t, far.overTLS(), "GET /metrics", "ann", password); resp.StatusCode != want {
			t.Errorf("with %q: %s", password, resp.Status)
		}
	}
	if resp, _ := ask(t, far.overTLS(), "GET /metrics", "ann", "secret", "Origin: https://cache.office.test"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a page, with a password: %s", resp.Status)
	}
}

// Who guesses is told how long to wait, in the format of what was asked.
func TestGuessesAreAnsweredWith429(t *testing.T) {
	p := office(t)
	for i := range byAddress.free + 1 {
		if resp, _ := ask(t, p.overTLS(), "GET /v2/", "ann", fmt.Sprint(i)); resp.StatusCode != http.StatusUnauthorized {
			t.Fatalf("guess %d: %s", i, resp.Status)
		}
	}
	resp, body := ask(t, p.overTLS(), "GET /v2/", "ann", "secret")
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "1" || !strings.Contains(body, `"code":"TOOMANYREQUESTS"`) {
		t.Errorf("GET /v2/: %s %v %s", resp.Status, resp.Header, body)
	}
	if resp, body = ask(t, p.overTLS(), "CONNECT echo.test:9", "ann", "secret"); resp.StatusCode != http.StatusTooManyRequests || !strings.HasPrefix(body, "pulley: ") {
		t.Errorf("CONNECT: %s %q", resp.Status, body)
	}
	if resp, _ = ask(t, p.overTLS(), "GET /v2/", "", ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a password: %s", resp.Status)
	}
	p.advance(time.Second)
	if resp, body = ask(t, p.overTLS(), "GET /v2/", "ann", "secret"); resp.StatusCode != http.StatusOK {
		t.Errorf("after the wait: %s %s", resp.Status, body)
	}
	if n := p.s.Refused(); n.Password != int64(byAddress.free+1) || n.TooMany != 2 {
		t.Errorf("counted %+v", n)
	}
}

// Settings that let nobody in any more do so at once, whatever the port was opened for.
func TestRulesThatGoAwayLetNobodyIn(t *testing.T) {
	p := office(t)
	if resp, _ := ask(t, p.overTLS(), "GET /v2/", "ann", "secret"); resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	bare := *p.config.Load()
	bare.Access = config.Access{}
	p.config.Store(&bare)
	wantEOF(t, p.connect())
	if n := p.s.Refused(); n.Address != 1 {
		t.Errorf("counted %+v", n)
	}
}

// While a certificate is being renewed the old one serves.
func TestARenewalInTwoStepsInterruptsNothing(t *testing.T) {
	p := office(t)
	leaf := func() string {
		c := p.overTLS()
		defer c.Close()
		return c.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	before := leaf()
	a := p.config.Load().Access
	if err := p.s.CheckAccess(); err != nil {
		t.Error(err)
	}
	cert, key := officePair(t, t.TempDir())
	move := func(from, to string) {
		t.Helper()
		body, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, body, 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(time.Minute)
		if err := os.Chtimes(to, at, at); err != nil {
			t.Fatal(err)
		}
	}
	move(cert, a.Cert)
	if got := leaf(); got != before {
		t.Error("half a renewal is in force")
	}
	if err := p.s.CheckAccess(); err == nil || !strings.Contains(err.Error(), a.Cert) {
		t.Errorf("half a renewal is told as %v", err)
	}
	move(key, a.Key)
	if got := leaf(); got == before {
		t.Error("the new certificate is not in force")
	}
	if err := p.s.CheckAccess(); err != nil {
		t.Error(err)
	}
	p.advance(10 * 366 * 24 * time.Hour)
	if err := p.s.CheckAccess(); err == nil || !strings.Contains(err.Error(), "ended on") {
		t.Errorf("long after: %v", err)
	}
	if err := os.Remove(a.Key); err != nil {
		t.Fatal(err)
	}
	if err := p.s.CheckAccess(); err == nil || !strings.Contains(err.Error(), a.Key) {
		t.Errorf("without its key: %v", err)
	}
}
