package ui_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fyne.io/fyne/v2"

	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
)

// labelled is what a screen reader calls so, by its beginning.
func labelled(t *testing.T, s *shown, label string) fyne.Focusable {
	t.Helper()
	var found fyne.Focusable
	s.visit(func(o fyne.CanvasObject) {
		f, takesKeys := o.(fyne.Focusable)
		if a, ok := o.(fyne.Accessible); ok && takesKeys && strings.HasPrefix(a.AccessibilityLabel(), label) {
			found = f
		}
	})
	if found == nil {
		t.Fatalf("nothing is labelled %q", label)
	}
	return found
}

func keys(f fyne.Focusable, names ...fyne.KeyName) {
	f.FocusGained()
	for _, name := range names {
		f.TypedKey(&fyne.KeyEvent{Name: name})
	}
}

// used is a daemon through which something was pulled once.
func used(m *model.Model) {
	state := sample()
	state.Traffic.Ever = state.Traffic.Today
	m.Heard(state)
}

// What was chosen on a page is chosen in the next run too, also where the program ended with its window open.
func TestPagesRememberWhatWasChosen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "window.json")
	s := show(t, used, remembering(path))
	keys(labelled(t, s, "Range of the chart"), fyne.KeyEnd)
	s.Visit(page.ImagesPage, "")
	keys(labelled(t, s, "Image"), fyne.KeySpace, fyne.KeySpace) // by name, the last first
	s.Visit(page.ActivityPage, "")
	keys(labelled(t, s, "Requests: "), fyne.KeyEnd)
	keys(labelled(t, s, "Registry: "), fyne.KeyDown, fyne.KeyDown)
	keys(labelled(t, s, "Door: "), fyne.KeyDown)
	s.Retire()

	again := show(t, used, remembering(path))
	labelled(t, again, "Requests: Failed")
	labelled(t, again, "Registry: ghcr.io")
	labelled(t, again, "Door: HTTP proxy")
	again.Visit(page.ImagesPage, "")
	labelled(t, again, "Image, sorted, largest first")
	again.Visit(page.OverviewPage, "")
	labelled(t, again, "Range of the chart: Year")
}

// What a page can make nothing of is as if nothing had been chosen.
func TestChoicesThatAreOfNoUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "window.json")
	text := `{"width":1100,"height":720,"chosen":{"overview.range":"century","images.sort":"colour down","activity.only":"9","activity.door":"back"}}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := show(t, used, remembering(path))
	labelled(t, s, "Range of the chart: Day")
	s.Visit(page.ImagesPage, "")
	keys(labelled(t, s, "Image"), fyne.KeyRight, fyne.KeyRight, fyne.KeyRight, fyne.KeyRight)
	labelled(t, s, "Last used, sorted, largest first")
	s.Visit(page.ActivityPage, "")
	labelled(t, s, "Requests: All")
	labelled(t, s, "Door: All doors")
}

// A column that was drawn wider is as wide in the next run, also where the program ended with its window open.
func TestColumnsAreRemembered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "window.json")
	s := show(t, used, remembering(path))
	s.Visit(page.ImagesPage, "")
	all[*part.Table](s)[0].SetWidths(map[string]float32{"used": 140})
	s.Update()
	s.Retire()
	again := show(t, used, remembering(path))
	if got := all[*part.Table](again)[0].Widths()["used"]; got != 140 {
		t.Errorf("it is %v wide", got)
	}
}

// Whoever cannot see where a button stands hears what it copies.
func TestCopyButtonsSayWhat(t *testing.T) {
	s := show(t, used)
	s.visit(func(o fyne.CanvasObject) {
		if c, ok := o.(*part.Copy); ok && !strings.HasPrefix(c.AccessibilityLabel(), "Copy: ") {
			t.Errorf("%q", c.AccessibilityLabel())
		}
	})
	labelled(t, s, "Copy: 127.0.0.1:5055")
}
