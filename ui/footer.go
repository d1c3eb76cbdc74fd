package ui

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// footer is the line below every page: how the daemon stands, in words beside a colour, its address, and what helps those who
// are asked for help.
type footer struct {
	dot     *part.Dot
	state   *part.Text
	address *part.Text
	where   *fyne.Container
	ground  *canvas.Rectangle
	line    *canvas.Rectangle
	root    *fyne.Container
}

const footerTall = 34

func newFooter(version string, copied func(string), diagnosis, keys func()) *footer {
	f := &footer{
		dot: part.NewDot(theme.Muted), state: part.NewMuted(""), address: part.NewMuted(""),
		ground: &canvas.Rectangle{}, line: &canvas.Rectangle{},
	}
	f.address.Style.Monospace = true
	copier := part.NewCopy("", f.address.Words, copied)
	f.where = row(2, middle(f.address), middle(copier))
	left := row(14, row(7, middle(f.dot), middle(f.state)), f.where)
	diagnose := part.NewLink(lang.Say("shell.footer.diagnosis"), diagnosis)
	help := part.NewIconButton(fynetheme.HelpIcon(), lang.Say("shell.footer.keys"), keys)
	right := row(12, middle(part.NewMuted(lang.Say("shell.footer.version", "Version", version))), middle(diagnose), middle(help))
	content := container.New(layout.NewCustomPaddedLayout(0, 0, sideInset+10, sideInset), container.NewBorder(nil, nil, left, right))
	f.root = &fyne.Container{Layout: f, Objects: []fyne.CanvasObject{f.ground, f.line, content}}
	f.paint()
	return f
}

// MinSize implements fyne.Layout.
func (f *footer) MinSize(objects []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(objects[2].MinSize().Width, footerTall)
}

// Layout implements fyne.Layout.
func (f *footer) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	f.ground.Resize(size)
	f.line.Resize(fyne.NewSize(size.Width, 1))
	objects[2].Resize(size)
}

func (f *footer) paint() {
	f.ground.FillColor = hue(fynetheme.ColorNameHeaderBackground)
	f.line.FillColor = hue(fynetheme.ColorNameSeparator)
	canvas.Refresh(f.ground)
	canvas.Refresh(f.line)
}

// show brings it to what v says.
func (f *footer) show(v model.View, now time.Time) {
	word, colour := standing(v, now)
	f.dot.Tint(colour)
	f.state.Set(word)
	f.address.Set(v.State.Listen)
	hidden := v.Phase != model.Running || v.State.Listen == ""
	if f.where.Hidden != hidden {
		f.where.Hidden = hidden
	}
	f.root.Refresh()
}

// standing is how the daemon stands, in a word or two and a colour.
func standing(v model.View, now time.Time) (string, fyne.ThemeColorName) {
	switch {
	case v.Phase == model.Starting:
		return lang.Say("shell.state.starting"), theme.Muted
	case v.Phase == model.Down:
		return lang.Say("shell.state.down"), fynetheme.ColorNameError
	case words.Paused(v.State, now):
		return lang.Say("shell.state.paused", "Time", words.Moment(*v.State.PausedUntil, now)), theme.Muted
	case !v.State.Enabled:
		return lang.Say("shell.state.off"), theme.Muted
	case len(v.State.Problems) > 0:
		return lang.Say("shell.problems", "Count", len(v.State.Problems)), fynetheme.ColorNameWarning
	default:
		return lang.Say("shell.state.on"), fynetheme.ColorNameSuccess
	}
}
