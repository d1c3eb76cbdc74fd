package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// maxFile bounds what is read as settings; a person's file is some KiB.
const maxFile = 1 << 20

// Load reads the file at path and the overrides in environ over the defaults, and checks the whole. A missing or
// empty file is a working setup. The error names the file, the line and the key; everything wrong is in it (Errors).
func Load(path string, environ []string) (*Config, error) {
	doc, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, doc, environ)
}

// Parse is Load for a document in memory; file is the name for errors.
func Parse(file string, doc []byte, environ []string) (*Config, error) {
	c := Default()
	if err := parse(c, file, doc); err != nil {
		return nil, err
	}
	over, err := override(c, environ)
	if err != nil {
		return nil, err
	}
	if err := validate(c, file, doc, over); err != nil {
		return nil, err
	}
	return c, nil
}

func readFile(path string) ([]byte, error) {
	doc, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("settings cannot be read: %w", err)
	}
	if len(doc) > maxFile {
		return nil, &Error{File: path, Msg: "larger than 1 MiB, so it is no file of settings"}
	}
	return doc, nil
}

// variable is the name of the environment variable that overrides the key at path.
func variable(path string) string {
	return "PULLEY_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// override sets the keys that environ holds and returns them: key path → variable.
func override(c *Config, environ []string) (map[string]string, error) {
	env := lookuper(environ)
	over := map[string]string{}
	var errs Errors
	for _, path := range leafPaths(reflect.TypeFor[Config](), "") {
		name := variable(path)
		text, ok := env(name)
		if !ok {
			continue
		}
		over[path] = name
		v := leafAt(c, path)
		raw, err := rawFromText(v.Type(), text)
		if err == nil {
			err = setLeaf(v, raw)
		}
		if err != nil {
			errs = append(errs, &Error{Key: name, Msg: err.Error()})
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return over, nil
}

// leafPaths lists the settings outside of arrays of tables, in the order of the file format.
func leafPaths(t reflect.Type, path string) []string {
	var paths []string
	for i := range t.NumField() {
		f := t.Field(i)
		at := join(path, f.Tag.Get("toml"))
		switch {
		case isLeaf(f.Type):
			paths = append(paths, at)
		case f.Type.Kind() == reflect.Struct:
			paths = append(paths, leafPaths(f.Type, at)...)
		}
	}
	return paths
}

// leafAt finds the field of a path that leafPaths gave.
func leafAt(c *Config, path string) reflect.Value {
	v := reflect.ValueOf(c).Elem()
	for key := range strings.SplitSeq(path, ".") {
		v, _ = fieldByKey(v, key)
	}
	return v
}

// rawFromText reads what a person typed for a setting of type t, without quotes, into what TOML would give.
func rawFromText(t reflect.Type, text string) (any, error) {
	switch t.Kind() {
	case reflect.Bool:
		switch strings.ToLower(text) {
		case "true", "1", "on", "yes":
			return true, nil
		case "false", "0", "off", "no":
			return false, nil
		}
		return text, nil
	case reflect.Int:
		if n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32); err == nil {
			return n, nil
		}
		return text, nil
	case reflect.Slice:
		list := []any{}
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		return list, nil
	case reflect.Map:
		table := map[string]any{}
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part == "" {
				continue
			}
			key, value, ok := strings.Cut(part, "=")
			if !ok {
				return nil, fmt.Errorf("%s is no name=value", show(part))
			}
			table[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
		return table, nil
	}
	return text, nil
}

// nearest is "; did you mean …?" when a known key is close to what was written.
func nearest(key string, known []string) string {
	best, bestDist := "", 3
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := distance(key, k); d < bestDist {
			best, bestDist = k, d
		}
	}
	if best == "" {
		return "; known here: " + strings.Join(known, ", ")
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is the number of single letters to add, drop or change.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost++
			}
			diag = row[j+1]
			row[j+1] = min(cost, row[j]+1, diag+1)
		}
	}
	return row[len(b)]
}
