package fetch_test

import (
	"testing"
	"testing/synctest"
	"time"

	"pulley/proxy/fetch"
)

// Who waits for a blob's first byte does not wait for the handshakes of all connections: the first has a moment to itself,
// but no longer than it makes use of it.
func TestTheFirstConnectionHasALead(t *testing.T) {
	for name, c := range map[string]struct {
		speed       float64
		least, most time.Duration // between the first answer and the second request
	}{
		"one that is fast": {1 << 30, 1, 5 * time.Millisecond},
		"one that is slow": {1 << 20, 10 * time.Millisecond, 10 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := one(blob(20 * mib))
				f.speed, f.latency = c.speed, 30*time.Millisecond
				m, began := newMemory(f.truth), time.Now()
				if err := fetch.Run(t.Context(), these(f), m, fetch.Options{Connections: 8}); err != nil {
					t.Fatal(err)
				}
				m.verify(t)
				if d := f.from(1, began) - f.latency; d < c.least || d > c.most {
					t.Errorf("the second is asked for %v after the first answered", d)
				}
			})
		})
	}
}
