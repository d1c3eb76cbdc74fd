package lang_test

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/pelletier/go-toml/v2"

	"pulley/assets"
	"pulley/ui/lang"
)

// text is one message: a form for each plural that its language knows, or "other" alone.
type text struct {
	file  string
	forms map[string]string
}

// plurals are the forms of each language that tells numbers apart (CLDR); another has "other" alone.
var plurals = map[string][]string{"en": {"one", "other"}}

var placeholder = regexp.MustCompile(`\{\{\s*\.(\w+)\s*\}\}`)

// single is how a language without a singular says something else of one thing.
var single = regexp.MustCompile(`\{\{if eq \.Count 1\}\}(.*?)\{\{else\}\}(.*?)\{\{end\}\}`)

// placeholders are those in any form of a text.
func (m text) placeholders() []string {
	names := map[string]bool{}
	for _, form := range m.forms {
		for _, found := range placeholder.FindAllStringSubmatch(form, -1) {
			names[found[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// texts are all of a language, by key.
func texts(t *testing.T, language string) map[string]text {
	t.Helper()
	names, err := fs.Glob(assets.Locales, "locales/*."+language+".toml")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	all := map[string]text{}
	for _, name := range names {
		content, err := assets.Locales.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var table map[string]any
		if err := toml.Unmarshal(content, &table); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		gather(t, all, path.Base(name), "", table)
	}
	return all
}

func gather(t *testing.T, all map[string]text, file, prefix string, table map[string]any) {
	t.Helper()
	add := func(key string, forms map[string]string) {
		if before, twice := all[key]; twice {
			t.Errorf("%s: %s is in %s as well", file, key, before.file)
		}
		all[key] = text{file, forms}
	}
	if _, message := table["other"]; message {
		forms := map[string]string{}
		for form, value := range table {
			forms[form] = fmt.Sprint(value)
		}
		add(prefix, forms)
		return
	}
	for name, value := range table {
		key := strings.TrimPrefix(prefix+"."+name, ".")
		switch value := value.(type) {
		case string:
			add(key, map[string]string{"other": value})
		case map[string]any:
			gather(t, all, file, key, value)
		default:
			t.Errorf("%s: %s is neither a text nor a table", file, key)
		}
	}
}

// Every text is there in every language, with the same placeholders and the plurals that the language has.
func TestLanguagesAgree(t *testing.T) {
	first := texts(t, lang.Languages[0])
	for _, language := range lang.Languages {
		these := texts(t, language)
		for key, want := range first {
			have, there := these[key]
			if !there {
				t.Errorf("%s: %s is missing", strings.Replace(want.file, "."+lang.Languages[0]+".", "."+language+".", 1), key)
				continue
			}
			if !slices.Equal(have.placeholders(), want.placeholders()) {
				t.Errorf("%s: %s has placeholders %q, in %s %q", have.file, key, have.placeholders(), want.file, want.placeholders())
			}
			if at := strings.Replace(want.file, "."+lang.Languages[0]+".", "."+language+".", 1); have.file != at {
				t.Errorf("%s: %s belongs into %s", have.file, key, at)
			}
		}
		for key, have := range these {
			if _, there := first[key]; !there {
				t.Errorf("%s: %s is in no %s file", have.file, key, lang.Languages[0])
			}
			checkForms(t, language, key, have, len(first[key].forms) > 1)
		}
	}
}

func checkForms(t *testing.T, language, key string, m text, counted bool) {
	t.Helper()
	wanted := []string{"other"}
	if counted && plurals[language] != nil {
		wanted = plurals[language]
	}
	if forms := slices.Sorted(maps.Keys(m.forms)); !slices.Equal(forms, wanted) {
		t.Errorf("%s: %s has forms %q, want %q", m.file, key, forms, wanted)
	}
	for form, words := range m.forms {
		words = single.ReplaceAllString(words, "$1 $2")
		if _, err := template.New(key).Parse(words); err != nil || strings.Count(words, "{{") != len(placeholder.FindAllString(words, -1)) {
			t.Errorf("%s: %s (%s): %q has something else in braces than {{.Name}} or {{if eq .Count 1}}…{{else}}…{{end}} (%v)", m.file, key, form, words, err)
		}
		if words == "" || strings.TrimSpace(words) != words {
			t.Errorf("%s: %s (%s): %q is empty or has blanks around it", m.file, key, form, words)
		}
	}
}

// Chinese has Chinese signs, and a blank between it and Latin words.
func TestChineseIsSetWell(t *testing.T) {
	const han = `[\x{3400}-\x{9fff}]`
	touching := regexp.MustCompile(han + `(?:[A-Za-z0-9]|\{\{\.Count)|(?:[A-Za-z0-9]|\.Count\}\})` + han)
	western := regexp.MustCompile(han + `[,;:!?()]|[,;:!?()]` + han + `|!|！`)
	for key, m := range texts(t, "zh-CN") {
		if strings.HasPrefix(key, "date.") {
			continue // 3月5日 has none
		}
		for _, words := range m.forms {
			words = single.ReplaceAllString(words, "$1 $2")
			if found := touching.FindString(words); found != "" {
				t.Errorf("%s: %s: %q: no blank in %q", m.file, key, words, found)
			}
			if found := western.FindString(words); found != "" {
				t.Errorf("%s: %s: %q: %q wants a Chinese sign, or none", m.file, key, words, found)
			}
		}
	}
}

// Every text can be said, of one thing and of several.
func TestEveryTextIsSaid(t *testing.T) {
	t.Cleanup(func() { lang.Use(lang.Languages[0]) })
	for _, language := range lang.Languages {
		lang.Use(language)
		for key, m := range texts(t, language) {
			for _, count := range []int{1, 2} {
				var values []any
				for _, name := range m.placeholders() {
					values = append(values, name, "<"+name+">")
				}
				said := lang.Say(key, append(values, "Count", count)...)
				if said == key || strings.Contains(said, "<no value>") || strings.Contains(said, "{{") {
					t.Errorf("%s: %s is said as %q", m.file, key, said)
				}
			}
		}
	}
}
