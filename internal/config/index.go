package config

import (
	"bytes"
	"strconv"

	"github.com/pelletier/go-toml/v2/unstable"
)

// place is where a key or a table stands in a document; offsets are bytes from its start.
type place struct {
	line       int // from 1
	start, end int // key-value: key to end of value; table: its name within the brackets
	value      int // key-value: where the value starts; otherwise 0
	kind       unstable.Kind
	table      string // path of the table or inline table it stands in
}

// index knows where each key of a document stands, by path: "cache.max_size", "registry[0].route". Several headers
// of one table each have an entry in sections.
type index struct {
	keys     map[string]place
	sections []section
}

// section is a run of lines under one header, or the lines before the first (path "").
type section struct {
	path       string
	start, end int // the whole section, header line included; end is the start of the next header's line
	body       int // first byte after the header's line
	kind       unstable.Kind
	last       int // end of the line of its last key-value, or body when it has none
}

// bom is the UTF-8 byte order mark that some editors put first.
var bom = []byte("\xef\xbb\xbf")

// newIndex reads a document that toml.Unmarshal accepts. A document with errors is indexed up to the first one.
func newIndex(doc []byte) *index {
	ix := &index{keys: map[string]place{}}
	skip := 0
	if bytes.HasPrefix(doc, bom) {
		skip = len(bom)
	}
	var p unstable.Parser
	p.Reset(doc[skip:])
	b := builder{ix: ix, p: &p, doc: doc, skip: skip, arrays: map[string]int{}}
	ix.sections = []section{{start: skip, body: skip, last: skip}}
	for p.NextExpression() {
		b.expression(p.Expression())
	}
	ix.sections[len(ix.sections)-1].end = len(doc)
	return ix
}

type builder struct {
	ix     *index
	p      *unstable.Parser
	doc    []byte
	skip   int
	arrays map[string]int // tables seen so far of each array of tables, by path
	table  string
}

func (b *builder) expression(n *unstable.Node) {
	switch n.Kind {
	case unstable.Table, unstable.ArrayTable:
		b.header(n)
	case unstable.KeyValue:
		b.keyValue(n, b.table)
		s := &b.ix.sections[len(b.ix.sections)-1]
		s.last = lineEnd(b.doc, b.skip+int(n.Raw.Offset+n.Raw.Length))
	}
}

func (b *builder) header(n *unstable.Node) {
	path := ""
	var start, end int
	for it := n.Key(); it.Next(); {
		k := it.Node()
		if path == "" {
			start = b.skip + int(k.Raw.Offset)
		} else {
			path = b.lastOf(path)
		}
		end = b.skip + int(k.Raw.Offset+k.Raw.Length)
		path = join(path, string(k.Data))
	}
	if n.Kind == unstable.ArrayTable {
		b.arrays[path]++
		path = b.lastOf(path)
	} else {
		path = b.lastOf(path) // [a.b] after [[a]] was joined above; [a] itself is never an array here
	}
	b.table = path
	line := lineStart(b.doc, start)
	b.ix.sections[len(b.ix.sections)-1].end = line
	body := lineEnd(b.doc, end)
	b.ix.sections = append(b.ix.sections, section{path: path, start: line, body: body, last: body, kind: n.Kind})
	if _, seen := b.ix.keys[path]; !seen {
		b.ix.keys[path] = place{line: b.line(start), start: start, end: end, kind: n.Kind}
	}
}

// lastOf turns the path of an array of tables into that of its newest table.
func (b *builder) lastOf(path string) string {
	if n := b.arrays[path]; n > 0 {
		return path + "[" + strconv.Itoa(n-1) + "]"
	}
	return path
}

func (b *builder) keyValue(n *unstable.Node, table string) {
	path := table
	var end, line int
	for it := n.Key(); it.Next(); {
		k := it.Node()
		end = b.skip + int(k.Raw.Offset+k.Raw.Length)
		path = join(path, string(k.Data))
		line = b.line(end)
		if _, seen := b.ix.keys[path]; !seen {
			b.ix.keys[path] = place{line: line, start: b.skip + int(k.Raw.Offset), end: end, kind: unstable.Table, table: table}
		}
	}
	start := b.skip + int(n.Raw.Offset)
	value := end + bytes.IndexByte(b.doc[end:], '=') + 1
	for b.doc[value] == ' ' || b.doc[value] == '\t' {
		value++
	}
	v := n.Value()
	b.ix.keys[path] = place{
		line: line, start: start, end: start + int(n.Raw.Length), value: value, kind: v.Kind, table: table,
	}
	b.value(v, path)
}

// value descends into inline tables, and into arrays of them.
func (b *builder) value(v *unstable.Node, path string) {
	switch v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			if it.Node().Kind == unstable.KeyValue {
				b.keyValue(it.Node(), path)
			}
		}
	case unstable.Array:
		i := 0
		for it := v.Children(); it.Next(); {
			if it.Node().Kind == unstable.Comment {
				continue
			}
			b.value(it.Node(), path+"["+strconv.Itoa(i)+"]")
			i++
		}
	}
}

func (b *builder) line(offset int) int { return 1 + bytes.Count(b.doc[:offset], []byte("\n")) }

// lineOf finds the line of the key at path, or of the nearest table around it; 0 when nothing of it is there.
func (ix *index) lineOf(path string) int {
	for path != "" {
		if p, ok := ix.keys[path]; ok {
			return p.line
		}
		path = parent(path)
	}
	return 0
}

func join(table, key string) string {
	if table == "" {
		return key
	}
	return table + "." + key
}

// parent cuts the last key or [n] off a path.
func parent(path string) string {
	for i := len(path) - 1; i > 0; i-- {
		if path[i] == '.' || path[i] == '[' {
			return path[:i]
		}
	}
	return ""
}

func lineStart(doc []byte, offset int) int { return bytes.LastIndexByte(doc[:offset], '\n') + 1 }

// lineEnd is the offset just after the line break that ends the line at offset.
func lineEnd(doc []byte, offset int) int {
	if i := bytes.IndexByte(doc[offset:], '\n'); i >= 0 {
		return offset + i + 1
	}
	return len(doc)
}
