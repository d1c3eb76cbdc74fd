package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"pulley/internal/control"
)

func TestRequestLogStaysWithinItsSize(t *testing.T) {
	dir := t.TempDir()
	const limit = 8 << 10
	h := newHistory(dir, func() int64 { return limit }, slog.New(slog.DiscardHandler))
	end, done := make(chan struct{}), make(chan struct{})
	go func() { defer close(done); h.run(end) }()
	const n = 300
	for i := range n {
		h.record(control.Event{What: "blob", Reference: fmt.Sprint(i)})
		if i%50 == 49 { // what is asked for is everything recorded before
			events, err := h.tail(3, end)
			if err != nil || len(events) != 3 || events[2].Reference != fmt.Sprint(i) {
				t.Fatalf("tail at %d: %+v, %v", i, events, err)
			}
		}
	}
	events, err := h.tail(n, end)
	if err != nil || len(events) < 20 || len(events) >= n || events[len(events)-1].Reference != fmt.Sprint(n-1) {
		t.Errorf("%d events, %v", len(events), err)
	}
	for i := 1; i < len(events); i++ {
		if events[i].Reference == events[i-1].Reference {
			t.Errorf("%s comes twice", events[i].Reference)
		}
	}
	close(end)
	<-done
	size := int64(0)
	for _, name := range []string{h.path, h.path + ".1"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
		size += info.Size()
	}
	if size > limit {
		t.Errorf("%d bytes on disk, %d allowed", size, limit)
	}
}

func TestTotalsOutliveTheDaemonAndForgetTheOld(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2030, 5, 1, 12, 0, 0, 0, time.Local)
	clock := func() time.Time { return now }
	first := newTotals(dir, clock)
	first.add(control.Event{Registry: "docker.io", FromCache: 3, FromNet: 4})
	if err := first.flush(); err != nil {
		t.Fatal(err)
	}
	now = now.AddDate(0, 0, 1).Add(time.Minute)
	second := newTotals(dir, clock)
	second.add(control.Event{FromNet: 1})
	if err := second.flush(); err != nil {
		t.Fatal(err)
	}
	traffic := second.traffic()
	if traffic.Ever != (control.Bytes{Requests: 2, FromCache: 3, FromNet: 5}) || traffic.Today != (control.Bytes{Requests: 1, FromNet: 1}) {
		t.Errorf("%+v", traffic)
	}
	if len(second.sums.Days) != 2 || len(second.sums.Minutes) != 1 {
		t.Errorf("kept %d days and %d minutes", len(second.sums.Days), len(second.sums.Minutes))
	}
	now = now.AddDate(2, 0, 0)
	second.add(control.Event{})
	if err := second.flush(); err != nil || len(second.sums.Days) != 1 {
		t.Errorf("two years later %d days, %v", len(second.sums.Days), err)
	}
}

// What the cache saved is time at each registry's own speed; layers that came beside each other took their time once, and
// files of before are read.
func TestTimeIsSaved(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	if err := os.WriteFile(filepath.Join(dir, "totals.json"), []byte(`{"ever":{"requests":7},"minutes":{},"days":{},"used":{}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	first := newTotals(dir, clock)
	nobody := func(string) float64 { return 0 }
	first.add(control.Event{Registry: "docker.io", What: "blob", FromCache: 400 << 20})
	if got := first.saved(nobody); got != 0 || first.traffic().Ever.Requests != 8 {
		t.Errorf("at no known speed %v, %+v", got, first.traffic())
	}
	if got := first.saved(func(string) float64 { return 100 << 20 }); got != 4*time.Second {
		t.Errorf("at the speed of its sources %v", got)
	}
	fetch := func(after, took time.Duration, mib int64) {
		first.add(control.Event{Registry: "docker.io", What: "blob", Time: now.Add(after), Duration: took, FromNet: mib << 20})
	}
	fetch(0, 2*time.Second, 10) // two at once, and one that was there before both
	fetch(time.Second, 2*time.Second, 10)
	fetch(-time.Second, 3*time.Second, 10)
	fetch(time.Minute, 2*time.Second, 30)                                                                        // and another time
	first.add(control.Event{Registry: "docker.io", What: "blob", Time: now, Duration: time.Hour, FromNet: 1000}) // too small to tell
	first.add(control.Event{Registry: "ghcr.io", What: "blob", FromCache: 1 << 20})                              // of another speed
	if got := first.saved(nobody); got != 40*time.Second {                                                       // 60 MiB in 6 s
		t.Errorf("%v, %+v", got, first.sums.Speeds)
	}
	if err := first.flush(); err != nil {
		t.Fatal(err)
	}
	if got := newTotals(dir, clock).saved(nobody); got != 40*time.Second {
		t.Errorf("after a restart %v", got)
	}
}

func TestPauseEndsByItselfAlsoOverARestart(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		over := make(chan time.Time, 2)
		tries := 0
		expire := func() error {
			if tries++; tries == 1 {
				return errors.New("the file is being edited")
			}
			over <- time.Now()
			return nil
		}
		began := time.Now()
		p := newPause(dir, time.Now, expire)
		if err := p.set(time.Hour); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Minute) // the bubble's clock
		p.close()
		again := newPause(dir, time.Now, expire)
		if until := again.ends(); until == nil || !until.Equal(began.Add(time.Hour)) {
			t.Errorf("after a restart paused until %v", until)
		}
		if at := <-over; at.Sub(began) != time.Hour+time.Minute {
			t.Errorf("over after %v", at.Sub(began))
		}
		synctest.Wait()
		if again.ends() != nil {
			t.Error("still paused")
		}
		if later := newPause(dir, time.Now, expire); later.ends() != nil {
			t.Error("a later daemon is paused")
		}
	})
}
