//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pulley/internal/hubtest"
)

// TestHandOver: engines of several kinds pull while one daemon after the other takes over. No engine sees an error or holds a
// wrong byte, every daemon ends in order, and what it answered at the end is in the log of the last one. N pulls (500 for the
// promised figure) over OVER hand-overs (20).
func TestHandOver(t *testing.T) {
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
			return n
		}
		return otherwise
	}
	pulls, over := number("N", 24), number("OVER", 3)
	r := newRig(t, "1ms")
	const each = 2 // pulls of an image, by different engines or the same
	images := make([]hubtest.Image, (pulls+each-1)/each)
	for i := range images {
		images[i] = hubtest.RandomImage(uint64(7000+i), 2, 1<<20).WithPlatform("linux/" + runtime.GOARCH)
		r.hub.Push(fmt.Sprintf("library/over%d", i), "1", images[i])
	}
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Total: 24 << 20})
	var next, done atomic.Int64
	var work sync.WaitGroup
	for i, by := range []struct {
		name string
		mode mode
	}{{"dockerd (system)", viaHTTP}, {"podman", viaMirror}, {"skopeo", viaSOCKS}, {"containerd (system)", viaMirror}, {"skopeo", viaHTTP}} {
		e := engineOf(t, by.name)
		s, w := r.open(t, e, by.mode), r.wiring(t, by.mode)
		work.Go(func() {
			n := 0
			for ; ; n++ {
				at := int(next.Add(1) - 1)
				if at >= pulls {
					break
				}
				name := w.name(fmt.Sprintf("library/over%d", at/each), "1")
				if err := s.pull(t, name, nil); err != nil {
					t.Errorf("pull %d by %s via %s: %v", at, e.name, by.mode, err)
				} else {
					s.check(t, name, images[at/each])
				}
				done.Add(1)
			}
			t.Logf("%d: %s via %s pulled %d", i, e.name, by.mode, n)
		})
	}
	var gone []*process
	ticks := time.NewTicker(5 * time.Millisecond)
	defer ticks.Stop()
	for i := range over {
		for int(done.Load()) < (i+1)*pulls/(over+1) {
			<-ticks.C
		}
		gone = append(gone, r.daemon)
		r.upWith(t, "--take-over")
	}
	work.Wait()
	for i, p := range gone {
		select {
		case <-p.done:
			if p.err != nil {
				t.Errorf("daemon %d: %v", i, p.err)
			}
		case <-within(t).Done():
			t.Errorf("daemon %d has not ended", i)
		}
	}
	if out, err := runCommand(r.command("cache", "verify")); err != nil {
		t.Errorf("cache verify: %v: %s", err, out)
	}
	t.Logf("%d pulls over %d hand-overs", pulls, over)
}

func engineOf(t *testing.T, name string) engine {
	t.Helper()
	for _, e := range engines {
		if e.name == name {
			return e
		}
	}
	t.Fatalf("no engine %s", name)
	return engine{}
}
