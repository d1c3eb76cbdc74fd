package part

import (
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/theme"
)

// Toast is a sentence that goes away by itself.
type Toast struct {
	Text string
	Bad  bool   // something failed: it stays until it is dismissed
	Undo func() // nil: there is nothing to undo
	// Done is called once, when the toast is gone and nothing was undone. nil: nothing.
	Done func()
}

const (
	toastTime  = 6 * time.Second
	toastAgain = 2 * time.Second // at least, after the pointer or the keyboard left it
	mostToasts = 3
)

// Toasts lies over everything else in a window, as the last of a stack, and shows toasts at its bottom and tips at the pointer. It lets
// through whatever does not hit a toast.
type Toasts struct {
	widget.BaseWidget
	cards  []*card // from the oldest
	bubble *bubble
	drawn  *drawing
}

// NewToasts makes one without toasts.
func NewToasts() *Toasts {
	t := &Toasts{bubble: newBubble()}
	t.ExtendBaseWidget(t)
	return t
}

// Add shows a toast. Of more than three the oldest goes, a bad one only if all are.
func (t *Toasts) Add(toast Toast) {
	for len(t.cards) >= mostToasts {
		t.end(t.cards[max(slices.IndexFunc(t.cards, func(c *card) bool { return !c.toast.Bad }), 0)])
	}
	c := newCard(t, toast)
	t.cards = append(t.cards, c)
	t.gather()
	c.wait(toastTime)
}

// Undo undoes the last toast that can be undone, and reports whether there was one.
func (t *Toasts) Undo() bool {
	for _, c := range slices.Backward(t.cards) {
		if c.toast.Undo != nil {
			t.undo(c)
			return true
		}
	}
	return false
}

// Flush has all toasts go now: the window closes, and what they wait to do is done.
func (t *Toasts) Flush() {
	for len(t.cards) > 0 {
		t.end(t.cards[0])
	}
}

// Texts are the toasts that are shown, from the oldest.
func (t *Toasts) Texts() []string {
	var texts []string
	for _, c := range t.cards {
		texts = append(texts, c.toast.Text)
	}
	return texts
}

// Explained is the tip that is shown; "": none is.
func (t *Toasts) Explained() string { return t.bubble.text }

func (t *Toasts) undo(c *card) {
	if t.remove(c) {
		c.toast.Undo()
	}
}

func (t *Toasts) end(c *card) {
	if t.remove(c) && c.toast.Done != nil {
		c.toast.Done()
	}
}

// remove takes a card away, once, and the keyboard from it.
func (t *Toasts) remove(c *card) bool {
	at := slices.Index(t.cards, c)
	if at < 0 {
		return false
	}
	c.still()
	if on := canvasFor(t); on != nil && c.focused() {
		on.Unfocus()
	}
	t.cards = slices.Delete(t.cards, at, at+1)
	t.gather()
	return true
}

// explain shows a tip below a place, or above where there is no room. It is gone when by says so, or another is shown.
func (t *Toasts) explain(by *resting, text string, at fyne.Position, size fyne.Size) {
	origin := fyne.CurrentApp().Driver().AbsolutePositionForObject(t)
	t.bubble.by, t.bubble.text, t.bubble.size = by, text, size
	t.bubble.at = fyne.NewPos(at.X-origin.X, at.Y-origin.Y)
	t.gather()
}

func (t *Toasts) unexplain(by *resting) {
	if t.bubble.by != by {
		return
	}
	t.bubble.by, t.bubble.text = nil, ""
	t.gather()
}

// gather puts the objects in the order in which they are drawn, at their places.
func (t *Toasts) gather() {
	if t.drawn == nil {
		return
	}
	t.drawn.objects = t.drawn.objects[:0]
	for _, c := range t.cards {
		t.drawn.objects = append(t.drawn.objects, c)
	}
	if t.bubble.text != "" {
		t.drawn.objects = append(t.drawn.objects, t.bubble)
	}
	t.place(t.Size())
	t.bubble.Refresh()
	canvas.Refresh(t)
}

func (t *Toasts) place(size fyne.Size) {
	const margin, gap, widest = 20, 8, 520
	bottom := size.Height - margin
	for _, c := range slices.Backward(t.cards) {
		c.fit(min(size.Width-2*margin, widest))
		least := c.MinSize()
		bottom -= least.Height
		c.Resize(least)
		c.Move(fyne.NewPos((size.Width-least.Width)/2, bottom))
		bottom -= gap
	}
	if t.bubble.text != "" {
		t.bubble.settle(size)
	}
}

// AccessibilityLabel is what the newest toast says.
func (t *Toasts) AccessibilityLabel() string {
	if len(t.cards) == 0 {
		return t.bubble.text
	}
	return t.cards[len(t.cards)-1].toast.Text
}

// AccessibilityRole is text.
func (t *Toasts) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// CreateRenderer is called by Fyne.
func (t *Toasts) CreateRenderer() fyne.WidgetRenderer {
	if t.drawn == nil {
		t.drawn = &drawing{
			paint:  func() {},
			layout: t.place,
			least:  func() fyne.Size { return fyne.NewSize(1, 1) },
		}
		t.gather()
	}
	return t.drawn
}

// bubble is a tip.
type bubble struct {
	widget.BaseWidget
	by    *resting
	text  string
	at    fyne.Position // of what it is about, within the Toasts
	size  fyne.Size
	words paragraph
	drawn *drawing
}

func newBubble() *bubble {
	b := &bubble{}
	b.ExtendBaseWidget(b)
	return b
}

const (
	bubbleSide  = 9
	bubbleAbove = 5
)

// settle finds room for the tip within size.
func (b *bubble) settle(size fyne.Size) {
	const widest, gap, margin = 380, 4, 6
	b.CreateRenderer()
	scale := extent(b, theme.SizeSmall)
	words := b.words.fit(b.text, scale, min(size.Width-2*margin-2*bubbleSide, widest), 6)
	b.drawn.objects = append(b.drawn.objects[:1], b.words.objects()...)
	own := words.AddWidthHeight(2*bubbleSide, 2*bubbleAbove)
	x := b.at.X
	if b.size.Width > 0 {
		x += (b.size.Width - own.Width) / 2
	} else {
		x -= bubbleSide
	}
	y := b.at.Y + b.size.Height + gap
	if y+own.Height > size.Height-margin {
		y = b.at.Y - own.Height - gap
	}
	b.Move(fyne.NewPos(max(min(x, size.Width-own.Width-margin), margin), max(y, margin)))
	b.Resize(own)
	b.Refresh()
}

// AccessibilityLabel is the tip.
func (b *bubble) AccessibilityLabel() string { return b.text }

// AccessibilityRole is text.
func (b *bubble) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// CreateRenderer is called by Fyne.
func (b *bubble) CreateRenderer() fyne.WidgetRenderer {
	if b.drawn != nil {
		return b.drawn
	}
	ground := &canvas.Rectangle{CornerRadius: 6, StrokeWidth: 1}
	d := &drawing{objects: []fyne.CanvasObject{ground}}
	d.paint = func() {
		ground.FillColor, ground.StrokeColor = hue(b, fynetheme.ColorNameOverlayBackground), hue(b, theme.CardBorder)
		floats(b, ground)
		b.words.tint(hue(b, fynetheme.ColorNameForeground), false)
	}
	d.layout = func(size fyne.Size) {
		ground.Resize(size)
		b.words.place(fyne.NewPos(bubbleSide, bubbleAbove))
	}
	d.least = func() fyne.Size { return fyne.NewSize(1, 1) }
	b.drawn = d
	d.paint()
	return d
}

// floats gives what lies over the page its shadow.
func floats(w fyne.Widget, ground *canvas.Rectangle) {
	ground.Shadow = canvas.Shadow{Color: hue(w, fynetheme.ColorNameShadow), BlurRadius: 10, Offset: fyne.NewPos(0, 2)}
}
