package config

import (
	"os"
	"strings"
	"testing"
)

// changed is the file after an edit of one that read before.
func changed(t *testing.T, before string, edit func(*Store) error) (string, error) {
	t.Helper()
	path := write(t, before)
	s, err := Open(path, nil, nil)
	if err != nil {
		t.Fatalf("%q: %v", before, err)
	}
	failed := edit(s)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := Load(path, nil); err != nil {
		t.Errorf("%q became %q: %v", before, text, err)
	} else if want, _ := c.Get("listen"); failed == nil && s.Current().Listen != want {
		t.Errorf("%q is not in force", text)
	}
	return string(text), failed
}

// What Set does to lists, inline tables, dotted keys and files without root keys, to the byte.
func TestSetInPlace(t *testing.T) {
	for _, test := range []struct{ name, key, value, before, after string }{
		{"a list of lines keeps its comments", "fetch.extra_roots", "/a,/c",
			"[fetch]\nextra_roots = [ # ours\n  \"/a\", # one\n  # two is old\n  \"/b\", # two\n  # end\n] # roots\n",
			"[fetch]\nextra_roots = [ # ours\n  \"/a\", # one\n  # two is old\n  # two\n  \"/c\",\n  # end\n] # roots\n"},
		{"a list that loses all", "fetch.extra_roots", "",
			"[fetch]\nextra_roots = [\n  \"/a\", # one\n]\n", "[fetch]\nextra_roots = [\n  # one\n]\n"},
		{"a list without comments that loses all", "fetch.extra_roots", "",
			"[fetch]\nextra_roots = [\n  \"/a\",\n]\n", "[fetch]\nextra_roots = []\n"},
		{"a list in another order", "fetch.extra_roots", "/b,/a",
			"[fetch]\nextra_roots = [\n  \"/a\", # one\n  \"/b\"  # two\n]\n", "[fetch]\nextra_roots = [\n  \"/b\",  # two\n  \"/a\" # one\n]\n"},
		{"a list of one line", "fetch.extra_roots", "/b,/c",
			"[fetch]\nextra_roots = ['/a', '/b']   # x\n", "[fetch]\nextra_roots = ['/b', \"/c\"]   # x\n"},
		{"a list that has only a comment", "access.allow", "10.0.0.0/8",
			"[access]\nallow = [\n  # none yet\n]\n", "[access]\nallow = [\n  # none yet\n  \"10.0.0.0/8\",\n]\n"},
		{"an empty list", "access.allow", "10.0.0.0/8,192.168.0.0/16",
			"[access]\nallow = []\n", "[access]\nallow = [\"10.0.0.0/8\", \"192.168.0.0/16\"]\n"},
		{"a list with a bracket beside its members", "access.allow", "10.0.0.0/8,172.16.0.0/12",
			"[access]\nallow = [\"10.0.0.0/8\", # office\n         \"192.168.0.0/16\"]\n",
			"[access]\nallow = [\"10.0.0.0/8\", # office\n         \"172.16.0.0/12\"]\n"},

		{"an inline table", "cache.max_size", "5GiB", "cache = { dir = \"/x\" } # disk\n", "cache = { dir = \"/x\", max_size = \"5GiB\" } # disk\n"},
		{"a key in an inline table", "cache.dir", "/y", "cache = { dir = \"/x\" } # disk\n", "cache = { dir = \"/y\" } # disk\n"},
		{"an empty inline table", "cache.dir", "/y", "cache = {}\n", "cache = { dir = \"/y\" }\n"},
		{"an inline table of lines", "cache.tag_ttl", "5m",
			"cache = {\n  dir = \"/x\", # disk\n}\n", "cache = {\n  dir = \"/x\", # disk\n  tag_ttl = \"5m\",\n}\n"},
		{"dotted keys", "tray.notify", "false", "tray.theme = \"dark\" # night\nenabled = true\n",
			"tray.theme = \"dark\" # night\ntray.notify = false\nenabled = true\n"},
		{"a dotted key", "tray.theme", "light", "tray.theme = \"dark\" # night\n", "tray.theme = \"light\" # night\n"},
		{"quoted dotted keys", "tray.notify", "false", "\"tray\" . theme = \"dark\"\n", "\"tray\" . theme = \"dark\"\n\"tray\".notify = false\n"},
		{"a table that only another opens", "access.allow", "10.0.0.0/8", "[access.users]\n", "[access.users]\n\n[access]\nallow = [\"10.0.0.0/8\"]\n"},
		{"registries inline", "registry.docker.io.route", "offline",
			"registry = [{ name = \"docker.io\" }] # mine\n", "registry = [{ name = \"docker.io\", route = \"offline\" }] # mine\n"},
		{"another registry inline", "registry.ghcr.io.route", "offline",
			"registry = [\n  { name = \"docker.io\" }, # hub\n  # more to come\n]\n",
			"registry = [\n  { name = \"docker.io\" }, # hub\n  { name = \"ghcr.io\", route = \"offline\" },\n  # more to come\n]\n"},
		{"a list in registries inline", "registry.own.example.hosts", "b.example",
			"registry = [{ name = \"own.example\", hosts = [ # both\n  'a.example', # a\n  'b.example' ] }]\n",
			"registry = [{ name = \"own.example\", hosts = [ # both\n  # a\n  'b.example' ] }]\n"},
		{"an empty list of registries", "registry.docker.io.route", "offline",
			"registry = []\n", "registry = [{ name = \"docker.io\", route = \"offline\" }]\n"},

		{"a root key behind the header comment", "enabled", "false",
			"# mine\n# all of it\n\n[cache]\ndir = \"/x\"\n", "# mine\n# all of it\n\nenabled = false\n\n[cache]\ndir = \"/x\"\n"},
		{"a header comment that touches the table", "enabled", "false", "# mine\n[cache]\n", "# mine\n\nenabled = false\n\n[cache]\n"},
		{"a header comment and one of the table", "enabled", "false", "# mine\n\n# disk\n[cache]\n", "# mine\n\nenabled = false\n\n# disk\n[cache]\n"},
		{"nothing but a comment", "enabled", "false", "# mine", "# mine\n\nenabled = false\n"},
		{"a table first", "enabled", "false", "[cache]\n", "enabled = false\n\n[cache]\n"},
		{"an empty file", "enabled", "false", "", "enabled = false\n"},
		{"root keys", "listen", "127.0.0.1:1", "# mine\n\nenabled = true\n\n[cache]\n", "# mine\n\nenabled = true\nlisten = \"127.0.0.1:1\"\n\n[cache]\n"},
		{"a value with quotes", "cache.dir", `/a "b" \c`, "[cache]\ndir = ''\n", "[cache]\ndir = \"/a \\\"b\\\" \\\\c\"\n"},
		{"a value with control characters", "cache.dir", "/a\x07\x7f", "[cache]\ndir = ''\n", "[cache]\ndir = \"/a\\u0007\\u007F\"\n"},
	} {
		for name, as := range map[string]func(string) string{
			"LF":            func(s string) string { return s },
			"CRLF with BOM": func(s string) string { return "\xef\xbb\xbf" + strings.ReplaceAll(s, "\n", "\r\n") },
		} {
			if name != "LF" && !strings.Contains(test.before, "\n") {
				continue // nothing tells how lines end
			}
			got, err := changed(t, as(test.before), func(s *Store) error { return s.Set(test.key, test.value) })
			if err != nil || got != as(test.after) {
				t.Errorf("%s, %s:\n%s\nwant\n%s\n%v", test.name, name, got, as(test.after), err)
			}
		}
	}
}
