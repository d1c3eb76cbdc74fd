package part

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"
)

// Tip is an object that explains itself while the pointer rests on it.
type Tip struct {
	widget.BaseWidget
	object fyne.CanvasObject
	text   func() string
	rest   resting
}

// NewTip wraps object, which must not take the pointer itself (a Text, an icon). text is asked each time; "" shows nothing. It is
// shown by the window's Toasts.
func NewTip(object fyne.CanvasObject, text func() string) *Tip {
	t := &Tip{object: object, text: text}
	t.ExtendBaseWidget(t)
	return t
}

var _ desktop.Hoverable = (*Tip)(nil)

// MouseIn waits for the pointer to rest.
func (t *Tip) MouseIn(*desktop.MouseEvent) {
	t.rest.on(t, func() (string, fyne.Position, fyne.Size) { return t.text(), fyne.Position{}, t.Size() })
}

// MouseMoved is of no interest.
func (t *Tip) MouseMoved(*desktop.MouseEvent) {}

// MouseOut takes the tip away.
func (t *Tip) MouseOut() { t.rest.off() }

// AccessibilityLabel is what the object says, and the tip.
func (t *Tip) AccessibilityLabel() string {
	if said, ok := t.object.(fyne.Accessible); ok && said.AccessibilityLabel() != "" {
		return labelled(said.AccessibilityLabel(), t.text())
	}
	return t.text()
}

// AccessibilityRole is text.
func (t *Tip) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// CreateRenderer is called by Fyne.
func (t *Tip) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(t.object) }

// restAfter is how long the pointer stays before a tip is shown: long enough not to blink when it passes by.
const restAfter = 500 * time.Millisecond

// resting waits for the pointer to stay on something, and then has it explained. The zero value is ready.
type resting struct {
	stop  func() // nil: nobody waits
	shown *Toasts
}

// on begins to wait. explain tells the text ("" for none) and what it is about: a place and size within w.
func (r *resting) on(w fyne.CanvasObject, explain func() (string, fyne.Position, fyne.Size)) {
	r.off()
	r.stop = clock.after(restAfter, func() { r.now(w, explain) })
}

// now has it explained without waiting.
func (r *resting) now(w fyne.CanvasObject, explain func() (string, fyne.Position, fyne.Size)) {
	text, at, size := explain()
	host := hostOf(w)
	if text == "" || host == nil {
		return
	}
	host.explain(r, text, at.Add(fyne.CurrentApp().Driver().AbsolutePositionForObject(w)), size)
	r.shown = host
}

// off ends waiting, and takes the tip away.
func (r *resting) off() {
	if r.stop != nil {
		r.stop()
		r.stop = nil
	}
	if r.shown != nil {
		r.shown.unexplain(r)
		r.shown = nil
	}
}

// hostOf is the Toasts of the window that w is in; nil: there are none.
func hostOf(w fyne.CanvasObject) *Toasts {
	c := canvasFor(w)
	if c == nil {
		return nil
	}
	return within(c.Content())
}

// within looks for Toasts among containers, not in widgets.
func within(o fyne.CanvasObject) *Toasts {
	switch o := o.(type) {
	case *Toasts:
		return o
	case *fyne.Container:
		for i := range o.Objects {
			if found := within(o.Objects[len(o.Objects)-1-i]); found != nil {
				return found
			}
		}
	case *container.ThemeOverride:
		return within(o.Content)
	}
	return nil
}
