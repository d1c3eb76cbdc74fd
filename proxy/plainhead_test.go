package proxy

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

const plainGet = "GET /v2/library/debian/manifests/latest HTTP/1.1\r\nHost: 127.0.0.1:5055\r\n"

func TestPlainHead(t *testing.T) {
	for head, want := range map[string]struct{ ok, last bool }{
		plainGet + "\r\n": {ok: true},
		plainGet + "User-Agent: docker/29 (linux)\r\nAccept: a/b\r\nAccept: c/d, e/f\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n": {true, true},
		"HEAD /v2/a/b/manifests/sha256:00?ns=ghcr.io:443 HTTP/1.1\r\nHost: [::1]:5055\r\nConnection: keep-alive\r\n\r\n":                    {ok: true},

		// To be waited for, or more than one.
		plainGet: {}, plainGet + "\r": {}, "": {}, plainGet + "\r\n" + plainGet + "\r\n": {}, plainGet + "\r\nx": {},
		// A body, or what might be taken for one.
		plainGet + "Content-Length: 0\r\n\r\n": {}, plainGet + "Transfer-Encoding: chunked\r\n\r\n": {}, plainGet + "Expect: 100-continue\r\n\r\n": {},
		// What is not as clients write it.
		plainGet + "accept: a/b\r\n\r\n": {}, plainGet + "Accept:a/b\r\n\r\n": {}, plainGet + "Accept:  a/b\r\n\r\n": {}, plainGet + "Accept: a/b \r\n\r\n": {},
		plainGet + " folded\r\n\r\n": {}, plainGet + "Accept: a\nHost: b\r\n\r\n": {}, plainGet + "Accept: a\tb\r\n\r\n": {}, plainGet + "Accept: \x80\r\n\r\n": {},
		plainGet + "Accept : a/b\r\n\r\n": {}, "\r\n" + plainGet + "\r\n": {}, strings.ReplaceAll(plainGet, "\r\n", "\n") + "\n": {},
		// Twice.
		plainGet + "Host: b\r\n\r\n": {}, plainGet + "Authorization: a\r\nAuthorization: b\r\n\r\n": {}, plainGet + "Connection: close\r\nConnection: keep-alive\r\n\r\n": {},
		// Others.
		plainGet + "Origin: http://x.test\r\n\r\n": {}, plainGet + "If-None-Match: *\r\n\r\n": {}, plainGet + "Connection: upgrade\r\n\r\n": {},
		"GET /v2/a HTTP/1.0\r\nHost: a\r\n\r\n": {}, "GET /v2/a HTTP/1.1\r\n\r\n": {}, "PUT /v2/a HTTP/1.1\r\nHost: a\r\n\r\n": {},
		"GET /v2/a%2fb HTTP/1.1\r\nHost: a\r\n\r\n": {}, "GET http://a/v2/a HTTP/1.1\r\nHost: a\r\n\r\n": {}, "GET //v2/a HTTP/1.1\r\nHost: a\r\n\r\n": {},
		"GET /v2/a?ns=a&b=c HTTP/1.1\r\nHost: a\r\n\r\n": {}, "GET /v2/a? HTTP/1.1\r\nHost: a\r\n\r\n": {}, "GET /v2/a#b HTTP/1.1\r\nHost: a\r\n\r\n": {},
		"GET /v2/a  HTTP/1.1\r\nHost: a\r\n\r\n": {}, "GET /v2/a HTTP/1.1 \r\nHost: a\r\n\r\n": {}, "GET /v2/a HTTP/1.1\r\nHost: a b\r\n\r\n": {},
	} {
		if _, last, ok := plainHead(plainBase(t.Context(), &net.TCPAddr{}), []byte(head)); ok != want.ok || last != want.last {
			t.Errorf("%q: %v, last %v; want %+v", head, ok, last, want)
		}
	}
}

// FuzzPlainHead: what is taken for a plain request is one to net/http, too, and the
// same.
func FuzzPlainHead(f *testing.F) {
	f.Add([]byte(plainGet + "Accept: a/b\r\nAccept: c/d\r\nConnection: close\r\n\r\n"))
	f.Add([]byte("HEAD /v2/a/manifests/b?ns=ghcr.io HTTP/1.1\r\nHost: [::1]:1\r\nUser-Agent: a\r\nAuthorization: Bearer x\r\n\r\n"))
	f.Add([]byte("GET /v2/ HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nAccept-Encoding: gzip\r\n\r\n"))
	f.Fuzz(func(t *testing.T, head []byte) {
		got, last, ok := plainHead(plainBase(t.Context(), &net.TCPAddr{}), head)
		if !ok {
			return
		}
		in := bufio.NewReaderSize(bytes.NewReader(head), len(head)+16)
		want, err := http.ReadRequest(in)
		if err != nil {
			t.Fatalf("%q: net/http: %v", head, err)
		}
		if want.ContentLength != 0 || len(want.TransferEncoding) > 0 || in.Buffered() > 0 {
			t.Errorf("%q: net/http sees a body", head)
		}
		if got.Method != want.Method || got.Host != want.Host || *got.URL != *want.URL || got.RequestURI != want.RequestURI || got.Proto != want.Proto || last != want.Close {
			t.Errorf("%q: %s %s %s, last %v; net/http: %s %s %s, last %v", head, got.Method, got.Host, got.URL, last, want.Method, want.Host, want.URL, want.Close)
		}
		delete(got.Header, "Connection") // net/http takes it out, or leaves it, by what it says
		delete(want.Header, "Connection")
		if !reflect.DeepEqual(got.Header, want.Header) {
			t.Errorf("%q: %v; net/http: %v", head, got.Header, want.Header)
		}
	})
}
