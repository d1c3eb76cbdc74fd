package registry_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/internal/hubtest"
	"pulley/proxy/registry"
)

// TestWrongBytes: a response that carries the blob to its end is broken off
// before its end when the digest does not fit, on a resume as well, and the
// client's next Range gets the whole: it would put right bytes behind wrong ones.
func TestWrongBytes(t *testing.T) {
	for _, c := range []struct {
		header string
		status int
	}{{"", 200}, {"bytes=0-", 206}, {"bytes=200000-", 206}} {
		t.Run(c.header, func(t *testing.T) {
			r := newRoom(t, nil)
			d, blob := bigBlob(r, 1, 300_000)
			r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, WrongByte: hubtest.At(250_000)})
			var header []string
			if c.header != "" {
				header = []string{"Range", c.header}
			}
			got := r.do("GET", blobURL(d), header...)
			if got.StatusCode != 0 && (got.StatusCode != c.status || int64(len(got.body)) >= got.ContentLength) || got.err == nil {
				t.Fatalf("%d, %d bytes of %d, %v: want a broken transfer", got.StatusCode, len(got.body), got.ContentLength, got.err)
			}
			r.event(func(e registry.Event) bool { return e.What == "blob" && has(e.Note, "wrong bytes") })
			r.idle()
			if s := r.cache.Stat(); s.Size != 0 {
				t.Errorf("wrong bytes were kept: %+v", s)
			}
			r.hub.SetFaults()
			got = r.do("GET", blobURL(d), "Range", fmt.Sprintf("bytes=%d-", 100_000))
			if got.StatusCode != http.StatusOK || !same(got.body, content(t, blob, 0, 300_000)) {
				t.Errorf("resume after a wrong digest: %d, %d bytes, want 200 and all", got.StatusCode, len(got.body))
			}
			got = r.do("GET", blobURL(d), "Range", "bytes=100000-")
			wantStatus(t, "then ranges are ranges again", got.StatusCode, http.StatusPartialContent)
		})
	}
}

// TestStrangeUpstreams: whatever the origin does, the client gets the blob or a
// broken transfer, and nothing wrong is kept.
func TestStrangeUpstreams(t *testing.T) {
	for name, fault := range map[string]hubtest.Faults{
		"no length":        {Chunked: true},
		"no ranges":        {NoRange: true},
		"too short":        {Length: -1000, First: 1},
		"cut":              {Cut: hubtest.At(100_000), First: 2},
		"reset":            {Cut: hubtest.At(100_000), CutReset: true, First: 1},
		"503 first":        {Status: 503, First: 2},
		"no Content-Range": {ContentRange: "-"},
	} {
		for _, header := range []string{"", "bytes=0-", "bytes=150000-", "bytes=1000-1999"} {
			t.Run(name+" "+header, func(t *testing.T) {
				r := newRoom(t, nil)
				d, blob := bigBlob(r, 1, 300_000)
				fault.Kind, fault.Method = hubtest.CDN, "GET"
				r.hub.SetFaults(fault)
				var ask []string
				off, n, status := int64(0), int64(300_000), 200
				if header != "" {
					ask, status = []string{"Range", header}, 206
				}
				switch header {
				case "bytes=150000-":
					off, n = 150_000, 150_000
				case "bytes=1000-1999":
					off, n = 1000, 1000
				}
				got := r.do("GET", blobURL(d), ask...)
				if name == "too short" && n > 1000 { // nobody can know, until the digest does not fit
					if got.err == nil {
						t.Fatalf("%d, %d bytes: complete", got.StatusCode, len(got.body))
					}
					r.idle()
					got, off, n, status = r.do("GET", blobURL(d), ask...), 0, 300_000, 200
				}
				if name == "no length" && got.StatusCode == http.StatusOK { // unless it was all here by then
					off, n, status = 0, 300_000, 200
				}
				if got.StatusCode != status || got.err != nil || !same(got.body, content(t, blob, off, n)) {
					t.Errorf("%d, %d bytes, %v", got.StatusCode, len(got.body), got.err)
				}
				r.idle()
			})
		}
	}
}

// TestUpstreamStatus: a failure before the first byte is a status, the origin's
// own where it gave one.
func TestUpstreamStatus(t *testing.T) {
	r := newRoom(t, nil)
	d, _ := bigBlob(r, 1, 1000)
	for _, c := range []struct{ upstream, bare, explicit int }{
		{404, 404, 404}, {429, 429, 429}, {500, 404, 502}, {403, 401, 401},
	} {
		r.hub.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Status: c.upstream, Header: http.Header{"Retry-After": {"3600"}}})
		for path, want := range map[string]int{"": c.bare, "docker.io/": c.explicit} {
			got := r.mirror("GET", path+"library/a/blobs/"+string(d))
			wantStatus(t, fmt.Sprint(path, " when upstream says ", c.upstream), got.StatusCode, want)
			if c.upstream == 429 && got.Header.Get("Retry-After") != "3600" {
				t.Errorf("Retry-After %q", got.Header.Get("Retry-After"))
			}
		}
	}
}

// TestRedirects of every kind lead to the bytes, and nothing of them is kept.
func TestRedirects(t *testing.T) {
	r := newRoom(t, nil)
	for i, redirect := range []hubtest.Redirect{
		{Off: true}, {Status: 301}, {Status: 302}, {Status: 303}, {Status: 307}, {Status: 308},
		{Hops: 2}, {Relative: true}, {Hops: 2, Relative: true},
	} {
		r.hub.SetRedirect(redirect)
		d, _ := bigBlob(r, uint64(i+1), 100_000)
		got := r.do("GET", blobURL(d))
		if got.StatusCode != 200 || digest.FromBytes(got.body) != d || got.Header.Get("Location") != "" {
			t.Errorf("%+v: %d", redirect, got.StatusCode)
		}
	}
}
