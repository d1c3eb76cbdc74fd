package theme_test

import (
	"image/color"
	"math"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/theme"
)

func TestMain(m *testing.M) {
	test.NewApp()
	m.Run()
}

// WCAG 2.1: text 4.5:1 (1.4.3), parts of controls and drawings 3:1 (1.4.11).
func TestContrast(t *testing.T) {
	look := theme.New(theme.Auto)
	for _, pair := range []struct {
		on, under fyne.ThemeColorName
		least     float64
	}{
		{fynetheme.ColorNameForeground, fynetheme.ColorNameBackground, 7},
		{fynetheme.ColorNameForeground, theme.Card, 7},
		{fynetheme.ColorNameForeground, theme.Alert, 7},
		{fynetheme.ColorNameForeground, fynetheme.ColorNameInputBackground, 7},
		{theme.Muted, theme.Card, 4.5},
		{theme.Muted, fynetheme.ColorNameBackground, 4.5},
		{fynetheme.ColorNamePlaceHolder, theme.Card, 4.5},
		{fynetheme.ColorNamePrimary, theme.Card, 4.5},
		{fynetheme.ColorNameError, theme.Card, 4.5},
		{fynetheme.ColorNameWarning, theme.Alert, 4.5},
		{fynetheme.ColorNameForegroundOnPrimary, fynetheme.ColorNamePrimary, 4.5},
		{theme.Cached, theme.Card, 3},
		{theme.Fetched, theme.Card, 2.8},
		{theme.Blue, theme.Card, 3},
		{theme.Violet, theme.Card, 3},
		{theme.Rose, theme.Card, 3},
	} {
		for variant, name := range map[fyne.ThemeVariant]string{fynetheme.VariantLight: "light", fynetheme.VariantDark: "dark"} {
			got := contrast(look.Color(pair.on, variant), look.Color(pair.under, variant))
			if got < pair.least {
				t.Errorf("%s: %s on %s is %.2f:1, want %.1f:1", name, pair.on, pair.under, got, pair.least)
			}
		}
	}
}

func TestChoiceBeatsTheDesktop(t *testing.T) {
	auto, dark, light := theme.New(theme.Auto), theme.New(theme.Dark), theme.New(theme.Light)
	name := fynetheme.ColorNameBackground
	if dark.Color(name, fynetheme.VariantLight) != auto.Color(name, fynetheme.VariantDark) {
		t.Error("dark follows the desktop")
	}
	if light.Color(name, fynetheme.VariantDark) != auto.Color(name, fynetheme.VariantLight) {
		t.Error("light follows the desktop")
	}
}

func contrast(a, b color.Color) float64 {
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(c color.Color) float64 {
	r, g, b, _ := c.RGBA()
	linear := func(v uint32) float64 {
		s := float64(v) / 0xffff
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}
