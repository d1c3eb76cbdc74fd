package theme

import (
	"testing"

	fynelang "fyne.io/fyne/v2/lang"

	"pulley/ui/lang"
)

// What Fyne says by itself follows the language, there and back, whatever the system's is.
func TestFyneSpeaksTheLanguage(t *testing.T) {
	t.Cleanup(func() { lang.Use("en"); New(Auto) })
	for range 2 {
		for language, want := range map[string]string{"en": "Select all", "zh-CN": "全选"} {
			lang.Use(language)
			New(Auto)
			if got := fynelang.L("Select all"); got != want {
				t.Errorf("%s: %q, want %q", language, got, want)
			}
			if got := fynelang.X("file.parent", "?"); got != lang.Say("toolkit.parent") {
				t.Errorf("%s: %q", language, got)
			}
		}
	}
}
