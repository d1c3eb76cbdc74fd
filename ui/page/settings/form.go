package settings

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/part"
	"pulley/ui/words"
)

// field is one line of a form.
type field struct{ label, example, hint string }

// form asks for a few lines, says what is wrong with them as they are typed, and what the daemon has against them.
type form struct {
	check func(values []string) (field int, wrong string) // -1: nothing
	save  func(values []string, then func(error))

	title   *part.Text
	entries []*part.Input
	touched bool
	busy    bool
	opener  fyne.Focusable // has the keyboard again when it is closed; nil: nothing
	wrong   *part.Text
	submit  *part.Button
	root    *fyne.Container
}

func newForm(fields ...field) *form {
	f := &form{title: part.NewText("").Bold().Giving(), wrong: part.NewMuted("").Giving()}
	f.wrong.Tint(fynetheme.ColorNameError)
	grid := container.New(part.FormGrid{})
	for _, field := range fields {
		e := part.NewInput(field.example)
		e.Label = field.label
		e.OnChanged = func(string) { f.touched = true; f.look() }
		e.Entered, e.Escaped = f.do, f.close
		f.entries = append(f.entries, e)
		var object fyne.CanvasObject = e
		if field.hint != "" {
			object = part.VBox(3, e, part.NewMuted(field.hint).Giving())
		}
		grid.Objects = append(grid.Objects, part.FormLabel(field.label, ""), object)
	}
	f.submit = part.NewButton("", f.do)
	f.submit.Importance = widget.HighImportance
	cancel := part.NewButton(cancel(), f.close)
	f.root = container.New(layout.NewCustomPaddedLayout(10, 8, 0, 0), part.VBox(11, part.NewRule(), f.title, grid,
		part.Border(nil, nil, nil, part.HBox(8, cancel, f.submit), part.Middle(f.wrong))))
	f.root.Hide()
	return f
}

// begin opens it with values. Those lines whose numbers are fixed cannot be changed.
func (f *form) begin(title, do string, values []string, save func([]string, func(error)), fixed ...int) {
	f.title.Set(title)
	f.submit.SetText(do)
	f.save, f.busy = save, false
	f.root.Show()
	var first *part.Input
	for i, e := range f.entries {
		e.Propose(values[i])
		part.Enable(e, true)
		for _, n := range fixed {
			if n == i {
				part.Enable(e, false)
			}
		}
		if first == nil && !e.Disabled() {
			first = e
		}
	}
	f.touched = false
	f.look()
	if c := fyne.CurrentApp().Driver().CanvasForObject(f.root); c != nil && first != nil {
		f.opener = nil
		if icon, ok := c.Focused().(*part.IconButton); ok {
			f.opener = icon
		}
		c.Focus(first)
	}
}

// fixed tells whether a line cannot be changed now.
func (f *form) fixed(i int) bool { return f.entries[i].Disabled() }

func (f *form) values() (values []string) {
	for _, e := range f.entries {
		values = append(values, strings.TrimSpace(e.Text))
	}
	return values
}

// look says what is wrong, once something was typed.
func (f *form) look() bool {
	field, wrong := f.check(f.values())
	part.Enable(f.submit, wrong == "" && !f.busy)
	if !f.touched {
		field = -1
	}
	for i, e := range f.entries {
		e.Mark(i == field)
	}
	text := wrong
	if !f.touched {
		text = ""
	}
	f.wrong.Set(text)
	return wrong == ""
}

func (f *form) do() {
	f.touched = true
	if !f.look() || f.busy {
		return
	}
	f.busy = true
	part.Enable(f.submit, false)
	f.save(f.values(), func(err error) {
		f.busy = false
		if err != nil {
			part.Enable(f.submit, true)
			f.wrong.Set(words.Reason(err))
			return
		}
		f.close()
	})
}

func (f *form) close() {
	f.root.Hide()
	c := fyne.CurrentApp().Driver().CanvasForObject(f.root)
	switch {
	case c == nil:
	case f.opener != nil:
		c.Focus(f.opener)
	default:
		c.Unfocus()
	}
}
