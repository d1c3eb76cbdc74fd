package edit

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"reflect"
	"slices"
	"unicode/utf8"
)

// errShape says that a text means what it should not after a change; nothing of it is kept then.
var errShape = errors.New("cannot be changed where it stands")

// proven is text if it means want. Whatever was spliced, a mistake there reaches nobody's file.
func proven(d dialect, text []byte, want map[string]any) ([]byte, error) {
	got, err := d.decode(text)
	if err != nil || !reflect.DeepEqual(got, want) {
		return nil, errShape
	}
	return text, nil
}

// lookup is the value at path. Lists are not gone through.
func lookup(root map[string]any, path []string) (any, bool) {
	var at any = root
	for _, key := range path {
		table, ok := at.(map[string]any)
		if !ok {
			return nil, false
		}
		if at, ok = table[key]; !ok {
			return nil, false
		}
	}
	return at, true
}

// with is root with another value at path; tables on the way are made. root stays as it is.
func with(root map[string]any, path []string, v any) map[string]any {
	root = maps.Clone(root)
	if root == nil {
		root = make(map[string]any)
	}
	if len(path) == 1 {
		root[path[0]] = v
		return root
	}
	inner, _ := root[path[0]].(map[string]any)
	root[path[0]] = with(inner, path[1:], v)
	return root
}

// without is root without the key at path, which is there. root stays as it is.
func without(root map[string]any, path []string) map[string]any {
	root = maps.Clone(root)
	if len(path) == 1 {
		delete(root, path[0])
		return root
	}
	inner, _ := root[path[0]].(map[string]any)
	root[path[0]] = without(inner, path[1:])
	return root
}

func equal(a, b any) bool { return reflect.DeepEqual(a, b) }

func has(list []any, v any) bool {
	return slices.ContainsFunc(list, func(e any) bool { return equal(e, v) })
}

// decode is one JSON value; a number stays as it is written.
func decode(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

// encode is a value as JSON, without escapes that nobody needs.
func encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// splice is text with another part between two offsets.
func splice(text []byte, from, to int, with string) []byte {
	return slices.Concat(text[:from], []byte(with), text[to:])
}

// prefix and suffix are how many bytes two texts share at their ends.
func prefix(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func suffix(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}

// outside is one character further out than an offset: what stands there says, later, whether the place is the same. It never
// lies within a character, as the ledger is JSON.
func outside(text []byte, at, step int) int {
	for at += step; at > 0 && at < len(text) && !utf8.RuneStart(text[at]); {
		at += step
	}
	return min(max(at, 0), len(text))
}

// byteOrderMark may stand before the text, as some editors leave it there.
var byteOrderMark = []byte("\xef\xbb\xbf")

func trimMark(text []byte) []byte { return bytes.TrimPrefix(text, byteOrderMark) }

// notUTF8 is the line with the first byte that is not UTF-8, and 0 if there is none.
func notUTF8(text []byte) (line int) {
	if utf8.Valid(text) {
		return 0
	}
	at := 0
	for r, size := utf8.DecodeRune(text); r != utf8.RuneError || size > 1; r, size = utf8.DecodeRune(text[at:]) {
		at += size
	}
	return 1 + bytes.Count(text[:at], []byte("\n"))
}

// blank says whether there is nothing but the white space that each of the formats has: no other may be lost as if it were none.
func blank(text []byte) bool { return len(bytes.Trim(trimMark(text), " \t\r\n")) == 0 }

// eol is how lines end in text.
func eol(text []byte) string {
	if bytes.Contains(text, []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}
