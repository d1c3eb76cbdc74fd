//go:build xvfb && ui && linux

package main_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pulley/internal/control"
)

// differs waits until the window looks another way than it did.
func (s *session) differs(t *testing.T, id uint32, what, before string) (after string) {
	t.Helper()
	eventually(t, what, func() bool {
		after = string(s.calm(t, id).Pix)
		return after != before
	})
	return after
}

func (s *session) holds(t *testing.T, repository string) bool {
	t.Helper()
	images, err := s.client(t).Images(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(images, func(i control.Image) bool { return i.Repository == repository })
}

// The app in the hands of a person: a click on the icon in a real panel, mouse and keys on each page, and what the daemon says
// of it afterwards.
func TestUIByHand(t *testing.T) {
	s, icon, _ := stocked(t)
	s.xdo(t, "mousemove", "1264", "16", "click", "1") // the only icon, at the panel's right end
	id := s.face(t)
	s.xdo(t, "windowsize", "--sync", strconv.Itoa(int(id)), "1100", "720")
	overview := string(s.calm(t, id).Pix)

	for range len(pages) + 3 { // past the sidebar, the address and the pause
		s.keys(t, "Tab")
	}
	s.keys(t, "space")
	s.becomes(t, "off, by the keyboard", func(c control.State) bool { return !c.Enabled })
	s.click(t, id, 1053, 43)
	s.becomes(t, "on, by the mouse", func(c control.State) bool { return c.Enabled })

	s.keys(t, "F1")
	s.differs(t, id, "the list of shortcuts came", overview)
	s.keys(t, "Escape")
	s.face(t) // the list is gone, the window is not

	s.keys(t, "ctrl+2")
	images := s.differs(t, id, "the images came", overview)
	s.keys(t, "ctrl+f")
	s.xdo(t, "type", "--delay", "40", "kafka")
	s.differs(t, id, "the list was narrowed", images)
	s.click(t, id, 300, 227)
	s.keys(t, "Delete")
	s.calm(t, id)
	s.keys(t, "ctrl+z")
	s.calm(t, id)
	if !s.holds(t, "bitnami/kafka") {
		t.Error("what was undone was done")
	}
	s.click(t, id, 300, 227)
	s.keys(t, "Delete")
	s.calm(t, id)
	s.keys(t, "ctrl+w")
	s.gone(t)
	eventually(t, "the image was removed", func() bool { return !s.holds(t, "bitnami/kafka") })

	icon.click(icon.find("Open Pulley"))
	id = s.face(t)
	before := string(s.calm(t, id).Pix)
	for _, page := range []string{"ctrl+3", "ctrl+4", "ctrl+5", "ctrl+comma", "ctrl+1"} {
		s.keys(t, page)
		before = s.differs(t, id, page+" brought its page", before)
	}
	for i := range pages { // and by the mouse
		s.click(t, id, 80, 78+38*i)
		s.calm(t, id)
		for range 7 { // past the sidebar, to the first control of the page
			s.keys(t, "Tab")
		}
		s.differs(t, id, "the focus was seen on "+pages[i], before)
		before = string(s.calm(t, id).Pix)
	}
	s.keys(t, "Escape")
	s.gone(t)
	if text := icon.text(); !strings.Contains(text, "Open Pulley") {
		t.Errorf("the menu is:\n%s", text)
	}
}

// Who quits while a removal can still be undone has removed it.
func TestUIQuitAfterARemoval(t *testing.T) {
	s, icon, _ := stocked(t)
	icon.click(icon.find("Open Pulley"))
	id := s.face(t)
	s.xdo(t, "windowsize", "--sync", strconv.Itoa(int(id)), "1100", "720")
	overview := string(s.calm(t, id).Pix)
	s.keys(t, "ctrl+2")
	images := s.differs(t, id, "the images came", overview)
	s.keys(t, "ctrl+f")
	s.xdo(t, "type", "--delay", "40", "kafka")
	s.differs(t, id, "the list was narrowed", images)
	s.click(t, id, 300, 227)
	s.keys(t, "Delete")
	s.calm(t, id)
	if !s.holds(t, "bitnami/kafka") {
		t.Error("it could not be undone any more")
	}
	icon.click(icon.find("Quit"))
	eventually(t, "the icon was gone", func() bool { return icon.text() == "" })
	refs := filepath.Join(s.home, "cache", "refs", "docker.io", "bitnami", "kafka")
	eventually(t, "the image was removed", func() bool {
		_, err := os.Stat(refs)
		return errors.Is(err, fs.ErrNotExist)
	})
}
