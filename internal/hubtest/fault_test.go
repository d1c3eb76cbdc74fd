package hubtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/hubtest"
)

// direct is a hub that serves one generated blob of repository r without redirect and without tokens.
type direct struct {
	*hubtest.Hub
	t    *testing.T
	c    *http.Client
	blob digest.Digest
	want []byte
	url  string
}

const blobSize = 1 << 20

func newDirect(t *testing.T, h *hubtest.Hub) *direct {
	t.Helper()
	h.Sites = append(h.Sites, &hubtest.Site{Host: "open.example", Auth: hubtest.Open})
	start(t, h)
	content := hubtest.Random(7, blobSize)
	d := h.Site("open.example").AddContent("r", content)
	want := make([]byte, blobSize)
	_, err := content.ReadAt(want, 0)
	must(t, err)
	return &direct{h, t, client(t, h), d, want, "https://open.example/v2/r/blobs/" + d.String()}
}

func (d *direct) get(header ...string) answer {
	d.t.Helper()
	return do(d.t, d.c, "GET", d.url, "", header...)
}

// sent waits for the hub to be done and returns what it says it sent of the blob since the last call.
func (d *direct) sent() int64 {
	d.t.Helper()
	must(d.t, d.Quiet(d.t.Context()))
	defer d.Reset()
	return d.BytesSent(d.blob)
}

func TestCut(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		d := newDirect(t, &hubtest.Hub{HTTP2: h2})
		for _, at := range []int64{0, 1, 1000, 700_001} {
			for _, reset := range []bool{false, true} {
				d.SetFaults(hubtest.Faults{Cut: hubtest.At(at), CutReset: reset, First: 1})
				req, err := http.NewRequestWithContext(t.Context(), "GET", d.url, nil)
				must(t, err)
				res, err := d.c.Do(req)
				var body []byte
				if err == nil {
					body, err = io.ReadAll(res.Body)
					res.Body.Close()
				}
				if err == nil {
					t.Errorf("cut at %d (reset %v): no error", at, reset)
				}
				if int64(len(body)) > at || !reset && int64(len(body)) != at {
					t.Errorf("cut at %d (reset %v): %d bytes came", at, reset, len(body))
				}
				if !bytes.Equal(body, d.want[:len(body)]) {
					t.Errorf("cut at %d: wrong bytes", at)
				}
				if n := d.sent(); n != at {
					t.Errorf("cut at %d (reset %v): record says %d", at, reset, n)
				}
				if a := d.get(); !bytes.Equal(a.body, d.want) {
					t.Errorf("second request: %v, %d bytes", a.err, len(a.body))
				}
				d.sent()
			}
		}
		d.SetFaults(hubtest.Faults{Cut: hubtest.At(blobSize)})
		if a := d.get(); a.err != nil || len(a.body) != blobSize {
			t.Errorf("a body no longer than the cut: %v, %d bytes", a.err, len(a.body))
		}
	}
}

func TestStall(t *testing.T) {
	d := newDirect(t, &hubtest.Hub{})
	stalled := func() *http.Response {
		t.Helper()
		d.SetFaults(hubtest.Faults{Stall: hubtest.At(5000)})
		req, err := http.NewRequestWithContext(t.Context(), "GET", d.url, nil)
		must(t, err)
		res, err := d.c.Do(req)
		must(t, err)
		_, err = io.ReadFull(res.Body, make([]byte, 5000))
		must(t, err)
		if rs := d.Requests(); rs[len(rs)-1].Done() || rs[len(rs)-1].Sent != 5000 {
			t.Errorf("in the middle of a stall: %+v", rs[len(rs)-1])
		}
		return res
	}
	for name, release := range map[string]func(){"Release": d.Release, "SetFaults": func() { d.SetFaults() }} {
		res := stalled()
		release()
		rest, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || !bytes.Equal(rest, d.want[5000:]) {
			t.Errorf("after %s: %v, %d bytes", name, err, len(rest))
		}
	}
	d.sent()
	res := stalled()
	res.Body.Close() // the client goes
	if n := d.sent(); n != 5000 {
		t.Errorf("a client that went from a stall was sent %d bytes", n)
	}
	stalled().Body.Close()
	// Close of the hub must not wait for stalls; the clean-up of this test would hang.
}

func TestWrongByte(t *testing.T) {
	d := newDirect(t, &hubtest.Hub{})
	d.SetFaults(hubtest.Faults{WrongByte: hubtest.At(70_000), Digest: d.blob})
	diff := func(got, want []byte) (at []int) {
		for i := range got {
			if got[i] != want[i] {
				at = append(at, i)
			}
		}
		return at
	}
	if got := diff(d.get().body, d.want); len(got) != 1 || got[0] != 70_000 {
		t.Errorf("wrong bytes at %v", got)
	}
	if got := diff(d.get("Range", "bytes=69990-70010").body, d.want[69_990:]); len(got) != 1 || got[0] != 10 {
		t.Errorf("wrong bytes at %v of the range", got)
	}
	if got := diff(d.get("Range", "bytes=80000-").body, d.want[80_000:]); len(got) != 0 {
		t.Errorf("wrong bytes at %v of a range that has none", got)
	}
	// The content itself is untouched.
	d.SetFaults()
	if !bytes.Equal(d.get().body, d.want) {
		t.Error("the blob was changed")
	}
}

func TestLengths(t *testing.T) {
	d := newDirect(t, &hubtest.Hub{})
	d.SetFaults(hubtest.Faults{Length: -10})
	if a := d.get(); a.err != nil || a.ContentLength != blobSize-10 || !bytes.Equal(a.body, d.want[:blobSize-10]) {
		t.Errorf("Length -10: %v, %d declared, %d came", a.err, a.ContentLength, len(a.body))
	}
	d.SetFaults(hubtest.Faults{Length: 10})
	if a := d.get(); !errors.Is(a.err, io.ErrUnexpectedEOF) || a.ContentLength != blobSize+10 || !bytes.Equal(a.body, d.want) {
		t.Errorf("Length 10: %v, %d declared, %d came", a.err, a.ContentLength, len(a.body))
	}
	d.SetFaults(hubtest.Faults{Chunked: true})
	if a := d.get(); a.err != nil || a.ContentLength != -1 || !bytes.Equal(a.body, d.want) {
		t.Errorf("Chunked: %v, %d declared, %d came", a.err, a.ContentLength, len(a.body))
	}
	d.SetFaults(hubtest.Faults{NoRange: true})
	if a := d.get("Range", "bytes=5-9"); a.StatusCode != 200 || a.Header.Get("Accept-Ranges") != "" || !bytes.Equal(a.body, d.want) {
		t.Errorf("NoRange: %s, %d came", a.Status, len(a.body))
	}
	for given, want := range map[string]string{"-": "", "bytes 0-4/5": "bytes 0-4/5"} {
		d.SetFaults(hubtest.Faults{ContentRange: given})
		if a := d.get("Range", "bytes=5-9"); a.StatusCode != 206 || a.Header.Get("Content-Range") != want || !bytes.Equal(a.body, d.want[5:10]) {
			t.Errorf("ContentRange %q: %s %q", given, a.Status, a.Header.Get("Content-Range"))
		}
	}
}

func TestStatus(t *testing.T) {
	d := newDirect(t, &hubtest.Hub{})
	d.SetFaults(
		hubtest.Faults{Status: 503, Skip: 1, First: 2, Kind: hubtest.Blob},
		hubtest.Faults{Status: 404, Path: "open.example/v2/other/**"},
		hubtest.Abuse("7"),
	)
	var got []int
	for range 4 {
		got = append(got, d.get().StatusCode)
	}
	if fmt.Sprint(got) != "[429 503 503 429]" {
		t.Errorf("statuses %v", got)
	}
	a := d.get()
	if a.Header.Get("Retry-After") != "7" || bytes.Contains(a.body, []byte("errors")) {
		t.Errorf("abuse: %v %s", a.Header, a.body)
	}
	a = do(t, d.c, "GET", "https://open.example/v2/other/manifests/x", "")
	if a.StatusCode != 404 || !bytes.Contains(a.body, []byte(`"code":"NOT_FOUND"`)) {
		t.Errorf("path: %s %s", a.Status, a.body)
	}
	d.SetFaults(hubtest.Faults{Status: 302, Header: http.Header{"location": {"https://evil.example/"}}, Kind: hubtest.Token})
	if a := do(t, d.c, "GET", "https://auth.docker.io/token", ""); a.StatusCode != 302 || a.Header.Get("Location") == "" {
		t.Errorf("token redirect: %s", a.Status)
	}
}

func TestLatency(t *testing.T) {
	d := newDirect(t, &hubtest.Hub{})
	d.SetFaults(hubtest.Faults{Latency: 60 * time.Millisecond, Host: "open.example"})
	begin := time.Now()
	d.get()
	if took := time.Since(begin); took < 60*time.Millisecond {
		t.Errorf("answered after %v", took)
	}
	// A client that does not wait ends the request.
	d.SetFaults(hubtest.Faults{Latency: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", d.url, nil)
	must(t, err)
	if res, err := d.c.Do(req); err == nil {
		res.Body.Close()
		t.Error("answered in spite of an hour's latency")
	}
	must(t, d.Quiet(t.Context()))
}

// Changing the bandwidth changes a transfer that runs: this one would take ten seconds.
func TestFaultsChangeAtOnce(t *testing.T) {
	d := newDirect(t, &hubtest.Hub{})
	d.SetFaults(hubtest.Faults{Bandwidth: 100_000})
	req, err := http.NewRequestWithContext(t.Context(), "GET", d.url, nil)
	must(t, err)
	res, err := d.c.Do(req)
	must(t, err)
	defer res.Body.Close()
	_, err = io.ReadFull(res.Body, make([]byte, 1000))
	must(t, err)
	begin := time.Now()
	d.SetFaults()
	_, err = io.Copy(io.Discard, res.Body)
	must(t, err)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the rest took %v", took)
	}
}

func TestConnectionFaults(t *testing.T) {
	d := newDirect(t, &hubtest.Hub{})
	try := func(host string) error {
		tr := d.Transport()
		defer tr.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, "GET", "https://"+host+"/v2/", nil)
		must(t, err)
		res, err := tr.RoundTrip(req)
		if err != nil {
			return err
		}
		return res.Body.Close()
	}
	for name, f := range map[string]hubtest.Faults{
		"refuse":    {Refuse: true},
		"handshake": {ResetHandshake: true},
		"host":      {Refuse: true, Host: "open.example"},
	} {
		f.First = 1
		d.SetFaults(f)
		if f.Host != "" {
			must(t, try("auth.docker.io"))
		}
		if err := try("open.example"); !wasReset(err) {
			t.Errorf("%s: %v", name, err)
		}
		must(t, try("open.example"))
	}
	d.SetFaults(hubtest.Faults{WrongCert: true, Host: "open.example"})
	if err := try("open.example"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("wrong certificate: %v", err)
	}
	must(t, try("auth.docker.io"))
	for _, f := range []hubtest.Faults{{Silent: true}, {Silent: true, Host: "open.example"}} {
		d.SetFaults(f)
		done := make(chan error, 1)
		go func() { done <- try("open.example") }()
		for accepted, _ := d.Connections(); accepted == 0; accepted, _ = d.Connections() {
		}
		select {
		case err := <-done:
			t.Errorf("silent, and yet: %v", err)
		default:
		}
		d.SetFaults()
		must(t, <-done)
	}
}

func wasReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) || err != nil && strings.Contains(err.Error(), "forcibly closed")
}

func TestDownAndUp(t *testing.T) {
	d := newDirect(t, &hubtest.Hub{})
	addr, plain := d.Addr(), d.PlainAddr()
	d.SetFaults(hubtest.Faults{Stall: hubtest.At(100)})
	req, err := http.NewRequestWithContext(t.Context(), "GET", d.url, nil)
	must(t, err)
	res, err := d.c.Do(req)
	must(t, err)
	defer res.Body.Close()
	_, err = io.ReadFull(res.Body, make([]byte, 100))
	must(t, err)
	for range 3 {
		d.Down()
		d.Down()
		if nc, err := d.DialContext(t.Context(), "tcp", ""); err == nil {
			nc.Close()
			t.Error("a hub that is down accepts")
		}
		must(t, d.Up())
		must(t, d.Up())
	}
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Error("a transfer outlived Down")
	}
	d.SetFaults()
	if a := d.get(); !bytes.Equal(a.body, d.want) {
		t.Errorf("after Up: %s %v", a.Status, a.err)
	}
	if d.Addr() != addr || d.PlainAddr() != plain {
		t.Error("the ports changed")
	}
}

// A client that hangs up early: the record has at least what it read, not the whole, and is finished.
func TestHangUp(t *testing.T) {
	h := start(t, &hubtest.Hub{SendBuffer: 64 << 10, Sites: []*hubtest.Site{{Host: "open.example", Auth: hubtest.Open}}})
	const size = 256 << 20
	d := h.Site("open.example").AddContent("r", hubtest.Random(1, size))
	res, err := client(t, h).Get("https://open.example/v2/r/blobs/" + d.String())
	must(t, err)
	_, err = io.ReadFull(res.Body, make([]byte, 1<<20))
	must(t, err)
	must(t, res.Body.Close())
	must(t, h.Quiet(t.Context()))
	r := h.Requests()[0]
	if r.Sent < 1<<20 || r.Sent > size/4 || !r.Done() || r.Asked != size || r.Status != 200 {
		t.Errorf("record: %+v", r)
	}
	if got := h.Ranges(d).Total(); got != r.Sent {
		t.Errorf("ranges have %d bytes, the request %d", got, r.Sent)
	}
}
