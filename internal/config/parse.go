package config

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// byteOrderMark may stand before the first line, as some editors leave it there.
var byteOrderMark = []byte("\xef\xbb\xbf")

// Error is what is wrong with a settings file, with its place.
type Error struct {
	File string
	Line int    // from 1; 0 unknown
	Key  string // "cache.max_size"; "" for a file that is no TOML
	Text string
}

func (e *Error) Error() string {
	where := e.File
	if e.Line > 0 {
		where = fmt.Sprintf("%s:%d", e.File, e.Line)
	}
	if e.Key != "" && e.File != flag(e.Key) && e.File != variable(e.Key) { // those name it
		where += ": " + e.Key
	}
	return where + ": " + e.Text
}

// parse lays the file's settings over c. file is for messages.
func parse(c *Config, file string, data []byte) error {
	return decode(c, decoder{file: file}, data)
}

// parseCatalogue does the same for the built-in file, which may hold more.
func parseCatalogue(c *Config, file string, data []byte) error {
	return decode(c, decoder{file: file, catalogue: true}, data)
}

func decode(c *Config, d decoder, data []byte) error {
	file := d.file
	data = bytes.TrimPrefix(data, byteOrderMark)
	var tree map[string]any
	if err := toml.Unmarshal(data, &tree); err != nil {
		var de *toml.DecodeError
		if errors.As(err, &de) {
			line, _ := de.Position()
			key := strings.Join(de.Key(), ".")
			return &Error{File: file, Line: line, Key: key, Text: strings.TrimPrefix(de.Error(), "toml: ")}
		}
		return &Error{File: file, Text: strings.TrimPrefix(err.Error(), "toml: ")}
	}
	d.lines = keyLines(data)
	return d.table(reflect.ValueOf(c).Elem(), tree, "")
}

// decoder lays a parsed file over the structs, by their toml tags.
type decoder struct {
	file      string
	catalogue bool           // the file is the built-in one
	lines     map[string]int // path of each key → line
}

func (d decoder) fail(path, format string, args ...any) error {
	return &Error{File: d.file, Line: d.lines[path], Key: path, Text: fmt.Sprintf(format, args...)}
}

func (d decoder) table(into reflect.Value, tree map[string]any, path string) error {
	fields := tagged(into.Type())
	if d.catalogue {
		fields = taggedAll(into.Type())
	}
	keys := make([]string, 0, len(tree))
	for key := range tree {
		keys = append(keys, key)
	}
	// In the order of the file, so that the first mistake is the one reported.
	slices.SortFunc(keys, func(a, b string) int { return d.lines[join(path, a)] - d.lines[join(path, b)] })
	for _, key := range keys {
		at := join(path, key)
		index, known := fields[key]
		if !known {
			return d.fail(at, "unknown key; known here: %s", strings.Join(names(fields), ", "))
		}
		if err := d.value(into.Field(index), tree[key], at); err != nil {
			return err
		}
	}
	return nil
}

// tagged are the fields that a settings file may set, by their keys.
func tagged(t reflect.Type) map[string]int {
	fields := taggedAll(t)
	for key, i := range fields {
		if t.Field(i).Tag.Get("from") != "" {
			delete(fields, key)
		}
	}
	return fields
}

// taggedAll are those, and what only the catalogue says.
func taggedAll(t reflect.Type) map[string]int {
	fields := make(map[string]int, t.NumField())
	for i := range t.NumField() {
		fields[t.Field(i).Tag.Get("toml")] = i
	}
	return fields
}

func names(fields map[string]int) []string {
	list := make([]string, 0, len(fields))
	for name := range fields {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// value sets one field. What is allowed is said in the person's words.
func (d decoder) value(into reflect.Value, value any, path string) error {
	if reader, ok := into.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := reader.UnmarshalText(fmt.Append(nil, value)); err != nil {
			return d.fail(path, "%v is not %s", quoted(value), allowed(into.Interface()))
		}
		return nil
	}
	switch field := into.Addr().Interface().(type) {
	case *time.Duration:
		n, err := ParseDuration(fmt.Sprint(value))
		if err != nil {
			return d.fail(path, "%v is not %s", quoted(value), allowedDuration)
		}
		*field = n
	case *bool:
		b, ok := value.(bool)
		if !ok {
			return d.fail(path, "%v is not true or false", quoted(value))
		}
		*field = b
	case *string:
		s, ok := value.(string)
		if !ok {
			return d.fail(path, "%v is not a text in quotes", quoted(value))
		}
		*field = s
	case *int:
		n, ok := value.(int64)
		if !ok {
			return d.fail(path, "%v is not a whole number", quoted(value))
		}
		*field = int(n)
	case *[]string:
		list, err := texts(value)
		if err != nil {
			return d.fail(path, "%v is not a list of texts", quoted(value))
		}
		*field = list
	case *map[string]string:
		return d.users(field, value, path)
	case *[]Registry:
		return d.registries(field, value, path)
	case *[]Mirror:
		return d.mirrors(field, value, path)
	case *[]Address:
		return elements(d, field, value, path, nil)
	case *[]Egress:
		return elements(d, field, value, path, func(e *Egress) string { return e.Name })
	default:
		tree, ok := value.(map[string]any)
		if !ok {
			return d.fail(path, "this is a table: [%s]", path)
		}
		return d.table(into, tree, path)
	}
	return nil
}

// quoted is a value as an error shows it. What lists and tables hold is not shown: it
// may be an address with a password in it, in one pair of brackets too many.
func quoted(value any) string {
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.String:
		return fmt.Sprintf("%.60q", v.String())
	case reflect.Slice:
		return "a list"
	case reflect.Map:
		return "a table"
	}
	return shorter(fmt.Sprint(value)) // a number's precision would be its digits
}

// shorter is the beginning of a text that may be long.
func shorter(text string) string { return fmt.Sprintf("%.60s", text) }

func allowed(field any) string {
	switch field.(type) {
	case Rate:
		return allowedRate
	case Quota:
		return allowedQuota
	default:
		return allowedSize
	}
}

func texts(value any) ([]string, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, errors.New("no list")
	}
	out := make([]string, len(list))
	for i, v := range list {
		if out[i], ok = v.(string); !ok {
			return nil, errors.New("no text")
		}
	}
	return out, nil
}

func (d decoder) users(into *map[string]string, value any, path string) error {
	tree, ok := value.(map[string]any)
	if !ok {
		return d.fail(path, `this is a table: { name = "bcrypt hash" }`)
	}
	users := make(map[string]string, len(tree))
	for name, v := range tree {
		hash, ok := v.(string)
		if !ok {
			return d.fail(path, "%s: not a bcrypt hash in quotes", name)
		}
		users[name] = hash
	}
	*into = users
	return nil
}

// registries adds registries, and amends those whose name is known: only the keys that are given change.
func (d decoder) registries(into *[]Registry, value any, path string) error {
	old := *into
	if err := elements(d, into, value, path, func(r *Registry) string { return r.Name }); err != nil {
		return err
	}
	for i := range old { // they keep their places
		(*into)[i].disown(&old[i])
	}
	return nil
}

// disown forgets what is known about a registry that stands for another place now: what is public at Docker's says
// nothing about a host that a person has given the same name.
func (r *Registry) disown(was *Registry) {
	if len(was.Hosts) > 0 && !slices.Contains(r.Hosts, was.Hosts[0]) {
		r.Public, r.AnsweredBy, r.Sample = nil, "", ""
	}
}

// mirrors does the same for those of one registry.
func (d decoder) mirrors(into *[]Mirror, value any, path string) error {
	old := *into
	if err := elements(d, into, value, path, func(m *Mirror) string { return m.Name }); err != nil {
		return err
	}
	for i := range old {
		if m := &(*into)[i]; m.URL != old[i].URL { // known of the address, not of the name
			m.Closed, m.Only = "", nil
		}
	}
	return nil
}

// elements reads an array of tables. One whose name is built in amends that one; else it is a new one. name is nil for
// tables without one.
func elements[T any](d decoder, into *[]T, value any, path string, name func(*T) string) error {
	list, ok := value.([]any)
	if !ok {
		return d.fail(path, "this is a list of tables: [[%s]]", path)
	}
	given := slices.Clone(*into)
	names := make(map[string]bool)
	for i, v := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		tree, ok := v.(map[string]any)
		if !ok {
			return d.fail(at, "this is a table: [[%s]]", path)
		}
		said, _ := tree["name"].(string)
		unnamed := name != nil && (said == "" || names[said])
		names[said] = true
		index := slices.IndexFunc(given, func(e T) bool { return name != nil && name(&e) == said })
		if index < 0 {
			index = len(given)
			given = append(given, fresh[T]())
		}
		if err := d.table(reflect.ValueOf(&given[index]).Elem(), tree, at); err != nil {
			return err
		}
		if unnamed {
			return d.fail(at, "this table needs a name of its own")
		}
	}
	*into = given
	return nil
}

// fresh is an element with the defaults of what its table leaves out.
func fresh[T any]() T {
	var e T
	switch e := any(&e).(type) {
	case *Registry:
		e.Route = RouteAuto
	case *Mirror:
		e.Style, e.Enabled = StyleHost, true
	}
	return e
}

// The values of Mirror.Style.
const (
	StyleHost   = "host"
	StylePrefix = "prefix"
	StyleNS     = "ns"
)
