package theme

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"fyne.io/fyne/v2"
	fynelang "fyne.io/fyne/v2/lang"
	fynetheme "fyne.io/fyne/v2/theme"
	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/fontscan"
	"github.com/go-text/typesetting/language"

	"pulley/assets"
	"pulley/ui/lang"
)

// Our own glyphs. Fyne takes each character from the first font that has it: ours, its own, then the system's. Ours have no
// Latin but the blank, so that Latin is always Fyne's; and their lines are as high as those of Fyne's font beside them.
var (
	regular   = fyne.NewStaticResource("PulleySansSC-Regular.otf", assets.ChineseRegular)
	bold      = fyne.NewStaticResource("PulleySansSC-Bold.otf", assets.ChineseBold)
	monospace = fyne.NewStaticResource("PulleySansSC-Mono.otf", measured(assets.ChineseRegular, fynetheme.DefaultTextMonospaceFont().Content()))
)

// measured is a font with the line height and the blank's width of another one, whose units are converted.
func measured(file, like []byte) []byte {
	other, err := parse(like)
	if err != nil {
		return file
	}
	extents, _ := other.FontHExtents()
	blank, _ := other.NominalGlyph(' ')
	units := func(n float32) uint16 { return uint16(int16(math.Round(float64(n) * em / float64(other.Upem())))) }

	made := bytes.Clone(file)
	put := func(tag string, at int, value uint16) {
		for i := range int(binary.BigEndian.Uint16(made[4:])) { // the table of tables (OpenType 1.9, "Organization of an OpenType font")
			if entry := made[12+16*i:]; string(entry[:4]) == tag {
				binary.BigEndian.PutUint16(made[int(binary.BigEndian.Uint32(entry[8:]))+at:], value)
			}
		}
	}
	put("hhea", 4, units(extents.Ascender))
	put("hhea", 6, units(extents.Descender))
	put("hmtx", 4*blankGlyph, units(other.HorizontalAdvance(blank)))
	return made
}

// Of our fonts: units in the em, and which glyph the blank is.
const (
	em         = 1000
	blankGlyph = 1
)

// Font is Fyne's own for Latin. Chinese is the system's where Fyne would find one that is made for it and has all that we say,
// else ours, as long as that is not known (Learn): no character of our texts is ever a box. Fyne keeps fonts until the theme is set anew: after a change of language
// that is to be done.
func (t *theme) Font(style fyne.TextStyle) fyne.Resource {
	if style.Symbol {
		return t.Theme.Font(style)
	}
	if theirs := system.Load(); theirs != nil && lang.Tag() == "zh-CN" && (*theirs)[fyne.TextStyle{Bold: style.Bold, Italic: style.Italic, Monospace: style.Monospace}] {
		return t.Theme.Font(style)
	}
	return ours(style)
}

func ours(style fyne.TextStyle) fyne.Resource {
	switch {
	case style.Monospace:
		return monospace
	case style.Bold:
		return bold
	default:
		return regular
	}
}

// system says in which styles the system has all that ours have; nil: it has not been asked, or has none.
var (
	system atomic.Pointer[map[fyne.TextStyle]bool]
	asking sync.Once
)

// Learn asks the system for its fonts, once and only when somebody reads Chinese: through the index that Fyne uses as well, which takes
// seconds the first time on a machine. It is for any goroutine but the UI's. True: Font has other answers since, and the theme is to be
// set anew.
func Learn() (more bool) {
	if lang.Tag() != "zh-CN" {
		return false
	}
	asking.Do(func() {
		fonts := fontscan.NewFontMap(silence{})
		if fonts.UseSystemFonts("") == nil {
			found := styles(fonts)
			system.Store(&found)
			more = true
		}
	})
	return more
}

func styles(fonts *fontscan.FontMap) map[fyne.TextStyle]bool {
	all := map[fyne.TextStyle]bool{}
	for _, style := range []fyne.TextStyle{
		{}, {Bold: true}, {Italic: true}, {Monospace: true}, {Bold: true, Italic: true}, {Bold: true, Monospace: true},
	} {
		face := found(fonts, style)
		all[style] = face != nil && covers(face, ours(style).Content())
	}
	return all
}

// sample is a character that is written so in Simplified Chinese alone.
const sample = '为'

// found is the font that Fyne takes for Chinese: one for the desktop's language in the style that is wanted, else any that has
// the character (lookupFaces and dynamicFontMap in Fyne's internal/painter/font.go). nil if that is not for Simplified Chinese,
// or not bold where it should be.
func found(fonts *fontscan.FontMap, style fyne.TextStyle) *font.Face {
	family, aspect := fontscan.SansSerif, font.Aspect{Style: font.StyleNormal}
	if style.Monospace {
		family = fontscan.Monospace
	}
	if style.Italic {
		aspect.Style = font.StyleItalic
	}
	if style.Bold {
		aspect.Weight = font.WeightBold
	}
	fonts.SetQuery(fontscan.Query{Families: []string{family}, Aspect: aspect})
	tag, _ := language.NewLangID(language.NewLanguage(fynelang.SystemLocale().LanguageString()))
	face := fonts.ResolveFaceForLang(tag)
	if face == nil || !writes(face, sample) {
		fonts.SetQuery(fontscan.Query{Families: []string{family}})
		fonts.SetScript(language.Han)
		face = fonts.ResolveFace(sample)
	}
	if face == nil {
		return nil
	}
	name, is := fonts.FontMetadata(face.Font)
	if !simplified(name) || style.Bold && is.Weight < font.WeightSemibold {
		return nil
	}
	return face
}

// families are those that systems set their own Simplified Chinese in, as fontscan writes them. Another would do for a word,
// but the same character has other strokes in Japanese and Korean ones, and handwriting may come first by its name.
var families = []string{
	"pingfang", "hiraginosansgb", "heitisc", "stheiti", // macOS
	"microsoftyahei", "dengxian", "simhei", // Windows
	"notosanscjksc", "notosansmonocjksc", "notosanssc", "sourcehansanssc", "sourcehansanscn", "sourcehansansmonosc",
	"wenquanyimicrohei", "wenquanyizenhei", "droidsansfallback", "harmonyossanssc", "misans",
}

func simplified(family string) bool {
	name := font.NormalizeFamily(family)
	return slices.ContainsFunc(families, func(known string) bool { return strings.HasPrefix(name, known) })
}

func parse(file []byte) (*font.Face, error) { return font.ParseTTF(bytes.NewReader(file)) }

func writes(face *font.Face, r rune) bool {
	_, can := face.NominalGlyph(r)
	return can
}

// covers tells whether a face has every character of a font of ours.
func covers(face *font.Face, ours []byte) bool {
	own, err := parse(ours)
	if err != nil {
		return false
	}
	for characters := own.Cmap.Iter(); characters.Next(); {
		if r, _ := characters.Char(); !writes(face, r) {
			return false
		}
	}
	return true
}

type silence struct{}

func (silence) Printf(string, ...any) {}
