package theme

import (
	"bytes"
	"io/fs"
	"math"
	"testing"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"
	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/fontscan"
	"github.com/pelletier/go-toml/v2"

	"pulley/assets"
	"pulley/ui/lang"
)

// texts calls f with every text that is in a document of TOML.
func texts(value any, f func(string)) {
	switch value := value.(type) {
	case string:
		f(value)
	case map[string]any:
		for _, inner := range value {
			texts(inner, f)
		}
	}
}

// On a machine without any font every character of ours is drawn, in every style.
func TestNoCharacterIsABox(t *testing.T) {
	names, err := fs.Glob(assets.Locales, "locales/*.toml")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	missing := map[rune]string{}
	for _, name := range names {
		file, err := assets.Locales.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var content map[string]any
		if err := toml.Unmarshal(file, &content); err != nil {
			t.Fatal(err)
		}
		texts(content, func(text string) {
			for _, r := range text {
				if r > ' ' {
					missing[r] = name
				}
			}
		})
	}
	all := len(missing)
	for _, style := range []fyne.TextStyle{{}, {Bold: true}, {Monospace: true}, {Italic: true}} {
		faces := []*font.Face{}
		// Fyne has a third, of symbols: what comes from there is followed by no blank, as that font has none.
		for _, file := range []fyne.Resource{ours(style), fynetheme.DefaultTheme().Font(style), fynetheme.DefaultEmojiFont()} {
			face, err := parse(file.Content())
			if err != nil {
				t.Fatal(err)
			}
			faces = append(faces, face)
		}
		drawn := func(r rune) bool {
			for _, face := range faces {
				if writes(face, r) {
					return true
				}
			}
			return false
		}
		for r, name := range missing {
			if !drawn(r) {
				t.Errorf("%q (%U) of %s is in no font of ours; make them anew: .ci/fonts", r, r, name)
			}
		}
	}
	t.Logf("%d characters", all)
}

// Latin stays Fyne's, and a line does not move when Chinese comes into it.
func TestOursAreForChineseAlone(t *testing.T) {
	for _, style := range []fyne.TextStyle{{}, {Bold: true}, {Monospace: true}} {
		face, err := parse(ours(style).Content())
		if err != nil {
			t.Fatal(err)
		}
		for r := '!'; r < 0x250; r++ {
			if writes(face, r) {
				t.Errorf("%q is not Fyne's", r)
			}
		}
		latin, err := parse(fynetheme.DefaultTheme().Font(style).Content())
		if err != nil {
			t.Fatal(err)
		}
		measures := func(face *font.Face) [3]int {
			extents, _ := face.FontHExtents()
			blank, _ := face.NominalGlyph(' ')
			var rounded [3]int
			for i, units := range []float32{extents.Ascender, extents.Descender, face.HorizontalAdvance(blank)} {
				rounded[i] = int(math.Round(float64(units) * 1000 / float64(face.Upem())))
			}
			return rounded
		}
		if have, want := measures(face), measures(latin); have != want {
			t.Errorf("%+v: ascent, descent and blank %v, Fyne's %v", style, have, want)
		}
	}
	if together := len(assets.ChineseRegular) + len(assets.ChineseBold); together > 400<<10 {
		t.Errorf("%d bytes of fonts", together)
	}
}

// A system's font comes first if it is made for Simplified Chinese and has all that is said.
func TestSystemFontComesFirst(t *testing.T) {
	latin := fynetheme.DefaultTheme().Font(fyne.TextStyle{}).Content()
	plain, strong := fyne.TextStyle{}, fyne.TextStyle{Bold: true}
	for _, c := range []struct {
		what    string
		regular map[string][]byte
		want    map[fyne.TextStyle]bool
	}{
		{"Latin alone", map[string][]byte{"DejaVu Sans": latin}, map[fyne.TextStyle]bool{plain: false, strong: false}},
		{"regular alone", map[string][]byte{"Microsoft YaHei": assets.ChineseRegular}, map[fyne.TextStyle]bool{plain: true, strong: false}},
		{"Japanese", map[string][]byte{"Noto Sans CJK JP": assets.ChineseRegular}, map[fyne.TextStyle]bool{plain: false, strong: false}},
	} {
		t.Run(c.what, func(t *testing.T) {
			fonts := fontscan.NewFontMap(silence{})
			for name, file := range c.regular {
				if err := fonts.AddFont(bytes.NewReader(file), name, name); err != nil {
					t.Fatal(err)
				}
			}
			got := styles(fonts)
			for style, want := range c.want {
				if got[style] != want {
					t.Errorf("%+v: the system's %v, want %v", style, got[style], want)
				}
			}
		})
	}
}

func TestFontFollowsTheLanguage(t *testing.T) {
	t.Cleanup(func() { lang.Use("en") })
	look := New(Light)
	for _, l := range lang.Languages {
		lang.Use(l)
		for _, style := range []fyne.TextStyle{{}, {Bold: true}, {Monospace: true}} {
			got := look.Font(style)
			switch {
			case l == "en" && got != ours(style):
				t.Errorf("en: %s", got.Name())
			case got != ours(style) && got != fynetheme.DefaultTheme().Font(style):
				t.Errorf("%s: %s", l, got.Name())
			}
		}
		if got := look.Font(fyne.TextStyle{Symbol: true}); got != fynetheme.DefaultTheme().Font(fyne.TextStyle{Symbol: true}) {
			t.Errorf("symbols come from %s", got.Name())
		}
	}
}
