package hubtest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"pulley/internal/hubtest"
)

// ranges fetches a blob in n ranges at once, each over a connection of its own, and returns what came and the errors.
func ranges(t *testing.T, h *hubtest.Hub, url string, size int64, n int) ([]byte, []error) {
	t.Helper()
	whole, errs := make([]byte, size), make([]error, n)
	var wg sync.WaitGroup
	for i := range int64(n) {
		off, end := size*i/int64(n), size*(i+1)/int64(n)
		wg.Go(func() {
			tr := h.Transport()
			defer tr.CloseIdleConnections()
			req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
			if err != nil {
				errs[i] = err
				return
			}
			req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, end-1))
			res, err := tr.RoundTrip(req)
			if err != nil {
				errs[i] = err
				return
			}
			_, err = io.ReadFull(res.Body, whole[off:end])
			errs[i] = errors.Join(err, res.Body.Close())
		})
	}
	wg.Wait()
	return whole, errs
}

// However many connections there are, each has its own share, or all of them one.
func TestRates(t *testing.T) {
	h := start(t, &hubtest.Hub{Sites: []*hubtest.Site{{Host: "open.example", Auth: hubtest.Open}}})
	const mib = 1 << 20
	for _, one := range []struct {
		fault      hubtest.Faults
		conns      int
		size, rate int64 // rate is what all connections have together
	}{
		{hubtest.Faults{Bandwidth: mib}, 1, mib / 2, mib},
		{hubtest.Faults{Bandwidth: 100 * mib}, 1, 32 * mib, 100 * mib},
		{hubtest.Faults{Total: mib}, 8, mib / 2, mib},
		{hubtest.Faults{Total: 50 * mib}, 4, 24 * mib, 50 * mib},
		{hubtest.Faults{Total: 100 * mib}, 8, 32 * mib, 100 * mib},
		{hubtest.Faults{Bandwidth: mib}, 8, 4 * mib, 8 * mib},
		{hubtest.Faults{Bandwidth: 25 * mib}, 4, 32 * mib, 100 * mib},
		{hubtest.Faults{Bandwidth: 50 * mib, Total: 50 * mib}, 2, 24 * mib, 50 * mib},
	} {
		d := h.Site("open.example").AddBlob("r", make([]byte, one.size))
		get := func(f hubtest.Faults) float64 {
			t.Helper()
			h.SetFaults(f)
			begin := time.Now()
			_, errs := ranges(t, h, "http://open.example/v2/r/blobs/"+d.String(), one.size, one.conns)
			must(t, errors.Join(errs...))
			return time.Since(begin).Seconds()
		}
		want := float64(one.size) / float64(one.rate)
		var seen []float64
		for len(seen) < 10 {
			// Never may it be faster. Much slower is a fault, but only while this machine has time for more than twice the rate.
			free := get(hubtest.Faults{}) < want/2
			ratio := get(one.fault) / want
			if ratio < 0.97 {
				t.Fatalf("%+v: took %.3f of the time it should", one, ratio)
			}
			if seen = append(seen, ratio); ratio < 1.03 || !free {
				break
			}
		}
		if len(seen) == 10 && slices.Min(seen) > 1.25 {
			t.Errorf("%+v: times as a share of what they should be: %.3f", one, seen)
		}
	}
}

// A hub sends exactly so many bytes of blobs in all, then it is gone until it is brought up again.
func TestDie(t *testing.T) {
	for _, reset := range []bool{false, true} {
		for _, conns := range []int{1, 4} {
			for _, at := range []int64{0, 1, 300_000, blobSize - 1} {
				d := newDirect(t, &hubtest.Hub{})
				d.SetFaults(hubtest.Faults{Die: hubtest.At(at), CutReset: reset})
				do(t, d.c, "GET", registry+"/v2/", "") // no blob
				got, errs := ranges(t, d.Hub, d.url, blobSize, conns)
				if errors.Join(errs...) == nil {
					t.Errorf("dies at %d: everything came", at)
				}
				for i, b := range got {
					if b != d.want[i] && b != 0 {
						t.Fatalf("dies at %d: wrong byte at %d", at, i)
					}
				}
				if _, err := d.DialContext(t.Context(), "tcp", ""); !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("died at %d, and yet: %v", at, err)
				}
				if n := d.sent(); n != at {
					t.Errorf("dies at %d with %d connections (reset %v): sent %d", at, conns, reset, n)
				}
				must(t, d.Up())
				if a := d.get(); !bytes.Equal(a.body, d.want) {
					t.Errorf("up again: %v, %d bytes", a.err, len(a.body))
				}
			}
		}
	}
	d := newDirect(t, &hubtest.Hub{})
	d.SetFaults(hubtest.Faults{Die: hubtest.At(2*blobSize + 10)})
	for range 2 {
		if a := d.get(); !bytes.Equal(a.body, d.want) {
			t.Errorf("before its end: %v, %d bytes", a.err, len(a.body))
		}
	}
	if a := d.get(); len(a.body) > 10 || a.err == nil {
		t.Errorf("at its end: %v, %d bytes", a.err, len(a.body))
	}
}

// Once means once that the byte goes, not the first request, which may be for others.
func TestWrongByteOnce(t *testing.T) {
	d := newDirect(t, &hubtest.Hub{})
	d.SetFaults(hubtest.Faults{WrongByte: hubtest.At(700_000), First: 1}, hubtest.Faults{WrongByte: hubtest.At(5), Skip: 1})
	wrong := func(header string) (at []int) {
		t.Helper()
		a := d.get("Range", header)
		must(t, a.err)
		off := 0
		_, _ = fmt.Sscanf(a.Header.Get("Content-Range"), "bytes %d-", &off)
		for i, b := range a.body {
			if b != d.want[off+i] {
				at = append(at, off+i)
			}
		}
		return at
	}
	for _, one := range []struct{ header, want string }{
		{"bytes=0-699999", "[]"}, {"bytes=700001-", "[]"}, {"bytes=700000-700000", "[700000]"}, {"", "[5]"}, {"bytes=5-9", "[5]"}, {"bytes=600000-", "[]"},
	} {
		if got := fmt.Sprint(wrong(one.header)); got != one.want {
			t.Errorf("%q: wrong at %s, want %s", one.header, got, one.want)
		}
	}
	d.SetFaults(hubtest.Faults{WrongByte: hubtest.At(3)}, hubtest.Faults{WrongByte: hubtest.At(4), NoRange: true})
	if got := fmt.Sprint(wrong("bytes=100-")); got != "[3 4]" {
		t.Errorf("without ranges: wrong at %s", got)
	}
}

// So many requests a minute, by the hub's clock.
func TestQuota(t *testing.T) {
	var cl clock
	d := newDirect(t, &hubtest.Hub{Now: cl.now})
	slow := hubtest.Abuse("30")
	slow.Quota, slow.Kind = 3, hubtest.Blob
	d.SetFaults(slow)
	minute := func() (statuses []int) {
		t.Helper()
		for range 5 {
			do(t, d.c, "GET", "https://open.example/v2/", "")
			statuses = append(statuses, d.get().StatusCode)
		}
		return statuses
	}
	for range 2 {
		if got := fmt.Sprint(minute()); got != "[200 200 200 429 429]" {
			t.Errorf("statuses %s", got)
		}
		cl.forward(59 * time.Second)
		if a := d.get(); a.StatusCode != 429 || a.Header.Get("Retry-After") != "30" {
			t.Errorf("after 59 s: %s %v", a.Status, a.Header)
		}
		cl.forward(time.Second)
	}
}
