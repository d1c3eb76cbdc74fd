package model_test

import (
	"slices"
	"testing"
	"time"

	"pulley/internal/control"
	"pulley/ui/model"
)

func TestRegistriesUsedLatelyComeFirst(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	used := func(ago time.Duration) *time.Time { at := now.Add(-ago); return &at }
	all := []control.Registry{
		{Name: "docker.io"}, {Name: "gcr.io", LastUsed: used(40 * 24 * time.Hour)},
		{Name: "ghcr.io", LastUsed: used(3 * time.Hour)}, {Name: "quay.io", LastUsed: used(time.Hour)},
	}
	names := func(list []control.Registry) (out []string) {
		for _, r := range list {
			out = append(out, r.Name)
		}
		return out
	}
	lately, others := model.Shelve(all, now)
	if !slices.Equal(names(lately), []string{"quay.io", "ghcr.io"}) || !slices.Equal(names(others), []string{"docker.io", "gcr.io"}) {
		t.Errorf("%v, %v", names(lately), names(others))
	}
	lately, others = model.Shelve(all[:2], now)
	if !slices.Equal(names(lately), []string{"docker.io"}) || len(others) != 1 {
		t.Errorf("with none used: %v, %v", names(lately), names(others))
	}
	if lately, others = model.Shelve(nil, now); lately != nil || others != nil {
		t.Errorf("with none at all: %v %v", lately, others)
	}
}

func TestConditionOfASource(t *testing.T) {
	on := control.Source{Name: "m", Enabled: true, Usable: true, Proven: true}
	with := func(change func(*control.Source)) control.Source { s := on; change(&s); return s }
	for name, one := range map[string]struct {
		s    control.Source
		want model.Condition
	}{
		"ready":    {on, model.SourceReady},
		"off":      {with(func(s *control.Source) { s.Enabled = false }), model.SourceOff},
		"closed":   {with(func(s *control.Source) { s.Enabled = false; s.Closed = "2022-08" }), model.SourceClosed},
		"waits":    {with(func(s *control.Source) { s.Usable = false; s.Why = "it failed" }), model.SourceWaits},
		"spent":    {with(func(s *control.Source) { s.Usable = false; s.Quota = 5; s.QuotaUsed = 5 }), model.SourceSpent},
		"differs":  {with(func(s *control.Source) { s.Differs = make([]control.Differs, 1) }), model.SourceDiffers},
		"unproven": {with(func(s *control.Source) { s.Proven = false }), model.SourceUnproven},
		"origin":   {control.Source{Name: "origin", Origin: true, Enabled: true, Usable: true}, model.SourceReady},
	} {
		if got := model.ConditionOf(one.s); got != one.want {
			t.Errorf("%s: %v, want %v", name, got, one.want)
		}
	}
}

const hub = "docker.io"

func list() []control.Source {
	return []control.Source{ // best first, as the daemon lists them
		{Registry: hub, Name: "b", Place: 2, Enabled: true, Usable: true, Rate: 9e6, FirstByte: time.Millisecond},
		{Registry: hub, Name: "origin", Origin: true, Enabled: true, Usable: true, Rate: 3e6},
		{Registry: hub, Name: "a", Place: 1}, {Registry: hub, Name: "old", Place: 3, Closed: "2022"},
		{Registry: hub, Name: "c", Place: 4}, {Registry: "ghcr.io", Name: "origin", Origin: true, Enabled: true},
	}
}

func open(s *model.Sources) (names []string) {
	_, open, _ := s.Of(hub)
	for _, one := range open {
		names = append(names, one.Name)
	}
	return names
}

func TestSourcesShowWhatAPersonDidAtOnce(t *testing.T) {
	var s model.Sources
	if origin, _, _ := s.Of(hub); origin != nil || s.Known() {
		t.Error("something is known before it was heard")
	}
	first := list()
	s.Heard(s.Ask(), first)
	origin, _, closed := s.Of(hub)
	if origin == nil || !slices.Equal(open(&s), []string{"a", "b", "c"}) || len(closed) != 1 {
		t.Fatalf("%v %v %v", origin, open(&s), closed)
	}
	late := s.Ask()
	s.Order(hub, []string{"c", "a"})
	s.Switch(model.Named{Registry: hub, Name: "a"}, true)
	if a, _ := s.Find(model.Named{Registry: hub, Name: "a"}); !a.Enabled || !a.Usable || !slices.Equal(open(&s), []string{"c", "a", "b"}) {
		t.Errorf("%+v %v", a, open(&s))
	}
	if first[2].Enabled || first[2].Place != 1 {
		t.Error("the daemon's answer was changed")
	}
	if s.Heard(late, list()) || open(&s)[0] != "c" {
		t.Error("an answer from before undid what was done")
	}
	c := model.Named{Registry: hub, Name: "c"}
	s.Remove(c)
	if s.Heard(s.Ask(), list()); !slices.Equal(open(&s), []string{"a", "b"}) {
		t.Errorf("what is to be removed came back: %v", open(&s))
	}
	s.Restore(c)
	if !slices.Equal(open(&s), []string{"a", "b", "c"}) {
		t.Errorf("%v", open(&s))
	}
	s.Remove(c)
	s.Removed(c, false)
	if !slices.Equal(open(&s), []string{"a", "b", "c"}) {
		t.Errorf("a removal that was refused: %v", open(&s))
	}
	s.Remove(c)
	s.Removed(c, true)
	if !slices.Equal(open(&s), []string{"a", "b"}) {
		t.Errorf("%v", open(&s))
	}
	now := s.Ask()
	s.Done()
	if s.Heard(now, list()) {
		t.Error("an answer given before the daemon had done it counts")
	}
	if !s.Heard(s.Ask(), list()) || !slices.Equal(open(&s), []string{"a", "b", "c"}) {
		t.Errorf("%v", open(&s))
	}
}

func TestFastest(t *testing.T) {
	var s model.Sources
	s.Heard(0, list())
	if name, rate := s.Fastest(hub); name != "b" || rate != 9e6 {
		t.Errorf("%s %v", name, rate)
	}
	b := model.Named{Registry: hub, Name: "b"}
	s.SetTrial(b, model.Trial{Report: control.MirrorReport{Reachable: true, Rate: 1e6, FirstByte: time.Second}})
	if name, _ := s.Fastest(hub); name != "origin" {
		t.Errorf("a test says more than what was seen: %s", name)
	}
	s.SetTrial(b, model.Trial{Running: true, Far: control.MirrorTesting{Rate: 8e6, FirstByte: 2}})
	if found, _ := s.Find(b); true {
		if rate, first := s.Speed(found); rate != 8e6 || first != 2 {
			t.Errorf("%v %v", rate, first)
		}
	}
	if name, _ := s.Fastest(hub); name != "" {
		t.Errorf("a test that runs decides nothing: %s", name)
	}
	s.SetTrial(b, model.Trial{Report: control.MirrorReport{Error: "no route"}})
	if name, _ := s.Fastest(hub); name != "" {
		t.Errorf("one alone wins nothing: %s", name)
	}
	if got := s.Testable(hub); !slices.Equal(got, []string{"origin", "b"}) {
		t.Errorf("%v", got)
	}
}

func TestCheckMirror(t *testing.T) {
	good := control.Mirror{Name: "near", URL: "https://near.example"}
	with := func(change func(*control.Mirror)) control.Mirror { m := good; change(&m); return m }
	for _, one := range []struct {
		m     control.Mirror
		field model.MirrorField
		fault model.MirrorFault
	}{
		{good, model.NoField, model.NoFault},
		{with(func(m *control.Mirror) { m.Quota, m.Auth = "10GiB/month", "env:TOKEN" }), model.NoField, model.NoFault},
		{with(func(m *control.Mirror) { m.Auth = "file:/etc/secret" }), model.NoField, model.NoFault},
		{with(func(m *control.Mirror) { m.Auth = "docker" }), model.NoField, model.NoFault},
		{with(func(m *control.Mirror) { m.Name = "" }), model.MirrorName, model.NameMissing},
		{with(func(m *control.Mirror) { m.Name = "My Mirror" }), model.MirrorName, model.NameWrong},
		{with(func(m *control.Mirror) { m.Name = "old" }), model.MirrorName, model.NameTaken},
		{with(func(m *control.Mirror) { m.Name = "direct" }), model.MirrorName, model.NameReserved},
		{with(func(m *control.Mirror) { m.Name = "shared" }), model.MirrorName, model.NameReserved},
		{with(func(m *control.Mirror) { m.URL = "" }), model.MirrorURL, model.URLMissing},
		{with(func(m *control.Mirror) { m.URL = "near.example" }), model.MirrorURL, model.URLWrong},
		{with(func(m *control.Mirror) { m.URL = "ftp://near.example" }), model.MirrorURL, model.URLWrong},
		{with(func(m *control.Mirror) { m.URL = "https://me:pw@near.example" }), model.MirrorURL, model.URLSecret},
		{with(func(m *control.Mirror) { m.URL = "https://{id}.mirror.example" }), model.MirrorURL, model.URLUnfilled},
		{with(func(m *control.Mirror) { m.Quota = "10GiB" }), model.MirrorQuota, model.QuotaWrong},
		{with(func(m *control.Mirror) { m.Quota = "much/month" }), model.MirrorQuota, model.QuotaWrong},
		{with(func(m *control.Mirror) { m.Auth = "env:" }), model.MirrorAuth, model.AuthWrong},
		{with(func(m *control.Mirror) { m.Auth = "me:secret" }), model.MirrorAuth, model.AuthIsSecret},
	} {
		field, fault := model.CheckMirror(one.m, []string{"old"}, false)
		if field != one.field || fault != one.fault {
			t.Errorf("%+v: %v %v, want %v %v", one.m, field, fault, one.field, one.fault)
		}
	}
	if field, _ := model.CheckMirror(control.Mirror{Name: "old", URL: "https://x.example"}, []string{"old"}, true); field != model.NoField {
		t.Error("one that is there cannot be changed")
	}
}

func TestNameFromAnAddress(t *testing.T) {
	for text, want := range map[string]string{
		"https://docker.m.daocloud.io": "daocloud", "https://abc123.mirror.aliyuncs.com": "aliyuncs", "https://mirror.gcr.io": "gcr",
		"http://localhost:5000": "localhost", "near.example": "", "https://": "", "https://docker.io": "docker",
	} {
		if got := model.NameFrom(text); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
