package engine

import (
	"image/color"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/part"
	"pulley/ui/theme"
)

// diffView shows what becomes of files, line by line.
func diffView(files []model.FileDiff) fyne.CanvasObject {
	list := part.VBox(10)
	for _, f := range files {
		list.Add(fileView(f))
	}
	return list
}

func fileView(f model.FileDiff) fyne.CanvasObject {
	path := part.NewText(f.Path).Giving()
	path.Style.Monospace, path.Scale = true, theme.SizeSmall
	aside := part.HBox(6)
	switch {
	case f.New:
		aside.Add(part.Middle(part.NewBadge(lang.Say("docker.diff.new"), fynetheme.ColorNameSuccess)))
	case f.Removed:
		aside.Add(part.Middle(part.NewBadge(lang.Say("docker.diff.removed"), fynetheme.ColorNameError)))
	}
	added, taken := f.Counts()
	for _, c := range []struct {
		sign string
		n    int
		name fyne.ThemeColorName
	}{{"+", added, fynetheme.ColorNameSuccess}, {"−", taken, fynetheme.ColorNameError}} {
		if c.n > 0 {
			count := part.NewMuted(c.sign + strconv.Itoa(c.n))
			count.Tint(c.name)
			aside.Add(part.Middle(count))
		}
	}
	lines := part.VBox(0)
	for _, l := range f.Lines {
		lines.Add(newDiffLine(l))
	}
	inner := container.NewHScroll(container.New(layout.NewCustomPaddedLayout(4, 6, 0, 0), lines))
	head := container.New(layout.NewCustomPaddedLayout(5, 5, 10, 10), part.Between(part.Middle(part.NewTip(path, path.Words)), aside))
	sheet := part.NewSheet(container.New(layout.NewCustomPaddedVBoxLayout(0), head, part.NewRule(), inner))
	sheet.Padding = fyne.NewSize(1, 1)
	return sheet
}

// diffLine is one line of a file, tinted by what becomes of it.
type diffLine struct {
	widget.BaseWidget
	line model.DiffLine
}

func newDiffLine(l model.DiffLine) *diffLine {
	w := &diffLine{line: l}
	w.ExtendBaseWidget(w)
	return w
}

// AccessibilityLabel is what the line is for those who cannot see its colour.
func (l *diffLine) AccessibilityLabel() string { return l.sign() + " " + l.line.Text }

// AccessibilityRole is that of a text: it is read.
func (l *diffLine) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

func (l *diffLine) sign() string {
	return map[model.LineKind]string{model.LineAdded: "+", model.LineTaken: "−", model.LineGap: "⋯"}[l.line.Kind]
}

// CreateRenderer is called by Fyne.
func (l *diffLine) CreateRenderer() fyne.WidgetRenderer {
	r := &diffLineRenderer{line: l, ground: &canvas.Rectangle{}, sign: &canvas.Text{}, text: &canvas.Text{}}
	r.paint()
	return r
}

type diffLineRenderer struct {
	line       *diffLine
	ground     *canvas.Rectangle
	sign, text *canvas.Text
}

const (
	diffIndent = 28
	diffHeight = 18
)

func (r *diffLineRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.ground, r.sign, r.text}
}
func (r *diffLineRenderer) Destroy() {}
func (r *diffLineRenderer) MinSize() fyne.Size {
	return fyne.NewSize(diffIndent+r.text.MinSize().Width+12, diffHeight)
}

func (r *diffLineRenderer) Layout(size fyne.Size) {
	r.ground.Resize(size)
	height := r.text.MinSize().Height
	r.sign.Move(fyne.NewPos(11, (size.Height-height)/2))
	r.text.Move(fyne.NewPos(diffIndent, (size.Height-height)/2))
	r.text.Resize(fyne.NewSize(size.Width-diffIndent, height))
}

func (r *diffLineRenderer) Refresh() {
	r.paint()
	for _, o := range r.Objects() {
		o.Refresh()
	}
}

func (r *diffLineRenderer) paint() {
	hue := func(name fyne.ThemeColorName) color.Color { return fynetheme.ColorForWidget(name, r.line) }
	ink, ground := hue(fynetheme.ColorNameForeground), color.Color(color.Transparent)
	switch r.line.line.Kind {
	case model.LineAdded:
		ink, ground = hue(fynetheme.ColorNameSuccess), washed(hue(fynetheme.ColorNameSuccess))
	case model.LineTaken:
		ink, ground = hue(fynetheme.ColorNameError), washed(hue(fynetheme.ColorNameError))
	case model.LineGap:
		ink = hue(theme.Muted)
	case model.LineKept:
		ink = hue(theme.Muted)
	}
	r.ground.FillColor = ground
	size := fynetheme.SizeForWidget(theme.SizeSmall, r.line)
	for _, t := range []*canvas.Text{r.sign, r.text} {
		t.Color, t.TextSize, t.TextStyle = ink, size, fyne.TextStyle{Monospace: true}
	}
	r.sign.Text, r.text.Text = r.line.sign(), strings.ReplaceAll(r.line.line.Text, "\t", "    ")
}

// washed is a colour as a ground that its own text can be read on.
func washed(c color.Color) color.Color {
	r, g, b, _ := c.RGBA()
	return color.NRGBA{R: uint8(r >> 8), G: uint8(g >> 8), B: uint8(b >> 8), A: 0x1c} //nolint:gosec // eight bits are left
}
