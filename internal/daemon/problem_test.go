package daemon

import (
	"testing"
	"time"
)

// A problem that is over by the clock, with nobody pulling, is told to those who watch.
func TestProblemsEndBeforeTheNextPull(t *testing.T) {
	now := time.Date(2030, 5, 1, 12, 0, 0, 0, time.Local)
	opt := OptionsIn(PlacesOf(t))
	opt.Now = func() time.Time { return now }
	d, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.unstored.note("the disk is full", now)
	known := d.look(nil)
	if len(known) != 1 {
		t.Fatalf("problems %+v", known)
	}
	for range 2 {
		changed := d.Changed()
		known = d.look(known)
		select {
		case <-changed:
			t.Error("told, though nothing is new")
		default:
		}
	}
	changed := d.Changed()
	now = now.Add(unstoredFor + time.Second)
	if known = d.look(known); len(known) != 0 {
		t.Errorf("problems %+v", known)
	}
	select {
	case <-changed:
	default:
		t.Error("nobody was told")
	}
}
