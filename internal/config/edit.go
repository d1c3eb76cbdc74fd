package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"pulley/internal/config/document"
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
			return place{}, fmt.Errorf("%s: unknown key; known: hosts, insecure, order, route", path)
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
	case encoding.TextMarshaler:
		text, err := v.MarshalText()
		if err != nil { // none of ours fails
			return fmt.Sprint(v)
		}
		return string(text)
	default:
		return fmt.Sprint(v)
	}
}

// edited is text with the key at path set to the text value: nothing else is changed, not a space.
func edited(text []byte, path, value string) ([]byte, error) {
	p, err := placeOf(path)
	if err != nil {
		return nil, err
	}
	written := literal(p.field(Default()), value)
	if p.registry == "" {
		return document.Set(text, keyPath(p.key), written)
	}
	if at := inventoryOf(text).registry(p.registry); at >= 0 {
		return document.Set(text, document.Path{"registry", at, p.key}, written)
	}
	return document.Append(text, document.Path{"registry"}, []document.Pair{{Key: "name", Value: p.registry}, {Key: p.key, Value: written}})
}

func keyPath(key string) (path document.Path) {
	for part := range strings.SplitSeq(key, ".") {
		path = append(path, part)
	}
	return path
}

// literal is what the file gives a field for a text: what does not fit is a string, which loading then refuses.
func literal(field reflect.Value, text string) any {
	v := typed(field, text)
	list, ok := v.([]any)
	if !ok {
		return v
	}
	texts := make([]string, len(list))
	for i := range list {
		texts[i], _ = list[i].(string)
	}
	return texts
}
