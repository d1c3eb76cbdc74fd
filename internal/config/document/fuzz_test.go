package document_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"pulley/internal/config/document"
)

// Whatever the text, a change makes its change and no other, and loses no comment.
func FuzzChange(f *testing.F) {
	for _, seed := range []string{
		"", "# header\n\n[a] # t\nb = 1\n", "a.b = 1\na.c.d = 2 # x\n[t]\n", "a = { b = 1, c.d = 2 }\n", "a = [ # x\n  'b', # y\n  'c'\n  # z\n]",
		"[[r]]\nname = 'x' # n\n# free\n  [[r.m]]\n  u = 1\n\n# next\n[[r]]\n[r.x.y]\nz = 1\n", "r = [{ a = 1, m = [{ b = 2 }] }, {}]\n", "[x.y]\na = 1\n",
		"\"q.r\".'s' = '''a\n#'''\n[[\"a b\"]]\n", "a = {\n b = 1, # one\n # two\n}\r\n", "a = [\"x\" # one\n , \"y\" ]\n", "a = [[1, # c\n2]]\n[b]\n[[b.c]]\n[b.c.d]\n",
	} {
		for op := range byte(4) {
			f.Add([]byte(seed), op, uint16(0), "k", "v")
			f.Add([]byte(seed), op, uint16(3), "a", "b,c")
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, op byte, pick uint16, key, text2 string) {
		var tree map[string]any
		if toml.Unmarshal(text, &tree) != nil || len(text) > 1<<12 || !utf8.ValidString(key) || !utf8.ValidString(text2) {
			return
		}
		tables, arrays := places(tree)
		var got []byte
		var err error
		switch op % 4 {
		case 0, 1:
			path := append(slices.Clone(tables[int(pick)%len(tables)]), key)
			var value any = text2
			if op%4 == 1 {
				value = strings.Split(text2, ",")
			}
			if _, isTable := at(tree, path).(map[string]any); isTable {
				return
			}
			if list, isList := at(tree, path).([]any); isList && slices.ContainsFunc(list, isTable) {
				return
			}
			got, err = document.Set(text, path, value)
			put(tree, path, value)
		case 2:
			path := append(slices.Clone(tables[int(pick)%len(tables)]), key)
			if len(arrays) > 0 && pick%2 == 0 {
				path = arrays[int(pick/2)%len(arrays)]
			}
			list, isList := at(tree, path).([]any)
			if !isList && at(tree, path) != nil {
				return
			}
			got, err = document.Append(text, path, []document.Pair{{Key: "name", Value: text2}})
			put(tree, path, append(slices.Clone(list), map[string]any{"name": text2}))
		case 3:
			if len(arrays) == 0 {
				return
			}
			path := arrays[int(pick)%len(arrays)]
			list, _ := at(tree, path).([]any)
			if len(list) == 0 {
				return
			}
			i := int(pick/7) % len(list)
			got, err = document.Remove(text, append(slices.Clone(path), i))
			put(tree, path, slices.Delete(slices.Clone(list), i, i+1))
		}
		if op%4 < 2 && errors.Is(err, document.ErrShape) && strings.Contains(err.Error(), "comments stand in the old value") {
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		var now map[string]any
		if err := toml.Unmarshal(got, &now); err != nil {
			t.Fatalf("%q became %q: %v", text, got, err)
		}
		if print(now) != print(tree) {
			t.Errorf("%q became %q:\n%s\nwant\n%s", text, got, print(now), print(tree))
		}
		if was, is := comments(text), comments(got); !slices.Equal(was, is) {
			t.Errorf("%q became %q: comments %q, were %q", text, got, is, was)
		}
	})
}

func isTable(v any) bool { _, ok := v.(map[string]any); return ok }

// places are the paths of all tables and of all arrays.
func places(tree map[string]any) (tables, arrays []document.Path) {
	var walk func(path document.Path, v any)
	walk = func(path document.Path, v any) {
		switch v := v.(type) {
		case map[string]any:
			tables = append(tables, path)
			for _, key := range slices.Sorted(maps.Keys(v)) {
				walk(append(slices.Clone(path), key), v[key])
			}
		case []any:
			if _, named := path[len(path)-1].(string); named {
				arrays = append(arrays, path)
			}
			for i, e := range v {
				walk(append(slices.Clone(path), i), e)
			}
		}
	}
	walk(nil, tree)
	return tables, arrays
}

func at(v any, path document.Path) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			v = v.(map[string]any)[step]
		case int:
			v = v.([]any)[step]
		}
	}
	return v
}

func put(tree map[string]any, path document.Path, v any) {
	at(tree, path[:len(path)-1]).(map[string]any)[path[len(path)-1].(string)] = v
}

// print writes a tree. What is empty is left out: the last [[table]] that goes takes its array along, and tables that only
// held it.
func print(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var b strings.Builder
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if text := print(v[key]); text != "[]" && text != "{}" {
				fmt.Fprintf(&b, "%q=%s;", key, text)
			}
		}
		return "{" + b.String() + "}"
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = print(v[i])
		}
		return "[" + strings.Join(parts, ",") + "]"
	case []string:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = print(v[i])
		}
		return "[" + strings.Join(parts, ",") + "]"
	default:
		return fmt.Sprintf("%#v", v)
	}
}

// comments are those of a text, sorted, as another reader finds them.
func comments(text []byte) (list []string) {
	p := unstable.Parser{KeepComments: true}
	p.Reset([]byte(strings.TrimPrefix(string(text), "\xef\xbb\xbf")))
	var walk func(n *unstable.Node)
	walk = func(n *unstable.Node) {
		for ; n.Valid(); n = n.Next() {
			if n.Kind == unstable.Comment {
				list = append(list, string(n.Data))
			}
			walk(n.Child())
		}
	}
	for p.NextExpression() {
		walk(p.Expression())
	}
	slices.Sort(list)
	return list
}

func TestWhatCannotBeChangedIsRefused(t *testing.T) {
	for text, path := range map[string]document.Path{
		"[a]\nb = 1\n":   {"a"},
		"a = 1\n":        {"a", "b"},
		"a = [1]\n":      {"a", 0, "b"},
		"[[a]]\nb = 1\n": {"a", "b"},
		"b = 1\n":        {"a", 0, "b"},
	} {
		if got, err := document.Set([]byte(text), path, "x"); !errors.Is(err, document.ErrShape) {
			t.Errorf("%s in %q: %q, %v", path, text, got, err)
		}
	}
}
