package part

import (
	"image/color"
	"strings"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/theme"
)

// look is what a table draws with: colours, measures and tinted icons of the theme, looked up once for all rows.
type look struct {
	of      fyne.Widget
	mark    [2]color.Color // which theme it is from
	turn    int            // how often it was renewed
	size    float32
	scale   float32 // of the screen; 0: not on one yet
	line    float32 // the height of a line
	plain   *fitting
	bold    *fitting
	colours map[fyne.ThemeColorName]color.Color
	icons   map[tinted]fyne.Resource
	units   []float32 // by column: the widest unit that was seen
}

type tinted struct {
	icon fyne.Resource
	name fyne.ThemeColorName
}

// renew looks everything up again if the theme, or the density of the screen, is another now, and reports whether it is.
func (l *look) renew() bool {
	mark := [2]color.Color{hue(l.of, fynetheme.ColorNameForeground), hue(l.of, fynetheme.ColorNamePrimary)}
	size, scale := extent(l.of, fynetheme.SizeNameText), l.scale
	if c := canvasFor(l.of); c != nil {
		scale = c.Scale()
	}
	known := mark == l.mark && size == l.size && (scale == l.scale || l.scale == 0)
	l.mark, l.size, l.scale = mark, size, scale
	if known {
		return false
	}
	l.turn++
	l.line = fyne.MeasureText("Mg", size, fyne.TextStyle{}).Height
	l.plain, l.bold = newFitting(size, fyne.TextStyle{}), newFitting(size, fyne.TextStyle{Bold: true})
	l.colours, l.icons = map[fyne.ThemeColorName]color.Color{}, map[tinted]fyne.Resource{}
	clear(l.units)
	return true
}

func (l *look) colour(name fyne.ThemeColorName) color.Color {
	c, known := l.colours[name]
	if !known {
		c = hue(l.of, name)
		l.colours[name] = c
	}
	return c
}

func (l *look) fit(bold bool) *fitting {
	if bold {
		return l.bold
	}
	return l.plain
}

// ink is the colour that a cell is written in.
func ink(cell *Cell) fyne.ThemeColorName {
	switch {
	case cell.Color != "":
		return cell.Color
	case cell.Muted:
		return theme.Muted
	default:
		return fynetheme.ColorNameForeground
	}
}

// icon is a cell's icon in the colour of its text, if the theme colours it at all.
func (l *look) icon(cell *Cell) fyne.Resource {
	themed, ours := cell.Icon.(fyne.ThemedResource)
	if !ours {
		return cell.Icon
	}
	key := tinted{themed, ink(cell)}
	if key.name == themed.ThemeColorName() {
		return themed
	}
	made, known := l.icons[key]
	if !known {
		made = fynetheme.NewColoredResource(themed, key.name)
		l.icons[key] = made
	}
	return made
}

// amount divides "5.0 GiB" into its number and its unit, so that numbers in a column stand right below each other. Whatever does not
// look like it is all number.
func amount(text string) (number, unit string) {
	space := strings.LastIndexAny(text, " \u00a0\u202f")
	if space <= 0 {
		return text, ""
	}
	_, after, _ := strings.Cut(text[space:], text[space:space+spaceLength(text[space])])
	const longest = 8 // bytes: three Chinese characters
	first := text[0]
	if after == "" || len(after) > longest || strings.ContainsAny(after, "0123456789") ||
		first != '-' && first != '<' && first != '~' && (first < '0' || first > '9') {
		return text, ""
	}
	return text[:space], after
}

// spaceLength is how many bytes a space has that begins with b, in UTF-8.
func spaceLength(b byte) int {
	switch {
	case b == ' ':
		return 1
	case b < 0xe0:
		return 2
	default:
		return 3
	}
}
