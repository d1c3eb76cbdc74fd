package edit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

type jsonDialect struct{}

// decode implements dialect. Of a key that is there twice the last one counts, as for the programs that read it.
func (jsonDialect) decode(text []byte) (map[string]any, error) {
	if blank(text) {
		return map[string]any{}, nil
	}
	body := trimMark(text)
	if line := notUTF8(body); line > 0 {
		return nil, fmt.Errorf("line %d: not JSON: not UTF-8", line)
	}
	v, err := decode(body)
	if err != nil {
		return nil, brokenJSON(body, err)
	}
	root, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("line 1: not an object")
	}
	return root, nil
}

// brokenJSON has the error name the line.
func brokenJSON(body []byte, err error) error {
	var syntax *json.SyntaxError
	line := 1
	if err := json.Unmarshal(body, new(any)); errors.As(err, &syntax) {
		at := min(max(int(syntax.Offset)-1, 0), len(body))
		line += bytes.Count(body[:at], []byte("\n"))
		return fmt.Errorf("line %d: not JSON: %w", line, syntax)
	}
	return fmt.Errorf("line %d: not JSON: %w", line, err)
}

// jsonValue is where a value of a valid text stands.
type jsonValue struct {
	from, to int
	kind     byte // its first byte
	members  []jsonMember
}

// jsonMember is a member of an object, or an element of an array: then without a key.
type jsonMember struct {
	from  int // of the key, or of the element
	name  string
	value jsonValue
}

// scanJSON finds where everything is in a text that decode has let pass.
func scanJSON(text []byte) *jsonValue {
	s := jsonScanner{text: text, at: len(text) - len(trimMark(text))}
	v := s.value()
	return &v
}

type jsonScanner struct {
	text []byte
	at   int
}

func (s *jsonScanner) gap() {
	for s.at < len(s.text) && strings.IndexByte(" \t\r\n", s.text[s.at]) >= 0 {
		s.at++
	}
}

func (s *jsonScanner) value() jsonValue {
	s.gap()
	v := jsonValue{from: s.at, kind: s.text[s.at]}
	switch v.kind {
	case '{', '[':
		for s.at++; ; {
			if s.gap(); s.text[s.at] == '}' || s.text[s.at] == ']' {
				break
			}
			m := jsonMember{from: s.at}
			if v.kind == '{' {
				s.quoted()
				_ = json.Unmarshal(s.text[m.from:s.at], &m.name) // valid, as the whole is
				s.gap()
				s.at++ // the colon
			}
			m.value = s.value()
			v.members = append(v.members, m)
			if s.gap(); s.text[s.at] == ',' {
				s.at++
			}
		}
		s.at++
	case '"':
		s.quoted()
	default:
		for s.at < len(s.text) && strings.IndexByte(" \t\r\n,]}", s.text[s.at]) < 0 {
			s.at++
		}
	}
	v.to = s.at
	return v
}

func (s *jsonScanner) quoted() {
	for s.at++; s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
}

// find is the member at path, and the value that it is in; nil if there is none.
func (v *jsonValue) find(path []string) (in *jsonValue, place int) {
	at := v
	for i, name := range path {
		if at.kind != '{' {
			return nil, 0
		}
		place = -1
		for j := range at.members {
			if at.members[j].name == name {
				place = j // the last one counts
			}
		}
		if place < 0 {
			return nil, 0
		}
		if i < len(path)-1 {
			at = &at.members[place].value
		}
	}
	return at, place
}

func (jsonDialect) member(text []byte, path []string) (in *jsonValue, place int, err error) {
	if blank(text) {
		return nil, 0, errShape
	}
	if in, place = scanJSON(text).find(path); in == nil {
		return nil, 0, errShape
	}
	return in, place, nil
}

// value implements dialect.
func (d jsonDialect) value(text []byte, path []string) (from, to int, err error) {
	in, place, err := d.member(text, path)
	if err != nil {
		return 0, 0, err
	}
	v := in.members[place].value
	return v.from, v.to, nil
}

// entry implements dialect.
func (d jsonDialect) entry(text []byte, path, made []string) (from, to int, err error) {
	if made != nil {
		path = made
	}
	in, place, err := d.member(text, path)
	if err != nil {
		return 0, 0, err
	}
	m := in.members[place]
	return m.from, m.value.to, nil
}

// insert implements dialect: behind the last member of the innermost object that there is.
func (d jsonDialect) insert(text []byte, path []string, v json.RawMessage) ([]byte, error) {
	if blank(text) {
		mark := len(text) - len(trimMark(text))
		end := "\n"
		if e := eol(text); bytes.HasSuffix(text, []byte(e)) {
			end = e
		}
		text = slices.Concat(text[:mark], []byte("{}"+end))
	}
	in := scanJSON(text)
	for len(path) > 1 {
		object, place := in.find(path[:1])
		if object == nil {
			break
		}
		in, path = &object.members[place].value, path[1:]
	}
	if in.kind != '{' {
		return nil, errShape
	}
	return d.put(text, in, false, []piece{{path, v}}), nil
}

// piece is something to write: a value, with the keys that lead to it.
type piece struct {
	path  []string
	value json.RawMessage
}

// put writes pieces into an object or array, laid out as that is.
func (d jsonDialect) put(text []byte, in *jsonValue, front bool, pieces []piece) []byte {
	l := layout{eol: eol(text), unit: unitOf(text)}
	indent := indentAt(text, in.from)
	n := len(in.members)
	if n == 0 {
		if in.kind == '[' {
			return splice(text, in.from+1, in.to-1, l.list(pieces, indent, ", "))
		}
		own := l.eol + indent + l.unit
		return splice(text, in.from+1, in.to-1, own+l.list(pieces, indent+l.unit, ","+own)+l.eol+indent)
	}
	gap := " " // between a comma and what follows it
	if before := d.lead(text, in, n-1); strings.Contains(before, "\n") {
		indent = before[strings.LastIndexByte(before, '\n')+1:]
		gap = l.eol + indent
	} else if n > 1 {
		gap = before
	}
	if front {
		return splice(text, in.members[0].from, in.members[0].from, l.list(pieces, indent, ","+gap)+","+gap)
	}
	last := in.members[n-1].value.to
	return splice(text, last, last, ","+gap+l.list(pieces, indent, ","+gap))
}

// lead is the white space before a member.
func (jsonDialect) lead(text []byte, in *jsonValue, place int) string {
	from := in.members[place].from
	return string(text[len(bytes.TrimRight(text[:from], " \t\r\n")):from])
}

// literal implements dialect.
func (d jsonDialect) literal(text []byte, path []string, v json.RawMessage) (string, error) {
	from, _, err := d.value(text, path)
	if err != nil {
		return "", err
	}
	l := layout{eol: eol(text), unit: unitOf(text)}
	return l.value(v, indentAt(text, from)), nil
}

// extend implements dialect.
func (d jsonDialect) extend(text []byte, path []string, front bool, elements []json.RawMessage) ([]byte, error) {
	in, place, err := d.member(text, path)
	if err != nil {
		return nil, err
	}
	var pieces []piece
	for _, e := range elements {
		pieces = append(pieces, piece{value: e})
	}
	return d.put(text, &in.members[place].value, front, pieces), nil
}

// shrink implements dialect.
func (d jsonDialect) shrink(text []byte, path []string, places []int) ([]byte, error) {
	in, place, err := d.member(text, path)
	if err != nil {
		return nil, err
	}
	list := in.members[place].value
	for _, i := range slices.Backward(places) {
		text = cut(text, &list, i)
		list = *scanJSON(text)
		in, place := list.find(path)
		list = in.members[place].value
	}
	return text, nil
}

// remove implements dialect.
func (d jsonDialect) remove(text []byte, _, top []string) ([]byte, error) {
	in, place, err := d.member(text, top)
	if err != nil {
		return nil, err
	}
	return cut(text, in, place), nil
}

// cut takes out a member and one comma.
func cut(text []byte, in *jsonValue, place int) []byte {
	m := in.members
	switch {
	case len(m) == 1:
		return splice(text, in.from+1, in.to-1, "")
	case place == len(m)-1:
		return splice(text, m[place-1].value.to, m[place].value.to, "")
	}
	return splice(text, m[place].from, m[place+1].from, "")
}

// indentAt is the white space that the line of an offset begins with.
func indentAt(text []byte, at int) string {
	line := text[bytes.LastIndexByte(text[:at], '\n')+1 : at]
	line = trimMark(line)
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

// unitOf is one step of indentation: that of the first line that has one.
func unitOf(text []byte) string {
	for line := range bytes.Lines(trimMark(text)) {
		if rest := bytes.TrimLeft(line, " \t"); len(rest) < len(line) && len(bytes.TrimSpace(rest)) > 0 {
			return string(line[:len(line)-len(rest)])
		}
	}
	return "  "
}

// layout writes JSON as the text around it is written.
type layout struct{ eol, unit string }

func (l layout) list(pieces []piece, indent, between string) string {
	parts := make([]string, len(pieces))
	for i, p := range pieces {
		parts[i] = l.piece(p, indent)
	}
	return strings.Join(parts, between)
}

func (l layout) piece(p piece, indent string) string {
	if len(p.path) == 0 {
		return l.value(p.value, indent)
	}
	name, _ := encode(p.path[0])
	if len(p.path) == 1 {
		return string(name) + ": " + l.value(p.value, indent)
	}
	inner := indent + l.unit
	return string(name) + ": {" + l.eol + inner + l.piece(piece{p.path[1:], p.value}, inner) + l.eol + indent + "}"
}

// value writes objects over several lines and lists in one.
func (l layout) value(raw json.RawMessage, indent string) string {
	v := scanJSON(raw)
	var parts []string
	switch {
	case v.kind == '[':
		for _, m := range v.members {
			parts = append(parts, l.value(raw[m.value.from:m.value.to], indent))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case v.kind == '{' && len(v.members) > 0:
		inner := indent + l.unit
		for _, m := range v.members {
			name, _ := encode(m.name)
			parts = append(parts, inner+string(name)+": "+l.value(raw[m.value.from:m.value.to], inner))
		}
		return "{" + l.eol + strings.Join(parts, ","+l.eol) + l.eol + indent + "}"
	}
	return string(raw[v.from:v.to])
}
