package settings_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"pulley/ui/model"
	"pulley/ui/page/pagetest"
	"pulley/ui/part"
)

func TestSettingIsTypedAndWritten(t *testing.T) {
	r := newSettings(t, nil)
	e := r.entryOf(t, "16MiB")
	r.Window.Canvas().Focus(e)
	e.SetText("lots")
	if seen := r.Said(); !strings.Contains(seen, "A size, as 20GiB") {
		t.Errorf("what is wrong is not said:\n%s", seen)
	}
	e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if len(r.daemon.calls) != 0 {
		t.Errorf("it was written: %v", r.daemon.calls)
	}
	r.page.Show(r.view, pagetest.Afternoon) // what is typed stays
	e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if seen := r.Said(); strings.Contains(seen, "A size, as 20GiB") || r.entryOf(t, "16MiB") != e {
		t.Errorf("escape does not take it back:\n%s", seen)
	}
	e.SetText("32MiB")
	e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if r.last() != "set fetch.range_min=32MiB" {
		t.Errorf("%v", r.daemon.calls)
	}
	e.SetText("64MiB")
	r.Window.Canvas().Unfocus() // leaving it means it, too
	if r.last() != "set fetch.range_min=64MiB" {
		t.Errorf("%v", r.daemon.calls)
	}
}

func TestRefusedSettingFallsBackWithTheReason(t *testing.T) {
	r := newSettings(t, nil)
	r.daemon.refuse = errors.New("listen: 0.0.0.0:5055 can be reached from other machines, and nothing says who may")
	e := r.entryOf(t, "127.0.0.1:5055")
	e.SetText("0.0.0.0:5055")
	e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if seen := r.Said(); !strings.Contains(seen, "Stays as it was: listen: 0.0.0.0:5055 can be reached") {
		t.Errorf("the reason is not said:\n%s", seen)
	}
	if r.entryOf(t, "127.0.0.1:5055") != e {
		t.Error("it does not fall back")
	}
	r.daemon.refuse = nil
	e.SetText("127.0.0.1:6000")
	e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if seen := r.Said(); !strings.Contains(seen, "Not in force: Pulley is at 127.0.0.1:5055") || strings.Contains(seen, "Stays as it was") {
		t.Errorf("what follows is not said:\n%s", seen)
	}
}

func TestSettingSwitchFallsBack(t *testing.T) {
	r := newSettings(t, nil)
	r.daemon.refuse = errors.New("the file is read-only")
	s := r.Labelled("Notifications").(*part.Switch)
	test.Tap(s)
	if !s.On() || r.last() != "set tray.notify=false" || !strings.Contains(r.Said(), "read-only") {
		t.Errorf("%v %v\n%s", s.On(), r.daemon.calls, r.Said())
	}
}

func TestEnvironmentHoldsASetting(t *testing.T) {
	r := newSettings(t, func(r *rig) {
		r.view.State.Held = map[string]string{"listen": "PULLEY_LISTEN", "tray.notify": "PULLEY_TRAY_NOTIFY", "tray.theme": "PULLEY_TRAY_THEME"}
	})
	if seen := r.Said(); !strings.Contains(seen, "Held by PULLEY_LISTEN") {
		t.Errorf("%s", seen)
	}
	if !r.entryOf(t, "127.0.0.1:5055").Disabled() {
		t.Error("it can be typed into")
	}
	test.Tap(r.Labelled("Notifications").(*part.Switch))
	segments := pagetest.Kind[*part.Segments](r.Person)
	segments[1].Choose(2)
	if len(r.daemon.calls) != 0 || segments[1].Chosen() != 0 {
		t.Errorf("%v, theme %d", r.daemon.calls, segments[1].Chosen())
	}
	segments[0].Choose(2)
	if r.last() != "set tray.language=zh-CN" {
		t.Errorf("%v", r.daemon.calls)
	}
}

func TestSizeOfTheCacheBySlider(t *testing.T) {
	r := newSettings(t, nil)
	slider := pagetest.Kind[*part.Slider](r.Person)[0]
	if want := len(model.SizeSteps(222<<30)) - 1; int(slider.Max) != want {
		t.Errorf("it goes to %v, want %d", slider.Max, want)
	}
	slider.SetValue(slider.Max)
	if r.last() != "set cache.max_size=200GiB" {
		t.Errorf("%v", r.daemon.calls)
	}
	r.entryOf(t, "200GiB").SetText("33GiB")
	r.entryOf(t, "33GiB").TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if r.last() != "set cache.max_size=33GiB" || model.SizeSteps(222 << 30)[int(slider.Value)] != 30<<30 {
		t.Errorf("%v, slider %v", r.daemon.calls, slider.Value)
	}
}

func TestAccessIsShownOffLoopback(t *testing.T) {
	if seen := newSettings(t, nil).Said(); strings.Contains(seen, "Who may come in") {
		t.Error("it is in the way on loopback")
	}
	r := newSettings(t, func(r *rig) {
		r.daemon.values["listen"], r.view.State.Users = "0.0.0.0:5055", []string{"ann", "bob"}
	})
	if seen := r.Said(); !strings.Contains(seen, "Who may come in") || !strings.Contains(seen, "ann, bob") {
		t.Errorf("%s", seen)
	}
}

func TestSettingsAreSearched(t *testing.T) {
	r := newSettings(t, nil)
	r.page.Seek()
	search := r.Window.Canvas().Focused().(*part.Search)
	search.SetText("dns https")
	if seen := r.Said(); !strings.Contains(seen, "DNS over HTTPS") || strings.Contains(seen, "Notifications") || strings.Contains(seen, "Split from") {
		t.Errorf("%s", seen)
	}
	search.SetText("xyzzy")
	if seen := r.Said(); !strings.Contains(seen, "No setting is called so") {
		t.Errorf("%s", seen)
	}
	r.page.Take("cache.tag_ttl")
	if seen := r.Said(); !strings.Contains(seen, "Notifications") || search.Text != "" {
		t.Errorf("who is led somewhere sees all of it: %s", seen)
	}
}

// The index of what was found leads to what was found, by key too, and nowhere else.
func TestIndexOfWhatIsSought(t *testing.T) {
	r := newSettings(t, nil)
	r.page.Seek()
	search := r.Window.Canvas().Focused().(*part.Search)
	search.SetText("ssh")
	found := func() (labels []string) {
		for _, p := range pagetest.Kind[*part.Plate](r.Person) {
			labels = append(labels, p.AccessibilityLabel())
		}
		return labels
	}
	before := found()
	if len(before) == 0 || len(before) > 4 {
		t.Fatalf("%q", before)
	}
	first := r.Labelled(before[0]).(*part.Plate)
	r.Window.Canvas().Focus(first)
	for range before {
		r.Window.Canvas().Focused().TypedKey(&fyne.KeyEvent{Name: fyne.KeyDown})
	}
	if last := r.Window.Canvas().Focused().(*part.Plate); last.AccessibilityLabel() != before[len(before)-1] || search.Text != "ssh" || !slices.Equal(found(), before) {
		t.Errorf("%q, sought %q: %q", last.AccessibilityLabel(), search.Text, found())
	}
}

func TestSettingsLeadToThings(t *testing.T) {
	r := newSettings(t, nil)
	driver := fyne.CurrentApp().Driver()
	at := func(text string) float32 {
		for _, one := range pagetest.Kind[*part.Text](r.Person) {
			if one.Words() == text {
				return driver.AbsolutePositionForObject(one).Y
			}
		}
		return -1e6
	}
	for thing, text := range map[string]string{"fetch.max_rate": "Speed limit", "egress": "jump", "jump": "jump", "auth.docker.io": "auth.docker.io", "/home/ann/.cache/pulley": "Tags are fresh for"} {
		r.page.Take("general")
		r.page.Take(thing)
		if y := at(text); y < 50 || y > pagetest.Size.Height-30 {
			t.Errorf("%s: %s is at %v", thing, text, y)
		}
	}
}
