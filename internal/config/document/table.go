package document

import (
	"bytes"
	"fmt"
	"strings"
)

// appendTable adds a table to the array of tables at path.
func (d *document) appendTable(path Path, lines []string) error {
	name, ok := path[len(path)-1].(string)
	if !ok {
		return fmt.Errorf("%s: not an array of tables: %w", path, ErrShape)
	}
	outer := path[:len(path)-1]
	if n := d.find(path); n != nil {
		switch {
		case n.value != nil && n.value.kind == array:
			d.splice(n.value.from, n.value.to, "["+d.cut(n.value).added(inlineTable(lines))+"]")
		case n.value == nil && len(n.elems) > 0:
			d.afterElement(n.elems[len(n.elems)-1], len(outer) == 0, lines)
		default:
			return fmt.Errorf("%s: not an array of tables: %w", path, ErrShape)
		}
		return nil
	}
	switch n := d.find(outer); {
	case n == nil:
		return fmt.Errorf("%s: no such table: %w", outer, ErrShape)
	case n == d.root:
		d.block(len(d.text), true, tableLines("[["+bareOrQuoted(name)+"]]", "", "", lines)...)
	case n.section != nil:
		indent := d.indent(n.section.from) + "  "
		header := "[[" + d.nameOf(n.section) + "." + bareOrQuoted(name) + "]]"
		d.block(d.endOf(n), false, tableLines(header, indent, indent, lines)...)
	default:
		return d.insertLine(outer, bareOrQuoted(name)+" = ["+inlineTable(lines)+"]")
	}
	return nil
}

func inlineTable(lines []string) string {
	return "{ " + strings.Join(lines, ", ") + " }"
}

func tableLines(header, outer, inner string, lines []string) []string {
	all := []string{outer + header}
	for _, line := range lines {
		all = append(all, inner+line)
	}
	return all
}

// afterElement writes a table behind the last one of its array, in the same style.
func (d *document) afterElement(last *node, apart bool, lines []string) {
	s := last.section
	outer := d.indent(s.from)
	inner := outer
	if len(s.entries) > 0 {
		inner = d.indent(s.entries[0].from)
	}
	if start := d.lineStart(s.from); start > 0 && d.blankAt(d.lineStart(start-1)) {
		apart = true
	}
	d.block(d.endOf(last), apart, tableLines(string(d.text[s.from:s.to]), outer, inner, lines)...)
}

// endOf is where the text about a table ends: behind its last line, that of a table in it, and comments that follow
// right there, unless they lead over to the next header.
func (d *document) endOf(n *node) int {
	at := 0
	for _, s := range n.sections() {
		at = max(at, d.lineEnd(s.end()))
	}
	end := at
	for bytes.HasPrefix(bytes.TrimLeft(d.text[end:], blanks), []byte("#")) {
		end = d.lineEnd(end)
	}
	if end == len(d.text) || d.blankAt(end) {
		return end
	}
	return at
}

// removeTable takes out the table at path.
func (d *document) removeTable(path Path) error {
	place, ok := path[len(path)-1].(int)
	n, from := d.find(path), d.find(path[:len(path)-1])
	switch {
	case !ok || n == nil:
		return fmt.Errorf("%s: no such table: %w", path, ErrShape)
	case from.value != nil:
		l := d.cut(from.value)
		var slots []slot
		for i := range l.pieces {
			if i != place {
				slots = append(slots, slot{old: i})
			}
		}
		d.splice(from.value.from, from.value.to, "["+l.arranged(slots)+"]")
	default:
		d.removeSections(n.sections())
	}
	return nil
}

// removeSections takes out the lines of sections. Their comments become lines; what else stands between stays.
func (d *document) removeSections(sections []*section) {
	var lines []span
	for _, s := range sections {
		lines = append(lines, s.span)
		for _, e := range s.entries {
			lines = append(lines, e.span)
		}
	}
	run := splice{span: span{-1, -1}}
	for _, line := range lines {
		from, to := d.lineStart(line.from), d.lineEnd(line.to)
		if from != run.to {
			d.close(run)
			run = splice{span: span{from, from}}
		}
		run.to = to
		for _, comment := range d.commentsOf(span{from, to}) {
			run.with += d.indent(line.from) + comment + d.eol
		}
	}
	d.close(run)
}

// close notes a run of lines that go. Of two empty lines that would meet one goes as well.
func (d *document) close(run splice) {
	if run.from < 0 {
		return
	}
	if run.with == "" && (run.to == len(d.text) || d.blankAt(run.to)) {
		switch before := d.lineStart(max(run.from-1, 0)); {
		case run.from == 0:
			for d.blankAt(run.to) {
				run.to = d.lineEnd(run.to)
			}
		case d.blankAt(before) && before >= d.spliced():
			run.from = before
		}
	}
	d.splices = append(d.splices, run)
}

// spliced is the end of what was changed so far.
func (d *document) spliced() int {
	if n := len(d.splices); n > 0 {
		return d.splices[n-1].to
	}
	return 0
}
