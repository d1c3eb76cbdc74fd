package wiring

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"

	"pulley/internal/docker/edit"
)

// value is a value for a Step. Only strings, bools, numbers and lists of them are given to it: it cannot fail.
func value(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return bytes.TrimSpace(b.Bytes())
}

// quote is a string as TOML and YAML have it. JSON's strings are valid in both.
func quote(s string) string { return string(value(s)) }

func quoteAll(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// whole is a file of our own.
func whole(text string) *edit.Edit {
	return &edit.Edit{Format: edit.Whole, Steps: []edit.Step{{Text: text}}}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// withoutPassword is an address as it may be shown.
func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return address
	}
	u.User = url.User(u.User.Username())
	return u.String()
}
