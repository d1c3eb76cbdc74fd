package daemon_test

import (
	"net/http"
	"testing"
	"time"

	"pulley/internal/control"
	"pulley/internal/hubtest"
)

// A face hears of another theme without asking for it.
func TestThemeIsPartOfTheState(t *testing.T) {
	r := start(t, nil)
	if got := r.State().Theme; got != "auto" {
		t.Errorf("at first %q", got)
	}
	changed := r.Changed()
	if err := r.SetSetting("tray.theme", "dark"); err != nil {
		t.Fatal(err)
	}
	<-changed
	if got := r.State().Theme; got != "dark" {
		t.Errorf("then %q", got)
	}
}

// A face is told when pulls are left again, and only when none is.
func TestStateSaysWhenPullsAreLeftAgain(t *testing.T) {
	r := start(t, nil)
	r.hub.SetRateLimit(2)
	limit := func(repository string) control.Limit {
		t.Helper()
		r.hub.Push(repository, "latest", hubtest.RandomImage(1, 1, 1000))
		if status, body := r.get(t, "/v2/"+repository+"/manifests/latest"); status != http.StatusOK {
			t.Fatalf("manifest: %d %.200s", status, body)
		}
		limits := r.State().Limits
		if len(limits) != 1 {
			t.Fatalf("limits: %+v", limits)
		}
		return limits[0]
	}
	if l := limit("library/one"); l.Remaining != 1 || l.Again != nil {
		t.Errorf("after one pull of two: %+v", l)
	}
	if l := limit("library/two"); l.Remaining != 0 || l.Again == nil || !l.Again.Equal(l.At.Add(6*time.Hour)) {
		t.Errorf("after two: %+v", l)
	}
}
