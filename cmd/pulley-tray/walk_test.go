//go:build xvfb && ui && linux

package main_test

import (
	"fmt"
	"image"
	"slices"
	"strconv"
	"testing"
)

// TestUIWalk: Tab alone leads over all of each page and round again, and each step is seen.
func TestUIWalk(t *testing.T) {
	s, icon, _ := stocked(t)
	icon.click(icon.find("Open Pulley"))
	id := s.face(t)
	s.xdo(t, "windowsize", "--sync", strconv.Itoa(int(id)), "1100", "720")
	s.xdo(t, "mousemove", "1270", "890") // out of the way
	for i, page := range pages {
		s.keys(t, fmt.Sprintf("ctrl+%d", i+1))
		s.calm(t, id)
		steps := s.walk(t, id, page)
		t.Logf("%s: round in %d steps", page, steps)
		if steps < len(pages)+4 {
			t.Errorf("%s: only %d things of it can be reached", page, steps-len(pages))
		}
	}
}

// walk goes by Tab until the first entry of the sidebar has the focus a second time, and tells how many steps that took.
func (s *session) walk(t *testing.T, id uint32, page string) int {
	t.Helper()
	const most = 120
	bar := func(p *image.NRGBA) []byte { // the sidebar's pixels
		var all []byte
		for y := p.Rect.Min.Y; y < p.Rect.Max.Y-40; y++ {
			at := p.PixOffset(p.Rect.Min.X, y)
			all = append(all, p.Pix[at:at+4*180]...)
		}
		return all
	}
	last := s.x.picture(id)
	var first []byte
	for step := range most {
		s.keys(t, "Tab")
		next := last
		eventually(t, fmt.Sprintf("step %d over %s was seen", step+1, page), func() bool {
			before := next
			next = s.x.picture(id)
			return !slices.Equal(next.Pix, last.Pix) && slices.Equal(next.Pix, before.Pix) // and nothing glides any more
		})
		switch side := bar(next); {
		case first == nil:
			first = side
		case slices.Equal(side, first):
			return step
		}
		last = next
	}
	t.Errorf("%s: Tab did not come round in %d steps", page, most)
	return most
}
