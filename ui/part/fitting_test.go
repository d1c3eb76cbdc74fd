package part

import (
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
)

func TestAmountsAreDividedBeforeTheirUnits(t *testing.T) {
	for text, want := range map[string][2]string{
		"5.0 GiB":          {"5.0", "GiB"},
		"1,020\u00a0MiB":   {"1,020", "MiB"},
		"1\u202f020 KiB":   {"1\u202f020", "KiB"},
		"< 1 ms":           {"< 1", "ms"},
		"12 分钟":            {"12", "分钟"},
		"404":              {"404", ""},
		"–":                {"–", ""},
		"":                 {"", ""},
		"not known":        {"not known", ""},
		"3 of 7":           {"3 of 7", ""},
		"12 November 2026": {"12 November 2026", ""},
		" MiB":             {" MiB", ""},
		"5 ":               {"5 ", ""},
	} {
		if number, unit := amount(text); number != want[0] || unit != want[1] {
			t.Errorf("%q is %q and %q", text, number, unit)
		}
	}
}

func TestTextsAreCutAndWrapped(t *testing.T) {
	test.NewTempApp(t)
	f := newFitting(13, fyne.TextStyle{})
	for _, text := range []string{"", "a", "registry.example/a/long/name:tag", "一段中文文本，带有标点", strings.Repeat("word ", 40)} {
		whole := f.width(text)
		if got := f.cut(text, whole+1); got != text {
			t.Errorf("with room enough %q is %q", text, got)
		}
		for room := float32(20); room < whole; room += 17 {
			got := f.cut(text, room)
			if !strings.HasSuffix(got, "…") || !strings.HasPrefix(text, strings.TrimSuffix(got, "…")) || f.width(got) > room {
				t.Errorf("in %v %q is %q, %v wide", room, text, got, f.width(got))
			}
			lines := f.wrap(text, room, 1000)
			joined := strings.Join(lines, "")
			if strings.ReplaceAll(joined, " ", "") != strings.ReplaceAll(text, " ", "") {
				t.Errorf("in %v %q is broken into %q", room, text, lines)
			}
			for _, line := range lines {
				if f.width(line) > room && len([]rune(line)) > 1 {
					t.Errorf("in %v there is a line of %v: %q", room, f.width(line), line)
				}
			}
		}
	}
	if got := f.wrap("one two\nthree", 1000, 5); !slices.Equal(got, []string{"one two", "three"}) {
		t.Errorf("a break that is meant: %q", got)
	}
	if got := f.wrap(strings.Repeat("word ", 40), 100, 2); len(got) != 2 || !strings.HasSuffix(got[1], "…") {
		t.Errorf("at most two lines: %q", got)
	}
	for _, line := range f.wrap("镜像站无法访问，请检查地址后重试。然后再试一次，或换一个", 60, 20) {
		if strings.HasPrefix(line, "，") || strings.HasPrefix(line, "。") {
			t.Errorf("a line begins with %q", line)
		}
	}
}

// Digits are equally wide in our font: numbers that end below each other stand below each other.
func TestDigitsAreEquallyWide(t *testing.T) {
	test.NewTempApp(t)
	f := newFitting(13, fyne.TextStyle{})
	for digit := range 10 {
		if r := rune('0' + digit); f.advance(r) != f.advance('0') {
			t.Errorf("%c is %v wide, 0 is %v", r, f.advance(r), f.advance('0'))
		}
	}
}
