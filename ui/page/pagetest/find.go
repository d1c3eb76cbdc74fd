package pagetest

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/part"
)

// Seen is every object that is to be seen, from the top.
func Seen(o fyne.CanvasObject) (found []fyne.CanvasObject) {
	if o == nil || !o.Visible() {
		return nil
	}
	found = append(found, o)
	switch one := o.(type) {
	case *fyne.Container:
		for _, child := range one.Objects {
			found = append(found, Seen(child)...)
		}
	case fyne.Widget:
		for _, child := range test.WidgetRenderer(one).Objects() {
			found = append(found, Seen(child)...)
		}
	}
	return found
}

// Everything visits all that is to be seen, from the top.
func Everything(o fyne.CanvasObject, f func(fyne.CanvasObject)) {
	for _, one := range Seen(o) {
		f(one)
	}
}

// said is what a thing says, to eyes or to ears.
func said(o fyne.CanvasObject) []string {
	switch o := o.(type) {
	case *part.Text:
		return []string{o.Words()}
	case *widget.Label:
		return strings.Split(o.Text, "\n")
	case *part.Button:
		return []string{o.Text}
	case *part.Check:
		return []string{o.Text}
	case *widget.RichText:
		return []string{o.String()}
	case *canvas.Text:
		return []string{o.Text}
	case fyne.Accessible:
		return []string{o.AccessibilityLabel()}
	}
	return nil
}

// lay gives everything in an object its place, as a window on a screen does before it is drawn.
func lay(o fyne.CanvasObject) {
	switch one := o.(type) {
	case *fyne.Container:
		if one.Layout != nil {
			one.Layout.Layout(one.Objects, one.Size())
		}
		for _, child := range one.Objects {
			lay(child)
		}
	case fyne.Widget:
		r := test.WidgetRenderer(one)
		r.Layout(one.Size())
		for _, child := range r.Objects() {
			lay(child)
		}
	}
}

// Laid is all that is to be seen in the window, laid out as on a screen.
func (p *Person) Laid() []fyne.CanvasObject {
	lay(p.Window.Canvas().Content())
	return Seen(p.Window.Canvas().Content())
}

// Said is what can be read in the window, a line each; not what stands on buttons.
func (p *Person) Said() string {
	var all []string
	for _, o := range p.Laid() {
		switch o.(type) {
		case *part.Text, *widget.Label:
			all = append(all, said(o)...)
		}
	}
	return strings.Join(all, "\n")
}

// Kind finds what is seen of a kind.
func Kind[T fyne.CanvasObject](p *Person) (found []T) {
	for _, o := range p.Laid() {
		if one, ok := o.(T); ok {
			found = append(found, one)
		}
	}
	return found
}

// Button finds the button with a text.
func (p *Person) Button(text string) *part.Button {
	p.T.Helper()
	for _, b := range Kind[*part.Button](p) {
		if b.Text == text {
			return b
		}
	}
	p.T.Fatalf("no button %q", text)
	return nil
}

// Labelled finds what a screen reader calls so, by its beginning.
func (p *Person) Labelled(label string) fyne.CanvasObject {
	p.T.Helper()
	for _, o := range p.Laid() {
		switch o.(type) {
		case *part.Button, *part.Text: // the first may have none, and the second are only read
			continue
		}
		if a, ok := o.(fyne.Accessible); ok && strings.HasPrefix(a.AccessibilityLabel(), label) {
			return o
		}
	}
	p.T.Fatalf("nothing is labelled %q", label)
	return nil
}
