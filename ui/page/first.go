package page

import (
	"time"

	"fyne.io/fyne/v2"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/part"
	"pulley/ui/theme"
)

// First is what somebody sees who has just come: four steps, each of which can be skipped.
type First struct {
	desk Desk
	done func()
	root fyne.CanvasObject
}

// NewFirst makes it. done is called when the person is through, or has had enough.
func NewFirst(d Desk, done func()) *First {
	title := part.NewText(lang.Say("first.title")).Bold()
	title.Scale = theme.SizeHead
	return &First{desk: d, done: done, root: column(12, title)}
}

// Root is what to put into the window, the same object for ever.
func (f *First) Root() fyne.CanvasObject { return f.root }

// Show brings it to what v says, as Page.Show does.
func (f *First) Show(model.View, time.Time) {}
