package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"
)

// Field is a row of a form: what is asked at the left, with a hint under it, and the control at the right.
type Field struct {
	widget.BaseWidget
	label, hint *Text
	control     fyne.CanvasObject
}

// NewField makes one. hint may be "".
func NewField(label, hint string, control fyne.CanvasObject) *Field {
	f := &Field{label: NewText(label).Giving(), hint: NewMuted(hint).Giving(), control: control}
	f.ExtendBaseWidget(f)
	return f
}

// SetHint changes what stands under the label: a reason, what is wrong.
func (f *Field) SetHint(hint string, color fyne.ThemeColorName) {
	f.hint.Tint(color)
	f.hint.Set(hint)
	f.Refresh()
}

// AccessibilityLabel is what is asked, and the answer.
func (f *Field) AccessibilityLabel() string {
	return labelled(labelled(f.label.Words(), f.hint.Words()), reading(f.control))
}

// AccessibilityRole is text: a container would be passed over.
func (f *Field) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// CreateRenderer is called by Fyne.
func (f *Field) CreateRenderer() fyne.WidgetRenderer {
	const between, least = 16, 40
	d := &drawing{objects: []fyne.CanvasObject{f.label, f.hint, f.control}}
	d.paint = func() { f.hint.Hidden = f.hint.Words() == "" }
	d.layout = func(size fyne.Size) {
		control := f.control.MinSize()
		f.control.Resize(control)
		f.control.Move(fyne.NewPos(size.Width-control.Width, (size.Height-control.Height)/2))
		room := max(size.Width-control.Width-between, 0)
		label, hint := f.label.MinSize().Height, f.hint.MinSize().Height
		height := label
		if !f.hint.Hidden {
			height += hint
		}
		top := (size.Height - height) / 2
		f.label.Move(fyne.NewPos(0, top))
		f.label.Resize(fyne.NewSize(room, label))
		f.hint.Move(fyne.NewPos(0, top+label))
		f.hint.Resize(fyne.NewSize(room, hint))
	}
	d.least = func() fyne.Size {
		control := f.control.MinSize()
		return fyne.NewSize(control.Width+between+f.label.MinSize().Width, max(control.Height, least))
	}
	d.paint()
	return d
}
