package config

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// place is where a key stands: a key of the root or of one [table], or of the [[registry]] of a name.
type place struct {
	registry string // "" for other keys
	key      string // "cache.max_size"; within a registry "route"
}

// placeOf reads a key path: "enabled", "cache.max_size", "registry.docker.io.route".
func placeOf(path string) (place, error) {
	if rest, ok := strings.CutPrefix(path, "registry."); ok {
		dot := strings.LastIndex(rest, ".")
		if dot < 1 {
			return place{}, fmt.Errorf("%s: which key of the registry; try: registry.docker.io.route", path)
		}
		p := place{registry: rest[:dot], key: rest[dot+1:]}
		if _, known := tagged(reflect.TypeFor[Registry]())[p.key]; !known || p.key == "mirror" || p.key == "name" {
			return place{}, fmt.Errorf("%s: unknown key; known: hosts, insecure, route", path)
		}
		return p, nil
	}
	if !slices.Contains(Keys(), path) {
		return place{}, fmt.Errorf("%.60s: unknown key; known: %s", path, strings.Join(Keys(), ", "))
	}
	return place{key: path}, nil
}

// Keys are the keys that hold a single value, "cache.max_size" and the like.
func Keys() (list []string) {
	eachKey(func(key string) { list = append(list, key) })
	return list
}

// field is what p stands for in c; for a registry that is not there, a new one's.
func (p place) field(c *Config) reflect.Value {
	if p.registry == "" {
		return fieldOf(c, p.key)
	}
	r, ok := c.Registry(p.registry)
	if !ok {
		r = &Registry{Name: p.registry, Route: RouteAuto}
	}
	return reflect.ValueOf(r).Elem().Field(tagged(reflect.TypeFor[Registry]())[p.key])
}

// Get is the value in force of a key, as text.
func (c *Config) Get(path string) (string, error) {
	p, err := placeOf(path)
	if err != nil {
		return "", err
	}
	if _, known := c.Registry(p.registry); p.registry != "" && !known {
		return "", fmt.Errorf("%s: no such registry", p.registry)
	}
	return textOf(p.field(c)), nil
}

func textOf(field reflect.Value) string {
	switch v := field.Interface().(type) {
	case time.Duration:
		return FormatDuration(v)
	case []string:
		return strings.Join(v, ",")
	default:
		return fmt.Sprint(v)
	}
}

// edited is data with the key at path set to the text value: nothing else is changed, not a space.
func edited(data []byte, path, value string) ([]byte, error) {
	p, err := placeOf(path)
	if err != nil {
		return nil, err
	}
	written, err := tomlText(typed(p.field(Default()), value))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	body := bytes.TrimPrefix(data, byteOrderMark)
	mark := data[:len(data)-len(body)]
	spot, err := find(body, p)
	if err != nil {
		return nil, err
	}
	out := slices.Concat(mark, body[:spot.from], spot.wrap(body, p, written), body[spot.to:])
	return out, nil
}

// tomlText is a value as TOML writes it.
func tomlText(v any) (string, error) {
	if s, ok := v.(string); ok {
		return strconv.Quote(s), nil // TOML's basic strings know the escapes that Quote uses for printable text
	}
	b, err := toml.Marshal(map[string]any{"v": v})
	if err != nil {
		return "", err
	}
	_, text, _ := strings.Cut(strings.TrimSpace(string(b)), " = ")
	return text, nil
}

// spot is where to write: over [from,to), which is the old value, or into a gap.
type spot struct {
	from, to int
	header   bool // the table is to be made as well
	fresh    bool // there was no such key
}

// find looks for p in body, which is valid TOML.
func find(body []byte, p place) (spot, error) {
	table, name := "", p.key
	if i := strings.LastIndex(p.key, "."); i >= 0 {
		table, name = p.key[:i], p.key[i+1:]
	}
	if p.registry != "" {
		table = "registry"
	}
	var (
		s       = spot{from: -1}
		here    = table == "" // in the table that p belongs to
		prefix  = ""
		lastEnd = 0 // where a new key goes: behind the last one of the table
		began   = table == ""
		parser  unstable.Parser
	)
	target, err := registryIndex(body, p.registry)
	if err != nil {
		return s, err
	}
	seen := -1
	parser.Reset(body)
	for parser.NextExpression() {
		e := parser.Expression()
		keys, offset := keyOf(e)
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			prefix = strings.Join(keys, ".")
			if prefix == "registry" {
				seen++
			}
			here = prefix == table && (p.registry == "" || seen == target)
			if here {
				began, lastEnd = true, lineEnd(body, int(offset))
			}
		case unstable.KeyValue:
			full := join(prefix, strings.Join(keys, "."))
			end := int(e.Raw.Offset + e.Raw.Length)
			if p.registry == "" && full == p.key || here && p.registry != "" && keys[0] == name && len(keys) == 1 {
				from := valueStart(body, e)
				return spot{from: from, to: end}, nil
			}
			if here {
				lastEnd = lineEnd(body, end)
			}
		default:
		}
	}
	if err := parser.Error(); err != nil {
		return s, err
	}
	if !began || p.registry != "" && target < 0 {
		return spot{from: len(body), to: len(body), header: true, fresh: true}, nil
	}
	return spot{from: lastEnd, to: lastEnd, fresh: true}, nil
}

// registryIndex is which [[registry]] of body has the name; -1 if none.
func registryIndex(body []byte, name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	var tree struct {
		Registry []struct {
			Name string `toml:"name"`
		} `toml:"registry"`
	}
	if err := toml.Unmarshal(body, &tree); err != nil {
		return -1, err
	}
	for i, r := range tree.Registry {
		if r.Name == name {
			return i, nil
		}
	}
	return -1, nil
}

// valueStart is the offset of a key's value: behind its equals sign and the space after it.
func valueStart(body []byte, e *unstable.Node) int {
	at := int(e.Raw.Offset)
	for it := e.Key(); it.Next(); {
		raw := it.Node().Raw
		at = int(raw.Offset + raw.Length)
	}
	at += bytes.IndexByte(body[at:], '=') + 1
	for at < len(body) && (body[at] == ' ' || body[at] == '\t') {
		at++
	}
	return at
}

// lineEnd is behind the line break that follows off.
func lineEnd(body []byte, off int) int {
	if i := bytes.IndexByte(body[off:], '\n'); i >= 0 {
		return off + i + 1
	}
	return len(body)
}

// wrap is what goes to the spot.
func (s spot) wrap(body []byte, p place, value string) []byte {
	if !s.fresh {
		return []byte(value)
	}
	eol := "\n"
	if bytes.Contains(body, []byte("\r\n")) {
		eol = "\r\n"
	}
	var b strings.Builder
	if s.from > 0 && body[s.from-1] != '\n' {
		b.WriteString(eol)
	}
	table, name := "", p.key
	if i := strings.LastIndex(p.key, "."); i >= 0 {
		table, name = p.key[:i], p.key[i+1:]
	}
	if s.header {
		if s.from > 0 {
			b.WriteString(eol)
		}
		if p.registry != "" {
			fmt.Fprintf(&b, "[[registry]]%sname = %q%s", eol, p.registry, eol)
		} else {
			fmt.Fprintf(&b, "[%s]%s", table, eol)
		}
	}
	fmt.Fprintf(&b, "%s = %s%s", name, value, eol)
	return []byte(b.String())
}
