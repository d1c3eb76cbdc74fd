package registry_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/registry"
)

const mib = 1 << 20

// bigBlob puts a random blob into library/a and makes the repository known.
func bigBlob(r *room, seed uint64, size int64) (digest.Digest, hubtest.Content) {
	c := hubtest.Random(seed, size)
	return r.hub.AddContent("library/a", c), c
}

func blobURL(d digest.Digest) string { return "http://127.0.0.1/v2/library/a/blobs/" + string(d) }

// TestManyClientsOneFetch: 32 clients on one cold blob cost what one costs.
func TestManyClientsOneFetch(t *testing.T) {
	r := newRoom(t, nil)
	d, c := bigBlob(r, 1, 8*mib)
	want := content(t, c, 0, 8*mib)
	var clients sync.WaitGroup
	for range 32 {
		clients.Go(func() {
			rsp, err := r.start(context.Background(), "GET", blobURL(d), nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = rsp.Body.Close() }()
			body, err := io.ReadAll(rsp.Body)
			if err != nil || rsp.StatusCode != http.StatusOK || !same(body, want) || rsp.ContentLength != 8*mib {
				t.Errorf("%d, %d bytes, %v", rsp.StatusCode, len(body), err)
			}
		})
	}
	clients.Wait()
	r.idle()
	if n := r.hub.BytesSent(d); n > 8*mib*102/100 {
		t.Errorf("upstream sent %d bytes of %d", n, 8*mib)
	}
	var net int64
	r.mu.Lock()
	for _, e := range r.events {
		net += e.FromNet
	}
	r.mu.Unlock()
	if net != 8*mib {
		t.Errorf("the events account for %d bytes from upstream", net)
	}
}

// TestTheFillGoesOn when the client that began it hangs up, and a second client
// joins it in the middle and gets bytes at once.
func TestTheFillGoesOn(t *testing.T) {
	r := newRoom(t, nil)
	d, c := bigBlob(r, 1, 8*mib)
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Method: "GET", Stall: hubtest.At(2 * mib)})
	ctx, hangUp := context.WithCancel(context.Background())
	first, err := r.start(ctx, "GET", blobURL(d), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, first.Body, mib); err != nil {
		t.Fatal(err)
	}
	second, err := r.start(context.Background(), "GET", blobURL(d), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Body.Close() }()
	got := make([]byte, mib)
	if _, err := io.ReadFull(second.Body, got); err != nil || !same(got, content(t, c, 0, mib)) {
		t.Fatalf("the second client, while upstream stalls: %v", err)
	}
	hangUp()
	_ = first.Body.Close()
	r.hub.Release()
	r.hub.SetFaults()
	rest, err := io.ReadAll(second.Body)
	if err != nil || !same(rest, content(t, c, mib, 7*mib)) {
		t.Fatalf("the rest: %d bytes, %v", len(rest), err)
	}
	r.idle()
	if n := r.hub.BytesSent(d); n != 8*mib {
		t.Errorf("upstream sent %d bytes", n)
	}
}

// TestFinish: with no client left, what happens is what fetch.finish says.
func TestFinish(t *testing.T) {
	for policy, want := range map[string]bool{config.FinishAuto: true, config.FinishAlways: true, config.FinishNever: false} {
		t.Run(policy, func(t *testing.T) {
			r := newRoom(t, nil)
			r.set(func(c *config.Config) { c.Fetch.Finish = policy })
			d, _ := bigBlob(r, 1, 8*mib)
			r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Method: "GET", Stall: hubtest.At(2 * mib)})
			ctx, hangUp := context.WithCancel(context.Background())
			rsp, err := r.start(ctx, "GET", blobURL(d), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, rsp.Body, mib); err != nil {
				t.Fatal(err)
			}
			hangUp()
			_ = rsp.Body.Close()
			r.event(func(e registry.Event) bool { return e.What == "blob" && e.Door == "mirror" })
			r.hub.Release()
			r.hub.SetFaults()
			r.idle()
			if s := r.cache.Stat(); (s.Blobs == 1) != want || (s.Partials == 1) == want {
				t.Errorf("%+v", s)
			}
			if want {
				e := r.event(func(e registry.Event) bool { return e.Door == "fill" })
				if e.FromNet <= 0 || e.Repository != "library/a" {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}

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

// TestRestartResumes: a new process goes on at the byte.
func TestRestartResumes(t *testing.T) {
	r := newRoom(t, nil)
	d, _ := bigBlob(r, 1, 8*mib)
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Method: "GET", Stall: hubtest.At(5 * mib)})
	rsp, err := r.start(context.Background(), "GET", blobURL(d), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, rsp.Body, 5*mib-1); err != nil {
		t.Fatal(err)
	}
	_ = rsp.Body.Close()
	r.restart()
	r.hub.SetFaults()
	got := r.do("GET", blobURL(d))
	if got.StatusCode != 200 || got.err != nil || digest.FromBytes(got.body) != d {
		t.Fatalf("%d, %v", got.StatusCode, got.err)
	}
	r.idle()
	if n := r.hub.BytesSent(d); n > 8*mib*12/10 {
		t.Errorf("upstream sent %d bytes over both runs", n)
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

// TestConditional: a client that has the bytes is told so.
func TestConditional(t *testing.T) {
	r := newRoom(t, nil)
	d, _ := bigBlob(r, 1, 1000)
	for range 2 {
		got := r.do("GET", blobURL(d), "If-None-Match", `"`+string(d)+`"`)
		wantStatus(t, "If-None-Match", got.StatusCode, http.StatusNotModified)
		got = r.do("GET", blobURL(d), "Range", "bytes=0-9", "If-Range", `"other"`)
		wantStatus(t, "If-Range", got.StatusCode, http.StatusOK)
		r.idle()
	}
}

// TestHeadBlob: from the origin when cold, from the cache when warm; never GET.
func TestHeadBlob(t *testing.T) {
	r := newRoom(t, nil)
	d, _ := bigBlob(r, 1, 100_000)
	for _, state := range []string{"cold", "warm"} {
		r.hub.Reset()
		got := r.do("HEAD", blobURL(d))
		if got.StatusCode != 200 || got.ContentLength != 100_000 {
			t.Fatalf("%s: %d, %d bytes", state, got.StatusCode, got.ContentLength)
		}
		if n := r.hub.Count("GET", "/v2/**"); n != 1 && n != 0 || r.hub.BytesSent(d) != 0 {
			t.Errorf("%s: HEAD became GET", state)
		}
		wantStatus(t, "fill", r.do("GET", blobURL(d)).StatusCode, 200)
		r.idle()
	}
}

// TestAnothersRightCounts: the one whose token began a download loses the right;
// the others still get their bytes.
func TestAnothersRightCounts(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{Users: map[string]string{"alice": "secret", "bob": "hunter2"}})
	img := hubtest.RandomImage(1, 1, 4*mib)
	d, blob := img.Layers[0].Digest, img.Layers[0].Content
	for _, name := range []string{"alice", "bob"} {
		r.hub.Push(name+"/app", "1", img)
		r.hub.SetPrivate(name+"/app", name)
	}
	begin := func(e *engine, repository string) *http.Response {
		t.Helper()
		e.login(repository)
		wantStatus(t, e.user, e.ask("GET", repository+"/manifests/1").StatusCode, http.StatusOK)
		rsp, err := r.start(context.Background(), "GET", "http://"+hubHost+"/v2/"+repository+"/blobs/"+string(d), nil, "Authorization", "Bearer "+e.token)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = rsp.Body.Close() })
		wantStatus(t, e.user, rsp.StatusCode, http.StatusOK)
		return rsp
	}
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Method: "GET", Stall: hubtest.At(2 * mib), First: 1})
	_ = begin(r.engine("alice", "secret"), "alice/app")
	bob := begin(r.engine("bob", "hunter2"), "bob/app")
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Path: "/v2/alice/app/blobs/**", Status: http.StatusForbidden})
	r.hub.Down()
	if err := r.hub.Up(); err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(bob.Body)
	if err != nil || !same(body, content(t, blob, 0, blob.Size())) {
		t.Errorf("bob got %d bytes, %v", len(body), err)
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
