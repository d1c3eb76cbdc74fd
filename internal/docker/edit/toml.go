package edit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"pulley/internal/config/document"
)

type tomlDialect struct{}

// decode implements dialect. Dates are strings.
func (tomlDialect) decode(text []byte) (map[string]any, error) {
	root := make(map[string]any)
	err := toml.Unmarshal(trimMark(text), &root)
	var broken *toml.DecodeError
	switch {
	case errors.As(err, &broken):
		line, _ := broken.Position()
		return nil, fmt.Errorf("line %d: not TOML: %s", line, strings.TrimPrefix(broken.Error(), "toml: "))
	case err != nil:
		return nil, fmt.Errorf("not TOML: %w", err)
	}
	plain, _ := plainOf(root).(map[string]any)
	return plain, nil
}

// plainOf is a value with the types that JSON has.
func plainOf(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			v[key] = plainOf(inner)
		}
		return v
	case []any:
		for i, inner := range v {
			v[i] = plainOf(inner)
		}
		return v
	case string, bool:
		return v
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case fmt.Stringer: // local dates and times
		return v.String()
	}
	if raw, err := json.Marshal(v); err == nil {
		return json.Number(raw)
	}
	return fmt.Sprint(v) // inf and nan
}

func pathOf(path []string) (p document.Path) {
	for _, key := range path {
		p = append(p, key)
	}
	return p
}

// value implements dialect.
func (tomlDialect) value(text []byte, path []string) (from, to int, err error) {
	place, ok, err := document.Find(text, pathOf(path))
	if err == nil && (!ok || place.Value == document.Span{}) {
		err = errShape
	}
	return place.Value.From, place.Value.To, err
}

// entry implements dialect. The lines of tables that were made for it are around it.
func (tomlDialect) entry(text []byte, path, _ []string) (from, to int, err error) {
	place, ok, err := document.Find(text, pathOf(path))
	if err == nil && (!ok || place.Entry == document.Span{}) {
		err = errShape
	}
	return place.Entry.From, place.Entry.To, err
}

// insert implements dialect.
func (d tomlDialect) insert(text []byte, path []string, v json.RawMessage) ([]byte, error) {
	literal, err := d.literal(nil, nil, v)
	if err != nil {
		return nil, err
	}
	return document.Set(text, pathOf(path), document.Literal(literal))
}

// insertFront is insert with the key's table before the others of the outermost one on its path: the order of tables counts
// for some programs. Where there are none it is insert.
func (d tomlDialect) insertFront(text []byte, path []string, v json.RawMessage) ([]byte, error) {
	at, ok, err := document.First(text, pathOf(path[:1]))
	if err != nil || !ok {
		return d.insert(text, path, v)
	}
	literal, err := d.literal(nil, nil, v)
	if err != nil {
		return nil, err
	}
	last, names := len(path)-1, make([]string, 0, len(path))
	for _, key := range path[:last] {
		names = append(names, document.Key(key))
	}
	eol := eol(text)
	table := "[" + strings.Join(names, ".") + "]" + eol + document.Key(path[last]) + " = " + literal + eol + eol
	return splice(text, at, at, table), nil
}

// literal implements dialect.
func (d tomlDialect) literal(_ []byte, _ []string, v json.RawMessage) (string, error) {
	at := scanJSON(v)
	var parts []string
	for _, m := range at.members {
		part, err := d.literal(nil, nil, v[m.value.from:m.value.to])
		if err != nil {
			return "", err
		}
		if at.kind == '{' {
			part = document.Key(m.name) + " = " + part
		}
		parts = append(parts, part)
	}
	switch at.kind {
	case '{':
		if len(parts) == 0 {
			return "{}", nil
		}
		return "{ " + strings.Join(parts, ", ") + " }", nil
	case '[':
		return "[" + strings.Join(parts, ", ") + "]", nil
	case '"':
		var s string
		if err := json.Unmarshal(v, &s); err != nil {
			return "", err
		}
		return string(document.Text(s)), nil
	case 'n':
		return "", errors.New("null cannot be written as TOML")
	}
	return string(bytes.TrimSpace(v)), nil
}

// extend implements dialect. An array of [[tables]] gets further ones at its end.
func (d tomlDialect) extend(text []byte, path []string, front bool, elements []json.RawMessage) (_ []byte, err error) {
	if place, ok, err := document.Find(text, pathOf(path)); err != nil || ok && place.Value == (document.Span{}) {
		return d.appendTables(text, path, elements)
	}
	literals := make([]document.Literal, len(elements))
	for i, e := range elements {
		text, err := d.literal(nil, nil, e)
		if err != nil {
			return nil, err
		}
		literals[i] = document.Literal(text)
	}
	return document.Extend(text, pathOf(path), front, literals)
}

func (d tomlDialect) appendTables(text []byte, path []string, elements []json.RawMessage) (_ []byte, err error) {
	for _, e := range elements {
		v := scanJSON(e)
		if v.kind != '{' {
			return nil, errShape
		}
		var lines []string
		for _, m := range v.members {
			literal, err := d.literal(nil, nil, e[m.value.from:m.value.to])
			if err != nil {
				return nil, err
			}
			lines = append(lines, document.Key(m.name)+" = "+literal)
		}
		if text, err = document.AppendLines(text, pathOf(path), lines); err != nil {
			return nil, err
		}
	}
	return text, nil
}

// shrink implements dialect.
func (d tomlDialect) shrink(text []byte, path []string, places []int) (_ []byte, err error) {
	if place, ok, err := document.Find(text, pathOf(path)); err == nil && ok && place.Value != (document.Span{}) {
		return document.Shrink(text, pathOf(path), places)
	}
	for _, i := range slices.Backward(places) {
		if text, err = document.Remove(text, append(pathOf(path), i)); err != nil {
			return nil, err
		}
	}
	return text, nil
}

// remove implements dialect.
func (d tomlDialect) remove(text []byte, path, top []string) ([]byte, error) {
	after, err := document.Delete(text, pathOf(path))
	if err != nil {
		return nil, err
	}
	for n := len(path) - 1; n >= len(top) && n > 0; n-- { // headers that are left with nothing below them
		if place, ok, err := document.Find(after, pathOf(path[:n])); err != nil || !ok {
			continue
		} else if place.Entry != (document.Span{}) {
			after, err = document.Delete(after, pathOf(path[:n]))
			if err != nil {
				return nil, err
			}
		} else if after, err = document.DeleteTable(after, pathOf(path[:n])); err != nil {
			return nil, err
		}
	}
	return after, nil
}
