package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"
)

// Toast is a sentence that goes away by itself.
type Toast struct {
	Text string
	Bad  bool   // something failed: it stays until it is dismissed
	Undo func() // nil: there is nothing to undo
	// Done is called once, when the toast is gone and nothing was undone. nil: nothing.
	Done func()
}

// Toasts lies over everything else in a window, as the last of a stack, and shows toasts at its bottom and tips at the pointer. It lets
// through whatever does not hit a toast.
type Toasts struct {
	widget.BaseWidget
	toasts []Toast
}

// NewToasts makes one without toasts.
func NewToasts() *Toasts {
	t := &Toasts{}
	t.ExtendBaseWidget(t)
	return t
}

// Add shows a toast.
func (t *Toasts) Add(toast Toast) { t.toasts = append(t.toasts, toast) }

// Undo undoes the last toast that can be undone, and reports whether there was one.
func (t *Toasts) Undo() bool { return false }

// Flush has all toasts go now: the window closes, and what they wait to do is done.
func (t *Toasts) Flush() {
	for _, toast := range t.toasts {
		if toast.Done != nil {
			toast.Done()
		}
	}
	t.toasts = nil
}

// CreateRenderer is called by Fyne.
func (t *Toasts) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(container.NewWithoutLayout())
}

func (t *Toasts) explain(by *resting, text string, at fyne.Position, size fyne.Size) {}
func (t *Toasts) unexplain(by *resting)                                              {}
