package model_test

import (
	"slices"
	"testing"
	"time"

	"pulley/internal/control"
	"pulley/ui/model"
)

func running(s control.State) model.View {
	s.Listen = "127.0.0.1:5055"
	return model.View{Phase: model.Running, State: s}
}

func TestSketchHoldsWhatIsShownAtOnce(t *testing.T) {
	usual := control.State{Enabled: true, Traffic: control.Traffic{Ever: control.Bytes{Requests: 1}},
		Registries: []control.Registry{{Name: "docker.io", Route: "auto"}},
		Active:     []control.Transfer{{Registry: "docker.io", Repository: "a", Have: 1, Rate: 5}}}
	was := model.Sketch(running(usual))
	for name, change := range map[string]func(*control.State){
		"bytes": func(s *control.State) {
			s.Active = []control.Transfer{{Registry: "docker.io", Repository: "a", Have: 2, Rate: 6}}
		},
		"sums":   func(s *control.State) { s.Traffic.Ever.FromCache = 7; s.Traffic.SavedTime = 5; s.Cache.Size = 9 },
		"moment": func(s *control.State) { s.Version = "another" },
	} {
		s := usual
		if change(&s); model.Sketch(running(s)) != was {
			t.Errorf("%s: another sketch for another number", name)
		}
	}
	until := when.Add(time.Hour)
	for name, change := range map[string]func(*control.State){
		"switch":   func(s *control.State) { s.Enabled = false },
		"pause":    func(s *control.State) { s.PausedUntil = &until },
		"problems": func(s *control.State) { s.Problems = []control.Problem{{Text: "the disk is full"}} },
		"pulls":    func(s *control.State) { s.Active = nil },
		"route":    func(s *control.State) { s.Registries = []control.Registry{{Name: "docker.io", Route: "direct"}} },
		"limit":    func(s *control.State) { s.Limits = []control.Limit{{Registry: "docker.io", Remaining: 3}} },
	} {
		s := usual
		if change(&s); model.Sketch(running(s)) == was {
			t.Errorf("%s: it is not seen", name)
		}
	}
	if model.Sketch(model.View{Phase: model.Down}) == model.Sketch(model.View{Phase: model.Starting}) {
		t.Error("the phase is not seen")
	}
}

func TestFresh(t *testing.T) {
	if !model.Fresh(running(control.State{})) {
		t.Error("a new install is not fresh")
	}
	for _, v := range []model.View{
		{},
		running(control.State{Active: make([]control.Transfer, 1)}),
		running(control.State{Traffic: control.Traffic{Ever: control.Bytes{FromNet: 1}}}),
	} {
		if model.Fresh(v) {
			t.Errorf("fresh: %+v", v)
		}
	}
}

func TestLimitsThatHold(t *testing.T) {
	again := when.Add(time.Hour)
	s := control.State{
		Registries: []control.Registry{{Name: "docker.io"}, {Name: "quay.io"}, {Name: "ghcr.io"}},
		Limits: []control.Limit{
			{Registry: "quay.io", Limit: 10, Remaining: 0, At: when.Add(-9 * time.Hour), Again: &again},
			{Registry: "docker.io", Limit: 100, Remaining: 80, Window: 6 * time.Hour, At: when.Add(-time.Hour)},
			{Registry: "docker.io", Limit: 200, Remaining: 70, Window: 6 * time.Hour, At: when, Identity: "alice"},
			{Registry: "ghcr.io", Limit: 100, Remaining: 5, Window: time.Hour, At: when.Add(-time.Hour)},
		},
	}
	got := model.Limits(s, when)
	if len(got) != 2 || got[0].Identity != "alice" || got[1].Registry != "quay.io" {
		t.Errorf("%+v", got)
	}
	if got := model.Limits(s, again); len(got) != 1 {
		t.Errorf("after it began anew: %+v", got)
	}
}

func TestPasts(t *testing.T) {
	at := func(minutes int) time.Time { return when.Add(time.Duration(minutes) * time.Minute) }
	get := func(minute int, repository, what, reference string, cache, net int64) control.Event {
		return control.Event{Time: at(minute), Registry: "docker.io", Repository: repository, What: what, Method: "GET", Reference: reference, FromCache: cache, FromNet: net}
	}
	failed := get(-1, "org/broken", "manifest", "v1", 0, 0)
	failed.Err = "not found"
	head := get(0, "library/debian", "manifest", "12", 0, 0)
	head.Method = "HEAD"
	events := []control.Event{
		get(-90, "library/debian", "blob", "sha256:aa", 0, 9000), // an older pull
		get(-30, "library/debian", "manifest", "12", 0, 10),
		get(-25, "library/debian", "blob", "sha256:aa", 500, 0),
		get(-20, "library/redis", "manifest", "latest", 30, 0),
		get(-16, "library/debian", "blob", "sha256:bb", 0, 490),
		get(-5, "library/quiet", "manifest", "latest", 0, 0),
		failed,
		{Time: at(0), Registry: "docker.io", What: "api", Method: "GET"},
		head,
	}
	got := model.Pasts(events, 5)
	var titles []string
	for _, p := range got {
		titles = append(titles, p.Title())
	}
	if want := []string{"org/broken:v1", "debian:12", "redis:latest"}; !slices.Equal(titles, want) {
		t.Fatalf("%q, want %q", titles, want)
	}
	if !got[0].Failed || got[1].Failed {
		t.Error("which failed is not told")
	}
	if p := got[1]; p.FromCache != 500 || p.FromNet != 500 || !p.Last.Equal(at(-16)) {
		t.Errorf("one pull is several requests, and not those of an earlier one: %+v", p)
	}
	if got := model.Pasts(events, 1); len(got) != 1 {
		t.Errorf("%d of at most 1", len(got))
	}
}
