package docker_test

import (
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"pulley/ui/page/pagetest"
	"pulley/ui/part"
)

// Who is on a button at a context's side stays there while things change beside it.
func TestButtonAtTheSideKeepsTheKeyboard(t *testing.T) {
	r, d := dockerPage(t, pagetest.Engines())
	d.Take("build-1")
	r.Work()
	focused := func() string {
		if a, ok := r.Window.Canvas().Focused().(fyne.Accessible); ok {
			return a.AccessibilityLabel()
		}
		return ""
	}
	r.Window.Canvas().Focus(r.Button("Edit"))
	edit := r.Window.Canvas().Focused()
	for range 5 { // as while something is pulled
		r.Now = r.Now.Add(time.Second)
		d.Show(pagetest.Running(), r.Now)
	}
	if r.Window.Canvas().Focused() != edit || focused() != "Edit build-1" || r.Button("Edit") != edit {
		t.Fatalf("the keyboard is on %q", focused())
	}
	r.Tool.Answers["context test"] = `[{"name":"build-1","reachable":true,"engine":"28.0.0","system":"linux/x86_64","latency_ns":5000000,"disk_bytes":-1}]`
	r.Now = r.Now.Add(time.Minute)
	d.Show(pagetest.Running(), r.Now)
	r.Work()
	r.Expect("28.0.0")
	if focused() != "Edit build-1" || r.Button("Edit") != r.Window.Canvas().Focused() {
		t.Errorf("the keyboard is on %q", focused())
	}
	if !d.Escape() {
		t.Fatal("it stays open")
	}
	if _, table := r.Window.Canvas().Focused().(*part.Table); !table {
		t.Errorf("the keyboard is on %T", r.Window.Canvas().Focused())
	}
}
