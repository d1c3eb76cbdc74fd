package hubtest_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/internal/hubtest"
)

// pusher sends to open.example and resolves Locations.
type pusher struct {
	*hubtest.Hub
	t *testing.T
	c *http.Client
}

func newPusher(t *testing.T) *pusher {
	h := start(t, &hubtest.Hub{Sites: []*hubtest.Site{{Host: "open.example", Auth: hubtest.Open}, {Host: "ghcr.io", NoReferrers: true}}})
	return &pusher{h, t, client(t, h)}
}

func (p *pusher) send(method, at string, body []byte, header ...string) answer {
	p.t.Helper()
	base, err := url.Parse("https://open.example/")
	must(p.t, err)
	u, err := base.Parse(at)
	must(p.t, err)
	req, err := http.NewRequestWithContext(p.t.Context(), method, u.String(), bytes.NewReader(body))
	must(p.t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := p.c.Do(req)
	must(p.t, err)
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	return answer{res, got, err}
}

func (p *pusher) expect(a answer, status int, header ...string) string {
	p.t.Helper()
	if a.StatusCode != status {
		p.t.Errorf("%s %s: %s %s, want %d", a.Request.Method, a.Request.URL, a.Status, a.body, status)
	}
	for i := 0; i < len(header); i += 2 {
		if got := a.Header.Get(header[i]); got != header[i+1] {
			p.t.Errorf("%s %s: %s is %q, want %q", a.Request.Method, a.Request.URL, header[i], got, header[i+1])
		}
	}
	return a.Header.Get("Location")
}

func (p *pusher) has(repo string, data []byte) {
	p.t.Helper()
	d := digest.FromBytes(data)
	a := p.send("GET", "/v2/"+repo+"/blobs/"+d.String(), nil)
	if a.StatusCode != 200 || !bytes.Equal(a.body, data) {
		p.t.Errorf("%s of %s: %s", d, repo, a.Status)
	}
}

func and(at, digest string) string { return at + "&digest=" + digest }

func TestUploads(t *testing.T) {
	p := newPusher(t)
	data := bytes.Repeat([]byte("0123456789"), 10_000)
	d := digest.FromBytes(data).String()

	// In one request.
	p.expect(p.send("POST", "/v2/one/blobs/uploads/?digest="+d, data), 201, "Docker-Content-Digest", d)
	p.has("one", data)
	// POST, then all in PUT.
	at := p.expect(p.send("POST", "/v2/two/blobs/uploads/", nil), 202, "Range", "0-0")
	p.expect(p.send("PUT", and(at, d), data), 201)
	p.has("two", data)
	// In chunks, one of them out of order, with a look in between.
	at = p.expect(p.send("POST", "/v2/three/blobs/uploads/", nil), 202)
	at = p.expect(p.send("PATCH", at, data[:50_000], "Content-Range", "0-49999"), 202, "Range", "0-49999")
	p.expect(p.send("PATCH", at, data[60_000:], "Content-Range", "60000-99999"), 416, "Range", "0-49999")
	p.expect(p.send("GET", at, nil), 204, "Range", "0-49999")
	at = p.expect(p.send("PATCH", at, data[50_000:90_000], "Content-Range", "50000-89999"), 202, "Range", "0-89999")
	p.expect(p.send("PUT", and(at, d), data[90_000:]), 201)
	p.has("three", data)
	p.expect(p.send("GET", at, nil), 404)
	// Mounts.
	p.expect(p.send("POST", "/v2/four/blobs/uploads/?mount="+d+"&from=three", nil), 201, "Docker-Content-Digest", d)
	p.has("four", data)
	p.expect(p.send("POST", "/v2/five/blobs/uploads/?mount="+d+"&from=nowhere", nil), 202)
	// Given up, and wrong.
	at = p.expect(p.send("POST", "/v2/six/blobs/uploads/", nil), 202)
	p.expect(p.send("DELETE", at, nil), 204)
	p.expect(p.send("PATCH", at, data), 404)
	a := p.send("POST", "/v2/six/blobs/uploads/?digest="+d, data[1:])
	p.expect(a, 400)
	if !strings.Contains(string(a.body), "DIGEST_INVALID") {
		t.Errorf("body %s", a.body)
	}
	// Deleted.
	p.expect(p.send("DELETE", "/v2/one/blobs/"+d, nil), 202)
	p.expect(p.send("HEAD", "/v2/one/blobs/"+d, nil), 404)
	p.expect(p.send("PUT", "/v2/Bad/manifests/x", nil), 400)
	for _, r := range p.Requests() {
		if r.Kind == hubtest.Upload && r.Method == "POST" && r.Query == "digest="+d && r.Status == 201 && r.Received != int64(len(data)) {
			t.Errorf("an upload of %d bytes is recorded as %d", len(data), r.Received)
		}
	}
}

// The interim answer comes only from a handler that reads the body: a client that waits for it keeps its bytes when the
// answer is a 401.
func TestExpectContinue(t *testing.T) {
	p := newPusher(t)
	at := p.expect(p.send("POST", "/v2/a/blobs/uploads/", nil), 202)
	patch := func() (first string, c io.Closer, r *bufio.Reader, w io.Writer) {
		t.Helper()
		nc, err := p.DialContext(t.Context(), "tcp", "")
		must(t, err)
		_, err = fmt.Fprintf(nc, "PATCH %s HTTP/1.1\r\nHost: open.example\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", at)
		must(t, err)
		r = bufio.NewReader(nc)
		first, err = r.ReadString('\n')
		must(t, err)
		return first, nc, r, nc
	}
	first, c, r, w := patch()
	if !strings.Contains(first, " 100 ") {
		t.Fatalf("first line %q", first)
	}
	_, err := r.ReadString('\n')
	must(t, err)
	_, err = io.WriteString(w, "12345")
	must(t, err)
	if line, _ := r.ReadString('\n'); !strings.Contains(line, " 202 ") {
		t.Errorf("then %q", line)
	}
	must(t, c.Close())

	p.SetFaults(hubtest.Faults{Status: 401, Kind: hubtest.Upload})
	first, c, _, _ = patch()
	if !strings.Contains(first, " 401 ") {
		t.Errorf("first line %q", first)
	}
	must(t, c.Close())
	must(t, p.Quiet(t.Context()))
	rs := p.Requests()
	if last := rs[len(rs)-1]; last.Received != 0 || last.Status != 401 {
		t.Errorf("recorded %+v", last)
	}
}

// A 401 after part of the body: with a challenge, and the part is not in the upload.
func TestUnauthorizedMidUpload(t *testing.T) {
	p := newPusher(t)
	h := p.Hub
	h.SetUser("alice", "a")
	h.SetFaults(hubtest.Faults{Status: 401, StatusAfter: 1000, Kind: hubtest.Upload, Method: "PATCH", First: 1})
	at := p.expect(p.send("POST", "/v2/a/blobs/uploads/", nil), 202)
	data := bytes.Repeat([]byte("x"), 4000)
	p.expect(p.send("PATCH", at, data), 401)
	p.expect(p.send("PATCH", at, data), 202, "Range", "0-3999")

	c := client(t, h)
	h.SetFaults(hubtest.Faults{Status: 401, Kind: hubtest.Upload})
	res := do(t, c, "POST", registry+"/v2/alice/app/blobs/uploads/", "")
	if got := res.Header.Get("WWW-Authenticate"); !strings.Contains(got, `scope="repository:alice/app:pull,push"`) {
		t.Errorf("challenge %q", got)
	}
}

// A client that breaks off in the middle of a PATCH finds what arrived.
func TestUploadBrokenOff(t *testing.T) {
	p := newPusher(t)
	at := p.expect(p.send("POST", "/v2/a/blobs/uploads/", nil), 202)
	ctx, cancel := context.WithCancel(t.Context())
	pr, pw := io.Pipe()
	go func() {
		_, _ = pw.Write(make([]byte, 100_000))
		for p.received() < 50_000 { // the client may hold back some
		}
		cancel()
		_ = pw.CloseWithError(io.ErrUnexpectedEOF)
	}()
	req, err := http.NewRequestWithContext(ctx, "PATCH", "https://open.example"+at, pr)
	must(t, err)
	if res, err := p.c.Do(req); err == nil {
		res.Body.Close()
		t.Error("a broken PATCH was answered")
	}
	must(t, p.Quiet(t.Context()))
	p.expect(p.send("GET", at, nil), 204, "Range", fmt.Sprintf("0-%d", p.received()-1))
}

func (p *pusher) received() (n int64) {
	for _, r := range p.Requests() {
		n += r.Received
	}
	return n
}
