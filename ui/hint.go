package ui

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/part"
	"pulley/ui/theme"
)

// lingering is how long the pointer rests on something before that is explained.
const lingering = 500 * time.Millisecond

// hint says beside an entry of the sidebar what it is called, while the pointer rests on it.
type hint struct {
	owner fyne.CanvasObject
	text  func() string
	layer func() *fyne.Container // nil: there is nowhere to show it
	wait  *time.Timer
	shown fyne.CanvasObject
	asked int // counts, so that a timer that was overtaken does nothing
}

func newHint(owner fyne.CanvasObject, text func() string) *hint {
	return &hint{owner: owner, text: text}
}

// soon shows it if nothing takes it away before.
func (h *hint) soon() {
	h.hide()
	asked := h.asked
	h.wait = time.AfterFunc(lingering, func() {
		fyne.Do(func() {
			if asked == h.asked {
				h.show()
			}
		})
	})
}

func (h *hint) show() {
	if h.layer == nil || h.shown != nil {
		return
	}
	ground := canvas.NewRectangle(hue(fynetheme.ColorNameOverlayBackground))
	ground.StrokeColor, ground.StrokeWidth, ground.CornerRadius = hue(theme.CardBorder), 1, 6
	text := part.NewText(h.text())
	h.shown = container.NewStack(ground, inset(5, 9, text))
	layer := h.layer()
	layer.Add(h.shown)
	size := h.shown.MinSize()
	driver := fyne.CurrentApp().Driver()
	at := driver.AbsolutePositionForObject(h.owner).Subtract(driver.AbsolutePositionForObject(layer))
	h.shown.Resize(size)
	h.shown.Move(at.AddXY(h.owner.Size().Width+10, (h.owner.Size().Height-size.Height)/2))
}

func (h *hint) hide() {
	h.asked++
	if h.wait != nil {
		h.wait.Stop()
	}
	if h.shown != nil {
		h.layer().Remove(h.shown)
		h.shown = nil
	}
}
