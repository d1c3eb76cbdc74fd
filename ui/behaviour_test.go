package ui_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"pulley/internal/control"
	"pulley/ui"
	"pulley/ui/model"
	"pulley/ui/part"
	"pulley/ui/theme"
)

// shown is a window with what a person asked for in it.
type shown struct {
	*ui.Window
	app   fyne.App
	model *model.Model
	asked []model.Action
}

func show(t *testing.T, prepare func(*model.Model)) *shown {
	t.Helper()
	s := &shown{app: test.NewTempApp(t), model: model.New()}
	s.app.Settings().SetTheme(theme.New(theme.Light))
	prepare(s.model)
	s.Window = ui.New(s.app, s.model, func(a model.Action) { s.asked = append(s.asked, a) }, func() time.Time { return noon })
	s.Reveal()
	return s
}

// visit calls f for every object that can be seen.
func (s *shown) visit(f func(fyne.CanvasObject)) {
	var walk func(fyne.CanvasObject)
	walk = func(o fyne.CanvasObject) {
		if !o.Visible() {
			return
		}
		f(o)
		switch o := o.(type) {
		case *fyne.Container:
			for _, child := range o.Objects {
				walk(child)
			}
		case fyne.Widget:
			for _, child := range test.WidgetRenderer(o).Objects() {
				walk(child)
			}
		}
	}
	walk(s.Canvas().Content())
}

// all are the visible widgets of one kind, from the top.
func all[W fyne.Widget](s *shown) []W {
	var found []W
	s.visit(func(o fyne.CanvasObject) {
		if w, ok := o.(W); ok {
			found = append(found, w)
		}
	})
	return found
}

// says tells whether a text can be read somewhere.
func (s *shown) says(text string) bool {
	return slices.ContainsFunc(all[*part.Text](s), func(w *part.Text) bool { return w.Words() == text }) ||
		slices.ContainsFunc(all[*widget.Label](s), func(w *widget.Label) bool { return strings.Contains(w.Text, text) })
}

func (s *shown) check(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !s.says(text) {
			t.Errorf("the window does not say %q", text)
		}
	}
}

func TestWindowSaysTheState(t *testing.T) {
	s := show(t, func(m *model.Model) { m.Heard(sample()) })
	s.check(t, "On", "127.0.0.1:5055", "5.0 GiB from cache", "1.2 GiB from registries", "today, 81 % from cache",
		"3.3 GiB of 20 GiB", "docker.io", "3 minutes ago · 76 of 100 pulls left", "43 minutes ago",
		"docker pull 127.0.0.1:5055/library/alpine")

	busy := sample()
	busy.Active = make([]control.Transfer, 6)
	for i := range busy.Active {
		busy.Active[i] = control.Transfer{Registry: "ghcr.io", Repository: "a/b", Have: 1 << 20, Total: -1}
	}
	busy.Active[0].Total = 4 << 20
	s.model.Heard(busy)
	s.Update()
	s.check(t, "6", "ghcr.io/a/b", "1.0 MiB of 4.0 MiB", "1.0 MiB", "and 2 more")
	if s.says("docker pull 127.0.0.1:5055/library/alpine") {
		t.Error("it suggests a pull while there are pulls")
	}

	s.model.Lost("port 5055 is held by nginx")
	s.Update()
	s.check(t, "Pulley is not running", "port 5055 is held by nginx")
}

func TestNothingServedToday(t *testing.T) {
	s := show(t, func(m *model.Model) {
		state := sample()
		state.Traffic = control.Traffic{Ever: control.Bytes{FromNet: 1 << 30}}
		m.Heard(state)
	})
	s.check(t, "in all, 0 % from cache", "1.0 GiB from registries")
}

func TestBigSwitch(t *testing.T) {
	s := show(t, func(m *model.Model) { m.Heard(sample()) })
	flip := all[*part.Switch](s)[0]
	if !flip.On() {
		t.Fatal("it is off")
	}
	test.Tap(flip)
	if want := []model.Action{{Verb: model.TurnOff}}; !slices.Equal(s.asked, want) {
		t.Errorf("asked %v, want %v", s.asked, want)
	}
	if flip.On() {
		t.Error("it does not flip at once")
	}
	s.Update() // the model never heard of it: back
	if !flip.On() {
		t.Error("it does not fall back")
	}
	test.Tap(flip)
	flip.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	if want := (model.Action{Verb: model.TurnOn}); s.asked[2] != want {
		t.Errorf("asked %v, want %v", s.asked[2], want)
	}

	s.model.Lost("")
	s.Update()
	before := len(s.asked)
	test.Tap(flip)
	if len(s.asked) != before || !flip.Disabled() {
		t.Error("it can be flipped with nobody to ask")
	}
}

func TestRouteOfARegistry(t *testing.T) {
	s := show(t, func(m *model.Model) { m.Heard(sample()) })
	routes := all[*part.Choice](s)
	if len(routes) != 9 || routes[0].Value() != "auto" || routes[1].Value() != "direct" {
		t.Fatalf("%d routes", len(routes))
	}
	for _, item := range routes[1].Menu().Items {
		if item.Checked != (item.Label == "Direct") {
			t.Errorf("%s: checked %v", item.Label, item.Checked)
		}
	}
	routes[1].Menu().Items[2].Action()
	routes[0].TypedKey(&fyne.KeyEvent{Name: fyne.KeyDown})
	want := []model.Action{
		{Verb: model.SetRoute, Registry: "ghcr.io", Route: "offline"},
		{Verb: model.SetRoute, Registry: "docker.io", Route: "direct"},
	}
	if !slices.Equal(s.asked, want) {
		t.Errorf("asked %v, want %v", s.asked, want)
	}
	test.Tap(routes[0])
	if s.Canvas().Overlays().Top() == nil {
		t.Error("a tap opens nothing")
	}
}

func TestRegistriesComeAndGo(t *testing.T) {
	s := show(t, func(m *model.Model) { m.Heard(sample()) })
	state := sample()
	state.Registries = append(state.Registries[1:3:3], control.Registry{Name: "registry.example", Route: "cache.example"})
	s.model.Heard(state)
	s.Update()
	if n := len(all[*part.Choice](s)); n != 3 {
		t.Errorf("%d registries", n)
	}
	s.check(t, "registry.example", "cache.example")
	if s.says("docker.io") {
		t.Error("docker.io is still there")
	}
}

func TestCopying(t *testing.T) {
	s := show(t, func(m *model.Model) { m.Heard(sample()) })
	for i, want := range []string{"127.0.0.1:5055", "docker pull 127.0.0.1:5055/library/alpine"} {
		test.Tap(all[*part.Press](s)[i])
		if got := s.app.Clipboard().Content(); got != want {
			t.Errorf("copied %q, want %q", got, want)
		}
	}
}

func TestAlerts(t *testing.T) {
	s := show(t, func(m *model.Model) {
		state := sample()
		state.Problems = []control.Problem{{Text: "the disk is full", Fix: "pulley cache gc"}, {Text: "docker rejects our certificate"},
			{Text: "a name is poisoned", Fix: "this, or that"}}
		m.Heard(state)
	})
	s.check(t, "the disk is full", "pulley cache gc", "docker rejects our certificate", "a name is poisoned\ntry: this, or that")
	test.Tap(all[*part.Press](s)[1]) // after the copy button of the head
	if got := s.app.Clipboard().Content(); got != "pulley cache gc" {
		t.Errorf("copied %q", got)
	}
	many := sample()
	many.Problems = make([]control.Problem, 6)
	s.model.Heard(many)
	s.Update()
	s.check(t, "and 2 more; see: pulley status")
	s.model.Heard(sample())
	s.Update()
	if len(all[*widget.Label](s)) != 0 {
		t.Error("the alert stays")
	}

	s.model.Lost("it ended by itself")
	s.Update()
	test.Tap(all[*widget.Button](s)[0])
	if want := []model.Action{{Verb: model.Retry}}; !slices.Equal(s.asked, want) {
		t.Errorf("asked %v, want %v", s.asked, want)
	}
}

func TestNoticeCanBeDismissed(t *testing.T) {
	s := show(t, func(m *model.Model) {
		m.Do(model.Action{Verb: model.TurnOff})
		ctx, done := t.Context(), make(chan struct{})
		m.Watch(func() {
			if m.View().Notice != "" {
				select {
				case <-done:
				default:
					close(done)
				}
			}
		})
		go func() { _ = m.Run(ctx) }() // there is nobody to ask
		<-done
		m.Heard(sample())
	})
	s.check(t, "could not turn off: pulley is not running")
	presses := all[*part.Press](s)
	test.Tap(presses[1]) // after the copy button of the head
	s.Update()
	if s.says("could not turn off: pulley is not running") {
		t.Error("the notice stays")
	}
}

func TestHiddenWindowRests(t *testing.T) {
	s := show(t, func(m *model.Model) { m.Heard(sample()) })
	s.model.Watch(s.Changed)
	s.Conceal()
	state := sample()
	state.Enabled = false
	s.model.Heard(state)
	if flip := all[*part.Switch](s)[0]; !flip.On() {
		t.Error("a hidden window is kept up to date")
	}
	s.Reveal()
	if flip := all[*part.Switch](s)[0]; flip.On() {
		t.Error("a window that comes back is out of date")
	}
	state.Enabled = true
	s.model.Heard(state)
	if flip := all[*part.Switch](s)[0]; !flip.On() {
		t.Error("a window that is open is not kept up to date")
	}
}

// A limit that is spent is all that its registry's row says.
func TestLimitThatIsSpent(t *testing.T) {
	again := noon.Add(2 * time.Hour)
	s := show(t, func(m *model.Model) {
		state := sample()
		state.Limits = []control.Limit{{Registry: "docker.io", Limit: 100, Again: &again}}
		m.Heard(state)
	})
	s.check(t, "no pulls left, again by 14:05")
	s.model.Heard(sample())
	s.Update()
	s.check(t, "3 minutes ago · 76 of 100 pulls left")
}
