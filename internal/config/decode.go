package config

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// parse reads doc over c: what doc does not name stays as it is. All that is wrong with keys and types is returned
// at once as Errors; file is the name to print.
func parse(c *Config, file string, doc []byte) error {
	raw := map[string]any{}
	body := doc
	if len(body) >= len(bom) && string(body[:len(bom)]) == string(bom) {
		body = body[len(bom):]
	}
	if err := toml.Unmarshal(body, &raw); err != nil {
		return syntaxError(file, err)
	}
	d := decoder{file: file, ix: newIndex(doc)}
	d.table(reflect.ValueOf(c).Elem(), raw, "")
	return d.result()
}

func syntaxError(file string, err error) error {
	e := &Error{File: file, Msg: strings.TrimPrefix(err.Error(), "toml: ")}
	var de *toml.DecodeError
	if errors.As(err, &de) {
		e.Line, e.Col = de.Position()
	}
	return Errors{e}
}

// decoder carries the file's name, where its keys stand, and what was found wrong so far.
type decoder struct {
	file string
	ix   *index
	errs Errors
}

func (d *decoder) fail(path, format string, args ...any) {
	d.errs = append(d.errs, &Error{File: d.file, Line: d.ix.lineOf(path), Key: path, Msg: fmt.Sprintf(format, args...)})
}

func (d *decoder) result() error {
	if len(d.errs) == 0 {
		return nil
	}
	slices.SortStableFunc(d.errs, func(a, b *Error) int { return cmp.Compare(a.Line, b.Line) })
	return d.errs
}

// table sets the fields of the struct v from raw by their toml tags.
func (d *decoder) table(v reflect.Value, raw map[string]any, path string) {
	for key, value := range raw {
		at := join(path, key)
		field, ok := fieldByKey(v, key)
		if !ok {
			d.fail(at, "unknown key%s", nearest(key, keysOf(v.Type())))
			continue
		}
		d.value(field, value, at)
	}
}

func (d *decoder) value(v reflect.Value, raw any, path string) {
	switch {
	case isLeaf(v.Type()):
		if err := setLeaf(v, raw); err != nil {
			d.fail(path, "%v", err)
		}
	case v.Kind() == reflect.Struct:
		table, ok := raw.(map[string]any)
		if !ok {
			d.fail(path, "must be a table: [%s]", path)
			return
		}
		d.table(v, table, path)
	default:
		tables, ok := tablesOf(raw)
		if !ok {
			d.fail(path, "must be tables: [[%s]]", path)
			return
		}
		for i, table := range tables {
			at := path + "[" + strconv.Itoa(i) + "]"
			d.element(v, table, at)
		}
	}
}

// element takes one table of an array of tables: a known name amends that entry, anything else is a new one.
func (d *decoder) element(list reflect.Value, raw map[string]any, path string) {
	if name, ok := raw["name"].(string); ok {
		for i := range list.Len() {
			if f, ok := fieldByKey(list.Index(i), "name"); ok && f.String() == name {
				d.table(list.Index(i), raw, path)
				return
			}
		}
	}
	entry := reflect.New(list.Type().Elem()).Elem()
	switch e := entry.Addr().Interface().(type) {
	case *Registry:
		e.Route = RouteAuto
	case *Mirror:
		e.Style, e.Enabled = "host", true
	}
	d.table(entry, raw, path)
	list.Set(reflect.Append(list, entry))
}

func tablesOf(raw any) ([]map[string]any, bool) {
	list, ok := raw.([]any)
	if !ok {
		return nil, false
	}
	var tables []map[string]any
	for _, e := range list {
		table, ok := e.(map[string]any)
		if !ok {
			return nil, false
		}
		tables = append(tables, table)
	}
	return tables, true
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

// isLeaf tells a single setting from a table and from an array of tables.
func isLeaf(t reflect.Type) bool {
	switch {
	case reflect.PointerTo(t).Implements(textUnmarshaler):
		return true
	case t.Kind() == reflect.Struct:
		return false
	case t.Kind() == reflect.Slice:
		return t.Elem().Kind() != reflect.Struct
	}
	return true
}

func fieldByKey(v reflect.Value, key string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("toml") == key {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		keys = append(keys, t.Field(i).Tag.Get("toml"))
	}
	return keys
}

// setLeaf sets one setting from what TOML gave. The error says what is allowed.
func setLeaf(v reflect.Value, raw any) error {
	switch p := v.Addr().Interface().(type) {
	case *Size:
		return setText(p, raw, allowedSize)
	case *Rate:
		return setText(p, raw, allowedRate)
	case *Quota:
		return setText(p, raw, allowedQuota)
	case *time.Duration:
		if n, ok := raw.(int64); ok && n == 0 {
			raw = "0"
		}
		s, ok := raw.(string)
		d, err := ParseDuration(s)
		if !ok || err != nil {
			return fmt.Errorf("%s is no duration; allowed: %s", show(raw), allowedDuration)
		}
		*p = d
	case *bool:
		b, ok := raw.(bool)
		if !ok {
			return fmt.Errorf("%s is not allowed here; allowed: true or false", show(raw))
		}
		*p = b
	case *int:
		n, ok := raw.(int64)
		if !ok {
			return fmt.Errorf("%s is not allowed here; allowed: a whole number", show(raw))
		}
		*p = int(n)
	case *string:
		s, ok := raw.(string)
		if !ok {
			return fmt.Errorf(`%s is not allowed here; allowed: a text in quotes`, show(raw))
		}
		*p = s
	case *[]string:
		return setList(p, raw)
	case *map[string]string:
		return setMap(p, raw)
	default:
		return fmt.Errorf("no setting of type %s", v.Type())
	}
	return nil
}

func setText(p encoding.TextUnmarshaler, raw any, allowed string) error {
	var text string
	switch r := raw.(type) {
	case string:
		text = r
	case int64:
		text = strconv.FormatInt(r, 10)
	default:
		return fmt.Errorf("%s is not allowed here; allowed: %s", show(raw), allowed)
	}
	if err := p.UnmarshalText([]byte(text)); err != nil {
		return fmt.Errorf("%s is %w; allowed: %s", show(raw), err, allowed)
	}
	return nil
}

func setList(p *[]string, raw any) error {
	list, ok := raw.([]any)
	if !ok {
		return fmt.Errorf(`%s is not allowed here; allowed: a list such as ["a", "b"]`, show(raw))
	}
	out := make([]string, 0, len(list))
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			return fmt.Errorf(`%s is not allowed in the list; allowed: texts in quotes`, show(e))
		}
		out = append(out, s)
	}
	*p = out
	return nil
}

func setMap(p *map[string]string, raw any) error {
	table, ok := raw.(map[string]any)
	if !ok {
		return fmt.Errorf(`%s is not allowed here; allowed: a table such as { name = "…" }`, show(raw))
	}
	out := make(map[string]string, len(table))
	for k, e := range table {
		s, ok := e.(string)
		if !ok {
			return fmt.Errorf("%s is not allowed for %q; allowed: a text in quotes", show(e), k)
		}
		out[k] = s
	}
	*p = out
	return nil
}

// show prints a TOML value for an error message, short.
func show(raw any) string {
	text := fmt.Sprint(raw)
	if s, ok := raw.(string); ok {
		text = strconv.Quote(s)
	}
	if r := []rune(text); len(r) > 60 {
		text = string(r[:57]) + "…"
	}
	return text
}
