package fetch_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/hubtest"
	"pulley/proxy/fetch"
	"pulley/proxy/source"
)

const repo = "library/debian"

const size = 3 << 20

// real is the origin of a hub, that nobody has learned anything of.
type real struct{ *source.BlobRef }

func (real) Rate() float64    { return 0 }
func (real) Connections() int { return 100 }

func hub(t testing.TB, h *hubtest.Hub) (*hubtest.Hub, func(digest.Digest) fetch.Sources) {
	t.Helper()
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	m := marketOf(t, h)
	return h, func(d digest.Digest) fetch.Sources { return these(real{m.refs(t, d)[0]}) }
}

func TestWholeBlobInOneRequest(t *testing.T) {
	h, ref := hub(t, &hubtest.Hub{})
	data := blob(size)
	d := h.AddBlob(repo, data)
	m := newMemory(data)
	var received atomic.Int64
	if err := fetch.Run(t.Context(), ref(d), m, fetch.Options{Received: func(_ fetch.Source, n int) { received.Add(int64(n)) }}); err != nil {
		t.Fatal(err)
	}
	m.verify(t)
	if m.Size() != size || received.Load() != size {
		t.Errorf("size %d, received %d", m.Size(), received.Load())
	}
	if n := len(h.Requests()); n != 4 { // 401, token, redirect, CDN
		t.Errorf("%d requests", n)
	}
	for _, q := range h.Requests() {
		if q.Range != "" || q.Kind == hubtest.CDN && q.Authorization != "" {
			t.Errorf("%s %s: range %q, authorization %q", q.Method, q.Host, q.Range, q.Authorization)
		}
	}
}

func TestRangesAtOnce(t *testing.T) {
	h, ref := hub(t, &hubtest.Hub{})
	data := blob(size)
	d := h.AddBlob(repo, data)
	m := newMemory(data, [2]int64{size - 1000, -1}, [2]int64{0, 1 << 20}, [2]int64{1 << 20, 2 << 20}, [2]int64{2 << 20, size - 1000})
	m.told = true
	if err := fetch.Run(t.Context(), ref(d), m, fetch.Options{Connections: 3}); err != nil {
		t.Fatal(err)
	}
	m.verify(t)
	if !h.Ranges(d).Once(size) {
		t.Errorf("sent %v", h.Ranges(d))
	}
}

// Every way a body can break: the right bytes arrive, each is asked for once as
// far as the source allows it.
func TestBreaks(t *testing.T) {
	data := blob(size)
	for name, tt := range map[string]struct {
		faults []hubtest.Faults
		once   bool // no byte comes twice
	}{
		"cut":            {[]hubtest.Faults{{Cut: hubtest.At(1_000_000), First: 3}}, true},
		"cut at 0":       {[]hubtest.Faults{{Cut: hubtest.At(0), First: 2}}, true},
		"stall":          {[]hubtest.Faults{{Stall: hubtest.At(1_000_000), First: 2}}, true},
		"reset":          {[]hubtest.Faults{{Cut: hubtest.At(1_000_000), CutReset: true, First: 2}}, false},
		"503":            {[]hubtest.Faults{{Kind: hubtest.CDN, Status: 503, First: 2}}, true},
		"500 registry":   {[]hubtest.Faults{{Kind: hubtest.Blob, Status: 500, First: 2}}, true},
		"429":            {[]hubtest.Faults{{Kind: hubtest.Blob, Status: 429, First: 1, Header: http.Header{"Retry-After": {"0"}}}}, true},
		"signed url":     {[]hubtest.Faults{{Kind: hubtest.CDN, Status: 403, First: 2}}, true},
		"chunked":        {[]hubtest.Faults{{Chunked: true}}, true},
		"chunked, cut":   {[]hubtest.Faults{{Chunked: true, Cut: hubtest.At(1_000_000), First: 2}, {Chunked: true}}, true},
		"no range, cut":  {[]hubtest.Faults{{NoRange: true}, {Cut: hubtest.At(1_000_000), First: 1}}, false},
		"too short":      {[]hubtest.Faults{{Kind: hubtest.CDN, Cut: hubtest.At(2_000_000), First: 1}}, true},
		"content range":  {[]hubtest.Faults{{Cut: hubtest.At(1_000_000), First: 1}, {ContentRange: "bytes 0-1/2"}}, false},
		"206 without it": {[]hubtest.Faults{{Cut: hubtest.At(1_000_000), First: 1}, {ContentRange: "-"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h, ref := hub(t, &hubtest.Hub{})
			d := h.AddBlob(repo, data)
			h.SetFaults(tt.faults...)
			m := newMemory(data)
			if err := fetch.Run(t.Context(), ref(d), m, fetch.Options{StallTimeout: 300 * time.Millisecond}); err != nil {
				t.Fatal(err)
			}
			m.verify(t)
			if m.Size() != size {
				t.Errorf("size %d", m.Size())
			}
			if tt.once && h.BytesSent(d) > size+(256<<10) {
				t.Errorf("%d bytes sent for %d: %v", h.BytesSent(d), size, h.Ranges(d).Twice())
			}
			for _, q := range h.Requests() {
				if q.Kind == hubtest.CDN && q.Authorization != "" {
					t.Errorf("the CDN got %s", q.Authorization)
				}
			}
		})
	}
}

// A signed URL that runs out in the middle is fetched anew from the registry.
func TestSignedURLRunsOut(t *testing.T) {
	now := atomic.Int64{}
	start := time.Now()
	h, ref := hub(t, &hubtest.Hub{URLTTL: time.Second, Now: func() time.Time { return start.Add(time.Duration(now.Load())) }})
	data := blob(size)
	d := h.AddBlob(repo, data)
	h.SetFaults(hubtest.Faults{Cut: hubtest.At(1_000_000), First: 1})
	m := newMemory(data)
	m.wrote = func(*claim) { now.Store(int64(time.Minute)) } // the URL has long run out when the body breaks
	if err := fetch.Run(t.Context(), ref(d), m, fetch.Options{}); err != nil {
		t.Fatal(err)
	}
	m.verify(t)
	if n := h.Count("GET", "/v2/*/*/blobs/*"); n < 2 {
		t.Errorf("the registry was asked %d times", n)
	}
}

func TestVerdictsEndIt(t *testing.T) {
	for _, status := range []int{401, 403, 404} {
		h, ref := hub(t, &hubtest.Hub{})
		d := h.AddBlob(repo, blob(size))
		h.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Status: status})
		m := newMemory(blob(size), [2]int64{0, 1000}, [2]int64{1000, -1})
		err := fetch.Run(t.Context(), ref(d), m, fetch.Options{})
		var s *source.StatusError
		if !errors.As(err, &s) || !s.Definite() || s.Status != status {
			t.Errorf("%d: %v", status, err)
		}
		m.verify(t, nothing)
	}
	h, ref := hub(t, &hubtest.Hub{})
	d := h.AddBlob(repo, blob(size))
	h.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Status: 429, Header: http.Header{"Retry-After": {"3600"}}})
	err := fetch.Run(t.Context(), ref(d), newMemory(blob(size)), fetch.Options{})
	var s *source.StatusError
	if !errors.As(err, &s) || s.RetryAfter != time.Hour {
		t.Errorf("an hour's wait: %v", err)
	}
	if n := h.Count("GET", "/v2/*/*/blobs/*"); n > 2 { // without and with a token
		t.Errorf("asked %d times", n)
	}
}

func TestHopelessSourceEnds(t *testing.T) {
	h, ref := hub(t, &hubtest.Hub{})
	data := blob(size)
	d := h.AddBlob(repo, data)
	h.SetFaults(hubtest.Faults{Cut: hubtest.At(0)})
	m := newMemory(data)
	err := fetch.Run(t.Context(), ref(d), m, fetch.Options{Attempts: 3})
	if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) && err == nil {
		t.Errorf("got %v", err)
	}
	if n := h.Count("GET", "/registry-v2/**"); n > 3 {
		t.Errorf("%d attempts", n)
	}
	if strings.Contains(err.Error(), "?") {
		t.Errorf("the error shows a signed query: %v", err)
	}
	// A source that is gone is given up, and what came stays.
	h.SetFaults()
	h.Down()
	if err := fetch.Run(t.Context(), ref(d), newMemory(data), fetch.Options{Attempts: 2}); err == nil || !source.Unknown(err) {
		t.Errorf("with the hub down: %v", err)
	}
}

// nothing is the range that no test misses.
var nothing = [2]int64{}

func TestUntrustedIsNotRetried(t *testing.T) {
	h, ref := hub(t, &hubtest.Hub{})
	d := h.AddBlob(repo, blob(10))
	h.SetFaults(hubtest.Faults{WrongCert: true})
	err := fetch.Run(t.Context(), ref(d), newMemory(blob(10)), fetch.Options{})
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
	if accepted, _ := h.Connections(); accepted > 2 {
		t.Errorf("%d connections", accepted)
	}
}

func TestSizeContradiction(t *testing.T) {
	h, ref := hub(t, &hubtest.Hub{})
	d := h.AddBlob(repo, blob(1000))
	m := newMemory(blob(1000))
	m.size = 999
	err := fetch.Run(t.Context(), ref(d), m, fetch.Options{})
	var s *fetch.SizeError
	if !errors.As(err, &s) || s.Size != 1000 {
		t.Errorf("got %v", err)
	}
	m.verify(t, nothing)
}

// A body that announces more than there is: what is missing is asked for and
// refused, and nothing is made up.
func TestWrongLength(t *testing.T) {
	h, ref := hub(t, &hubtest.Hub{})
	data := blob(1000)
	d := h.AddBlob(repo, data)
	for _, delta := range []int64{-10, 10} {
		h.SetFaults(hubtest.Faults{Length: delta})
		m := newMemory(blob(1000))
		m.size = 1000
		err := fetch.Run(t.Context(), ref(d), m, fetch.Options{Attempts: 2})
		var s *fetch.SizeError
		if !errors.As(err, &s) {
			t.Errorf("%+d: %v", delta, err)
		}
	}
}

func TestStopAndFailureOfTheSink(t *testing.T) {
	h, ref := hub(t, &hubtest.Hub{})
	data := blob(size)
	d := h.AddBlob(repo, data)
	m := newMemory(data, [2]int64{0, -1}, [2]int64{size - 10, -1})
	m.stopAt = 1 << 20
	if err := fetch.Run(t.Context(), ref(d), m, fetch.Options{Connections: 1}); !errors.Is(err, fetch.ErrIdle) {
		t.Fatal(err)
	}
	m.verify(t, [2]int64{0, 1 << 20})
	full := errFull
	m = newMemory(data)
	m.broken = full
	if err := fetch.Run(t.Context(), ref(d), m, fetch.Options{}); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	m.verify(t, nothing)
}

func TestEndsWithItsContext(t *testing.T) {
	h, ref := hub(t, &hubtest.Hub{})
	d := h.AddBlob(repo, blob(size))
	h.SetFaults(hubtest.Faults{Stall: hubtest.At(1000)})
	m := newMemory(blob(size), [2]int64{2000, 3000}, [2]int64{0, -1})
	ctx, cancel := context.WithCancel(t.Context())
	m.wrote = func(*claim) { cancel() }
	if err := fetch.Run(ctx, ref(d), m, fetch.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	m.verify(t, nothing)
}

// Random breaks at random places. N sets how many blobs, SEED repeats a run.
func TestRandomBreaks(t *testing.T) {
	n, seed := rounds(t, 6)
	r := rand.New(rand.NewPCG(seed, 0))
	h, ref := hub(t, &hubtest.Hub{})
	for range n {
		data := bytes.Repeat(blob(1000+r.IntN(1000)), 1+r.IntN(1000))
		d := h.AddBlob(repo, data)
		var faults []hubtest.Faults
		for range 1 + r.IntN(4) {
			f := hubtest.Faults{Digest: d, Skip: r.IntN(3), First: 1, Chunked: r.IntN(4) == 0, NoRange: r.IntN(4) == 0}
			switch r.IntN(4) {
			case 0:
				f.Cut = hubtest.At(r.Int64N(int64(len(data))))
			case 1:
				f.Stall = hubtest.At(r.Int64N(int64(len(data))))
			case 2:
				f.Status, f.Kind = 502, hubtest.CDN
			default:
				f.Cut, f.CutReset = hubtest.At(r.Int64N(int64(len(data)))), true
			}
			faults = append(faults, f)
		}
		h.SetFaults(faults...)
		m := newMemory(data, nothing)
		for at := int64(0); at < int64(len(data)); {
			next := min(at+1+r.Int64N(int64(len(data))), int64(len(data)))
			m.wants = append(m.wants, [2]int64{at, next})
			at = next
		}
		if last := &m.wants[len(m.wants)-1]; r.IntN(2) == 0 {
			last[1] = -1
		}
		if err := fetch.Run(t.Context(), ref(d), m, fetch.Options{StallTimeout: 200 * time.Millisecond, Connections: 1 + r.IntN(4)}); !errors.Is(err, fetch.ErrIdle) {
			t.Fatalf("%v with %+v", err, faults)
		}
		m.verify(t, [2]int64{0, int64(len(data))})
	}
}
