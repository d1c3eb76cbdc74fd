package mirrors_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"pulley/internal/cause"
	"pulley/internal/control"
	"pulley/ui/model"
	"pulley/ui/page/pagetest"
	"pulley/ui/part"
)

func TestMirrorsShowRegistriesAndSources(t *testing.T) {
	r := newRig(t, "en", pagetest.Size)
	seen := r.Said()
	for _, want := range []string{
		"Used lately\ndocker.io\n", "4 minutes ago", "Automatic · near", "Other registries", "gcr.io",
		"registry-1.docker.io, index.docker.io, docker.io", "The registry itself", "asked first", "highest speed", "11 MiB/s", "38 ms",
		"3.2 of 10 GiB", "Disagreed about alpine:latest 3 hours ago", "Waits until 14:29: connection reset by peer",
		"Needs the id of an Alibaba Cloud account",
	} {
		if !strings.Contains(seen, want) {
			t.Errorf("%q is not to be seen in:\n%s", want, seen)
		}
	}
	if strings.Contains(seen, "NetEase") {
		t.Error("closed mirrors are in the way")
	}
	order := []string{"Origin", "daocloud", "near", "aliyun", "google", "ecr-public"}
	at := 0
	for _, name := range order {
		next := strings.Index(seen[at:], "\n"+name+"\n")
		if next < 0 {
			t.Fatalf("%s is not after those before it in:\n%s", name, seen)
		}
		at += next
	}
}

func TestMirrorIsDraggedIntoAnotherPlace(t *testing.T) {
	r := newRig(t, "en", pagetest.Size)
	grip := r.Labelled("Move daocloud, 1 of 5").(*part.Grip)
	row := grip.Size().Height
	grip.Dragged(&fyne.DragEvent{Dragged: fyne.NewDelta(0, row*1.2)})
	if len(r.daemon.calls) != 0 {
		t.Errorf("told before it was let go: %v", r.daemon.calls)
	}
	grip.DragEnd()
	if want := "order docker.io [near daocloud aliyun google ecr-public]"; !slices.Equal(r.daemon.calls, []string{want}) {
		t.Errorf("%v", r.daemon.calls)
	}
	r.Labelled("Move daocloud, 2 of 5")
	if !strings.Contains(r.Said(), "daocloud is now 2 of 5") {
		t.Error("the move is not said")
	}
	grip.TypedShortcut(&desktop.CustomShortcut{KeyName: fyne.KeyDown, Modifier: fyne.KeyModifierAlt})
	if got := r.daemon.calls[len(r.daemon.calls)-1]; got != "order docker.io [near aliyun daocloud google ecr-public]" {
		t.Errorf("by keyboard: %s", got)
	}
}

func TestRefusedOrderFallsBack(t *testing.T) {
	r := newRig(t, "en", pagetest.Size)
	r.daemon.refuse, r.hold = errors.New("the file is read-only"), true
	grip := r.Labelled("Move near, 2 of 5").(*part.Grip)
	grip.TypedShortcut(&desktop.CustomShortcut{KeyName: fyne.KeyUp, Modifier: fyne.KeyModifierAlt})
	r.Labelled("Move near, 1 of 5")
	r.release()
	r.Labelled("Move near, 2 of 5")
	if len(r.Toasts) != 1 || !r.Toasts[0].Bad || !strings.Contains(r.Toasts[0].Text, "read-only") {
		t.Errorf("%+v", r.Toasts)
	}
}

func TestMirrorSwitchFlipsAtOnceAndFallsBack(t *testing.T) {
	r := newRig(t, "en", pagetest.Size)
	r.hold = true
	s := mirrorSwitches(r)[4] // ecr-public's
	test.Tap(s)
	if !s.On() || len(r.daemon.calls) != 0 {
		t.Errorf("on %v, %v", s.On(), r.daemon.calls)
	}
	r.page.Show(r.view, pagetest.Afternoon.Add(time.Second)) // an older word of the daemon's undoes nothing
	if !s.On() {
		t.Error("it fell back by itself")
	}
	r.daemon.refuse = errors.New("ecr-public: the file is read-only")
	r.release()
	if s.On() || len(r.Toasts) != 1 || !r.Toasts[0].Bad || !strings.Contains(r.Toasts[0].Text, "read-only") {
		t.Errorf("on %v, %+v", s.On(), r.Toasts)
	}
	r.daemon.refuse = nil
	test.Tap(s)
	if !s.On() || r.daemon.calls[len(r.daemon.calls)-1] != "switch docker.io ecr-public true" {
		t.Errorf("on %v, %v", s.On(), r.daemon.calls)
	}
}

// A mirror whose address has a place for an id asks for it before it is switched on.
func TestMirrorAsksForWhatItLacks(t *testing.T) {
	r := newRig(t, "en", pagetest.Size)
	s := mirrorSwitches(r)[2] // aliyun's
	test.Tap(s)
	if seen := r.Said(); s.On() || !strings.Contains(seen, "Edit aliyun of docker.io") || !strings.Contains(seen, "Put your own id") || len(r.daemon.calls) != 0 {
		t.Fatalf("on %v, %v\n%s", s.On(), r.daemon.calls, seen)
	}
	r.Window.Canvas().Focused().(interface{ SetText(string) }).SetText("https://abc.mirror.aliyuncs.com")
	r.Tap("Save")
	if len(r.daemon.calls) != 2 || !strings.Contains(r.daemon.calls[0], "URL:https://abc.mirror.aliyuncs.com") || !strings.Contains(r.daemon.calls[0], "Amend:true") ||
		r.daemon.calls[1] != "switch docker.io aliyun true" || !s.On() {
		t.Errorf("on %v, %v", s.On(), r.daemon.calls)
	}
}

func TestClosedMirrorsUnfold(t *testing.T) {
	r := newRig(t, "en", pagetest.Size)
	test.Tap(pagetest.Kind[*part.Link](r.Person)[0])
	if seen := r.Said(); !strings.Contains(seen, "Closed since 2024-06 · NetEase") || !strings.Contains(seen, "Hide 2 closed mirrors") {
		t.Errorf("%s", seen)
	}
	before := mirrorSwitches(r)
	r.page.Show(r.view, pagetest.Afternoon)
	if after := mirrorSwitches(r); !slices.Equal(before, after) {
		t.Error("rows are made anew: the focus would be lost")
	}
	test.Tap(pagetest.Kind[*part.Link](r.Person)[0])
	if strings.Contains(r.Said(), "NetEase") {
		t.Error("they cannot be folded again")
	}
}

func TestMirrorIsRemovedWithUndo(t *testing.T) {
	r := newRig(t, "en", pagetest.Size)
	remove := func() { r.pick("near", "Remove near") }
	remove()
	if strings.Contains(r.Said(), "\nnear\n") || len(r.daemon.calls) != 0 || r.Toasts[0].Undo == nil {
		t.Errorf("%v %+v\n%s", r.daemon.calls, r.Toasts, r.Said())
	}
	r.Toasts[0].Undo()
	if !strings.Contains(r.Said(), "\nnear\n") {
		t.Error("undo brings it not back")
	}
	remove()
	r.daemon.refuse = errors.New("its route is near")
	r.Toasts[1].Done()
	if !strings.Contains(r.Said(), "\nnear\n") || !r.Toasts[2].Bad {
		t.Errorf("refused: %+v", r.Toasts)
	}
	r.daemon.refuse = nil
	remove()
	r.Toasts[3].Done()
	if got := r.daemon.calls[len(r.daemon.calls)-1]; got != "remove docker.io near" || strings.Contains(r.Said(), "\nnear\n") {
		t.Errorf("%v", r.daemon.calls)
	}
}

func TestNewMirrorIsCheckedAsItIsTyped(t *testing.T) {
	r := newRig(t, "en", pagetest.Size)
	r.Tap("Add a mirror")
	save := r.Button("Add")
	if !save.Disabled() {
		t.Error("nothing can be added already")
	}
	typed := func(text string) { r.Window.Canvas().Focused().(interface{ SetText(string) }).SetText(text) }
	for text, want := range map[string]string{
		"mirror.example.org": "begins with https://", "https://me:pw@mirror.example.org": "password does not belong",
		"https://{id}.mirror.example.org": "Put your own id",
	} {
		typed(text)
		if seen := r.Said(); !strings.Contains(seen, want) || !save.Disabled() {
			t.Errorf("%s: no %q in\n%s", text, want, seen)
		}
	}
	r.daemon.refuse = errors.New("docker.io: mirror example: url: no")
	typed("https://mirror.example.org")
	if save.Disabled() {
		t.Fatalf("a good one cannot be added:\n%s", r.Said())
	}
	test.Tap(save)
	if seen := r.Said(); !strings.Contains(seen, "url: no") || save.Disabled() {
		t.Errorf("what the daemon says is not in the form:\n%s", seen)
	}
	r.daemon.refuse = nil
	test.Tap(save)
	want := "{Registry:docker.io Name:example URL:https://mirror.example.org Style:host Quota: Auth: TrustTags:false Private:false Amend:false}"
	if got := r.daemon.calls[len(r.daemon.calls)-1]; got != "add "+want {
		t.Errorf("%s", got)
	}
	if seen := r.Said(); !strings.Contains(seen, "\nexample\n") || strings.Contains(seen, "Add a mirror to") {
		t.Errorf("it is not there, or the form is:\n%s", seen)
	}
	r.Toasts[len(r.Toasts)-1].Undo()
	if got := r.daemon.calls[len(r.daemon.calls)-1]; got != "remove docker.io example" {
		t.Errorf("undo: %s", got)
	}
}

// What a mirror is trusted with is ticked in the form, stands in its details, and stays when something else is edited.
func TestMirrorIsTrustedWithMore(t *testing.T) {
	r := newRig(t, "en", pagetest.Size)
	r.Tap("Add a mirror")
	r.Window.Canvas().Focused().(interface{ SetText(string) }).SetText("https://mirror.corp.example")
	for _, tick := range pagetest.Kind[*part.Check](r.Person) {
		tick.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	}
	r.Expect("Believe its tags when the origin cannot be reached", "For a company’s own mirror.")
	r.Tap("Add")
	if got := r.daemon.calls[len(r.daemon.calls)-1]; !strings.Contains(got, "TrustTags:true Private:true") {
		t.Errorf("%s", got)
	}
	r.page.Take("docker.io/example")
	r.Expect("Believed when the origin cannot be reached", "It may be told names of repositories that are not public")
	r.pick("example", "Edit…")
	r.Tap("Save")
	if got := r.daemon.calls[len(r.daemon.calls)-1]; !strings.Contains(got, "TrustTags:true Private:true Amend:true") {
		t.Errorf("%s", got)
	}
}

// Why a test failed is said in the language in force where its kind is known, and in its own words in the details.
func TestFailedTestByLanguage(t *testing.T) {
	r := newRig(t, "zh-CN", pagetest.Size)
	const said = "near: dial tcp 10.0.0.1:443: connect: no route to host"
	r.daemon.reports = map[string]control.MirrorReport{"near": {Error: said, Cause: cause.NoWay}}
	test.Tap(r.Labelled("测试 near").(fyne.Tappable))
	r.Expect("无法使用：网络无法到达")
	r.Refuse(said)
	r.page.Take("docker.io/near")
	r.Expect(said)
	waits := r.daemon.find("docker.io", "google")
	waits.Cause = cause.Reset
	r.page.Enter()
	r.Expect("前暂不使用：连接被中断")
}

// What the order is good for is said with the list, by the route that is in force.
func TestOrderIsExplained(t *testing.T) {
	r := newRig(t, "en", pagetest.Size)
	r.Expect("Sources, in your order", "Measured speed and time to the first byte decide who is asked first")
	for route, want := range map[string]string{"near": "Sources: after near, in this order", "direct": "Sources: the origin alone is asked", "offline": "Sources: none is asked"} {
		r.view.State.Registries[0].Route = route
		r.page.Show(r.view, pagetest.Afternoon)
		r.Expect(want)
	}
	if choice := pagetest.Kind[*part.Choice](r.Person)[0]; !strings.HasPrefix(choice.AccessibilityLabel(), "Route of docker.io") {
		t.Error(choice.AccessibilityLabel())
	}
}

func TestEscapeLeavesTheForm(t *testing.T) {
	r := newRig(t, "en", pagetest.Size)
	r.Tap("Add a mirror")
	r.Window.Canvas().Focused().TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if strings.Contains(r.Said(), "Add a mirror to") {
		t.Error("it is still there")
	}
	r.Tap("Add a mirror")
	r.Window.Canvas().Focus(r.Button("Cancel")) // from anywhere in it
	if !r.page.Escape() || strings.Contains(r.Said(), "Add a mirror to") || r.page.Escape() {
		t.Error("it is still there")
	}
	if r.Window.Canvas().Focused() != r.Button("Add a mirror") {
		t.Errorf("the keyboard is on %T", r.Window.Canvas().Focused())
	}
}

func TestMirrorsAreTestedLive(t *testing.T) {
	r := newRig(t, "en", pagetest.Size)
	r.daemon.reports = map[string]control.MirrorReport{
		"origin":   {Reachable: true, Rate: 2 << 20, FirstByte: 200 * time.Millisecond, Ranges: true},
		"daocloud": {Reachable: true, Rate: 15 << 20, FirstByte: 20 * time.Millisecond, Ranges: true, Agrees: "yes"},
		"near":     {Reachable: true, Rate: 9 << 20, FirstByte: 40 * time.Millisecond, Agrees: "no"},
		"google":   {Error: "no route to host"},
	}
	far := 0
	r.daemon.on = func(name string) {
		if seen := r.Said(); strings.Contains(seen, "9.0 MiB/s") && strings.Contains(seen, "3.0 MiB of 8.0 MiB") {
			far++
		} else {
			t.Errorf("%s: how far it is, is not to be seen:\n%s", name, seen)
		}
		r.Button("Stop the test")
	}
	r.Tap("Test all")
	if far != 4 {
		t.Errorf("%d tests were seen to run: %v", far, r.daemon.calls)
	}
	seen := r.Said()
	for _, want := range []string{
		"daocloud\nhighest speed\nAgrees with the origin", "15 MiB/s", "near\nasked first\nDisagrees with the origin · whole files only", "Cannot be used: no route to host",
	} {
		if !strings.Contains(seen, want) {
			t.Errorf("%q is not in:\n%s", want, seen)
		}
	}
	r.Button("Test all")
}

func TestMirrorTestIsStopped(t *testing.T) {
	r := newRig(t, "en", pagetest.Size)
	r.daemon.on = func(string) { r.Tap("Stop the test") }
	r.Tap("Test all")
	if len(r.daemon.calls) != 1 {
		t.Errorf("it went on: %v", r.daemon.calls)
	}
	if seen := r.Said(); strings.Contains(seen, "Reaching it") || strings.Contains(seen, "canceled") {
		t.Errorf("what was stopped is told of:\n%s", seen)
	}
}

func TestRegistriesByKeyboard(t *testing.T) {
	r := newRig(t, "en", pagetest.Size)
	tab := r.Labelled("docker.io,").(fyne.Focusable)
	r.Window.Canvas().Focus(tab)
	tab.TypedKey(&fyne.KeyEvent{Name: fyne.KeyDown})
	if seen := r.Said(); !strings.Contains(seen, "Sources: the origin alone is asked") {
		t.Errorf("ghcr.io is not shown:\n%s", seen)
	}
	r.page.Take("docker.io/daocloud")
	if seen := r.Said(); !strings.Contains(seen, "Its bytes are checked") || !strings.Contains(seen, "ab12cd34ef56") {
		t.Errorf("it does not lead to the mirror:\n%s", seen)
	}
}

func TestRouteIsChosen(t *testing.T) {
	r := newRig(t, "en", pagetest.Size)
	choice := pagetest.Kind[*part.Choice](r.Person)[0]
	choice.Choose("near")
	if len(r.Did) != 1 || r.Did[0] != (model.Action{Verb: model.SetRoute, Registry: "docker.io", Route: "near"}) {
		t.Errorf("%+v", r.Did)
	}
	r.page.Show(r.view, pagetest.Afternoon) // refused: the state says so
	if choice.Value() != "auto" {
		t.Errorf("it stays at %s", choice.Value())
	}
}

// Where there is little room, a registry's sources are below its name, and nothing is lost.
func TestMirrorsOnASmallWindow(t *testing.T) {
	r := newRig(t, "zh-CN", fyne.NewSize(700, 540))
	seen := r.Said()
	if !strings.Contains(seen, "Amazon 公共镜像仓库") || !strings.Contains(seen, "registry.k8s.io") {
		t.Errorf("%s", seen)
	}
	r.Window.Resize(pagetest.Size)
	if r.Said() == "" || len(mirrorSwitches(r)) != 5 {
		t.Errorf("%d switches", len(mirrorSwitches(r)))
	}
}
