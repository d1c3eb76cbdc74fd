package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/theme"
)

// Grip is the handle of a row of a Reorder.
type Grip struct {
	widget.BaseWidget
	attention
	row *reorderRow
}

// Fyne finds what a widget can by its methods.
var _ = []interface {
	fyne.Focusable
	fyne.Draggable
	fyne.Shortcutable
	fyne.Accessible
	desktop.Hoverable
	desktop.Cursorable
}{&Grip{}}

func newGrip(row *reorderRow) *Grip {
	g := &Grip{row: row}
	g.noticed = func() { g.Refresh(); row.Refresh() }
	g.ExtendBaseWidget(g)
	return g
}

// AccessibilityLabel says which row it moves, and where that is now.
func (g *Grip) AccessibilityLabel() string {
	owner := g.row.owner
	if owner.Label == nil {
		return g.row.item.Name
	}
	return owner.Label(g.row.item.Name, owner.place(g.row)+1, len(owner.movable()))
}

// AccessibilityRole is that of a button: there is none for what can be dragged.
func (g *Grip) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// Cursor shows that it goes up and down.
func (g *Grip) Cursor() desktop.Cursor { return desktop.VResizeCursor }

// Tapped takes the focus, so that the keyboard goes on from there.
func (g *Grip) Tapped(*fyne.PointEvent) { g.focus() }

func (g *Grip) focus() {
	if c := canvasFor(g); c != nil && c.Focused() != fyne.Focusable(g) {
		c.Focus(g)
	}
}

// Dragged carries the row; the focus is on it, so that Escape is heard.
func (g *Grip) Dragged(e *fyne.DragEvent) {
	g.focus()
	g.row.owner.drag(g.row, e.Dragged.DY)
}

// DragEnd puts it down.
func (g *Grip) DragEnd() { g.row.owner.dragEnd() }

// FocusLost puts a row that the keyboard holds back.
func (g *Grip) FocusLost() {
	if g.row.owner.held == g.row && g.row.owner.byKey {
		g.row.owner.let()
	}
	g.attention.FocusLost()
}

// TypedKey is Space to pick up and put down, the arrows, Home and End, and Escape.
func (g *Grip) TypedKey(e *fyne.KeyEvent) {
	owner := g.row.owner
	held, all := owner.held == g.row, len(owner.rows)
	by := map[fyne.KeyName]int{fyne.KeyUp: -1, fyne.KeyDown: 1, fyne.KeyHome: -all, fyne.KeyEnd: all}[e.Name]
	switch {
	case e.Name == fyne.KeyEscape && owner.callOff():
	case presses(e) && held:
		owner.put()
	case presses(e):
		owner.carry(g.row, 0)
	case by != 0 && held:
		owner.carry(g.row, by)
	case by != 0:
		owner.lead(g.row, by)
	default:
		PassKey(g, e)
	}
}

// TypedShortcut is Alt with an arrow.
func (g *Grip) TypedShortcut(s fyne.Shortcut) {
	custom, ok := s.(*desktop.CustomShortcut)
	switch {
	case ok && custom.Modifier == fyne.KeyModifierAlt && custom.KeyName == fyne.KeyUp:
		g.row.owner.step(g.row, -1)
	case ok && custom.Modifier == fyne.KeyModifierAlt && custom.KeyName == fyne.KeyDown:
		g.row.owner.step(g.row, 1)
	default:
		PassShortcut(g, s)
	}
}

// CreateRenderer is called by Fyne.
func (g *Grip) CreateRenderer() fyne.WidgetRenderer {
	const across, apart, dots = 2.5, 5, 6
	d := &drawing{}
	for range dots {
		d.objects = append(d.objects, &canvas.Circle{})
	}
	d.paint = func() {
		name := fynetheme.ColorNameDisabled
		if g.hovered || g.focused {
			name = theme.Muted
		}
		for _, dot := range d.objects {
			dot.(*canvas.Circle).FillColor = hue(g, name)
		}
	}
	d.layout = func(size fyne.Size) {
		left, top := (size.Width-across-apart)/2, (size.Height-across-2*apart)/2
		for i, dot := range d.objects {
			dot.Resize(fyne.NewSquareSize(across))
			dot.Move(fyne.NewPos(left+float32(i%2)*apart, top+float32(i/2)*apart))
		}
	}
	d.least = func() fyne.Size { return fyne.NewSize(22, 24) }
	d.paint()
	return d
}
