package daemon

import (
	"testing"
	"time"
)

func TestWhereabouts(t *testing.T) {
	wall, awake, on := time.Now(), time.Duration(0), "office"
	w := &whereabouts{
		network: func() string { return on }, wall: func() time.Time { return wall }, awake: func() time.Duration { return awake },
	}
	w.changed()
	look := func(what string, want bool) {
		t.Helper()
		if got := w.changed(); got != want {
			t.Errorf("%s: changed %v, want %v", what, got, want)
		}
	}
	wall, awake = wall.Add(time.Hour), awake+time.Hour
	look("a long time, awake", false)
	wall, awake = wall.Add(time.Hour), awake+time.Second
	look("a long sleep", true)
	look("awake since", false)
	wall = wall.Add(-time.Hour)
	look("somebody set the clock back", false)
	on = offline
	look("offline", false)
	on = "office"
	look("back on the same", false)
	on = "train"
	look("on another", true)
	look("still there", false)
}
