package settings

import (
	"image/color"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/theme"
)

// sliderTheme is the theme in force, whichever that is, with a track that is told from a card and a knob in the colour of what
// is on.
type sliderTheme struct{}

func (sliderTheme) current() fyne.Theme { return fyne.CurrentApp().Settings().Theme() }

// Color implements fyne.Theme.
func (t sliderTheme) Color(name fyne.ThemeColorName, variant fyne.ThemeVariant) color.Color {
	switch name {
	case fynetheme.ColorNameInputBackground:
		name = theme.Track
	case fynetheme.ColorNameForeground:
		name = fynetheme.ColorNamePrimary
	}
	return t.current().Color(name, variant)
}

// Font implements fyne.Theme.
func (t sliderTheme) Font(style fyne.TextStyle) fyne.Resource { return t.current().Font(style) }

// Icon implements fyne.Theme.
func (t sliderTheme) Icon(name fyne.ThemeIconName) fyne.Resource { return t.current().Icon(name) }

// Size implements fyne.Theme.
func (t sliderTheme) Size(name fyne.ThemeSizeName) float32 { return t.current().Size(name) }
