package config

import (
	"fmt"
	"strings"
)

// Error is one thing wrong with the settings: where it stands, which key, and what would be right.
type Error struct {
	File string // path of the file; "" for an override
	Line int    // from 1; 0 when it is not in the file
	Col  int    // from 1; set for text that is no TOML at all
	Key  string // "cache.max_size"; the variable's name for an override
	Msg  string
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
			if e.Col > 0 {
				fmt.Fprintf(&b, ":%d", e.Col)
			}
		}
		b.WriteString(": ")
	}
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(e.Msg)
	return b.String()
}

// Errors is everything wrong with one file, in the order of its lines. Error prints the first on one line and says
// how many more there are.
type Errors []*Error

func (es Errors) Error() string {
	if len(es) == 1 {
		return es[0].Error()
	}
	return fmt.Sprintf("%s (and %d more; see: pulley config check)", es[0], len(es)-1)
}

// Unwrap gives the single errors to errors.As.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}
