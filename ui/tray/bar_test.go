package tray_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/tray"
)

// host is a status area that remembers.
type host struct {
	form    tray.Form
	tooltip string
	lines   []*line
	changes int
}

type line struct {
	host                     *host
	label                    string
	checked, shown, disabled bool
	rule                     bool
	clicked                  func()
	children                 []*line
}

func (h *host) Icon(f tray.Form)  { h.form = f; h.changes++ }
func (h *host) Tooltip(s string)  { h.tooltip = s; h.changes++ }
func (h *host) Line()             { h.lines = append(h.lines, &line{rule: true, shown: true}) }
func (l *line) Label(s string)    { l.label = s; l.host.changes++ }
func (l *line) Check(on bool)     { l.checked = on; l.host.changes++ }
func (l *line) Enable(on bool)    { l.disabled = !on; l.host.changes++ }
func (l *line) Show(shown bool)   { l.shown = shown; l.host.changes++ }
func (h *host) click(path string) { h.find(path).clicked() }

func (h *host) Add(parent tray.Entry, label string, _ bool, clicked func()) tray.Entry {
	l := &line{host: h, label: label, shown: true, clicked: clicked}
	if under, ok := parent.(*line); ok {
		under.children = append(under.children, l)
	} else {
		h.lines = append(h.lines, l)
	}
	h.changes++
	return l
}

// find is the line whose shown path ("docker.io · Automatic/Offline") it is.
func (h *host) find(path string) *line {
	lines := h.lines
	var found *line
	for _, name := range strings.Split(path, "/") {
		i := slices.IndexFunc(lines, func(l *line) bool { return l.label == name && l.shown })
		if i < 0 {
			panic(fmt.Sprintf("no %q on the host:\n%s", path, h.text()))
		}
		found = lines[i]
		lines = found.children
	}
	return found
}

// text is as of a menu, so that a host can be compared with one.
func (h *host) text() string {
	var out strings.Builder
	var write func(lines []*line, indent string)
	write = func(lines []*line, indent string) {
		for _, l := range lines {
			switch {
			case l.rule:
				out.WriteString("--\n")
			case l.shown:
				mark := ""
				if l.checked {
					mark = " *"
				}
				if l.disabled {
					mark += " ~"
				}
				out.WriteString(indent + l.label + mark + "\n")
				write(l.children, indent+"  ")
			}
		}
	}
	write(h.lines, "")
	return out.String()
}

func TestBarShowsEveryMenu(t *testing.T) {
	h := &host{}
	bar := tray.NewBar(h, func(model.Action) {})
	more := func(s *control.State) {
		s.Registries = append(s.Registries, control.Registry{Name: "registry.example", Route: "auto", LastUsed: ago(0)})
	}
	for i, v := range []model.View{
		{}, {Phase: model.Down, Reason: "no"}, running(nil), running(more), running(nil),
		running(func(s *control.State) { s.Enabled = false; s.Registries = s.Registries[1:] }),
		running(func(s *control.State) { s.Registries[1].Routes = append(s.Registries[1].Routes, "another") }),
		running(more),
	} {
		menu := tray.Build(v, noon)
		bar.Draw(menu)
		if got, want := h.text(), text(menu); got != want {
			t.Fatalf("menu %d: on the host\n%s\nwant\n%s", i, got, want)
		}
		if h.form != menu.Form || h.tooltip != menu.Tooltip {
			t.Fatalf("menu %d: icon %s, tooltip %q", i, h.form, h.tooltip)
		}
	}
}

// Another language is another label on the same entry: a click on the old one still does what it said.
func TestBarFollowsTheLanguage(t *testing.T) {
	t.Cleanup(func() { lang.Use("en") })
	h := &host{}
	var clicked []model.Action
	bar := tray.NewBar(h, func(a model.Action) { clicked = append(clicked, a) })
	bar.Draw(tray.Build(running(nil), noon))
	off := h.find("Turn off")
	lang.Use("zh-CN")
	menu := tray.Build(running(nil), noon)
	bar.Draw(menu)
	if got, want := h.text(), text(menu); got != want {
		t.Errorf("on the host\n%s\nwant\n%s", got, want)
	}
	if h.find("关闭") != off {
		t.Error("it is another entry")
	}
	off.clicked()
	if len(clicked) != 1 || clicked[0].Verb != model.TurnOff {
		t.Errorf("clicked %v", clicked)
	}
}

func TestBarTouchesOnlyWhatDiffers(t *testing.T) {
	h := &host{}
	bar := tray.NewBar(h, func(model.Action) {})
	bar.Draw(tray.Build(running(nil), noon))
	h.changes = 0
	bar.Draw(tray.Build(running(nil), noon))
	if h.changes != 0 {
		t.Errorf("the same menu again made %d changes", h.changes)
	}
	bar.Draw(tray.Build(running(func(s *control.State) { s.Cache.Size *= 2 }), noon))
	if h.changes != 1 {
		t.Errorf("another number made %d changes, want 1", h.changes)
	}
}

// A person opened the menu, the state changed, and then the click arrived.
func TestClickOnAnOldMenuDoesWhatItSaid(t *testing.T) {
	h := &host{}
	var got []model.Action
	bar := tray.NewBar(h, func(a model.Action) { got = append(got, a) })
	bar.Draw(tray.Build(model.View{}, noon))
	bar.Draw(tray.Build(running(nil), noon))
	off, route := h.find("Turn off"), h.find("docker.io · Automatic/Offline")

	bar.Draw(tray.Build(running(func(s *control.State) {
		s.Enabled = false
		s.Registries[0].Route, s.Registries[0].LastUsed = "direct", nil
	}), noon))
	off.clicked()
	route.clicked()
	h.click("More registries/docker.io · Direct/Automatic")
	h.click("Off: engines go straight through") // says something, does nothing
	want := []model.Action{
		{Verb: model.TurnOff},
		{Verb: model.SetRoute, Registry: "docker.io", Route: "offline"},
		{Verb: model.SetRoute, Registry: "docker.io", Route: "auto"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// More registries than the bar kept room for are still reachable.
func TestBarWithMoreRegistriesThanRoom(t *testing.T) {
	h := &host{}
	bar := tray.NewBar(h, func(model.Action) {})
	bar.Draw(tray.Build(model.View{}, noon))
	bar.Draw(tray.Build(running(func(s *control.State) {
		s.Registries = nil
		for i := range 40 {
			s.Registries = append(s.Registries, control.Registry{Name: fmt.Sprintf("r%d.example", i), Route: "auto", LastUsed: ago(time.Duration(40-i) * time.Hour)})
		}
	}), noon))
	h.find("r39.example · Automatic/Offline")
	h.find("More registries/r0.example · Automatic/Offline")
}
