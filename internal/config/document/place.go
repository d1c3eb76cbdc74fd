package document

import (
	"bytes"
	"fmt"
	"slices"
)

// Literal is a value as TOML writes it, for [Set].
type Literal string

// Span is a part of a text: byte offsets.
type Span struct{ From, To int }

// Place says where a value stands. Offsets count from the beginning of the text, byte order mark included.
type Place struct {
	Entry Span // "key = value"; empty for what has none: tables and arrays of headers, or made by dotted keys
	Value Span // behind the equals sign
}

// Find says where the value at path stands; ok is false if there is none.
func Find(text []byte, path Path) (p Place, ok bool, err error) {
	mark := len(text) - len(bytes.TrimPrefix(text, byteOrderMark))
	_, err = change(text, func(d *document) error {
		n := d.find(path)
		if ok = n != nil; !ok || n.value == nil {
			return nil
		}
		p.Value = Span{mark + n.value.from, mark + n.value.to}
		if e, _ := d.entryOf(n.value); e != nil {
			p.Entry = Span{mark + e.from, mark + e.to}
		}
		return nil
	})
	return p, ok, err
}

// Delete is text without the entry at path: the line, or the member of an inline table. Comments beside it stay.
func Delete(text []byte, path Path) ([]byte, error) {
	return change(text, func(d *document) error {
		n := d.find(path)
		if n == nil || n.value == nil {
			return fmt.Errorf("%s: no such entry: %w", path, ErrShape)
		}
		e, in := d.entryOf(n.value)
		switch {
		case e == nil:
			return fmt.Errorf("%s: no such entry: %w", path, ErrShape)
		case in == nil:
			d.removeLine(e)
		default:
			var slots []slot
			for i, other := range in.entries {
				if other != e {
					slots = append(slots, slot{old: i})
				}
			}
			d.splice(in.from, in.to, "{"+d.cut(in).arranged(slots)+"}")
		}
		return nil
	})
}

// DeleteTable is text without the table at path, its headers and all below them. Comments stay.
func DeleteTable(text []byte, path Path) ([]byte, error) {
	return change(text, func(d *document) error {
		n := d.find(path)
		if n == nil || n.value != nil || len(n.sections()) == 0 {
			return fmt.Errorf("%s: no such table: %w", path, ErrShape)
		}
		d.removeSections(n.sections())
		return nil
	})
}

// Extend is text with more elements, before or behind those of the array at path, which has brackets.
func Extend(text []byte, path Path, front bool, elements []Literal) ([]byte, error) {
	return change(text, func(d *document) error {
		n := d.find(path)
		if n == nil || n.value == nil || n.value.kind != array {
			return fmt.Errorf("%s: not an array: %w", path, ErrShape)
		}
		var old, fresh []slot
		for i := range n.value.elems {
			old = append(old, slot{old: i})
		}
		for _, e := range elements {
			fresh = append(fresh, slot{old: -1, body: string(e)})
		}
		all := slices.Concat(old, fresh)
		if front {
			all = slices.Concat(fresh, old)
		}
		d.splice(n.value.from, n.value.to, "["+d.cut(n.value).arranged(all)+"]")
		return nil
	})
}

// Shrink is text without the elements at the given places of the array at path, which has brackets.
func Shrink(text []byte, path Path, places []int) ([]byte, error) {
	return change(text, func(d *document) error {
		n := d.find(path)
		if n == nil || n.value == nil || n.value.kind != array {
			return fmt.Errorf("%s: not an array: %w", path, ErrShape)
		}
		var slots []slot
		for i := range n.value.elems {
			if !slices.Contains(places, i) {
				slots = append(slots, slot{old: i})
			}
		}
		d.splice(n.value.from, n.value.to, "["+d.cut(n.value).arranged(slots)+"]")
		return nil
	})
}

// AppendLines is [Append] with the lines of the table as they shall stand.
func AppendLines(text []byte, path Path, lines []string) ([]byte, error) {
	return change(text, func(d *document) error { return d.appendTable(path, lines) })
}

// Key is the name of a key as TOML writes it.
func Key(name string) string { return bareOrQuoted(name) }

// Text is a string as TOML writes it.
func Text(text string) Literal { return Literal(basicString(text)) }

// entryOf is the entry that v is the value of, and the inline table that it stands in, if it does.
func (d *document) entryOf(v *value) (found *entry, in *value) {
	var walk func(entries []*entry, in *value) bool
	var into func(*value) bool
	walk = func(entries []*entry, around *value) bool {
		for _, e := range entries {
			if e.value == v {
				found, in = e, around
				return true
			}
			if into(e.value) {
				return true
			}
		}
		return false
	}
	into = func(v *value) bool { return walk(v.entries, v) || slices.ContainsFunc(v.elems, into) }
	for _, s := range d.sections {
		if walk(s.entries, nil) {
			break
		}
	}
	return found, in
}

// removeLine takes out the lines of an entry; the comments in them stay.
func (d *document) removeLine(e *entry) {
	from, to := d.lineStart(e.from), d.lineEnd(e.to)
	with := ""
	for _, comment := range d.commentsOf(span{from, to}) {
		with += d.indent(e.from) + comment + d.eol
	}
	d.splice(from, to, with)
}

// First is where the first header of the tables at and below path stands, with the comments right above it; ok is false if
// there is none.
func First(text []byte, path Path) (offset int, ok bool, err error) {
	mark := len(text) - len(bytes.TrimPrefix(text, byteOrderMark))
	_, err = change(text, func(d *document) error {
		n := d.find(path)
		if n == nil {
			return nil
		}
		list := n.sections()
		if ok = len(list) > 0; !ok {
			return nil
		}
		at := d.lineStart(list[0].from)
		for at > 0 {
			above := d.lineStart(at - 1)
			if line := bytes.TrimSpace(d.text[above:at]); len(line) == 0 || line[0] != '#' {
				break
			}
			at = above
		}
		offset = mark + at
		return nil
	})
	return offset, ok, err
}
