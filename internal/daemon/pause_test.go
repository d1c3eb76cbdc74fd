package daemon

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A machine that slept through the end of a pause: its timers stood still, its clock did not.
func TestPauseEndsByTheClock(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var slept atomic.Int64
		clock := func() time.Time { return time.Now().Add(time.Duration(slept.Load())) }
		over := make(chan time.Time, 1)
		p := newPause(dir, clock, func() error { over <- time.Now(); return nil })
		defer p.close()
		if err := p.set(time.Hour); err != nil {
			t.Fatal(err)
		}
		<-time.After(10 * time.Minute)
		slept.Store(int64(3 * time.Hour))
		woke := time.Now()
		if at := <-over; at.Sub(woke) > time.Minute {
			t.Errorf("over %v after the machine woke up", at.Sub(woke))
		}
	})
}

// Who begins a pause at the moment in which the last one ends gets all of it.
func TestPauseBegunWhileTheLastOneEnds(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ending, goOn := make(chan struct{}), make(chan struct{})
		p := newPause(dir, time.Now, func() error { ending <- struct{}{}; <-goOn; return nil })
		defer p.close()
		if err := p.set(time.Hour); err != nil {
			t.Fatal(err)
		}
		<-ending
		begun := time.Now()
		if err := p.set(time.Hour); err != nil {
			t.Fatal(err)
		}
		goOn <- struct{}{}
		synctest.Wait()
		if until := p.ends(); until == nil || !until.Equal(begun.Add(time.Hour)) {
			t.Fatalf("paused until %v", until)
		}
		<-ending
		if took := time.Since(begun); took != time.Hour {
			t.Errorf("over after %v", took)
		}
		goOn <- struct{}{}
		synctest.Wait()
		if p.ends() != nil {
			t.Error("still paused")
		}
	})
}
