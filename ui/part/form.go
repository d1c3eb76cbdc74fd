package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
)

// FormLabel is what stands before a field.
func FormLabel(text, aside string) fyne.CanvasObject {
	label := container.NewHBox(NewText(text))
	if aside != "" {
		label.Add(NewMuted(aside))
	}
	return container.New(layout.NewCustomPaddedLayout(7, 0, 0, 0), container.NewVBox(label))
}

// FormGrid puts labels of one width before fields that take the rest.
type FormGrid struct{}

// MinSize is called by Fyne.
func (FormGrid) MinSize(objects []fyne.CanvasObject) (size fyne.Size) {
	for i := 0; i < len(objects); i += 2 {
		label, field := objects[i].MinSize(), objects[i+1].MinSize()
		size.Width = max(size.Width, formLabelWidth+field.Width)
		size.Height += max(label.Height, field.Height)
		if i > 0 {
			size.Height += formGap
		}
	}
	return size
}

// Layout is called by Fyne.
func (FormGrid) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	var y float32
	for i := 0; i < len(objects); i += 2 {
		label, field := objects[i].MinSize(), objects[i+1].MinSize()
		high := max(label.Height, field.Height)
		objects[i].Move(fyne.NewPos(0, y))
		objects[i].Resize(fyne.NewSize(formLabelWidth, high))
		objects[i+1].Move(fyne.NewPos(formLabelWidth, y))
		objects[i+1].Resize(fyne.NewSize(size.Width-formLabelWidth, high))
		y += high + formGap
	}
}

const formLabelWidth, formGap = 132, 8
