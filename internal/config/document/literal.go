package document

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// literalOf is a value as TOML writes it, in one line.
func literalOf(v any) (string, error) {
	switch v := v.(type) {
	case Literal:
		return string(v), nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case string:
		if !utf8.ValidString(v) {
			return "", errors.New("not a text: not UTF-8")
		}
		return basicString(v), nil
	case []string:
		parts := make([]string, len(v))
		for i, text := range v {
			part, err := literalOf(text)
			if err != nil {
				return "", err
			}
			parts[i] = part
		}
		return "[" + strings.Join(parts, ", ") + "]", nil
	default:
		return "", fmt.Errorf("a %T cannot be written", v)
	}
}

// literals are the lines of a table.
func literals(table []Pair) (lines []string, err error) {
	for _, p := range table {
		text, err := literalOf(p.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Key, err)
		}
		lines = append(lines, bareOrQuoted(p.Key)+" = "+text)
	}
	return lines, nil
}

// basicString writes only escapes that TOML 1.0 knows.
func basicString(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func bareOrQuoted(key string) string {
	for i := range len(key) {
		if !bare(key[i]) {
			return basicString(key)
		}
	}
	if key == "" {
		return `""`
	}
	return key
}
