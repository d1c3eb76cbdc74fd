package edit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// yamlText is a text and where the nodes of its document are. root is nil for one without content.
type yamlText struct {
	text  []byte
	lines []int // where they begin
	root  *yaml.Node
}

func parseYAML(text []byte) (*yamlText, error) {
	body := trimMark(text)
	if line := notUTF8(body); line > 0 { // the parser takes UTF-16 as well: offsets would be those of another text
		return nil, fmt.Errorf("line %d: not YAML: not UTF-8", line)
	}
	if bytes.HasPrefix(body, byteOrderMark) { // of YAML's parsers some skip it, and some the first character of each line
		return nil, errors.New("line 1: not YAML: a second byte order mark")
	}
	t := &yamlText{text: text, lines: []int{len(text) - len(body)}}
	for at := t.lines[0]; at < len(text); {
		n := breakAt(text[at:])
		if n > 0 {
			t.lines = append(t.lines, at+n)
		}
		at += max(n, 1)
	}
	d := yaml.NewDecoder(bytes.NewReader(body))
	var doc yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return t, nil
	} else if err != nil {
		return nil, fmt.Errorf("not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one YAML document")
	}
	if doc.Kind == yaml.DocumentNode && len(doc.Content) > 0 {
		t.root = doc.Content[0]
		if t.root.Kind == yaml.ScalarNode && t.root.Tag == "!!null" {
			t.root = nil
		}
	}
	return t, nil
}

// breakAt is how long the line break is that text begins with, and 0 if it begins with none. The parser counts lines as YAML 1.1
// (section 5.4) has them: a CR that no LF follows ends one, and so do NEL, LS and PS.
func breakAt(text []byte) int {
	for _, b := range [...]string{"\n", "\r\n", "\r", "\u0085", "\u2028", "\u2029"} {
		if len(text) >= len(b) && string(text[:len(b)]) == b {
			return len(b)
		}
	}
	return 0
}

// maxDepth is how deep what we read may be, aliases included.
const maxDepth = 100

// meaning is a node as encoding/json would have it.
func meaning(n *yaml.Node, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("line %d: too deep", n.Line)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return meaning(n.Alias, depth+1)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, c := range n.Content {
			var err error
			if list[i], err = meaning(c, depth+1); err != nil {
				return nil, err
			}
		}
		return list, nil
	case yaml.MappingNode:
		table := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if _, twice := table[key.Value]; twice || key.Kind != yaml.ScalarNode {
				return nil, fmt.Errorf("line %d: a key that is there twice, or is no name", key.Line)
			}
			v, err := meaning(n.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			table[key.Value] = v
		}
		return table, nil
	}
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		var b bool
		err := n.Decode(&b)
		return b, err
	case "!!int", "!!float":
		if v, err := decode([]byte(n.Value)); err == nil {
			return v, nil
		}
	}
	return n.Value, nil
}

// offset is where a node begins.
func (t *yamlText) offset(n *yaml.Node) int {
	at := t.lines[min(max(n.Line, 1), len(t.lines))-1]
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(t.text[at:])
		at += size
	}
	return at
}

// line is the place in lines of the one that an offset is in.
func (t *yamlText) line(at int) int {
	i, begins := slices.BinarySearch(t.lines, at)
	if begins {
		return i
	}
	return max(i-1, 0)
}

// lineOf is where the line of an offset begins.
func (t *yamlText) lineOf(at int) int { return t.lines[t.line(at)] }

// lineEnd is where the line of an offset ends, its end included.
func (t *yamlText) lineEnd(at int) int {
	if i := t.line(at) + 1; i < len(t.lines) {
		return t.lines[i]
	}
	return len(t.text)
}

// open says whether the line before an offset, at which one ends or begins, has no end.
func (t *yamlText) open(at int) bool { return t.lineOf(at) != at }

// rest is what the line of an offset has from there on, without its end.
func (t *yamlText) rest(from int) []byte {
	for to := from; ; to++ {
		if to == len(t.text) || breakAt(t.text[to:]) > 0 {
			return t.text[from:to]
		}
	}
}

// end is behind the last byte of a value that stands, if it has no byte of its own, at after. indent is that of the key or
// dash that it belongs to.
func (t *yamlText) end(n *yaml.Node, indent, after int) (int, error) {
	if n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return 0, errShape
	}
	from := t.offset(n)
	switch {
	case n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle == 0 && len(n.Content) > 0:
		key, v := n.Content[len(n.Content)-2], n.Content[len(n.Content)-1]
		colon, err := t.colon(key)
		if err != nil {
			return 0, err
		}
		return t.end(v, n.Column-1, colon)
	case n.Kind == yaml.SequenceNode && n.Style&yaml.FlowStyle == 0 && len(n.Content) > 0:
		last := n.Content[len(n.Content)-1]
		return t.end(last, n.Column-1, t.offset(last))
	case n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode:
		return t.closing(from)
	case n.Kind == yaml.AliasNode:
		return t.exactly(from, "*"+n.Value)
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		return t.quoted(from)
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return t.block(from, indent), nil
	case n.Value == "":
		return after, nil
	}
	if to := t.plain(from); string(t.text[from:to]) == n.Value {
		return to, nil
	}
	if rest, ok := bytes.CutPrefix(t.text[from:], []byte(n.Value)); ok { // in brackets
		if rest = bytes.TrimLeft(rest, " \t\r\n"); len(rest) > 0 && strings.IndexByte(",]}", rest[0]) >= 0 {
			return from + len(n.Value), nil
		}
	}
	return 0, errShape // over several lines
}

// colon is behind the colon of a key.
func (t *yamlText) colon(key *yaml.Node) (int, error) {
	if key.Anchor != "" || key.Style&yaml.TaggedStyle != 0 {
		return 0, errShape
	}
	at := t.offset(key)
	var err error
	if key.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		at, err = t.quoted(at)
	} else {
		at, err = t.exactly(at, key.Value)
	}
	if err != nil {
		return 0, err
	}
	rest := bytes.TrimLeft(t.text[at:], " \t")
	if len(rest) == 0 || rest[0] != ':' {
		return 0, errShape
	}
	return len(t.text) - len(rest) + 1, nil
}

// exactly is behind what has to stand at from.
func (t *yamlText) exactly(from int, what string) (int, error) {
	if !bytes.HasPrefix(t.text[from:], []byte(what)) {
		return 0, errShape
	}
	return from + len(what), nil
}

func (t *yamlText) plain(from int) int {
	line := t.rest(from)
	if i := bytes.Index(line, []byte(" #")); i >= 0 {
		line = line[:i]
	}
	return from + len(bytes.TrimRight(line, " \t"))
}

func (t *yamlText) quoted(from int) (int, error) {
	if from == len(t.text) || t.text[from] != '"' && t.text[from] != '\'' {
		return 0, errShape
	}
	mark := t.text[from]
	for at := from + 1; at < len(t.text); at++ {
		switch {
		case t.text[at] == '\\' && mark == '"':
			at++
		case t.text[at] != mark:
		case mark == '\'' && at+1 < len(t.text) && t.text[at+1] == mark:
			at++
		default:
			return at + 1, nil
		}
	}
	return 0, errShape
}

// block is the end of text that begins with | or >: it goes on as far as lines are empty or further in than indent.
func (t *yamlText) block(from, indent int) int {
	to := from + len(bytes.TrimRight(t.rest(from), " \t"))
	for at := t.lineEnd(from); at < len(t.text); at = t.lineEnd(at) {
		line := t.rest(at)
		in := len(line) - len(bytes.TrimLeft(line, " "))
		if len(bytes.TrimLeft(line, " \t")) == 0 {
			continue
		}
		if in <= indent {
			break
		}
		to = at + len(line)
	}
	return to
}

// closing is behind the bracket that closes the one at from.
func (t *yamlText) closing(from int) (int, error) {
	_, to, err := t.parts(from)
	return to, err
}

// part is an element of a list or mapping in brackets, without the white space around it.
type part struct{ from, to int }

// parts are the elements of what the bracket at from opens, and where that ends. A comment in it is too much for us.
func (t *yamlText) parts(from int) (parts []part, end int, err error) {
	if from == len(t.text) || t.text[from] != '{' && t.text[from] != '[' {
		return nil, 0, errShape
	}
	depth, start := 0, from+1
	take := func(to int) {
		raw := t.text[start:to]
		if trimmed := bytes.TrimSpace(raw); len(trimmed) > 0 {
			lead := bytes.Index(raw, trimmed)
			parts = append(parts, part{start + lead, start + lead + len(trimmed)})
		}
		start = to + 1
	}
	for at := from; at < len(t.text); at++ {
		switch c := t.text[at]; {
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				take(at)
				return parts, at + 1, nil
			}
		case c == ',' && depth == 1:
			take(at)
		case c == '#':
			return nil, 0, errShape
		case (c == '"' || c == '\'') && strings.IndexByte(" \t\r\n,:[{", t.text[at-1]) >= 0:
			to, err := t.quoted(at)
			if err != nil {
				return nil, 0, err
			}
			at = to - 1
		}
	}
	return nil, 0, errShape
}

// member is a key with its value.
type yamlMember struct {
	in         *yaml.Node // the mapping
	key, value *yaml.Node
	from, to   int // of the value
}

func (t *yamlText) member(path []string) (yamlMember, error) { return t.memberOf(t.root, path) }

func (t *yamlText) memberOf(at *yaml.Node, path []string) (m yamlMember, err error) {
	for _, name := range path {
		if at == nil || at.Kind != yaml.MappingNode {
			return m, errShape
		}
		m = yamlMember{in: at}
		for i := 0; i+1 < len(at.Content); i += 2 {
			if at.Content[i].Value == name {
				m.key, m.value = at.Content[i], at.Content[i+1]
			}
		}
		if m.key == nil {
			return m, errShape
		}
		at = m.value
	}
	colon, err := t.colon(m.key)
	if err != nil {
		return m, err
	}
	if m.value.Kind == yaml.ScalarNode && m.value.Value == "" && m.value.Style == 0 {
		m.from, m.to = colon, colon
		return m, nil
	}
	m.from = t.offset(m.value)
	m.to, err = t.end(m.value, m.in.Column-1, colon)
	return m, err
}
