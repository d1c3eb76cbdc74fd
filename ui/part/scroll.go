package part

import (
	"weak"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
)

// followers are the scrolls that there are. They are let go by who shows them: a page that is made anew has others. The UI goroutine's.
var followers []weak.Pointer[Scroll]

// Scroll is Fyne's, for content that is taller than its place. It follows the keyboard: what gets the focus comes into view, which
// Fyne's own leaves to chance (WCAG 2.2, 2.4.11). And it reads out what is in it: Fyne's own is passed over by screen readers.
type Scroll struct{ container.Scroll }

// NewScroll makes one.
func NewScroll(content fyne.CanvasObject) *Scroll {
	s := &Scroll{container.Scroll{Content: content, Direction: container.ScrollVerticalOnly}}
	s.ExtendBaseWidget(s)
	followers = append(followers, weak.Make(s))
	return s
}

// AccessibilityLabel is all that is in it.
func (s *Scroll) AccessibilityLabel() string { return reading(s.Content) }

// AccessibilityRole is text: a container would be passed over.
func (s *Scroll) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// Follow brings what has the focus into view. Widgets call it when they gain it. What the pointer is on stays where it is: it is
// seen, and a click that began on it is to end there.
func Follow(pointed bool) {
	if pointed {
		return
	}
	there := followers[:0]
	for _, f := range followers {
		s := f.Value()
		if s == nil {
			continue
		}
		there = append(there, f)
		if c := canvasFor(s); c != nil && s.Visible() {
			if focused, is := c.Focused().(fyne.CanvasObject); is {
				bring(s, focused)
			}
		}
	}
	clear(followers[len(there):])
	followers = there
}

// ahead is how much of what is before or behind it comes into view too.
const ahead = 24

// bring scrolls so that an object can be seen.
func bring(s *Scroll, o fyne.CanvasObject) {
	tall, place := o.Size().Height, s.Size().Height
	if tall > place || !holds(s, o) {
		return
	}
	top, to := absolute(o).Y-absolute(s).Y, s.Offset
	switch {
	case top < 0:
		to.Y = max(0, to.Y+top-ahead)
	case top+tall > place:
		to.Y = min(s.Content.Size().Height-place, to.Y+top+tall-place+ahead)
	default:
		return
	}
	s.ScrollToOffset(to)
	if s.OnScrolled != nil { // Fyne tells of what a person scrolls alone
		s.OnScrolled(to)
	}
}

// holds tells whether an object is in what is scrolled, by whether it goes with it: Fyne tells nobody's parent.
func holds(s *Scroll, o fyne.CanvasObject) bool {
	before, at := absolute(o), s.Content.Position()
	s.Content.Move(at.AddXY(0, 1))
	after := absolute(o)
	s.Content.Move(at)
	return after != before
}

func absolute(o fyne.CanvasObject) fyne.Position {
	return fyne.CurrentApp().Driver().AbsolutePositionForObject(o)
}
