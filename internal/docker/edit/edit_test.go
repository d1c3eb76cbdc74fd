package edit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pulley/internal/docker/edit"
)

func raw(texts ...string) (list []json.RawMessage) {
	for _, text := range texts {
		list = append(list, json.RawMessage(text))
	}
	return list
}

// carried is an edit after its time in the ledger.
func carried(t *testing.T, e *edit.Edit) *edit.Edit {
	t.Helper()
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var back edit.Edit
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	return &back
}

// mirrors is what most engines get.
func mirrors(f edit.Format) *edit.Edit {
	return &edit.Edit{Format: f, Steps: []edit.Step{
		{Path: []string{"registry-mirrors"}, Add: raw(`"http://127.0.0.1:5055"`), Front: true},
		{Path: []string{"proxies", "http-proxy"}, Value: json.RawMessage(`"http://p:1"`)},
		{Path: []string{"proxies", "https-proxy"}, Value: json.RawMessage(`"http://p:1"`)},
	}}
}

var applied = []struct {
	name          string
	format        edit.Format
	before, after string
}{
	{"nothing", edit.JSON, "", "{\n  \"registry-mirrors\": [\"http://127.0.0.1:5055\"],\n  \"proxies\": {\n    \"http-proxy\": \"http://p:1\",\n    \"https-proxy\": \"http://p:1\"\n  }\n}\n"},
	{"empty object", edit.JSON, "{}", "{\n  \"registry-mirrors\": [\"http://127.0.0.1:5055\"],\n  \"proxies\": {\n    \"http-proxy\": \"http://p:1\",\n    \"https-proxy\": \"http://p:1\"\n  }\n}"},
	{"an object with a blank", edit.JSON, "{ }\n", ""},
	{"white space", edit.JSON, "\n\n", ""},
	{"byte order mark alone", edit.JSON, "\xef\xbb\xbf", ""},
	{"tabs, order and unknown keys", edit.JSON,
		"{\n\t\"zeta\": 1.50,\n\t\"registry-mirrors\": [\n\t\t\"https://a.example\"\n\t],\n\t\"alpha\": {\"x\":[1,2]}\n}\n",
		"{\n\t\"zeta\": 1.50,\n\t\"registry-mirrors\": [\n\t\t\"http://127.0.0.1:5055\",\n\t\t\"https://a.example\"\n\t],\n\t\"alpha\": {\"x\":[1,2]},\n\t\"proxies\": {\n\t\t\"http-proxy\": \"http://p:1\",\n\t\t\"https-proxy\": \"http://p:1\"\n\t}\n}\n"},
	{"byte order mark and CRLF", edit.JSON,
		"\xef\xbb\xbf{\r\n    \"debug\": true\r\n}\r\n",
		"\xef\xbb\xbf{\r\n    \"debug\": true,\r\n    \"registry-mirrors\": [\"http://127.0.0.1:5055\"],\r\n    \"proxies\": {\r\n        \"http-proxy\": \"http://p:1\",\r\n        \"https-proxy\": \"http://p:1\"\r\n    }\r\n}\r\n"},
	{"duplicate keys", edit.JSON, `{"registry-mirrors": ["x"], "registry-mirrors": ["y"], "debug": false, "debug": true}`, ""},
	{"escaped key", edit.JSON, `{"registry\u002dmirrors": []}`, ""},
	{"a value replaced", edit.JSON, `{"proxies": {"http-proxy": "http:\/\/old\u003a1"  , "no-proxy" :"<&>"}}`, ""},
	{"there already", edit.JSON, `{"registry-mirrors":["http://127.0.0.1:5055"],"proxies":{"http-proxy":"http:\/\/p:1","https-proxy":"http://p:1"}}`,
		`{"registry-mirrors":["http://127.0.0.1:5055"],"proxies":{"http-proxy":"http:\/\/p:1","https-proxy":"http://p:1"}}`},
	{"nothing", edit.TOML, "", "registry-mirrors = [\"http://127.0.0.1:5055\"]\n\n[proxies]\nhttp-proxy = \"http://p:1\"\nhttps-proxy = \"http://p:1\"\n"},
	{"a comment alone", edit.TOML, "# mine", ""},
	{"no line end", edit.TOML, "a = 1", ""},
	{"comments and order", edit.TOML, "# top\nz = 1 # one\n\n[proxies] # here\n  # inside\n  no-proxy = 'x'\n\n[[more]]\na = 1\n", ""},
	{"CRLF and mark", edit.TOML, "\xef\xbb\xbfz = 1\r\n\r\n[more]\r\na = 1\r\n", ""},
	{"inline and dotted", edit.TOML, "registry-mirrors = [\n  'a', # first\n  'b',\n]\nproxies = { no-proxy = 'x' }\n", ""},
	{"dotted", edit.TOML, "proxies.no-proxy = 'x'\n[t]\nd = 2020-01-01T00:00:00Z\nf = inf\n", ""},
	{"a value replaced", edit.TOML, "[proxies]\nhttp-proxy = '''http://old:1''' # keep\n", ""},
}

func TestApplyAndRevert(t *testing.T) {
	for _, c := range applied {
		t.Run(string(c.format)+" "+c.name, func(t *testing.T) {
			e := mirrors(c.format)
			after, err := e.Apply([]byte(c.before))
			if err != nil {
				t.Fatal(err)
			}
			if c.after != "" && string(after) != c.after {
				t.Errorf("got\n%s\nwant\n%s", after, c.after)
			}
			for _, s := range e.Steps {
				got, err := edit.Has(c.format, after, s.Path...)
				if err != nil || got == nil || !strings.Contains(string(got), `1`) {
					t.Errorf("%v: %s, %v", s.Path, got, err)
				}
			}
			again, err := e.Apply(after)
			if err != nil || !bytes.Equal(again, after) {
				t.Errorf("applied again: %q, %v", again, err)
			}
			back, err := carried(t, e).Revert(after)
			if err != nil || string(back) != c.before {
				t.Errorf("reverted\n%q, %v\nwant\n%q", back, err, c.before)
			}
		})
	}
}

func TestBrokenIsRefused(t *testing.T) {
	for _, c := range []struct {
		format edit.Format
		text   string
		line   string
	}{
		{edit.JSON, "{\n  // a comment\n  \"a\": 1\n}", "line 2:"},
		{edit.JSON, "{\n  \"a\": 1,\n}", "line 3:"},
		{edit.JSON, "{\"a\": 1", "line 1:"},
		{edit.JSON, "{}\n{}", "line 2:"},
		{edit.JSON, "[]", "line 1:"},
		{edit.JSON, "null", "line 1:"},
		{edit.JSON, "\n\u00a0\n", "line 2:"},
		{edit.JSON, "{\n\"a\": \"\xff\"}", "line 2:"},
		{edit.TOML, "a = 1\nb = \n", "line 2:"},
		{edit.TOML, "a = 1\na = 2\n", "line 2:"},
		{edit.Lines, "x\n# pulley: begin\ny\n", "line 3:"},
		{edit.Lines, "x\n# pulley: end\ny\n", "line 2:"},
	} {
		e := mirrors(c.format)
		if c.format == edit.Lines {
			e = &edit.Edit{Format: edit.Lines, Steps: []edit.Step{{Text: "A=1"}}}
		}
		for name, err := range map[string]error{
			"check":  edit.Check(c.format, []byte(c.text)),
			"apply":  second(e.Apply([]byte(c.text))),
			"revert": second(e.Revert([]byte(c.text))),
		} {
			if err == nil || !strings.Contains(err.Error(), c.line) {
				t.Errorf("%s of %q: %v; want %s", name, c.text, err, c.line)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestWrongShapeIsRefused(t *testing.T) {
	for _, c := range []struct {
		format edit.Format
		text   string
	}{
		{edit.JSON, `{"registry-mirrors": "http://x"}`},
		{edit.JSON, `{"registry-mirrors": null}`},
		{edit.JSON, `{"proxies": []}`},
		{edit.TOML, "proxies = 1\n"},
		{edit.TOML, "[[proxies]]\na = 1\n"},
		{edit.TOML, "[registry-mirrors]\na = 1\n"},
	} {
		if after, err := mirrors(c.format).Apply([]byte(c.text)); err == nil {
			t.Errorf("%s became %s", c.text, after)
		}
	}
	if _, err := edit.Has(edit.Lines, nil, "x"); err == nil {
		t.Error("lines have keys")
	}
}

// What somebody did between connecting and disconnecting stays; ours goes.
func TestEditedSince(t *testing.T) {
	for _, c := range []struct {
		name, before string
		edit         func(string) string
		want         string
	}{
		{"a key before", "{\n  \"debug\": true\n}\n",
			func(s string) string { return strings.Replace(s, "{\n", "{\n  \"mtu\": 1400,\n", 1) },
			"{\n  \"mtu\": 1400,\n  \"debug\": true\n}\n"},
		{"a key behind", "{\n  \"debug\": true\n}\n",
			func(s string) string { return strings.Replace(s, "  }\n}", "  },\n  \"mtu\": 1400\n}", 1) },
			"{\n  \"debug\": true,\n  \"mtu\": 1400\n}\n"},
		{"a key behind ours in an empty file", "",
			func(s string) string { return strings.Replace(s, "  }\n}", "  },\n  \"mtu\": 1400\n}", 1) },
			"{\n  \"mtu\": 1400\n}\n"},
		{"a key behind ours in an empty object", "{}",
			func(s string) string { return strings.Replace(s, "  }\n}", "  },\n  \"mtu\": 1400\n}", 1) },
			"{\n  \"mtu\": 1400\n}"},
		{"a further mirror in our list", "{}",
			func(s string) string { return strings.Replace(s, ":5055\"]", ":5055\", \"https://b\"]", 1) },
			"{\n  \"registry-mirrors\": [\"https://b\"]\n}"},
		{"a further mirror in their list", "{\"registry-mirrors\": [\"https://a\"]}",
			func(s string) string { return strings.Replace(s, "\"https://a\"]", "\"https://a\", \"https://b\"]", 1) },
			"{\"registry-mirrors\": [\"https://a\", \"https://b\"]}"},
		{"a key in our table", "{}",
			func(s string) string {
				return strings.Replace(s, "p:1\"\n  }", "p:1\",\n    \"no-proxy\": \"x\"\n  }", 1)
			},
			"{\n  \"proxies\": {\n    \"no-proxy\": \"x\"\n  }\n}"},
		{"our value changed", "{}",
			func(s string) string {
				return strings.Replace(s, "\"http-proxy\": \"http://p:1\"", "\"http-proxy\": \"http://theirs\"", 1)
			},
			"{\n  \"proxies\": {\n    \"http-proxy\": \"http://theirs\"\n  }\n}"},
		{"our value taken out", "{\"a\": 1}",
			func(string) string { return "{\"a\": 1, \"b\": 2}" },
			"{\"a\": 1, \"b\": 2}"},
		{"their key taken out", "{\"a\": 1}",
			func(s string) string { return strings.Replace(s, "\"a\": 1, ", "", 1) },
			"{}"},
		{"all in one line", "{\n  \"debug\": true\n}\n",
			func(s string) string { return strings.ReplaceAll(s, "\n", "") }, "{  \"debug\": true}"},
		{"everything taken out of a file that we made", "", func(string) string { return "{}\n" }, ""},
		{"the file emptied", "{\"a\": 1}", func(string) string { return "" }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := mirrors(edit.JSON)
			after, err := e.Apply([]byte(c.before))
			if err != nil {
				t.Fatal(err)
			}
			changed := c.edit(string(after))
			if changed == string(after) {
				t.Fatalf("nothing was edited in\n%s", after)
			}
			got, err := carried(t, e).Revert([]byte(changed))
			if err != nil || string(got) != c.want {
				t.Errorf("of\n%s\ngot\n%s, %v\nwant\n%s", changed, got, err, c.want)
			}
		})
	}
}

func TestEditedSinceTOML(t *testing.T) {
	for _, c := range []struct{ name, before, old, new, want string }{
		{"a line behind the last one, which had no end", "a = 1", "[proxies]", "b = 2\n[proxies]", "a = 1\nb = 2\n"},
		{"a key in our table", "a = 1\n", "[proxies]\n", "[proxies] # theirs\nno-proxy = 'x'\n", "a = 1\n\n[proxies] # theirs\nno-proxy = 'x'\n"},
		{"a comment beside ours", "a = 1\n", "https-proxy = \"http://p:1\"", "https-proxy = \"http://p:1\" # why", "a = 1\n# why\n"},
		{"a table behind", "a = 1\n", "https-proxy = \"http://p:1\"\n", "https-proxy = \"http://p:1\"\n\n[x]\ny = 1\n", "a = 1\n\n[x]\ny = 1\n"},
		{"our value changed", "a = 1\n", "https-proxy = \"http://p:1\"", "https-proxy = 'theirs'", "a = 1\n\n[proxies]\nhttps-proxy = 'theirs'\n"},
		{"a further mirror", "registry-mirrors = ['b']\n", "'b'", "'b', 'c'", "registry-mirrors = ['b', 'c']\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := mirrors(edit.TOML)
			after, err := e.Apply([]byte(c.before))
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(string(after), c.old, c.new, 1)
			if changed == string(after) {
				t.Fatalf("nothing was edited in\n%s", after)
			}
			got, err := carried(t, e).Revert([]byte(changed))
			if err != nil || string(got) != c.want {
				t.Errorf("of\n%s\ngot\n%s, %v\nwant\n%s", changed, got, err, c.want)
			}
		})
	}
}

// An array of [[tables]] gets a further one, and loses only that.
func TestArrayOfTables(t *testing.T) {
	const before = "unqualified-search-registries = [\"docker.io\"]\n\n[[registry]]\nprefix = \"a\" # theirs\n"
	e := &edit.Edit{Format: edit.TOML, Steps: []edit.Step{
		{Path: []string{"registry"}, Add: raw(`{"prefix":"docker.io","mirror":[{"location":"127.0.0.1:5055","insecure":true}]}`)},
		{Path: []string{"unqualified-search-registries"}, Value: json.RawMessage(`["docker.io","ghcr.io"]`)},
	}}
	after, err := e.Apply([]byte(before))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := edit.Has(edit.TOML, after, "registry"); !strings.Contains(string(got), `"insecure":true`) {
		t.Errorf("%s", after)
	}
	if back, err := carried(t, e).Revert(after); err != nil || string(back) != before {
		t.Errorf("%q, %v", back, err)
	}
	edited := strings.Replace(string(after), "prefix = \"docker.io\"", "prefix = \"docker.io\" # seen", 1) + "\n[[registry]]\nprefix = \"z\"\n"
	back, err := carried(t, e).Revert([]byte(edited))
	if err != nil || strings.Contains(string(back), "5055") || !strings.Contains(string(back), `prefix = "z"`) ||
		!strings.Contains(string(back), `["docker.io"]`) {
		t.Errorf("%s, %v", back, err)
	}
}

func TestLines(t *testing.T) {
	for _, before := range []string{"", "A=1\n", "A=1", "# x\r\nA=1\r\n", "\n\n"} {
		e := &edit.Edit{Format: edit.Lines, Steps: []edit.Step{{Text: "HTTP_PROXY=x\nNO_PROXY=y\n"}}}
		after, err := e.Apply([]byte(before))
		if err != nil || !strings.Contains(string(after), "HTTP_PROXY=x") || !strings.HasPrefix(string(after), before) {
			t.Fatalf("%q, %v", after, err)
		}
		if again, err := e.Apply(after); err != nil || !bytes.Equal(again, after) {
			t.Errorf("again: %q, %v", again, err)
		}
		if back, err := carried(t, e).Revert(after); err != nil || string(back) != before {
			t.Errorf("%q, %v; want %q", back, err, before)
		}
		within := strings.Replace(string(after), "NO_PROXY=y", "THEIRS=z", 1) + "LAST=1\n"
		back, err := carried(t, e).Revert([]byte(within))
		if err != nil || strings.Contains(string(back), "pulley") || strings.Contains(string(back), "PROXY") ||
			!strings.Contains(string(back), "THEIRS=z") || !strings.HasSuffix(string(back), "LAST=1\n") {
			t.Errorf("%q, %v", back, err)
		}
		later := &edit.Edit{Format: edit.Lines, Steps: []edit.Step{{Text: "HTTP_PROXY=other\n"}}}
		replaced, err := later.Apply(after)
		if err != nil || strings.Count(string(replaced), "pulley: begin") != 1 || strings.Contains(string(replaced), "=x") {
			t.Errorf("%q, %v", replaced, err)
		}
	}
}

func TestWhole(t *testing.T) {
	const text = "# of pulley\n[Service]\nEnvironment=\"HTTP_PROXY=x\"\nEnvironment=\"NO_PROXY=y\"\n"
	whole := func() *edit.Edit { return &edit.Edit{Format: edit.Whole, Steps: []edit.Step{{Text: text}}} }
	e := whole()
	after, err := e.Apply(nil)
	if err != nil || string(after) != text {
		t.Fatal(err)
	}
	if again, err := e.Apply(after); err != nil || string(again) != text {
		t.Error(err)
	}
	if back, err := carried(t, e).Revert(after); err != nil || len(back) != 0 {
		t.Errorf("%q, %v", back, err)
	}
	if _, err := whole().Apply([]byte("theirs\n")); !errors.Is(err, edit.ErrTaken) {
		t.Error(err)
	}
	own := whole()
	if _, err := own.Apply([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if back, err := own.Revert([]byte(text)); err != nil || string(back) != text {
		t.Errorf("what was there is not ours: %q, %v", back, err)
	}
	edited := strings.Replace(text, "Environment=\"NO", "Environment=\"FOO=1\"\nEnvironment=\"NO", 1) + "\n[Unit]\nAfter=x\n"
	back, err := carried(t, e).Revert([]byte(edited))
	if want := "[Service]\nEnvironment=\"FOO=1\"\n\n[Unit]\nAfter=x\n"; err != nil || string(back) != want {
		t.Errorf("%q, %v", back, err)
	}
}

func TestHas(t *testing.T) {
	text := []byte("\xef\xbb\xbf{\"a\": {\"b\": [1, \"<x>\"]}, \"a\": {\"b\": 2.50}}")
	if got, err := edit.Has(edit.JSON, text, "a", "b"); err != nil || string(got) != "2.50" {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := edit.Has(edit.JSON, text, "a", "c"); err != nil || got != nil {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := edit.Has(edit.TOML, []byte("[registry.\"docker.io\"]\nmirrors = [ 'a<' ]\nd = 2020-01-02\n"), "registry", "docker.io"); err != nil ||
		string(got) != `{"d":"2020-01-02","mirrors":["a<"]}` {
		t.Errorf("%s, %v", got, err)
	}
}

func TestDrop(t *testing.T) {
	for _, c := range []struct {
		format     edit.Format
		text, want string
		path       []string
	}{
		{edit.JSON, "{\n\t\"a\": 1,\n\t\"b\": 2\n}\n", "{\n\t\"a\": 1\n}\n", []string{"b"}},
		{edit.JSON, `{"a":1, "b":{"a":2}, "a":3}`, `{"b":{"a":2}}`, []string{"a"}},
		{edit.JSON, `{"a":{"b":1,"c":2}}`, `{"a":{"c":2}}`, []string{"a", "b"}},
		{edit.JSON, `{"A":1}`, `{"A":1}`, []string{"a"}},
		{edit.JSON, "", "", []string{"a"}},
		{edit.TOML, "# of all\na = 1\nb = 2\n", "# of all\nb = 2\n", []string{"a"}},
		{edit.YAML, "a: 1\nb: 2\n", "b: 2\n", []string{"a"}},
	} {
		if got, err := edit.Drop(c.format, []byte(c.text), c.path...); err != nil || string(got) != c.want {
			t.Errorf("%s %q without %q is %q, %v; want %q", c.format, c.text, c.path, got, err, c.want)
		}
	}
	for _, broken := range []string{`{"a":1`, "[]"} {
		if got, err := edit.Drop(edit.JSON, []byte(broken), "a"); err == nil {
			t.Errorf("%s became %s", broken, got)
		}
	}
	if _, err := edit.Drop(edit.Lines, nil, "a"); err == nil {
		t.Error("a key of lines is dropped")
	}
}
