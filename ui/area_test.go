package ui_test

import (
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
)

// A page has all of the window that the sidebar, the footer and the banner leave.
func TestPageFillsTheWindow(t *testing.T) {
	s := show(t, running)
	s.Resize(fyne.NewSize(1000, 700))
	clips := all[*container.Clip](s)
	if len(clips) != 1 {
		t.Fatalf("%d places for pages", len(clips))
	}
	if room, page := clips[0].Size(), clips[0].Content.Size(); page != room || page.Height < 500 {
		t.Errorf("the page has %v of %v", page, room)
	}
}
