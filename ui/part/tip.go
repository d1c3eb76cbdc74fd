package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"
)

// Tip is an object that explains itself while the pointer rests on it.
type Tip struct {
	widget.BaseWidget
	object fyne.CanvasObject
	text   func() string
}

// NewTip wraps object, which must not take the pointer itself (a Text, an icon). text is asked each time; "" shows nothing. It is
// shown by the window's Toasts.
func NewTip(object fyne.CanvasObject, text func() string) *Tip {
	t := &Tip{object: object, text: text}
	t.ExtendBaseWidget(t)
	return t
}

// CreateRenderer is called by Fyne.
func (t *Tip) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(t.object) }
