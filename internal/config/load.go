package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"
)

// Load reads the settings file at path and lays the PULLEY_ variables of environ over it. A missing or empty file is a
// working setup. An *Error says what is wrong and where.
func Load(path string, environ []string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("settings: %w", err)
	}
	return load(path, data, environ)
}

func load(path string, data []byte, environ []string) (*Config, error) {
	c := Default()
	if err := parse(c, path, data); err != nil {
		return nil, err
	}
	held := Overrides(environ)
	if err := override(c, environ, held); err != nil {
		return nil, err
	}
	for i := range c.Registries {
		c.Registries[i].arrange()
	}
	if err := check(c, held, path, bytes.TrimPrefix(data, byteOrderMark)); err != nil {
		return nil, err
	}
	return c, nil
}

// Flag is an entry for environ that stands for a flag of the command line: it holds key, and goes before the variable.
func Flag(key, value string) string { return flag(key) + "=" + value }

// Overrides names the keys that environ holds, each with its variable or flag: "cache.dir" → "PULLEY_CACHE_DIR",
// "listen" → "--listen".
func Overrides(environ []string) map[string]string {
	env := lookuper(environ)
	held := make(map[string]string)
	eachKey(func(key string) {
		for _, name := range []string{variable(key), flag(key)} {
			if _, ok := env(name); ok {
				held[key] = name
			}
		}
	})
	return held
}

func variable(key string) string {
	return "PULLEY_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func flag(key string) string {
	return "--" + strings.NewReplacer(".", "-", "_", "-").Replace(key)
}

// eachKey calls f for each key that is no table, in the order of the struct.
func eachKey(f func(key string)) {
	var walk func(t reflect.Type, path string)
	walk = func(t reflect.Type, path string) {
		for i := range t.NumField() {
			field := t.Field(i)
			key := join(path, field.Tag.Get("toml"))
			switch {
			case field.Type.Kind() == reflect.Struct:
				walk(field.Type, key)
			case field.Type.Kind() == reflect.Map:
			case field.Type.Kind() == reflect.Slice && field.Type.Elem().Kind() == reflect.Struct:
			default:
				f(key)
			}
		}
	}
	walk(reflect.TypeFor[Config](), "")
}

// override sets single keys from the environment.
func override(c *Config, environ []string, held map[string]string) error {
	env := lookuper(environ)
	var failed error
	eachKey(func(key string) {
		text, ok := env(held[key])
		if !ok || failed != nil {
			return
		}
		d := decoder{file: held[key]}
		failed = d.value(fieldOf(c, key), typed(fieldOf(c, key), text), key)
	})
	return failed
}

// typed is text as the file would have given it.
func typed(field reflect.Value, text string) any {
	switch field.Addr().Interface().(type) {
	case *bool:
		switch strings.ToLower(text) {
		case "true", "1", "on", "yes":
			return true
		case "false", "0", "off", "no":
			return false
		}
	case *int:
		var n int64
		if _, err := fmt.Sscanf(text, "%d", &n); err == nil && fmt.Sprint(n) == text {
			return n
		}
	case *[]string:
		list := []any{}
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		return list
	}
	return text
}

// fieldOf is the field of a key that eachKey names; the zero Value for any other.
func fieldOf(c *Config, key string) reflect.Value {
	at := reflect.ValueOf(c).Elem()
	for part := range strings.SplitSeq(key, ".") {
		if at.Kind() != reflect.Struct {
			return reflect.Value{}
		}
		index, ok := tagged(at.Type())[part]
		if !ok {
			return reflect.Value{}
		}
		at = at.Field(index)
	}
	return at
}
