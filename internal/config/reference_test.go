package config

import (
	cli "flag" // the package has a flag of its own
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = cli.Bool("update", false, "write what is generated into docs/")

const settingsPage = "../../docs/configuration.md"

// TestSettingsAreDocumented: docs/configuration.md has each key, its kind, default and variable as they are.
func TestSettingsAreDocumented(t *testing.T) {
	var page strings.Builder
	table := "?"
	for _, s := range Reference() {
		if s.About == "" || s.Kind == "" {
			t.Errorf("%s: nothing says what it is; see abouts in reference.go", s.Key)
		}
		if s.Table != table {
			table = s.Table
			title := "At the top"
			if table != "" {
				title = "`" + table + "`"
			}
			fmt.Fprintf(&page, "\n## %s\n\n| key | value | default | live | what it does |\n|---|---|---|---|---|\n", title)
		}
		name, standard, live := s.Key[strings.LastIndex(s.Key, ".")+1:], "must be given", "yes"
		if s.Standard != "" {
			standard = "`" + s.Standard + "`"
		}
		if !s.Live {
			live = "no"
		}
		about := strings.ReplaceAll(s.About, "|", `\|`)
		if s.Variable != "" {
			about += " `" + s.Variable + "`"
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s | %s |\n", name, s.Kind, standard, live, about)
	}
	text, err := os.ReadFile(settingsPage)
	if err != nil {
		t.Fatal(err)
	}
	between := regexp.MustCompile(`(?s)(<!-- settings: [^\n]*-->\n).*(<!-- end -->)`)
	if !between.Match(text) {
		t.Fatalf("%s has no place for the settings", settingsPage)
	}
	want := between.ReplaceAllStringFunc(string(text), func(whole string) string {
		first, _, _ := strings.Cut(whole, "\n")
		return first + "\n" + page.String() + "\n<!-- end -->"
	})
	switch {
	case *update:
		if err := os.WriteFile(settingsPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	case string(text) != want:
		t.Errorf("%s is out of date; go test ./internal/config -run %s -update", settingsPage, t.Name())
	}
}

// TestAboutsAreOfKeys: no text is left of a key that there is no more.
func TestAboutsAreOfKeys(t *testing.T) {
	known := make(map[string]bool)
	for _, s := range Reference() {
		known[s.Key] = true
	}
	for key := range abouts {
		if !known[key] {
			t.Errorf("abouts has %s, which is no key", key)
		}
	}
	for key := range required {
		if !known[key] {
			t.Errorf("required has %s, which is no key", key)
		}
	}
}

// TestReferenceHasEveryKey: what a file may set is in it, with the variable that holds it.
func TestReferenceHasEveryKey(t *testing.T) {
	variables := make(map[string]string)
	for _, s := range Reference() {
		variables[s.Key] = s.Variable
	}
	for _, key := range Keys() {
		if variables[key] != variable(key) {
			t.Errorf("%s: variable %q, want %q", key, variables[key], variable(key))
		}
	}
	for _, key := range []string{"access.users", "registry.mirror.url", "address.use", "egress.for"} {
		if v, ok := variables[key]; !ok || v != "" {
			t.Errorf("%s: in it %t, variable %q", key, ok, v)
		}
	}
}

// TestExamplesOfSettingsLoad: what docs/ show of config.toml are settings.
func TestExamplesOfSettingsLoad(t *testing.T) {
	fenced := regexp.MustCompile("(?s)```toml\n(.*?)```")
	n := 0
	for _, page := range []string{settingsPage, "../../docs/mirrors.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range fenced.FindAllSubmatch(text, -1) {
			n++
			file := filepath.Join(t.TempDir(), "config.toml")
			if err := os.WriteFile(file, block[1], 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(file, nil); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
	if n < 2 {
		t.Errorf("%d examples were found", n)
	}
}
