package registry_test

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/internal/config"
)

// TestRangesOnAMiss are 206 with the right Content-Range, whatever form they
// have, and so they are on a hit.
func TestRanges(t *testing.T) {
	const size = 300_000
	for _, c := range []struct {
		header  string
		off, n  int64
		missing bool // 416
	}{
		{"bytes=0-", 0, size, false},
		{"bytes=100000-", 100000, 200000, false},
		{"bytes=5-10", 5, 6, false},
		{"bytes=5-99999999", 5, size - 5, false},
		{"bytes=0-299999", 0, size, false},
		{"bytes=0-99999999", 0, size, false},
		{"bytes=-1000", size - 1000, 1000, false},
		{"bytes=-999999999", 0, size, false},
		{"bytes=300000-", 0, 0, true},
		{"bytes=400000-500000", 0, 0, true},
		{"bytes=x", 0, 0, true},
	} {
		for _, warm := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s warm %v", c.header, warm), func(t *testing.T) {
				r := newRoom(t, nil)
				d, blob := bigBlob(r, 1, size)
				if warm {
					wantStatus(t, "fill", r.do("GET", blobURL(d)).StatusCode, 200)
					r.idle()
				}
				got := r.do("GET", blobURL(d), "Range", c.header, "Accept-Encoding", "zstd;q=1.0, gzip;q=0.5")
				if c.missing {
					wantStatus(t, "beyond", got.StatusCode, http.StatusRequestedRangeNotSatisfiable)
					if cr := got.Header.Get("Content-Range"); cr != "bytes */300000" && c.header != "bytes=x" {
						t.Errorf("Content-Range %q", cr)
					}
					return
				}
				wantStatus(t, "range", got.StatusCode, http.StatusPartialContent)
				want := fmt.Sprintf("bytes %d-%d/%d", c.off, c.off+c.n-1, size)
				if cr := got.Header.Get("Content-Range"); cr != want || got.ContentLength != c.n {
					t.Errorf("Content-Range %q of %d bytes, want %q", cr, got.ContentLength, want)
				}
				if got.err != nil || !same(got.body, content(t, blob, c.off, c.n)) {
					t.Errorf("%d other bytes, %v", len(got.body), got.err)
				}
				for name, want := range map[string]string{
					"Content-Type": "application/octet-stream", "Docker-Content-Digest": string(d), "Etag": `"` + string(d) + `"`,
					"Accept-Ranges": "bytes", "Content-Encoding": "",
				} {
					if got.Header.Get(name) != want {
						t.Errorf("%s: %q, want %q", name, got.Header.Get(name), want)
					}
				}
			})
		}
	}
}

// TestSeveralRanges come as multipart/byteranges.
func TestSeveralRanges(t *testing.T) {
	r := newRoom(t, nil)
	d, blob := bigBlob(r, 1, 300_000)
	for _, state := range []string{"cold", "warm"} {
		got := r.do("GET", blobURL(d), "Range", "bytes=0-9,1000-1999,-5")
		wantStatus(t, state, got.StatusCode, http.StatusPartialContent)
		_, params, err := mime.ParseMediaType(got.Header.Get("Content-Type"))
		if err != nil || got.ContentLength != int64(len(got.body)) {
			t.Fatalf("%s: %v, %d of %d", state, err, len(got.body), got.ContentLength)
		}
		parts := multipart.NewReader(bytes.NewReader(got.body), params["boundary"])
		for _, want := range [][2]int64{{0, 10}, {1000, 1000}, {299_995, 5}} {
			p, err := parts.NextPart()
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(p)
			if err != nil || !same(body, content(t, blob, want[0], want[1])) {
				t.Errorf("%s: part %s: %v", state, p.Header.Get("Content-Range"), err)
			}
		}
		wantStatus(t, "whole", r.do("GET", blobURL(d)).StatusCode, http.StatusOK)
		r.idle()
	}
}

// TestASmallRangeStartsNothing: a client that reads a few bytes at the end first
// (eStargz, zstd:chunked) gets them at once, they are kept, and the rest is not
// fetched for it.
func TestASmallRangeStartsNothing(t *testing.T) {
	r := newRoom(t, nil)
	d, blob := bigBlob(r, 1, 8*mib)
	for _, header := range []string{"bytes=8380000-8384095", "bytes=-4096"} {
		got := r.do("GET", blobURL(d), "Range", header)
		if got.StatusCode != http.StatusPartialContent || len(got.body) != 4096 {
			t.Fatalf("%s: %d, %d bytes", header, got.StatusCode, len(got.body))
		}
		r.idle()
	}
	if n := r.hub.BytesSent(d); n != 2*4096 {
		t.Errorf("upstream sent %d bytes for two ranges of 4096", n)
	}
	r.hub.Reset()
	got := r.do("GET", blobURL(d), "Range", "bytes=-4096")
	if !same(got.body, content(t, blob, 8*mib-4096, 4096)) || r.hub.BytesSent(d) != 0 {
		t.Errorf("the range was not kept: %d bytes more", r.hub.BytesSent(d))
	}
	r.idle()
	if got := r.do("GET", blobURL(d)); got.StatusCode != 200 || digest.FromBytes(got.body) != d {
		t.Errorf("the whole: %d", got.StatusCode)
	}
	r.idle()
	if n := r.hub.BytesSent(d); n != 8*mib-2*4096 {
		t.Errorf("upstream sent %d bytes for the rest", n)
	}
}

// TestRangesOfUnknownSize: a blob whose size the origin does not tell is sent
// whole: what is a part of it cannot be told.
func TestRangesOfUnknownSize(t *testing.T) {
	r := newRoom(t, nil)
	blob := bytes.Repeat([]byte("0123456789"), 30_000)
	d := digest.FromBytes(blob)
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if strings.Contains(q.URL.Path, "/blobs/") && q.Method == http.MethodGet {
			_ = http.NewResponseController(w).Flush() // no Content-Length, as at HEAD
			_, _ = w.Write(blob)
		}
	}))
	defer origin.Close()
	host := strings.TrimPrefix(origin.URL, "http://")
	r.set(func(c *config.Config) {
		c.Registries = append(c.Registries, config.Registry{Name: "odd", Hosts: []string{host}, Insecure: true})
	})
	parts := map[string][2]int{"bytes=-1000": {}, "bytes=0-99,200-299": {}, "bytes=-5,0-9": {}, "bytes=5-10": {5, 11}, "bytes=100-": {100, 300_000}, "bytes=0-": {0, 300_000}}
	for header := range parts {
		got := r.do("GET", "http://"+host+"/v2/a/blobs/"+string(d), "Range", header)
		want := blob
		if got.StatusCode == http.StatusPartialContent { // it was all here by then
			want = blob[parts[header][0]:parts[header][1]]
		}
		if got.err != nil || !same(got.body, want) {
			t.Errorf("%s: %d, %d bytes, %v: %.200s", header, got.StatusCode, len(got.body), got.err, got.body)
		}
		r.idle()
		if err := r.cache.Delete(d); err != nil {
			t.Fatal(err)
		}
	}
}
