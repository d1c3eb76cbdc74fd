package share

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Through the tunnel come people of another machine: they get a mirror to read from, and no way into this one.
func TestDoorIsAMirrorAndNothingElse(t *testing.T) {
	here := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Forwarded-For") != "" {
			t.Error("it speaks of somebody else")
		}
		_, _ = fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Host, r.RequestURI, r.Header.Get("Origin"))
	}))
	defer here.Close()
	d, err := openDoor(t.Context(), here.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	for request, want := range map[string]string{
		"GET /healthz HTTP/1.1": "GET far:5055 /healthz ",
		"GET /v2/ HTTP/1.1":     "GET far:5055 /v2/ ",
		"GET /v2/library/debian/manifests/latest?ns=docker.io HTTP/1.1\r\nOrigin: x": "GET far:5055 /v2/library/debian/manifests/latest?ns=docker.io x",
		"GET /v2/ghcr.io/org/app/blobs/sha256:00 HTTP/1.1":                           "GET far:5055 /v2/ghcr.io/org/app/blobs/sha256:00 ",
		"GET /metrics HTTP/1.1":                          "404",
		"GET / HTTP/1.1":                                 "404",
		"GET /v2/_catalog HTTP/1.1":                      "404",
		"GET /v2/local/mine/manifests/1 HTTP/1.1":        "404",
		"GET /v2//local/mine/manifests/1 HTTP/1.1":       "404",
		"GET /v2/x/../local/mine/manifests/1 HTTP/1.1":   "404",
		"GET /v2/%6cocal/mine/manifests/1 HTTP/1.1":      "404",
		"GET /v2%2flocal/mine/manifests/1 HTTP/1.1":      "404",
		"GET /v2/../metrics HTTP/1.1":                    "404",
		"PUT /v2/local/mine/manifests/1 HTTP/1.1":        "403",
		"POST /v2/library/x/blobs/uploads/ HTTP/1.1":     "403",
		"CONNECT 127.0.0.1:22 HTTP/1.1":                  "403",
		"GET http://127.0.0.1:1/v2/ HTTP/1.1":            "403",
		"GET http://far:5055/v2/ HTTP/1.1":               "403",
		"GET /v2/ HTTP/1.1\r\nUpgrade: websocket":        "403",
		"\x05\x01\x00":                                   "400",
		"\x16\x03\x01\x00\x02\x01\x00\x01\x00 TLS hello": "400",
	} {
		if got := say(t, d.addr(), request); got != want {
			t.Errorf("%q is answered %q, not %q", request, got, want)
		}
	}
	here.Close()
	if got := say(t, d.addr(), "GET /v2/ HTTP/1.1"); got != "closed" {
		t.Errorf("without a Pulley it answers %q", got)
	}
}

// say is the answer to a request: its body if that was let through, else the status.
func say(t *testing.T, addr, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request+"\r\nHost: far:5055\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		return "closed"
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode == http.StatusOK {
		return string(body)
	}
	return fmt.Sprint(res.StatusCode)
}
