package model_test

import (
	"errors"
	"testing"

	"pulley/internal/control"
	"pulley/ui/model"
)

func TestJobAddsUpItsBlobs(t *testing.T) {
	j := model.NewJob(model.Fetching, "docker.io/library/debian:12", "", -1)
	if !j.Begin(func() {}) {
		t.Fatal("it does not begin")
	}
	j.Pulling(control.Pulling{What: "manifest", Digest: "a", Have: 10, Size: 10, Done: true})
	if v := j.View(); v.Size != -1 || v.Have != 10 {
		t.Errorf("before a layer is known: %d of %d", v.Have, v.Size)
	}
	j.Pulling(control.Pulling{What: "layer", Digest: "b", Have: 5, Size: 90, Source: "daocloud"})
	j.Pulling(control.Pulling{What: "layer", Digest: "b", Have: 40, Size: 90, Source: "daocloud+origin"})
	v := j.View()
	if v.Have != 50 || v.Size != 100 || len(v.Blobs) != 2 || v.Source != "daocloud+origin" || v.Phase != model.Working {
		t.Errorf("%+v", v)
	}
	j.Pulling(control.Pulling{What: control.WhatImage, Have: 1, Size: 1}) // says nothing about a blob
	j.Pulled(control.Pulled{Images: []control.PulledImage{{Note: "the origin cannot be reached"}}}, nil)
	if v := j.View(); v.Phase != model.Finished || v.Note == "" || len(v.Blobs) != 2 {
		t.Errorf("at the end: %+v", v)
	}
}

func TestJobFails(t *testing.T) {
	j := model.NewJob(model.Fetching, "docker.io/library/nope:1", "", -1)
	j.Begin(func() {})
	j.Pulled(control.Pulled{Images: []control.PulledImage{{Error: "nope:1: manifest unknown"}}}, nil)
	if v := j.View(); v.Phase != model.Failed || v.Error != "manifest unknown" {
		t.Errorf("%+v, want the reason without the name, which stands above it", v)
	}
	j.Stop()
	if j.View().Phase != model.Failed {
		t.Error("what has failed is stopped")
	}
}

func TestJobIsStopped(t *testing.T) {
	waiting := model.NewJob(model.Fetching, "a", "", -1)
	waiting.Stop()
	if waiting.Begin(func() {}) || waiting.View().Phase != model.Stopped {
		t.Error("a job that was stopped while it waited begins")
	}
	stopped := false
	running := model.NewJob(model.Fetching, "b", "", -1)
	running.Begin(func() { stopped = true })
	running.Stop()
	running.End("", errors.New("context canceled"))
	if v := running.View(); !stopped || v.Phase != model.Stopped || v.Error != "" {
		t.Errorf("stopped %v, %+v", stopped, v)
	}
}

func TestExportLargerThanThought(t *testing.T) {
	j := model.NewJob(model.Exporting, "debian:12", "/tmp/x.tar", 100)
	j.Begin(func() {})
	j.Moved(60)
	if v := j.View(); v.Have != 60 || v.Size != 100 {
		t.Errorf("%d of %d", v.Have, v.Size)
	}
	j.Moved(130)
	if v := j.View(); v.Have != 130 || v.Size != -1 {
		t.Errorf("%d of %d, want an unknown size rather than more than all", v.Have, v.Size)
	}
}

func TestJobsRunAFewAtATime(t *testing.T) {
	var l model.Jobs
	for _, name := range []string{"a", "b", "c", "d"} {
		if _, added := l.Add(model.NewJob(model.Fetching, name, "", -1)); !added {
			t.Errorf("%s is not taken", name)
		}
	}
	if _, added := l.Add(model.NewJob(model.Fetching, "a", "", -1)); added {
		t.Error("the same is fetched twice at once")
	}
	var begun []*model.Job
	for j := l.Next(); j != nil; j = l.Next() {
		j.Begin(func() {})
		begun = append(begun, j)
	}
	if len(begun) != model.AtOnce || begun[0].Name != "a" {
		t.Fatalf("%d begin, the first is %s", len(begun), begun[0].Name)
	}
	begun[0].End("", nil)
	if next := l.Next(); next == nil || next.Name != "d" {
		t.Error("none takes the place of one that ended")
	}
	if _, added := l.Add(model.NewJob(model.Fetching, "a", "", -1)); !added || len(l.All()) != 4 {
		t.Errorf("one that has ended is not replaced: %d jobs", len(l.All()))
	}
	begun[1].End("", errors.New("no"))
	l.Clear()
	if len(l.All()) != 4 {
		t.Error("one that failed is cleared away unread")
	}
	l.Dismiss(begun[1])
	l.Dismiss(begun[2]) // it runs
	if len(l.All()) != 3 {
		t.Errorf("%d jobs, want 3", len(l.All()))
	}
}
