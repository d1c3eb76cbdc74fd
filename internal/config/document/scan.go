package document

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// span is a part of the text.
type span struct{ from, to int }

// key is one part of a dotted key.
type key struct {
	span
	name string
}

// section is [a.b] or [[a.b]] and the lines up to the next one. The first has no header: its lines are the root's.
type section struct {
	span    // the header
	keys    []key
	array   bool
	entries []*entry
}

// end is behind the last thing of the section.
func (s *section) end() int {
	if n := len(s.entries); n > 0 {
		return s.entries[n-1].to
	}
	return s.to
}

// entry is a key with its value, in a line of a section or in an inline table.
type entry struct {
	span
	keys  []key
	value *value
}

type kind int

const (
	scalar kind = iota
	array
	inline
)

// value is what stands behind an equals sign or in an array.
type value struct {
	span
	kind    kind
	elems   []*value // of an array
	entries []*entry // of an inline table
}

// scanner finds where things are in a text that is known to be valid.
type scanner struct {
	text     []byte
	at       int
	comments []span
	lost     bool
}

// scan reads a whole text. One that is no TOML is an error of go-toml's.
func scan(text []byte) (*document, error) {
	var tree map[string]any
	if err := toml.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	s := &scanner{text: text}
	here := &section{}
	sections := []*section{here}
	for s.gap(); s.at < len(text) && !s.lost; s.gap() {
		if s.peek() == '[' {
			here = s.header()
			sections = append(sections, here)
		} else {
			here.entries = append(here.entries, s.entry())
		}
	}
	if s.lost {
		return nil, fmt.Errorf("line %d: %w", 1+bytes.Count(text[:s.at], []byte("\n")), ErrShape)
	}
	d := &document{text: text, eol: "\n", sections: sections, comments: s.comments}
	if bytes.Contains(text, []byte("\r\n")) {
		d.eol = "\r\n"
	}
	return d, nil
}

func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

// expect steps over c, which must be next.
func (s *scanner) expect(c byte) {
	if s.peek() != c || s.at >= len(s.text) {
		s.lost = true
		return
	}
	s.at++
}

func (s *scanner) blanks() {
	for s.peek() == ' ' || s.peek() == '\t' {
		s.at++
	}
}

// gap steps over white space, line breaks and comments.
func (s *scanner) gap() {
	for s.at < len(s.text) {
		switch s.peek() {
		case ' ', '\t', '\n', '\r':
			s.at++
		case '#':
			from := s.at
			s.at = commentEnd(s.text, from)
			s.comments = append(s.comments, span{from, s.at})
		default:
			return
		}
	}
}

// commentEnd is the end of the comment at off, before its line break.
func commentEnd[T string | []byte](text T, off int) int {
	for off < len(text) && text[off] != '\n' && text[off] != '\r' {
		off++
	}
	return off
}

func (s *scanner) header() *section {
	h := &section{span: span{from: s.at}}
	s.expect('[')
	if h.array = s.peek() == '['; h.array {
		s.expect('[')
	}
	s.blanks()
	h.keys = s.keys()
	s.expect(']')
	if h.array {
		s.expect(']')
	}
	h.to = s.at
	return h
}

func (s *scanner) entry() *entry {
	e := &entry{span: span{from: s.at}}
	e.keys = s.keys()
	s.expect('=')
	s.blanks()
	e.value = s.value()
	e.to = s.at
	return e
}

// keys reads a dotted key and the white space behind it.
func (s *scanner) keys() (list []key) {
	for {
		from := s.at
		isQuoted := s.peek() == '"' || s.peek() == '\''
		if isQuoted {
			s.quoted()
		} else {
			for bare(s.peek()) {
				s.at++
			}
		}
		raw := string(s.text[from:s.at])
		name, err := raw, error(nil)
		if isQuoted {
			name, err = decode(raw)
		}
		if s.at == from || err != nil {
			s.lost = true
			return list
		}
		list = append(list, key{span{from, s.at}, name})
		if s.blanks(); s.peek() != '.' {
			return list
		}
		s.at++
		s.blanks()
	}
}

func bare(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

func (s *scanner) value() *value {
	v := &value{span: span{from: s.at}}
	switch s.peek() {
	case '"', '\'':
		s.quoted()
	case '[':
		v.kind = array
		s.members(']', func() { v.elems = append(v.elems, s.value()) })
	case '{':
		v.kind = inline
		s.members('}', func() { v.entries = append(v.entries, s.entry()) })
	default:
		// A date and its time may have a blank between them; no other value has one inside.
		for s.at < len(s.text) && !strings.ContainsRune(",]}#\r\n", rune(s.peek())) {
			s.at++
		}
		s.at = v.from + len(bytes.TrimRight(s.text[v.from:s.at], blanks))
		s.lost = s.lost || s.at == v.from
	}
	v.to = s.at
	return v
}

// members reads what stands between brackets or braces.
func (s *scanner) members(closing byte, member func()) {
	s.at++
	for s.gap(); s.peek() != closing && !s.lost; s.gap() {
		member()
		if s.gap(); s.peek() == ',' {
			s.at++
		} else if s.peek() != closing {
			s.lost = true
		}
	}
	s.expect(closing)
}

// quoted steps over a string of any of the four kinds.
func (s *scanner) quoted() {
	quote := s.peek()
	if triple := bytes.Repeat([]byte{quote}, 3); bytes.HasPrefix(s.text[s.at:], triple) {
		for s.at += 3; !bytes.HasPrefix(s.text[s.at:], triple); s.at++ {
			s.escape(quote)
			if s.at >= len(s.text) {
				s.lost, s.at = true, len(s.text)
				return
			}
		}
		for s.at += 3; s.peek() == quote; s.at++ { // the string may end in up to two quotes of its own
		}
		return
	}
	for s.at++; s.peek() != quote; s.at++ {
		s.escape(quote)
		if s.at >= len(s.text) {
			s.lost, s.at = true, len(s.text)
			return
		}
	}
	s.at++
}

// escape steps on the backslash of an escape, so that what it escapes is not looked at.
func (s *scanner) escape(quote byte) {
	if quote == '"' && s.peek() == '\\' {
		s.at++
	}
}

// decode is what a quoted string stands for.
func decode(raw string) (string, error) {
	var tree struct {
		V any `toml:"v"`
	}
	if err := toml.Unmarshal([]byte("v = "+raw), &tree); err != nil {
		return "", err
	}
	text, ok := tree.V.(string)
	if !ok {
		return "", errors.New("not a string")
	}
	return text, nil
}
