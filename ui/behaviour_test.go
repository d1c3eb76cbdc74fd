package ui_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"pulley/internal/control"
	"pulley/ui"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
)

func TestFooterSaysTheState(t *testing.T) {
	s := show(t, running)
	s.check(t, "On", "127.0.0.1:5055", "Pulley 1.2.3")
	state := sample()
	state.Enabled = false
	s.model.Heard(state)
	s.Update()
	s.check(t, "Off")
	state = sample()
	state.Problems = make([]control.Problem, 2)
	s.model.Heard(state)
	s.Update()
	s.check(t, "2 problems")
	s.model.Lost("port 5055 is held by nginx")
	s.Update()
	s.check(t, "Not running")
	if slices.ContainsFunc(all[*part.Copy](s), func(*part.Copy) bool { return s.says("127.0.0.1:5055") }) {
		t.Error("it offers the address of a daemon that does not run")
	}
}

func TestPagesByMouseAndKeys(t *testing.T) {
	s := show(t, running)
	s.inFront(t, "Overview")
	test.Tap(s.entry(t, "Images"))
	s.inFront(t, "Images")
	s.shortcut(fyne.Key5)
	s.inFront(t, "Activity")
	s.shortcut(fyne.KeyComma)
	s.inFront(t, "Settings")
	e := s.entry(t, "Settings")
	s.Canvas().Focus(e)
	e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyUp})
	above, ok := s.Canvas().Focused().(entry)
	if !ok || !strings.HasPrefix(above.AccessibilityLabel(), "Activity") {
		t.Fatal("the arrow does not walk")
	}
	above.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	s.inFront(t, "Activity")
}

func TestClosing(t *testing.T) {
	s := show(t, running)
	s.key(fyne.KeyEscape)
	s.shortcut(fyne.KeyW)
	e := s.entry(t, "Images") // Fyne gives keys to who has the focus alone
	s.Canvas().Focus(e)
	e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if s.closed != 3 {
		t.Errorf("closed %d times", s.closed)
	}
}

func TestListOfShortcuts(t *testing.T) {
	s := show(t, running)
	s.key(fyne.KeyF1)
	s.check(t, "Keyboard shortcuts", "Undo the last removal")
	s.shortcut(fyne.Key2)
	s.inFront(t, "Overview")
	s.key(fyne.KeyEscape)
	if s.closed != 0 || s.says("Keyboard shortcuts") {
		t.Error("Escape closes what is below the list")
	}
	s.shortcut(fyne.KeySlash)
	s.check(t, "Keyboard shortcuts")
}

func TestProblemsAreMarkedWhereTheyCanBeSeenTo(t *testing.T) {
	s := show(t, func(m *model.Model) {
		state := sample()
		state.Problems = []control.Problem{{Kind: control.ProblemMirror}, {Kind: control.ProblemLimit}, {Kind: control.ProblemDisk}}
		m.Heard(state)
	})
	if got := s.entry(t, "Mirrors").AccessibilityLabel(); got != "Mirrors, 2 problems" {
		t.Errorf("mirrors: %q", got)
	}
	if got := s.entry(t, "Images").AccessibilityLabel(); got != "Images, 1 problem" {
		t.Errorf("images: %q", got)
	}
	s.model.Heard(sample())
	s.Update()
	s.entry(t, "Mirrors")
	if got := s.entry(t, "Mirrors").AccessibilityLabel(); got != "Mirrors, page" {
		t.Errorf("mirrors: %q", got)
	}
}

func TestBannerWhileNoDaemonRuns(t *testing.T) {
	s := show(t, func(m *model.Model) { m.Lost("port 5055 is held by nginx (pid 812)") })
	s.check(t, "Pulley is not running", "port 5055 is held by nginx (pid 812)")
	var start *part.Button
	for _, b := range all[*part.Button](s) {
		if b.Text == "Start" {
			start = b
		}
	}
	if start == nil {
		t.Fatal("nothing starts it")
	}
	test.Tap(start)
	if want := []model.Action{{Verb: model.Retry}}; !slices.Equal(s.asked, want) {
		t.Errorf("asked %v, want %v", s.asked, want)
	}
	s.model.Heard(sample())
	s.Update()
	if s.says("port 5055 is held by nginx (pid 812)") {
		t.Error("the banner stays")
	}
}

func TestNarrowWindowHasIconsAlone(t *testing.T) {
	s := show(t, running)
	s.Resize(fyne.NewSize(1100, 720))
	s.check(t, "Overview", "Mirrors")
	s.Resize(fyne.NewSize(900, 600))
	if s.says("Mirrors") {
		t.Error("names at 900 × 600")
	}
}

func TestWindowRemembers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "window.json")
	s := show(t, running, remembering(path))
	if got := s.Canvas().Size(); got != fyne.NewSize(1100, 720) {
		t.Errorf("at first %v", got)
	}
	s.Resize(fyne.NewSize(930, 610))
	s.Visit(page.MirrorsPage, "")
	s.Conceal()

	again := show(t, running, remembering(path))
	again.inFront(t, "Mirrors")
	if got := again.Canvas().Size(); got != fyne.NewSize(930, 610) {
		t.Errorf("then %v", got)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("beside the file: %v", left)
	}
}

func TestMemoryThatIsOfNoUse(t *testing.T) {
	for name, text := range map[string]string{
		"not JSON": "{", "of another kind": `[1]`, "a size that no screen has": `{"width":3,"height":1e9,"page":"nowhere"}`, "empty": "",
	} {
		path := filepath.Join(t.TempDir(), "window.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := show(t, running, remembering(path))
		s.inFront(t, "Overview")
		if got := s.Canvas().Size(); got != fyne.NewSize(1100, 720) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// beginner has never pulled anything through Pulley.
func beginner(m *model.Model) {
	state := sample()
	state.Traffic, state.Cache.Size = control.Traffic{}, 0
	m.Heard(state)
}

func TestFirstStepsAreShownOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "window.json")
	fresh := func(o *ui.Options) { o.Tool = machine{"connect": `[{"id":"docker","wired":{"way":""}}]`} }
	s := show(t, beginner, remembering(path), fresh)
	s.check(t, lang.Say("first.title"))
	s.shortcut(fyne.Key1)
	s.inFront(t, "Overview")
	s.Conceal()
	if again := show(t, beginner, remembering(path), fresh); again.says(lang.Say("first.title")) {
		t.Error("they are shown again")
	}
}

func TestPagesLeadBackToTheFirstSteps(t *testing.T) {
	s := show(t, running, func(o *ui.Options) { o.Tool = machine{"connect": `[]`} })
	s.Visit(page.FirstPage, "")
	s.check(t, lang.Say("first.title"))
	s.Visit(page.DockerPage, "")
	s.inFront(t, "Docker")
}

func TestFirstStepsAreForBeginners(t *testing.T) {
	wired := func(o *ui.Options) { o.Tool = machine{"connect": `[{"id":"docker","wired":{"way":"mirror"}}]`} }
	none := func(o *ui.Options) { o.Tool = machine{"connect": `[]`} }
	elsewhere := func(o *ui.Options) { o.Tool = machine{"connect": `[{"id":"docker","wired":{"way":"other"}}]`} }
	if s := show(t, beginner, wired); s.says(lang.Say("first.title")) {
		t.Error("they are shown though an engine is wired")
	}
	if s := show(t, running, none); s.says(lang.Say("first.title")) {
		t.Error("they are shown though something was pulled")
	}
	if s := show(t, beginner, elsewhere); !s.says(lang.Say("first.title")) {
		t.Error("they are not shown though the only engine goes to somebody else's mirror")
	}
	if s := show(t, beginner); s.says(lang.Say("first.title")) {
		t.Error("they are shown though nobody knows what is wired")
	}
}

func TestLanguageChangesLive(t *testing.T) {
	s := show(t, running)
	s.Visit(page.MirrorsPage, "")
	s.check(t, "Mirrors", "Copy diagnosis")
	lang.Use("zh-CN")
	t.Cleanup(func() { lang.Use("en") })
	s.Anew()
	s.check(t, "镜像站", "复制诊断信息", "已开启")
	if s.says("Mirrors") {
		t.Error("English is left")
	}
}

func TestDiagnosisIsCopied(t *testing.T) {
	s := show(t, running, func(o *ui.Options) { o.Tool = machine{"doctor": `{"findings":[]}`} })
	for _, l := range all[*part.Link](s) {
		if l.Words() == "Copy diagnosis" {
			test.Tap(l)
		}
	}
	if got, want := s.app.Clipboard().Content(), "{\n  \"findings\": []\n}"; got != want {
		t.Errorf("copied %q, want %q", got, want)
	}
}

// What is asked for faster than anybody can read is shown ten times a second, and the last word is always shown.
func TestUpdatesArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := show(t, running)
		updates := 0
		s.model.Watch(s.Changed)
		for i := range 1000 {
			state := sample()
			state.Listen = "127.0.0.1:" + string(rune('0'+i%10))
			before := s.says(state.Listen)
			s.model.Heard(state)
			<-time.After(time.Millisecond)
			synctest.Wait()
			if !before && s.says(state.Listen) {
				updates++
			}
		}
		<-time.After(time.Second)
		synctest.Wait()
		if updates == 0 || updates > 11 {
			t.Errorf("%d updates in a second", updates)
		}
		s.check(t, "127.0.0.1:9")
	})
}

func TestHiddenWindowRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := show(t, running)
		s.model.Watch(s.Changed)
		s.Conceal()
		state := sample()
		state.Enabled = false
		s.model.Heard(state)
		<-time.After(time.Second)
		synctest.Wait()
		s.check(t, "On")
		s.Reveal()
		s.check(t, "Off")
		s.model.Heard(sample())
		<-time.After(time.Second)
		synctest.Wait()
		s.check(t, "On")
	})
}

func TestDroppedFilesAreForTheImages(t *testing.T) {
	s := show(t, running)
	s.Visit(page.MirrorsPage, "")
	s.Drop(nil)
	s.inFront(t, "Mirrors")
	s.Drop([]string{filepath.Join(t.TempDir(), "compose.yaml")})
	s.inFront(t, "Images")
}

// Why something did not happen is said on whichever page the person is, and the model need not keep it.
func TestRefusalIsSaidOnEveryPage(t *testing.T) {
	s := show(t, running)
	s.Visit(page.DockerPage, "")
	ctx, cancel := context.WithCancel(t.Context())
	done, refused := make(chan struct{}), make(chan struct{}, 9)
	s.model.Watch(func() {
		if s.model.View().Notice != "" {
			refused <- struct{}{}
		}
	})
	s.model.Do(model.Action{Verb: model.TurnOff})
	go func() { _ = s.model.Run(ctx); close(done) }() // there is nobody to ask
	<-refused
	cancel()
	<-done
	notice := s.model.View().Notice
	s.Update()
	if said := all[*part.Toasts](s)[0].Texts(); !slices.Equal(said, []string{notice}) {
		t.Errorf("said %q, want %q", said, notice)
	}
	s.Conceal()
	if left := s.model.View().Notice; left != "" {
		t.Errorf("it is still kept: %q", left)
	}
}

func TestIconsSayTheirNames(t *testing.T) {
	tip := "Mirrors  Ctrl+3"
	if runtime.GOOS == "darwin" {
		tip = "Mirrors  ⌘3"
	}
	synctest.Test(t, func(t *testing.T) {
		s := show(t, running)
		s.Resize(fyne.NewSize(900, 600))
		mirrors := s.entry(t, "Mirrors").(desktop.Hoverable)
		mirrors.MouseIn(nil)
		<-time.After(time.Second)
		synctest.Wait()
		s.check(t, tip)
		mirrors.MouseOut()
		if s.says(tip) {
			t.Error("it stays")
		}
		mirrors.MouseIn(nil)
		mirrors.MouseOut()
		<-time.After(time.Second)
		synctest.Wait()
		if s.says(tip) {
			t.Error("it comes though the pointer went on")
		}
	})
}
