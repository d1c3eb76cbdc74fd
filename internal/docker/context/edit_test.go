package context

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSettingKeepsEveryOtherByte(t *testing.T) {
	for _, c := range []struct{ name, text, to, want string }{
		{"tabs, as docker writes", "{\n\t\"auths\": {}\n}", "far", "{\n\t\"auths\": {},\n\t\"currentContext\": \"far\"\n}"},
		{"two spaces and a last newline", "{\n  \"b\" : 1,\n  \"a\" : [1,  2]\n}\n", "far", "{\n  \"b\" : 1,\n  \"a\" : [1,  2],\n  \"currentContext\": \"far\"\n}\n"},
		{"one line", `{"auths":{},"x":1e400}`, "far", `{"auths":{},"x":1e400,"currentContext": "far"}`},
		{"lines that end in CR LF", "{\r\n  \"a\": 1\r\n}\r\n", "far", "{\r\n  \"a\": 1,\r\n  \"currentContext\": \"far\"\r\n}\r\n"},
		{"an object with nothing in it", "{}\n", "far", "{\n  \"currentContext\": \"far\"\n}\n"},
		{"nothing at all", "", "far", "{\n  \"currentContext\": \"far\"\n}\n"},
		{"another one", "{\"currentContext\" :  \"near\" , \"a\":1}", "far", "{\"currentContext\" :  \"far\" , \"a\":1}"},
		{"a key in other letters, which docker reads too", `{"CURRENTCONTEXT":"near"}`, "far", `{"CURRENTCONTEXT":"far"}`},
		{"a key of the same name deeper down", `{"a":{"currentContext":"x"}}`, "far", `{"a":{"currentContext":"x"}, "currentContext": "far"}`},
		{"braces and quotes in strings", `{"a":"}\",{"}`, "far", `{"a":"}\",{", "currentContext": "far"}`},
		{"escapes in a key", `{"\u0061":1,"\u0063urrentContext":"near"}`, "far", `{"\u0061":1,"\u0063urrentContext":"far"}`},
		{"away from the middle", "{\n\t\"a\": 1,\n\t\"currentContext\": \"x\",\n\t\"b\": 2\n}", "", "{\n\t\"a\": 1,\n\t\"b\": 2\n}"},
		{"away from the front", "{\n\t\"currentContext\": \"x\",\n\t\"b\": 2\n}", "", "{\n\t\"b\": 2\n}"},
		{"away from the end", "{\n\t\"a\": 1,\n\t\"currentContext\": \"x\"\n}", "", "{\n\t\"a\": 1\n}"},
		{"the only one away", "{\n\t\"currentContext\": \"x\"\n}", "", "{}"},
		{"another, under keys of both kinds", `{"currentContext":"x","a":1,"currentcontext":"y"}`, "far", `{"currentContext":"far","a":1,"currentcontext":"far"}`},
		{"the same key twice, away", `{"currentContext":"x","a":1,"currentContext":"y"}`, "", `{"a":1}`},
		{"twice there", `{"currentContext":"x","a":1,"currentcontext":"y"}`, "", `{"a":1}`},
		{"not there", "{ \"a\":1}\n", "", "{ \"a\":1}\n"},
	} {
		got, err := setCurrent([]byte(c.text), c.to)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

func TestWhatIsNoConfigIsRefused(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{"{\n\"auths\": {\"secret\" \"dXNlcg==\"}\n}", "line 2"},
		{"\xef\xbb\xbf{}", "byte order mark"},
		{"[]", "line 1"},
		{"null", "not a JSON object"},
		{"{\n\"currentContext\": 7}", "line 2: a number"},
		{"{} {}", "line 1"},
		{"{\"a\":1}\n// by hand", "line 2"},
	} {
		got, err := setCurrent([]byte(c.text), "far")
		if err == nil || got != nil {
			t.Fatalf("%q: got %q; want it refused", c.text, got)
		}
		if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("%q: %q does not say %q", c.text, err, c.says)
		}
		if strings.Contains(err.Error(), "dXNlcg") {
			t.Errorf("%q shows a credential", err)
		}
	}
}

// What was set is read back, docker's decoder sees nothing else changed, and taking it out again gives the text as it was.
func FuzzSetCurrent(f *testing.F) {
	for _, s := range []string{"", "{}", "{\n\t\"auths\": {}\n}", `{"a":1,"currentContext":"x"}`, "{ \"CurrentContext\" :null,\r\n\"b\":{}}", `{"a":"\"}","b":[{}]}`, "{\"\":0}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		set, err := setCurrent(text, "far")
		if err != nil {
			return
		}
		if name, err := readCurrent(set); err != nil || name != "far" {
			t.Fatalf("%q became %q, which names %q (%v)", text, set, name, err)
		}
		var before, after map[string]json.RawMessage
		_ = json.Unmarshal(text, &before)
		if err := json.Unmarshal(set, &after); err != nil {
			t.Fatalf("%q became %q: %v", text, set, err)
		}
		had := false
		for key, value := range before {
			if strings.EqualFold(key, currentKey) {
				had = true
			} else if string(after[key]) != string(value) {
				t.Fatalf("%q became %q: %q changed", text, set, key)
			}
		}
		cleared, err := setCurrent(set, "")
		if err != nil {
			t.Fatalf("%q: %v", set, err)
		}
		if name, err := readCurrent(cleared); err != nil || name != "" {
			t.Fatalf("%q still names %q (%v)", cleared, name, err)
		}
		if !had && len(before) > 0 && string(cleared) != string(text) {
			t.Fatalf("%q became %q and then %q", text, set, cleared)
		}
	})
}
