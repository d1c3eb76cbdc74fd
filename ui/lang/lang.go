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
	"sync"
	"sync/atomic"

	"github.com/jeandeaual/go-locale"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"github.com/pelletier/go-toml/v2"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"

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

	mu      sync.Mutex // a printer is not for several goroutines at once
	numbers *message.Printer
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
		tag = desktop()
	}
	if s := current.Load(); s == nil || s.tag != tag {
		current.Store(&speech{
			tag: tag, localizer: i18n.NewLocalizer(bundle, tag), numbers: message.NewPrinter(language.MustParse(tag)),
		})
	}
}

// Tag is the language in force, one of Languages.
func Tag() string { return current.Load().tag }

// desktop is the desktop's language, asked for once: on a Mac that runs a program.
var desktop = sync.OnceValue(func() string {
	return system(os.Getenv, func() []string {
		tags, err := locale.GetLocales()
		if err != nil {
			return nil
		}
		return tags
	})
})

// system is the desktop's language as far as it is one of ours: what the environment says (POSIX.1-2017, 8.2; gettext's
// LANGUAGE goes before), else the system's settings, which are all there is on Windows and for a Mac's apps.
func system(getenv func(string) string, settings func() []string) string {
	for _, name := range []string{"LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"} {
		first, _, _ := strings.Cut(getenv(name), ":")
		first, _, _ = strings.Cut(first, ".")
		switch first {
		case "":
			continue
		case "C", "POSIX":
			return Languages[0]
		}
		if ours, ok := match(first); ok {
			return ours
		}
	}
	for _, tag := range settings() {
		if ours, ok := match(tag); ok {
			return ours
		}
	}
	return Languages[0]
}

// match is the one of Languages that is nearest to a tag; false for what is no tag.
func match(tag string) (string, bool) {
	wanted, err := language.Parse(strings.ReplaceAll(tag, "_", "-"))
	if err != nil {
		return "", false
	}
	var ours []language.Tag
	for _, l := range Languages {
		ours = append(ours, language.MustParse(l))
	}
	_, i, _ := language.NewMatcher(ours).Match(wanted)
	return Languages[i], true
}

// Say is the text of a key, with values for its placeholders as pairs of a name and a value: Say("images.removed", "Count",
// 3, "Size", "1.2 GiB"). Count, a whole number, chooses among plural forms, and is written as Number does. A key that there is
// not is said itself: a test finds those. Any goroutine.
func Say(key string, data ...any) string {
	s := current.Load()
	values := make(map[string]any, len(data)/2)
	for i := 0; i+1 < len(data); i += 2 {
		values[fmt.Sprint(data[i])] = data[i+1]
	}
	count := values["Count"]
	switch n := count.(type) {
	case int:
		values["Count"] = counted(n)
	case int64:
		values["Count"] = counted(n)
	}
	text, err := s.localizer.Localize(&i18n.LocalizeConfig{MessageID: key, TemplateData: values, PluralCount: count})
	if err != nil && text == "" {
		return key
	}
	return text
}

// counted is a number that is written as Number does, and that a text can tell from others all the same: in a language
// without a singular, {{if eq .Count 1}}{{.Image}}{{else}}{{.Count}} images{{end}}.
type counted int64

// String implements fmt.Stringer.
func (c counted) String() string { return Number(int64(c), 0) }

// Has tells whether there is a text of that key, in the language in force or the first.
func Has(key string) bool {
	_, err := current.Load().localizer.LocalizeMessage(&i18n.Message{ID: key})
	return err == nil
}

// Number is a number as it is written in the language in force: 12,345. Fractions have as many digits as are asked for, and
// are rounded. Any goroutine.
func Number[N int | int64 | float64](n N, digits int) string {
	return current.Load().number(n, number.Scale(digits))
}

func (s *speech) number(n any, options ...number.Option) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.numbers.Sprint(number.Decimal(n, options...))
}
