package model

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pulley/internal/control"
)

func TestStepsAreTakenSkippedAndUndone(t *testing.T) {
	var f First
	f.Done(TrustStep)
	f.Skip(EngineStep)
	f.Done(MirrorStep)
	if f.Now() != ProveStep || f.State(EngineStep) != StepSkipped {
		t.Fatalf("%+v", f)
	}
	f.Back(EngineStep)
	f.Done(EngineStep)
	if f.Now() != ProveStep {
		t.Error("what is done is asked again:", f.Now())
	}
	f.Skip(ProveStep)
	if !f.Over() {
		t.Error("not over")
	}
	f.Undone(MirrorStep)
	if f.Now() != MirrorStep || f.State(MirrorStep) != StepOpen || f.Over() {
		t.Errorf("%+v", f)
	}
	f.Done(MirrorStep)
	if !f.Over() {
		t.Error("what was skipped is asked again:", f.Now())
	}
	f.Back(TrustStep)
	f.Skip(TrustStep)
	if f.State(TrustStep) != StepDone {
		t.Error("what was done is called skipped")
	}
}

func contest() *Contest {
	return NewContest("docker.io", []control.Source{
		{Name: "origin", Origin: true, Enabled: true}, {Name: "fast"}, {Name: "slow"}, {Name: "liar"}, {Name: "member", Needs: "an account"},
		{Name: "was", Enabled: true}, {Name: "gone", Closed: "2024"},
	})
}

func TestContest(t *testing.T) {
	c := contest()
	if len(c.List) != 6 || c.Over() || c.Best() != "" {
		t.Fatalf("%+v", c.List)
	}
	c.Begin("fast")
	c.Heard("fast", control.MirrorTesting{Bytes: 1, Size: 2, Rate: 50})
	if !c.Measuring() || c.Fastest() != 50 {
		t.Error("not seen while it runs")
	}
	c.CallOff("fast")
	if c.Measuring() || c.Fastest() != 0 {
		t.Error("goes on")
	}
	report := func(name string, rate float64, agrees string) {
		c.Begin(name)
		c.End(name, control.MirrorReport{Reachable: true, Rate: rate, Agrees: agrees}, nil)
	}
	report("origin", 10, "yes")
	report("fast", 100, "yes")
	report("slow", 1, "yes")
	report("liar", 200, "no")
	report("member", 90, "yes")
	c.End("was", control.MirrorReport{}, errors.New("it broke"))
	if !c.Over() || c.Measuring() || c.Best() != "fast" {
		t.Errorf("over %v, best %s", c.Over(), c.Best())
	}
	c.Propose()
	if got := c.Chosen(); !slices.Equal(got, []string{"fast"}) {
		t.Errorf("%q", got)
	}
	if got := c.Changes(); len(got) != 2 || got[0] != (control.MirrorSwitch{Registry: "docker.io", Name: "fast", Enabled: true}) || got[1].Enabled {
		t.Errorf("%+v", got)
	}
	c.Choose("origin", false)
	c.Sort()
	if c.List[0].Name != "origin" || !c.List[0].Chosen || c.List[1].Name != "fast" {
		t.Errorf("%+v", c.List)
	}
	c.Applied()
	if len(c.Changes()) != 0 {
		t.Errorf("%+v", c.Changes())
	}
}

func TestWithoutTheOriginEveryGoodMirrorHelps(t *testing.T) {
	c := contest()
	c.End("origin", control.MirrorReport{Error: "it is blocked"}, nil)
	c.End("slow", control.MirrorReport{Reachable: true, Rate: 1, Agrees: "the origin cannot be asked"}, nil)
	c.Propose()
	if got := c.Chosen(); !slices.Equal(got, []string{"slow"}) {
		t.Errorf("%q", got)
	}
}

func TestPulse(t *testing.T) {
	var p Pulse
	for _, one := range []control.Pulling{
		{What: control.WhatImage, Image: "x"},
		{Digest: "a", Have: 1, Size: 10, Source: "origin"},
		{Digest: "b", Have: 30, Size: 30, Source: "daocloud", Done: true},
		{Digest: "a", Have: 5, Size: 10, Source: "origin"},
		{Digest: "c", Size: 60, Done: true, Cached: true},
	} {
		p.Heard(one)
	}
	if have, size := p.Have(); have != 95 || size != 100 {
		t.Error(have, size)
	}
	got := p.TestPull(2 * time.Second)
	if got.Bytes != 100 || got.Fetched != 40 || !slices.Equal(got.Sources, []string{"daocloud", "origin"}) || got.Rate() != 50 || got.Cached() {
		t.Errorf("%+v", got)
	}
	if all := (TestPull{Bytes: 5}); !all.Cached() || all.Rate() != 0 {
		t.Error("all of it was cached")
	}
}
