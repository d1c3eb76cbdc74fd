// Package document changes single values of a TOML text and leaves every other byte as a person wrote it: comments,
// order, white space, line breaks. A comment is never lost, not even when what it stood beside goes. The package must
// not know what any key means.
//
// The grammar is TOML 1.1's (https://toml.io/en/v1.1.0), as go-toml reads it.
package document

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Path leads from the root to a value: names of keys (string) and places in arrays (int, from 0).
type Path []any

// String is the path as a person writes it: registry[0].mirror[1].url.
func (p Path) String() string {
	var b strings.Builder
	for _, step := range p {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", step)
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(bareOrQuoted(step))
		}
	}
	return b.String()
}

// Pair is a key and its value: a string, a bool, an int64 or a []string.
type Pair struct {
	Key   string
	Value any
}

// ErrShape is the cause when a valid text is of a shape that cannot be changed as asked.
var ErrShape = errors.New("cannot be changed where it stands")

// Set is text with the value at path changed, or added where its table is; the table itself is made when it is missing.
// Nothing of text is kept in the result or changed.
func Set(text []byte, path Path, value any) ([]byte, error) {
	literal, err := literalOf(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return change(text, func(d *document) error {
		n := d.find(path)
		if n == nil {
			return d.insert(path, literal)
		}
		list, isList := value.([]string)
		switch {
		case n.value == nil:
			return fmt.Errorf("%s: a table: %w", path, ErrShape)
		case isList && n.value.kind == array:
			d.splice(n.value.from, n.value.to, d.relist(n.value, list))
		case len(d.commentsOf(n.value.span)) > 0:
			return fmt.Errorf("%s: comments stand in the old value: %w", path, ErrShape)
		default:
			d.splice(n.value.from, n.value.to, literal)
		}
		return nil
	})
}

// Append is text with one more table at the end of the array of tables at path, which is made when it is missing. The
// array may be written inline; then so is the table.
func Append(text []byte, path Path, table []Pair) ([]byte, error) {
	lines, err := literals(table)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return change(text, func(d *document) error { return d.appendTable(path, lines) })
}

// Remove is text without the table at path, which ends with its place in an array of tables. Comments that stood in it
// or beside it stay, on lines of their own.
func Remove(text []byte, path Path) ([]byte, error) {
	return change(text, func(d *document) error { return d.removeTable(path) })
}

// byteOrderMark may stand before the first line, as some editors leave it there.
var byteOrderMark = []byte("\xef\xbb\xbf")

// document is a text and what was found in it.
type document struct {
	text     []byte
	eol      string
	sections []*section
	comments []span
	root     *node
	splices  []splice
}

// splice says what goes over a span of the text.
type splice struct {
	span
	with string
}

func change(text []byte, how func(*document) error) ([]byte, error) {
	body := bytes.TrimPrefix(text, byteOrderMark)
	d, err := scan(body)
	if err != nil {
		return nil, err
	}
	d.root = build(d.sections)
	if err := how(d); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Write(text[:len(text)-len(body)])
	at := 0
	for _, s := range d.splices {
		b.Write(body[at:s.from])
		b.WriteString(s.with)
		at = s.to
	}
	b.Write(body[at:])
	return b.Bytes(), nil
}

// splice notes a change. They must come in the order of the text.
func (d *document) splice(from, to int, with string) {
	d.splices = append(d.splices, splice{span{from, to}, with})
}

// commentsOf are the comments in a span.
func (d *document) commentsOf(s span) (list []string) {
	for _, c := range d.comments {
		if c.from >= s.from && c.from < s.to {
			list = append(list, string(d.text[c.from:c.to]))
		}
	}
	return list
}

// lineStart is the offset of the line that off is in.
func (d *document) lineStart(off int) int {
	return bytes.LastIndexByte(d.text[:off], '\n') + 1
}

// lineEnd is behind the line break that follows off.
func (d *document) lineEnd(off int) int {
	if i := bytes.IndexByte(d.text[off:], '\n'); i >= 0 {
		return off + i + 1
	}
	return len(d.text)
}

// indent is the white space before the first thing in the line that off is in.
func (d *document) indent(off int) string {
	line := d.text[d.lineStart(off):off]
	return string(line[:len(line)-len(bytes.TrimLeft(line, blanks))])
}

// blankAt says whether a line begins at off, and is empty.
func (d *document) blankAt(off int) bool {
	return off < len(d.text) && len(bytes.TrimSpace(d.text[off:d.lineEnd(off)])) == 0
}

const blanks = " \t"
