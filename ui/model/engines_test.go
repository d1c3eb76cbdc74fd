package model

import (
	"encoding/json"
	"slices"
	"testing"

	"pulley/ui/lang"
)

const diffText = `--- /dev/null
+++ /etc/docker/daemon.json
@@ -0,0 +1,3 @@
+{
+  "registry-mirrors": ["http://127.0.0.1:5055"]
+}
--- /etc/containers/registries.conf
+++ /etc/containers/registries.conf
@@ -1,2 +1,2 @@
 a
--- b
+++ c
@@ -9 +10 @@
-x
\ No newline at end of file
+y
--- /etc/gone
+++ /dev/null
@@ -1,1 +0,0 @@
-z
`

func TestParseDiff(t *testing.T) {
	files := ParseDiff(diffText)
	if len(files) != 3 {
		t.Fatalf("%+v", files)
	}
	if f := files[0]; f.Path != "/etc/docker/daemon.json" || !f.New || f.Removed || len(f.Lines) != 3 || f.Lines[1] != (DiffLine{LineAdded, `  "registry-mirrors": ["http://127.0.0.1:5055"]`}) {
		t.Errorf("%+v", f)
	}
	want := []DiffLine{{LineKept, "a"}, {LineTaken, "-- b"}, {LineAdded, "++ c"}, {Kind: LineGap}, {LineTaken, "x"}, {LineAdded, "y"}}
	f := files[1]
	if len(f.Lines) != len(want) || f.New || f.Removed {
		t.Fatalf("%+v", f)
	}
	for i := range want {
		if f.Lines[i] != want[i] {
			t.Errorf("%d: %+v, want %+v", i, f.Lines[i], want[i])
		}
	}
	if added, taken := f.Counts(); added != 2 || taken != 2 {
		t.Error(added, taken)
	}
	if f := files[2]; f.Path != "/etc/gone" || !f.Removed {
		t.Errorf("%+v", f)
	}
	if got := ParseDiff(""); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestStandings(t *testing.T) {
	for text, want := range map[string]Standing{
		`{"way":""}`:                   Apart,
		`{"way":"mirror","ours":true}`: Connected,
		`{"way":"proxy","to":["http://127.0.0.1:5055"]}`: ByHand,
		`{"way":"other","to":["http://corp:3128"]}`:      Elsewhere,
	} {
		e := Engine{Ways: []string{ByMirror}}
		if err := json.Unmarshal([]byte(text), &e.Wired); err != nil {
			t.Fatal(err)
		}
		if got := e.Standing(); got != want || e.Connectable() == (want == Connected) {
			t.Errorf("%s: %v, connectable %v", text, got, e.Connectable())
		}
	}
	if (Engine{}).Connectable() {
		t.Error("one without a way is connectable")
	}
}

func TestWhatAWiringDoes(t *testing.T) {
	running := Wiring{Engine: Engine{Running: true}, Diff: "x", How: Activation{Kind: "restart", Stops: 2}}
	if !running.Restarts() || running.Idle() || running.ByHandOnly() {
		t.Error("one that restarts")
	}
	still := running
	still.Engine.Running = false
	if still.Restarts() {
		t.Error("one that does not run is restarted")
	}
	if nothing := (Wiring{How: Activation{Kind: "restart"}, Engine: Engine{Running: true}}); nothing.Restarts() || !nothing.Idle() {
		t.Error("one that changes nothing")
	}
	if hand := (Wiring{Manual: []string{"x"}}); hand.Idle() || !hand.ByHandOnly() {
		t.Error("one by hand")
	}
}

func TestStep(t *testing.T) {
	for text, want := range map[string][2]string{
		"docker: /etc/x belongs to root; run: sudo pulley connect docker": {"docker: /etc/x belongs to root", "sudo pulley connect docker"},
		"docker: cannot pull: x; y; next: pulley doctor":                  {"docker: cannot pull: x; y", "pulley doctor"},
		"it is so": {"it is so", ""},
	} {
		if cause, step := Step(text); cause != want[0] || step != want[1] {
			t.Errorf("%q, %q", cause, step)
		}
	}
}

func TestSortEngines(t *testing.T) {
	list := []Engine{{Name: "b"}, {Name: "Z", Running: true}, {Name: "a"}, {Name: "c", Running: true}}
	SortEngines(list)
	if got := list[0].Name + list[1].Name + list[2].Name + list[3].Name; got != "cZab" {
		t.Error(got)
	}
}

// What a person should know of an engine is said in the language in force where that knows it, and else as the command line has it.
func TestNotesByLanguage(t *testing.T) {
	t.Cleanup(func() { lang.Use("en") })
	var e Engine
	if err := json.Unmarshal([]byte(`{"notes":["own words","it does not run","what is to come"],"remarks":[
		{"key":"stopped","text":"it does not run"},{"key":"later","text":"what is to come"}]}`), &e); err != nil {
		t.Fatal(err)
	}
	for language, want := range map[string]string{"en": "it does not run", "zh-CN": "未运行"} {
		lang.Use(language)
		if got := e.Said(); !slices.Equal(got, []string{"own words", want, "what is to come"}) {
			t.Errorf("%s: %q", language, got)
		}
	}
}
