package document

import (
	"bytes"
	"fmt"
	"strings"
)

// insert writes a key that is not there yet.
func (d *document) insert(path Path, literal string) error {
	name, ok := path[len(path)-1].(string)
	if !ok {
		return fmt.Errorf("%s: no such table: %w", path, ErrShape)
	}
	return d.insertLine(path[:len(path)-1], bareOrQuoted(name)+" = "+literal)
}

// insertLine puts "key = value" into the table at path, in the way in which that table is written.
func (d *document) insertLine(path Path, line string) error {
	n := d.find(path)
	switch {
	case n == nil:
		return d.insertTable(path, line)
	case n.value != nil && n.value.kind == inline:
		d.splice(n.value.from, n.value.to, "{"+d.cut(n.value).added(line)+"}")
	case n.value != nil || len(n.elems) > 0:
		return fmt.Errorf("%s: not a table: %w", path, ErrShape)
	case n == d.root && len(n.section.entries) == 0:
		d.firstLine(line)
	case n.section != nil:
		d.lineAfter(n.section, line)
	case n.dotted != nil:
		d.sibling(n.dotted, line)
	default: // only named by the headers of tables inside it
		d.newTable(path, line)
	}
	return nil
}

// insertTable makes the missing table at path with one line in it: with a header, unless the table around it has none.
func (d *document) insertTable(path Path, line string) error {
	depth := len(path) - 1
	for d.find(path[:depth]) == nil {
		depth--
	}
	for _, step := range path[depth:] {
		if _, ok := step.(string); !ok {
			return fmt.Errorf("%s: no such table: %w", path, ErrShape)
		}
	}
	if n := d.find(path[:depth]); n.value != nil || n.dotted != nil {
		return d.insertLine(path[:depth], path[depth:].String()+"."+line)
	}
	d.newTable(path, line)
	return nil
}

// newTable writes [path] and one line: at the end of the text, or of the element of an array that the table is in.
func (d *document) newTable(path Path, line string) {
	for depth := len(path) - 1; depth > 0; depth-- {
		if _, ok := path[depth-1].(int); ok {
			n := d.find(path[:depth])
			d.block(d.endOf(n), false, "["+d.nameOf(n.section)+"."+path[depth:].String()+"]", line)
			return
		}
	}
	d.block(len(d.text), true, "["+path.String()+"]", line)
}

// nameOf is the name in a header, as it is written.
func (d *document) nameOf(s *section) string {
	return string(d.text[s.keys[0].from:s.keys[len(s.keys)-1].to])
}

// firstLine writes the first line of the root: behind the comment that the text begins with, before the first table.
func (d *document) firstLine(line string) {
	at := 0
	for d.blankAt(at) {
		at = d.lineEnd(at)
	}
	for bytes.HasPrefix(bytes.TrimLeft(d.text[at:], blanks), []byte("#")) {
		at = d.lineEnd(at)
	}
	if len(bytes.TrimSpace(d.text[:at])) == 0 {
		at = 0
	}
	with := line + d.eol
	if at > 0 {
		with = d.eol + with
		if d.text[at-1] != '\n' {
			with = d.eol + with
		}
	}
	if at < len(d.text) && !d.blankAt(at) {
		with += d.eol
	}
	d.splice(at, at, with)
}

// lineAfter writes a line behind the last one of a section.
func (d *document) lineAfter(s *section, line string) {
	last := s.span
	if n := len(s.entries); n > 0 {
		last = s.entries[n-1].span
	}
	at := d.lineEnd(last.to)
	d.splice(at, at, d.fresh(at)+d.indent(last.from)+line+d.eol)
}

// fresh is the line break that is missing before off, where a line is to begin.
func (d *document) fresh(off int) string {
	if off > 0 && d.text[off-1] != '\n' {
		return d.eol
	}
	return ""
}

// sibling writes a line next to the last entry that fills the same table by dotted keys.
func (d *document) sibling(s *dotted, line string) {
	prefix := string(d.text[s.entry.keys[0].from:s.entry.keys[s.depth-1].to])
	line = prefix + "." + line
	if s.in != nil {
		d.splice(s.in.from, s.in.to, "{"+d.cut(s.in).added(line)+"}")
		return
	}
	at := d.lineEnd(s.entry.to)
	d.splice(at, at, d.fresh(at)+d.indent(s.entry.from)+line+d.eol)
}

// block writes lines at off, where a line begins; apart: with empty lines around them, as far as there are none.
func (d *document) block(off int, apart bool, lines ...string) {
	before, after := d.fresh(off), d.eol
	if apart && off > 0 && (before != "" || !d.blankAt(d.lineStart(off-1))) {
		before += d.eol
	}
	if apart && off < len(d.text) && !d.blankAt(off) {
		after += d.eol
	}
	d.splice(off, off, before+strings.Join(lines, d.eol)+after)
}
