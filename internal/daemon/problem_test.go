package daemon

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pulley/internal/control"
)

// Each problem says what it is and what it is about, for who says it in another language.
func TestProblemsHaveKeys(t *testing.T) {
	places := PlacesOf(t)
	opt := OptionsIn(places)
	settings := "[[registry]]\nname = \"docker.io\"\n[[registry.mirror]]\nname = \"ustc\"\nenabled = true\n"
	if err := os.WriteFile(places.ConfigFile, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.unstored.note("the disk is full", time.Now())
	if err := os.WriteFile(places.ConfigFile, []byte("listen = 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.settings.Reload()
	found := map[string]control.Problem{}
	for _, p := range d.problems() {
		if !slices.Contains(control.Keys(), p.Key) {
			t.Errorf("no key of ours: %+v", p)
		}
		found[p.Key] = p
	}
	for key, want := range map[string]control.Problem{
		control.KeyConfigBroken:  {Thing: places.ConfigFile, About: "listen"},
		control.KeyCacheUnstored: {About: "the disk is full"},
		control.KeyMirrorClosed:  {Thing: "docker.io/ustc", About: "20"},
	} {
		p, has := found[key]
		if !has || p.Thing != want.Thing || !strings.Contains(p.About, want.About) || !strings.Contains(p.Text, p.About) {
			t.Errorf("%s: %+v", key, p)
		}
	}
}

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
