package fetch_test

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"pulley/internal/hubtest"
	"pulley/proxy/fetch"
)

// An origin without ranges announces more than it has, each time: that is found out, without fetching the blob again and again.
func TestWholeThatEndsEarlyEachTime(t *testing.T) {
	for _, resumed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			all, src := fours(blob(8*mib), 10*mib)
			all[0].plain, all[0].delta = true, 10
			m, began := newMemory(blob(8*mib+10)), time.Now()
			if resumed {
				all[0].die = func(n int, _ int64) int64 { return []int64{3 * mib, -1}[min(n, 1)] }
			}
			err := fetch.Run(t.Context(), these(src[0]), m, fetch.Options{RangeMin: mib})
			if took := time.Since(began); !errors.Is(err, io.ErrUnexpectedEOF) || took > 20*time.Second {
				t.Errorf("after %s: %v", took, err)
			}
			if n := sent(all[0]); n > 5*8*mib {
				t.Errorf("it sent %d bytes of %d", n, 8*mib)
			}
		})
	}
}

// The same of a server whose every answer announces a longer body than comes, so that what it says of ranges is no good either.
func TestEveryAnswerAnnouncesTooMuch(t *testing.T) {
	h, ref := hub(t, &hubtest.Hub{})
	d := h.AddBlob(repo, blob(size))
	h.SetFaults(hubtest.Faults{Length: 50})
	m := newMemory(append(blob(size), make([]byte, 50)...))
	began := time.Now()
	err := fetch.Run(t.Context(), ref(d), m, fetch.Options{RangeMin: 256 << 10})
	if took := time.Since(began); err == nil || took > 20*time.Second {
		t.Errorf("after %s: %v", took, err)
	}
	if sent := h.Ranges(d); len(sent) > 6 { // two of ranges, which are no good, and four of all
		t.Errorf("it sent %v of %d bytes", sent, size)
	}
}
