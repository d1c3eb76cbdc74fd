package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"pulley/internal/config/document"
)

// pairsOf are the lines of a table that says e: what is the default anyway is left out.
func pairsOf[T any](e T) (pairs []document.Pair) {
	value, standard := reflect.ValueOf(&e).Elem(), reflect.ValueOf(fresh[T]())
	settable := tagged(value.Type())
	for i := range value.NumField() {
		key, field := value.Type().Field(i).Tag.Get("toml"), value.Field(i)
		if _, ok := settable[key]; !ok || isTables(field.Type()) {
			continue
		}
		if reflect.DeepEqual(field.Interface(), standard.Field(i).Interface()) || field.IsZero() && field.Kind() != reflect.Bool {
			continue
		}
		var v any
		if list, ok := field.Interface().([]string); ok {
			v = list
		} else {
			v = literal(field, textOf(field))
		}
		pairs = append(pairs, document.Pair{Key: key, Value: v})
	}
	return pairs
}

func isTables(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct
}

// keyOfTable is what the file gives a key of a table such as [[egress]] for a text.
func keyOfTable[T any](key, text string) (any, error) {
	var known []string
	table := reflect.ValueOf(new(T)).Elem()
	fields := tagged(table.Type())
	for name, i := range fields {
		if name != "name" && !isTables(table.Field(i).Type()) {
			known = append(known, name)
		}
	}
	if !slices.Contains(known, key) {
		slices.Sort(known)
		return nil, fmt.Errorf("%.60s: unknown key; known: %s", key, strings.Join(known, ", "))
	}
	return literal(table.Field(fields[key]), text), nil
}
