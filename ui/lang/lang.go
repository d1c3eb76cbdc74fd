// Package lang says everything in the language that a person chose: texts by key from assets/locales, plurals, amounts and
// times.
//
// It must not know what is said, nor Fyne.
package lang

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"github.com/pelletier/go-toml/v2"
	"golang.org/x/text/language"

	"pulley/assets"
)

// Languages that are complete, the first for whoever has none of them.
var Languages = []string{"en", "zh-CN"}

// Auto is the desktop's own language.
const Auto = "auto"

// speech is one language in force.
type speech struct {
	tag       string
	localizer *i18n.Localizer
}

var (
	bundle  = load(assets.Locales)
	current atomic.Pointer[speech]
)

func init() { Use(Languages[0]) } //nolint:gochecknoinits // there is always a language

func load(files fs.FS) *i18n.Bundle {
	b := i18n.NewBundle(language.MustParse(Languages[0]))
	b.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	names, err := fs.Glob(files, "locales/*.toml")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			panic(err) // it is compiled in
		}
		b.MustParseMessageFileBytes(text, name)
	}
	return b
}

// Use has everything said in a language from now on: one of Languages, or Auto. Whoever shows texts shows them anew after it.
// Any goroutine.
func Use(choice string) {
	tag := choice
	if !slices.Contains(Languages, tag) {
		tag = system(os.Getenv)
	}
	if s := current.Load(); s == nil || s.tag != tag {
		current.Store(&speech{tag, i18n.NewLocalizer(bundle, tag)})
	}
}

// Tag is the language in force, one of Languages.
func Tag() string { return current.Load().tag }

// system is the desktop's language as far as it is one of ours (POSIX.1-2017, 8.2; gettext's LANGUAGE goes before).
func system(getenv func(string) string) string {
	for _, name := range []string{"LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"} {
		first, _, _ := strings.Cut(getenv(name), ":")
		first, _, _ = strings.Cut(first, ".")
		switch first {
		case "":
			continue
		case "C", "POSIX":
			return Languages[0]
		}
		tag, err := language.Parse(strings.ReplaceAll(first, "_", "-"))
		if err != nil {
			continue
		}
		var ours []language.Tag
		for _, l := range Languages {
			ours = append(ours, language.MustParse(l))
		}
		_, i, _ := language.NewMatcher(ours).Match(tag)
		return Languages[i]
	}
	return Languages[0]
}

// Say is the text of a key, with values for its placeholders as pairs of a name and a value: Say("images.removed", "Count",
// 3, "Size", "1.2 GiB"). Count, a whole number, chooses among plural forms. A key that there is not is said itself: a test
// finds those.
func Say(key string, data ...any) string {
	values := make(map[string]any, len(data)/2)
	for i := 0; i+1 < len(data); i += 2 {
		values[fmt.Sprint(data[i])] = data[i+1]
	}
	text, err := current.Load().localizer.Localize(&i18n.LocalizeConfig{MessageID: key, TemplateData: values, PluralCount: values["Count"]})
	if err != nil && text == "" {
		return key
	}
	return text
}
