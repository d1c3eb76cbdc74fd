package edit

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// YAML is one document of YAML 1.2 whose top is a mapping. Comments and white space stay. Anchors, tags and plain values over
// several lines are let be where they stand; a change that would touch one is refused.
const YAML Format = "yaml"

type yamlDialect struct{}

// decode implements dialect.
func (yamlDialect) decode(text []byte) (map[string]any, error) {
	t, err := parseYAML(text)
	if err != nil {
		return nil, err
	}
	if t.root == nil {
		return map[string]any{}, nil
	}
	v, err := meaning(t.root, 0)
	if err != nil {
		return nil, err
	}
	root, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("line 1: not a mapping")
	}
	return root, nil
}

func (d yamlDialect) at(text []byte, path []string) (*yamlText, yamlMember, error) {
	t, err := parseYAML(text)
	if err != nil {
		return nil, yamlMember{}, err
	}
	m, err := t.member(path)
	return t, m, err
}

// value implements dialect. The white space between it and its colon is part of it: one without a byte of its own has none.
func (d yamlDialect) value(text []byte, path []string) (from, to int, err error) {
	t, m, err := d.at(text, path)
	if err != nil {
		return 0, 0, err
	}
	colon, err := t.colon(m.key)
	if err == nil && len(bytes.Trim(text[colon:m.from], " \t")) == 0 {
		return colon, m.to, nil
	}
	return m.from, m.to, err
}

// entry implements dialect.
func (d yamlDialect) entry(text []byte, path, made []string) (from, to int, err error) {
	if made != nil {
		path = made
	}
	t, m, err := d.at(text, path)
	if err != nil {
		return 0, 0, err
	}
	return t.offset(m.key), m.to, nil
}

// literal implements dialect: in one line, as JSON has it.
func (d yamlDialect) literal(text []byte, path []string, v json.RawMessage) (string, error) {
	from, _, err := d.value(text, path)
	if from > 0 && text[from-1] == ':' {
		return " " + inLine(v), err
	}
	return inLine(v), err
}

// inLine is a value in one line, with a space where people put one.
func inLine(v json.RawMessage) string {
	l := layout{eol: " "}
	return strings.ReplaceAll(strings.ReplaceAll(l.value(v, ""), "{ ", "{"), " }", "}")
}

// insert implements dialect: behind the last entry of the innermost mapping that there is.
func (d yamlDialect) insert(text []byte, path []string, v json.RawMessage) ([]byte, error) {
	t, err := parseYAML(text)
	if err != nil {
		return nil, err
	}
	if t.root == nil {
		return t.below(len(text), 0, path, v), nil
	}
	in := t.root
	for len(path) > 1 {
		m, err := t.memberOf(in, path[:1])
		if err != nil {
			break // not there
		}
		in, path = m.value, path[1:]
	}
	if in.Kind != yaml.MappingNode {
		return nil, errShape
	}
	if in.Style&yaml.FlowStyle != 0 {
		for _, name := range slices.Backward(path[1:]) {
			v = json.RawMessage("{" + quoted(name) + ": " + string(v) + "}")
		}
		return t.within(t.offset(in), false, quoted(path[0])+": "+inLine(v))
	}
	to, err := t.end(in, in.Column-1, t.offset(in))
	if err != nil {
		return nil, err
	}
	return t.below(to, in.Column-1, path, v), nil
}

func quoted(name string) string {
	raw, _ := encode(name)
	return string(raw)
}

// plainKey is a key as people write it.
func plainKey(name string) string {
	for _, c := range name {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", c) {
			return quoted(name)
		}
	}
	return name
}

// below writes a key into the lines behind the one of an offset.
func (t *yamlText) below(at, indent int, path []string, v json.RawMessage) []byte {
	e := eol(t.text)
	at = t.lineEnd(at)
	lead := ""
	if t.open(at) {
		lead = e
	}
	var b strings.Builder
	for i, name := range path {
		b.WriteString(strings.Repeat(" ", indent+2*i) + plainKey(name) + ":")
		if i < len(path)-1 {
			b.WriteString(e)
		}
	}
	dash := strings.Repeat(" ", indent+2*len(path))
	if s := scanJSON(v); s.kind == '[' && len(s.members) > 0 {
		for _, m := range s.members {
			b.WriteString(e + dash + "- " + inLine(v[m.value.from:m.value.to]))
		}
	} else {
		b.WriteString(" " + inLine(v))
	}
	return splice(t.text, at, at, lead+b.String()+e)
}

// within writes an element into brackets.
func (t *yamlText) within(from int, front bool, element string) ([]byte, error) {
	parts, end, err := t.parts(from)
	switch {
	case err != nil:
		return nil, err
	case len(parts) == 0:
		return splice(t.text, from+1, end-1, element), nil
	case front:
		return splice(t.text, parts[0].from, parts[0].from, element+", "), nil
	}
	last := parts[len(parts)-1].to
	return splice(t.text, last, last, ", "+element), nil
}

// without takes an element out of brackets.
func (t *yamlText) without(from, place int) ([]byte, error) {
	parts, end, err := t.parts(from)
	switch {
	case err != nil || place >= len(parts):
		return nil, errShape
	case len(parts) == 1:
		return splice(t.text, from+1, end-1, ""), nil
	case place == len(parts)-1:
		return splice(t.text, parts[place-1].to, parts[place].to, ""), nil
	}
	return splice(t.text, parts[place].from, parts[place+1].from, ""), nil
}

// extend implements dialect.
func (d yamlDialect) extend(text []byte, path []string, front bool, elements []json.RawMessage) ([]byte, error) {
	t, m, err := d.at(text, path)
	if err != nil || m.value.Kind != yaml.SequenceNode {
		return nil, errShape
	}
	inner := make([]string, len(elements))
	for i, e := range elements {
		inner[i] = inLine(e)
	}
	if m.value.Style&yaml.FlowStyle != 0 || len(m.value.Content) == 0 {
		return t.within(m.from, front, strings.Join(inner, ", "))
	}
	e, indent := eol(text), strings.Repeat(" ", m.value.Column-1)
	var b strings.Builder
	for _, s := range inner {
		b.WriteString(indent + "- " + s + e)
	}
	if front {
		first, _, err := t.item(m, 0)
		return splice(text, first, first, b.String()), err
	}
	at := t.lineEnd(m.to)
	lead := ""
	if t.open(at) {
		lead = e
	}
	return splice(text, at, at, lead+b.String()), nil
}

// item are the lines of an element of a list in lines.
func (t *yamlText) item(m yamlMember, place int) (from, to int, err error) {
	n := m.value.Content[place]
	column := m.value.Column - 1
	from = t.lineOf(t.offset(n))
	for from > t.lines[0] && (from+column >= len(t.text) || t.text[from+column] != '-') {
		from = t.lineOf(from - 1)
	}
	if from+column >= len(t.text) || t.text[from+column] != '-' || len(bytes.TrimSpace(t.text[from:from+column])) > 0 {
		return 0, 0, errShape
	}
	if to, err = t.end(n, column, from+column+1); err != nil {
		return 0, 0, err
	}
	return from, t.lineEnd(to), nil
}

// shrink implements dialect.
func (d yamlDialect) shrink(text []byte, path []string, places []int) ([]byte, error) {
	for _, place := range slices.Backward(places) {
		t, m, err := d.at(text, path)
		if err != nil || m.value.Kind != yaml.SequenceNode || place >= len(m.value.Content) {
			return nil, errShape
		}
		if m.value.Style&yaml.FlowStyle != 0 {
			if text, err = t.without(m.from, place); err != nil {
				return nil, err
			}
			continue
		}
		if len(m.value.Content) == 1 {
			text = t.emptied(m, "[]")
			continue
		}
		from, to, err := t.item(m, place)
		if err != nil {
			return nil, err
		}
		text = splice(text, from, to, "")
	}
	return text, nil
}

// emptied has brackets in place of lines that a value consisted of.
func (t *yamlText) emptied(m yamlMember, brackets string) []byte {
	colon, err := t.colon(m.key)
	if err != nil {
		return t.text
	}
	return splice(t.text, colon, m.to, " "+brackets)
}

// remove implements dialect.
func (d yamlDialect) remove(text []byte, _, top []string) ([]byte, error) {
	t, m, err := d.at(text, top)
	if err != nil {
		return nil, err
	}
	place := slices.Index(m.in.Content, m.key) / 2
	if m.in.Style&yaml.FlowStyle != 0 {
		return t.without(t.offset(m.in), place)
	}
	if len(m.in.Content) == 2 && len(top) > 1 {
		outer, err := t.member(top[:len(top)-1])
		if err != nil {
			return nil, err
		}
		return t.emptied(outer, "{}"), nil
	}
	return splice(text, t.lineOf(t.offset(m.key)), t.lineEnd(m.to), ""), nil
}
