package hubtest_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pulley/internal/hubtest"
)

func TestRedirects(t *testing.T) {
	h := hubtest.Start(t)
	data := []byte("some bytes")
	d := h.AddBlob("library/alpine", data)
	c := client(t, h)
	token := fetchToken(t, c, "library/alpine")
	blob := registry + "/v2/library/alpine/blobs/" + d.String()
	for _, how := range []hubtest.Redirect{
		{}, {Status: 301}, {Status: 302}, {Status: 303}, {Status: 308}, {Hops: 2}, {Relative: true}, {HTTP: true},
		{Relative: true, Hops: 2, HTTP: true, Status: 302}, {Off: true},
	} {
		h.SetRedirect(how)
		for _, method := range []string{"GET", "HEAD"} {
			at, hops, via := blob, 0, ""
			res := do(t, c, method, at, token)
			for ; res.StatusCode/100 == 3; hops++ {
				location := res.Header.Get("Location")
				if want := max(how.Status, 300); res.StatusCode != 307 && res.StatusCode != want {
					t.Errorf("%+v: %s", how, res.Status)
				}
				base, err := url.Parse(at)
				must(t, err)
				next, err := base.Parse(location)
				must(t, err)
				via += " " + next.Scheme + ":" + next.Host
				at = next.String()
				res = do(t, c, method, at, "")
			}
			want := map[string]string{
				"{Off:false Status:0 Hops:2 Relative:false HTTP:false}": " https:production.cloudflare.docker.com https:production.cloudflare.docker.com",
				"{Off:false Status:0 Hops:0 Relative:true HTTP:false}":  " https:registry-1.docker.io",
				"{Off:false Status:0 Hops:0 Relative:false HTTP:true}":  " http:production.cloudflare.docker.com",
				"{Off:false Status:302 Hops:2 Relative:true HTTP:true}": " https:registry-1.docker.io http:production.cloudflare.docker.com",
				"{Off:true Status:0 Hops:0 Relative:false HTTP:false}":  "",
			}
			expect, special := want[fmt.Sprintf("%+v", how)]
			if !special {
				expect = " https:production.cloudflare.docker.com"
			}
			if via != expect || res.StatusCode != 200 || method == "GET" && !bytes.Equal(res.body, data) || res.ContentLength != int64(len(data)) {
				t.Errorf("%s %+v: via%q, want%q; %s %q", method, how, via, expect, res.Status, res.body)
			}
		}
	}
	if got := h.BytesSent(d); got != int64(10*len(data)) {
		t.Errorf("%d bytes recorded over 10 GETs of %d", got, len(data))
	}
}

func TestSignedURLs(t *testing.T) {
	var cl clock
	h := start(t, &hubtest.Hub{Now: cl.now, URLTTL: time.Minute, Sites: []*hubtest.Site{
		{Host: "quay.example", Auth: hubtest.Open, CDN: "production.cloudflare.docker.com"},
	}})
	d := h.Site("quay.example").AddBlob("a", []byte("bytes of the other registry"))
	c := client(t, h)
	location := func() string {
		t.Helper()
		res := do(t, c, "GET", "https://quay.example/v2/a/blobs/"+d.String(), "")
		return res.Header.Get("Location")
	}
	signed := location()
	expect := func(res answer, status int, code string) {
		t.Helper()
		if res.StatusCode != status || !strings.Contains(string(res.body), code) {
			t.Errorf("%s %s, want %d %s", res.Status, res.body, status, code)
		}
	}
	expect(do(t, c, "GET", signed, ""), 200, "bytes")
	expect(do(t, c, "GET", signed, "a-token"), 400, "InvalidArgument")
	expect(do(t, c, "GET", strings.Replace(signed, "expires=", "expires=9", 1), ""), 403, "SignatureDoesNotMatch")
	expect(do(t, c, "GET", strings.Replace(signed, "repo=a", "repo=b", 1), ""), 403, "SignatureDoesNotMatch")
	expect(do(t, c, "POST", signed, ""), 405, "MethodNotAllowed")
	cl.forward(61 * time.Second)
	expect(do(t, c, "GET", signed, ""), 403, "AccessDenied")
	signed = location()
	expect(do(t, c, "GET", signed, ""), 200, "bytes")
	h.Site("quay.example").Delete("a", d.String())
	expect(do(t, c, "GET", signed, ""), 404, "NoSuchKey")
	for _, path := range []string{"/registry-v2/", "/registry-v2/x", "/registry-v2/docker/registry/v2/blobs/sha256/", "/hop/registry-v2/sha256/a"} {
		expect(do(t, c, "GET", "https://production.cloudflare.docker.com"+path, ""), 403, "SignatureDoesNotMatch")
	}
}

func TestRanges(t *testing.T) {
	d := newDirect(t, &hubtest.Hub{})
	for _, one := range []struct {
		header   string
		status   int
		off, end int64
	}{
		{"bytes=0-0", 206, 0, 1}, {"bytes=0-", 206, 0, blobSize}, {"bytes=5-9", 206, 5, 10},
		{"bytes=1000000-", 206, 1_000_000, blobSize}, {"bytes=-7", 206, blobSize - 7, blobSize},
		{"bytes=-99999999", 206, 0, blobSize}, {"bytes=1048575-99999999", 206, blobSize - 1, blobSize},
		{"bytes=1048576-", 416, 0, 0}, {"bytes=-0", 416, 0, 0}, {"bytes=99999999-", 416, 0, 0},
		{"bytes=9-5", 200, 0, blobSize}, {"bytes=a-b", 200, 0, blobSize}, {"bytes=0-1,3-4", 200, 0, blobSize},
		{"lines=1-2", 200, 0, blobSize}, {"bytes=", 200, 0, blobSize}, {"bytes=-", 200, 0, blobSize}, {"", 200, 0, blobSize},
	} {
		d.Reset()
		a := d.get("Range", one.header)
		if a.StatusCode != one.status {
			t.Errorf("%q: %s, want %d", one.header, a.Status, one.status)
			continue
		}
		want := ""
		switch one.status {
		case 206:
			want = fmt.Sprintf("bytes %d-%d/%d", one.off, one.end-1, blobSize)
		case 416:
			want = fmt.Sprintf("bytes */%d", blobSize)
		}
		if got := a.Header.Get("Content-Range"); got != want {
			t.Errorf("%q: Content-Range %q, want %q", one.header, got, want)
		}
		if one.status == 416 {
			continue
		}
		if !bytes.Equal(a.body, d.want[one.off:one.end]) || a.ContentLength != one.end-one.off {
			t.Errorf("%q: %d bytes came, %d were declared", one.header, len(a.body), a.ContentLength)
		}
		if got := d.Ranges(d.blob); len(got) != 1 || got[0] != (hubtest.Span{Off: one.off, End: one.end}) {
			t.Errorf("%q: recorded as %v", one.header, got)
		}
	}
	etag := d.get().Header.Get("ETag")
	if a := d.get("If-None-Match", etag); a.StatusCode != 304 {
		t.Errorf("If-None-Match: %s", a.Status)
	}
	for given, want := range map[string]int{etag: 206, `"other"`: 200} {
		if a := d.get("Range", "bytes=1-2", "If-Range", given); a.StatusCode != want {
			t.Errorf("If-Range %s: %s", given, a.Status)
		}
	}
	head := do(t, d.c, "HEAD", d.url, "", "Range", "bytes=1-2")
	if head.StatusCode != 206 || head.ContentLength != 2 || len(head.body) != 0 {
		t.Errorf("HEAD: %s, %d", head.Status, head.ContentLength)
	}
}

// Files are served right by sendfile, throttled, and over TLS.
func TestFiles(t *testing.T) {
	h := start(t, &hubtest.Hub{Sites: []*hubtest.Site{{Host: "open.example", Auth: hubtest.Open}}})
	want := make([]byte, 5<<20+3)
	_, err := hubtest.Random(3, int64(len(want))).ReadAt(want, 0)
	must(t, err)
	path := filepath.Join(t.TempDir(), "blob")
	must(t, os.WriteFile(path, want, 0o600))
	f, err := hubtest.File(path)
	must(t, err)
	d := h.Site("open.example").AddContent("r", f)
	c := client(t, h)
	for _, scheme := range []string{"http", "https"} {
		for _, fault := range []hubtest.Faults{{}, {Bandwidth: 1 << 30}} {
			h.SetFaults(fault)
			h.Reset()
			for _, from := range []int64{0, 1 << 20} {
				a := do(t, c, "GET", scheme+"://open.example/v2/r/blobs/"+d.String(), "", "Range", fmt.Sprintf("bytes=%d-", from))
				if a.err != nil || !bytes.Equal(a.body, want[from:]) {
					t.Errorf("%s from %d: %v, %d bytes", scheme, from, a.err, len(a.body))
				}
			}
			must(t, h.Quiet(t.Context()))
			if got, want := h.BytesSent(d), int64(2*len(want)-1<<20); got != want {
				t.Errorf("%s: record says %d, want %d", scheme, got, want)
			}
		}
	}
	if _, err := hubtest.File(path + "x"); err == nil {
		t.Error("a file that is not there")
	}
}

// Whatever path and Range come, the server answers in kind: no 5xx, no broken connection, a 206 that is what it says.
func FuzzRequest(f *testing.F) {
	h := &hubtest.Hub{Sites: []*hubtest.Site{{Host: "open.example", Auth: hubtest.Open}}}
	if err := h.Start(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(h.Close)
	content := hubtest.Random(1, 1000)
	want := make([]byte, 1000)
	_, _ = content.ReadAt(want, 0)
	blob := "/v2/r/blobs/" + h.Site("open.example").AddContent("r", content).String()
	for _, path := range []string{blob, "/v2/", "/token", "/registry-v2/sha256/a", "/v2/a/manifests/x", "/v2/a/tags/list", "/v2//blobs/", "/%2f"} {
		f.Add(path, "bytes=1-2")
		f.Add(path, "bytes=-5")
	}
	tr := h.Transport()
	f.Cleanup(tr.CloseIdleConnections)
	f.Fuzz(func(t *testing.T, path, ranges string) {
		h.Reset()
		req, err := http.NewRequestWithContext(t.Context(), "GET", "https://open.example/", nil)
		must(t, err)
		req.URL.Path = "/" + strings.TrimPrefix(path, "/")
		req.Header["Range"] = []string{ranges}
		c := &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		res, err := c.Do(req)
		if err != nil {
			if strings.Contains(err.Error(), "invalid header") {
				return
			}
			t.Fatal(err)
		}
		defer res.Body.Close()
		var body bytes.Buffer
		_, err = body.ReadFrom(res.Body)
		must(t, err)
		if res.StatusCode >= 500 {
			t.Errorf("%q: %s", path, res.Status)
		}
		if res.StatusCode == 206 {
			var from, to, size int
			_, err := fmt.Sscanf(res.Header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &size)
			must(t, err)
			if size != 1000 || !bytes.Equal(body.Bytes(), want[from:to+1]) {
				t.Errorf("%q: %s with %d bytes", ranges, res.Header.Get("Content-Range"), body.Len())
			}
		}
	})
}

func TestRandomContent(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	const size = 100_003
	c := hubtest.Random(seed, size)
	whole := make([]byte, size)
	n, err := c.ReadAt(whole, 0)
	if n != size || err != nil {
		t.Fatal(n, err)
	}
	for range 1000 {
		off := rnd.Int64N(size)
		p := make([]byte, rnd.IntN(200))
		n, err := c.ReadAt(p, off)
		if want := min(len(p), int(size-off)); n != want || (n < len(p)) != (err != nil) || !bytes.Equal(p[:n], whole[off:off+int64(n)]) {
			t.Fatalf("%d bytes at %d: %d, %v", len(p), off, n, err)
		}
	}
	other := make([]byte, size)
	_, _ = hubtest.Random(seed+1, size).ReadAt(other, 0)
	same := 0
	for i := range whole {
		if whole[i] == other[i] {
			same++
		}
	}
	if same > size/100 {
		t.Errorf("%d of %d bytes are the same for the next seed", same, size)
	}
	if hubtest.DigestOf(c) != hubtest.DigestOf(hubtest.Bytes(whole)) {
		t.Error("the digest is another's")
	}
}
