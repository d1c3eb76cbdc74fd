// Package theme is how Pulley looks: colours for light and dark, and sizes that
// are a little denser than Fyne's own.
package theme

import (
	"image/color"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"
)

// Names of our own colours, beside Fyne's.
const (
	Card       fyne.ThemeColorName = "pulley.card"       // the sheet that a section lies on
	CardBorder fyne.ThemeColorName = "pulley.cardBorder" // its hairline
	Muted      fyne.ThemeColorName = "pulley.muted"      // text of second rank
	Track      fyne.ThemeColorName = "pulley.track"      // the empty part of a meter, a switch that is off
	Knob       fyne.ThemeColorName = "pulley.knob"       // of a switch
	Cached     fyne.ThemeColorName = "pulley.cached"     // bytes that came from disk
	Fetched    fyne.ThemeColorName = "pulley.fetched"    // bytes that came over the network
	Alert      fyne.ThemeColorName = "pulley.alert"      // the sheet of a message about trouble
	Blue       fyne.ThemeColorName = "pulley.blue"       // kinds of things beside those two, told apart by hue alone
	Violet     fyne.ThemeColorName = "pulley.violet"
	Rose       fyne.ThemeColorName = "pulley.rose"
)

// Names of our own sizes of text.
const (
	SizeSmall fyne.ThemeSizeName = "pulley.small"
	SizeHead  fyne.ThemeSizeName = "pulley.head"
)

// Choice is what `tray.theme` says.
type Choice string

const (
	Auto  Choice = "auto"
	Light Choice = "light"
	Dark  Choice = "dark"
)

// New makes the theme. With Auto, or anything unknown, it follows the desktop. It is to be made and set anew after a change of
// language: fonts are chosen by it, and what Fyne says by itself (in menus of text fields, in its dialogs) is said in the language
// in force from then on. For the UI goroutine.
func New(choice Choice) fyne.Theme {
	speak()
	return &theme{Theme: fynetheme.DefaultTheme(), choice: choice}
}

type theme struct {
	fyne.Theme
	choice Choice
}

// pair is a colour on light and on dark.
type pair struct{ light, dark color.NRGBA }

// palette keeps text at 4.5:1 and shapes at 3:1 against what they lie on, the
// ratios of WCAG 2.1, 1.4.3 and 1.4.11; the test holds them.
var palette = map[fyne.ThemeColorName]pair{
	fynetheme.ColorNameBackground:          {rgb(0xf4f6f6), rgb(0x14181a)},
	fynetheme.ColorNameHeaderBackground:    {rgb(0xebefef), rgb(0x0f1315)},
	fynetheme.ColorNameForeground:          {rgb(0x1b2325), rgb(0xe4eaeb)},
	fynetheme.ColorNamePlaceHolder:         {rgb(0x5d696d), rgb(0x98a4a8)},
	fynetheme.ColorNameDisabled:            {rgb(0x8a9599), rgb(0x69757a)},
	fynetheme.ColorNamePrimary:             {rgb(0x0c7d74), rgb(0x2fb8a8)},
	fynetheme.ColorNameHyperlink:           {rgb(0x0c7d74), rgb(0x2fb8a8)},
	fynetheme.ColorNameForegroundOnPrimary: {rgb(0xffffff), rgb(0x0c1a19)},
	fynetheme.ColorNameFocus:               {rgba(0x0c7d7440), rgba(0x2fb8a850)},
	fynetheme.ColorNameSelection:           {rgba(0x0c7d7430), rgba(0x2fb8a840)},
	fynetheme.ColorNameButton:              {rgb(0xe9eded), rgb(0x272e31)},
	fynetheme.ColorNameHover:               {rgba(0x0a1a1c0e), rgba(0xffffff12)},
	fynetheme.ColorNamePressed:             {rgba(0x0a1a1c1c), rgba(0xffffff22)},
	fynetheme.ColorNameInputBackground:     {rgb(0xf0f3f3), rgb(0x252c2f)},
	fynetheme.ColorNameInputBorder:         {rgb(0xd8dede), rgb(0x374044)},
	fynetheme.ColorNameMenuBackground:      {rgb(0xffffff), rgb(0x262d30)},
	fynetheme.ColorNameOverlayBackground:   {rgb(0xffffff), rgb(0x262d30)},
	fynetheme.ColorNameSeparator:           {rgb(0xe6eaea), rgb(0x2a3134)},
	fynetheme.ColorNameScrollBar:           {rgba(0x0a1a1c50), rgba(0xffffff50)},
	fynetheme.ColorNameScrollBarBackground: {rgba(0x00000000), rgba(0x00000000)},
	fynetheme.ColorNameShadow:              {rgba(0x0a1a1c2a), rgba(0x00000066)},
	fynetheme.ColorNameError:               {rgb(0xc02a31), rgb(0xf0757a)},
	fynetheme.ColorNameWarning:             {rgb(0x9a5b00), rgb(0xe9a23b)},
	fynetheme.ColorNameSuccess:             {rgb(0x0c7d74), rgb(0x2fb8a8)},

	Card:       {rgb(0xffffff), rgb(0x1c2224)},
	CardBorder: {rgb(0xe0e5e5), rgb(0x2a3134)},
	Muted:      {rgb(0x5d696d), rgb(0x98a4a8)},
	Track:      {rgb(0xdbe1e1), rgb(0x343d41)},
	Knob:       {rgb(0xffffff), rgb(0xffffff)},
	Cached:     {rgb(0x0f9488), rgb(0x2fb8a8)},
	Fetched:    {rgb(0xd08a2c), rgb(0xe0a458)},
	Alert:      {rgb(0xfdf1e3), rgb(0x33291b)},
	Blue:       {rgb(0x3b6fd4), rgb(0x7aa5f0)},
	Violet:     {rgb(0x8a58c8), rgb(0xb795e8)},
	Rose:       {rgb(0xc0497a), rgb(0xe58bb0)},
}

func (t *theme) Color(name fyne.ThemeColorName, variant fyne.ThemeVariant) color.Color {
	switch t.choice {
	case Light:
		variant = fynetheme.VariantLight
	case Dark:
		variant = fynetheme.VariantDark
	}
	colours, ours := palette[name]
	switch {
	case !ours:
		return t.Theme.Color(name, variant)
	case variant == fynetheme.VariantDark:
		return colours.dark
	default:
		return colours.light
	}
}

var sizes = map[fyne.ThemeSizeName]float32{
	fynetheme.SizeNameText:            13,
	fynetheme.SizeNameCaptionText:     11,
	fynetheme.SizeNameInnerPadding:    7,
	fynetheme.SizeNamePadding:         4,
	fynetheme.SizeNameInputRadius:     6,
	fynetheme.SizeNameSelectionRadius: 4,
	fynetheme.SizeNameScrollBar:       8,
	fynetheme.SizeNameScrollBarSmall:  4,
	SizeSmall:                         11.5,
	SizeHead:                          19,
}

func (t *theme) Size(name fyne.ThemeSizeName) float32 {
	if size, ours := sizes[name]; ours {
		return size
	}
	return t.Theme.Size(name)
}

func rgb(hex uint32) color.NRGBA { return rgba(hex<<8 | 0xff) }

func rgba(hex uint32) color.NRGBA {
	return color.NRGBA{R: uint8(hex >> 24), G: uint8(hex >> 16), B: uint8(hex >> 8), A: uint8(hex)}
}
