package words_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pulley/internal/cause"
	"pulley/internal/control"
	"pulley/internal/control/client"
	"pulley/ui/words"
)

// Causes that people meet often are said in every language; in English, and where the kind is not known, in their own words.
func TestCausesByLanguage(t *testing.T) {
	inEach(t, func(t *testing.T, choose func(en, zh string) string) {
		const said = "near: dial tcp 10.0.0.1:443: it is so"
		for _, kind := range cause.Kinds() {
			got := words.Because(kind, said)
			if english := choose("en", "zh") == "en"; english != (got == said) || strings.ContainsAny(got, "{}<") {
				t.Errorf("%s: %q", kind, got)
			}
		}
		for _, kind := range []string{"", "what is to come"} {
			if got := words.Because(kind, said); got != said {
				t.Errorf("%q", got)
			}
		}
		err := fmt.Errorf("it stays: %w", &client.Error{Text: said, Kind: cause.Refused})
		if got := words.Reason(err); got != choose("it stays: "+said, "连接被拒绝，那里没有程序在监听") {
			t.Errorf("%q", got)
		}
		if err := errors.New(said); words.Reason(err) != said {
			t.Error(words.Reason(err))
		}
		p := control.Problem{Key: control.KeyCacheUnusable, About: said, Cause: cause.Permission}
		if got := words.Problem(p); strings.Contains(got, said) != (choose("en", "zh") == "en") {
			t.Error(got)
		}
	})
}
