package part

import (
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"
)

// Series is one of the things that a chart stacks.
type Series struct {
	Name  string
	Color fyne.ThemeColorName
}

// Slot is one step along the lower axis.
type Slot struct {
	Values []float64 // one for each series, from the axis up; none is negative
	Name   string    // exactly which step it is, as "Wed 4 Mar, 12:00 – 12:30"
	Mark   string    // what stands below the axis here; "" nothing
}

func (s Slot) sum() (sum float64) {
	for _, v := range s.Values {
		sum += v
	}
	return sum
}

// Measure is how the values of a chart are said.
type Measure struct {
	Step  func(most float64) float64 // from line to line of the grid, for values up to most
	Axis  func(value float64) string // beside a line
	Exact func(value float64) string // where the pointer is
}

// Chart shows values over time as stacked bars: an axis with units, the exact values where the pointer or the keyboard's
// cursor is, and a sentence where there is nothing to show. However often it is told something new, it changes at most
// twice a second; another axis (a person chose it) is drawn at once.
type Chart struct {
	widget.BaseWidget
	attention
	measure Measure
	series  []Series

	slots  []Slot // as drawn; nil: not known yet
	drawn  time.Time
	cursor int // the slot that is pointed at; -1: none

	next []Slot // waits to be drawn
	stop func() // nil: nothing waits

	summary, title, hint string
	gutter               float32 // right of the plot, for the axis; grows only, so that the plot stands still
}

// Beat is how long what a chart shows stands at least.
const Beat = 500 * time.Millisecond

// NewChart makes one that knows nothing yet.
func NewChart(m Measure, series ...Series) *Chart {
	c := &Chart{measure: m, series: series, cursor: -1}
	c.noticed = c.Refresh
	c.ExtendBaseWidget(c)
	return c
}

var _ = []interface {
	fyne.Focusable
	fyne.Accessible
	desktop.Hoverable
}{&Chart{}}

// Set changes what is shown; nil: it is not known yet.
func (c *Chart) Set(slots []Slot) {
	wait := Beat - clock.now().Sub(c.drawn)
	switch {
	case same(slots, c.slots):
		c.Rest()
	case wait <= 0 || !sameAxis(slots, c.slots):
		c.draw(slots)
	default:
		c.next = slots
		if c.stop == nil {
			c.stop = clock.after(wait, func() { c.draw(c.next) })
		}
	}
}

func (c *Chart) draw(slots []Slot) {
	c.Rest()
	c.slots, c.drawn = slots, clock.now()
	if c.cursor >= len(c.slots) {
		c.cursor = -1
	}
	c.Refresh()
}

// Rest forgets what was to be drawn later. Whoever takes a chart away calls it.
func (c *Chart) Rest() {
	if c.stop != nil {
		c.stop()
		c.stop, c.next = nil, nil
	}
}

func same(a, b []Slot) bool {
	return (a == nil) == (b == nil) && slices.EqualFunc(a, b, func(a, b Slot) bool {
		return a.Name == b.Name && a.Mark == b.Mark && slices.Equal(a.Values, b.Values)
	})
}

func sameAxis(a, b []Slot) bool {
	n := len(a)
	return n == len(b) && (n == 0 || a[0].Name == b[0].Name && a[n-1].Name == b[n-1].Name)
}

// Explain says what all of it shows in a sentence, for those who cannot see it, and what stands there when all values are
// zero.
func (c *Chart) Explain(summary, title, hint string) {
	if c.summary == summary && c.title == title && c.hint == hint {
		return
	}
	c.summary, c.title, c.hint = summary, title, hint
	if c.empty() {
		c.Refresh()
	}
}

func (c *Chart) most() (most float64) {
	for _, s := range c.slots {
		most = max(most, s.sum())
	}
	return most
}

func (c *Chart) empty() bool { return c.slots != nil && c.most() == 0 }

// Pointed is the slot where the pointer or the keyboard's cursor is; false: nowhere.
func (c *Chart) Pointed() (Slot, bool) {
	if c.cursor < 0 || c.cursor >= len(c.slots) || c.empty() {
		return Slot{}, false
	}
	return c.slots[c.cursor], true
}

func (c *Chart) point(slot int) {
	if slot < 0 || slot >= len(c.slots) {
		slot = -1
	}
	if slot == c.cursor {
		return
	}
	c.cursor = slot
	c.Refresh()
}

// MouseIn points at what is under the pointer.
func (c *Chart) MouseIn(e *desktop.MouseEvent) { c.MouseMoved(e) }

// MouseMoved does the same.
func (c *Chart) MouseMoved(e *desktop.MouseEvent) { c.point(c.at(e.Position)) }

// MouseOut points nowhere.
func (c *Chart) MouseOut() { c.point(-1) }

// Cursor is the usual one: a chart is looked at.
func (c *Chart) Cursor() desktop.Cursor { return desktop.DefaultCursor }

// FocusLost takes the ring and the cursor away.
func (c *Chart) FocusLost() {
	c.cursor = -1
	c.attention.FocusLost()
}

// TypedKey moves the cursor: the arrows by a step, Home and End to the ends, Esc away.
func (c *Chart) TypedKey(e *fyne.KeyEvent) {
	last := len(c.slots) - 1
	switch e.Name {
	case fyne.KeyLeft:
		if c.cursor < 0 {
			c.point(last)
		} else {
			c.point(max(c.cursor-1, 0))
		}
	case fyne.KeyRight:
		if c.cursor < 0 {
			c.point(0)
		} else {
			c.point(min(c.cursor+1, last))
		}
	case fyne.KeyHome:
		c.point(0)
	case fyne.KeyEnd:
		c.point(last)
	case fyne.KeyEscape:
		if c.cursor < 0 {
			PassKey(c, e)
		}
		c.point(-1)
	default:
		PassKey(c, e)
	}
}

// AccessibilityLabel says where the cursor is, else what all of it shows.
func (c *Chart) AccessibilityLabel() string {
	slot, ok := c.Pointed()
	if !ok {
		if c.empty() {
			return c.title
		}
		return c.summary
	}
	said := []string{slot.Name}
	for i, s := range c.series {
		said = append(said, s.Name+" "+c.measure.Exact(value(slot, i)))
	}
	return strings.Join(said, "; ")
}

// AccessibilityRole is that of a text: it is read.
func (c *Chart) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

func value(s Slot, series int) float64 {
	if series >= len(s.Values) {
		return 0
	}
	return s.Values[series]
}

// BinaryStep is a step of a grid for amounts of bytes, so that at most four lines are above the axis: a power of two.
func BinaryStep(most float64) float64 {
	step := 1.
	for 4*step < most {
		step *= 2
	}
	return step
}
