package context

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// currentKey is the key of config.json that names the context to use.
const currentKey = "currentContext"

// a member is one of the outermost object's, by where it is in the text.
type member struct {
	name                    string
	key, keyEnd, value, end int // key:keyEnd is the key with its quotes, value:end the value
}

func (m member) isCurrent() bool { return strings.EqualFold(m.name, currentKey) } // as encoding/json, and so docker, reads

// readCurrent is what a config.json names, or "". An empty text is an empty object, as docker has it.
func readCurrent(text []byte) (string, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return "", nil
	}
	var config struct {
		CurrentContext string `json:"currentContext"`
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return "", broken(text, err)
	}
	return config.CurrentContext, nil
}

// setCurrent is the text of a config.json with another current context, or with none for "". Every byte that does not
// belong to that key stays: docker's own writer would drop unknown keys' order and the indentation. A text that is no JSON
// object is refused.
func setCurrent(text []byte, name string) ([]byte, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		if name == "" {
			return text, nil
		}
		return []byte("{\n\t\"" + currentKey + "\": " + quote(name) + "\n}"), nil // as docker writes it
	}
	members, err := scan(text)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return clearCurrent(text, members)
	}
	set := false
	for i := len(members) - 1; i >= 0; i-- {
		if m := members[i]; m.isCurrent() {
			text, set = splice(text, m.value, m.end, quote(name)), true
		}
	}
	if set {
		return text, nil
	}
	return appendCurrent(text, members, name), nil
}

// appendCurrent adds the key behind the last one, spaced as that one is.
func appendCurrent(text []byte, members []member, name string) []byte {
	if len(members) == 0 {
		newline := "\n"
		if bytes.Contains(text, []byte("\r\n")) {
			newline = "\r\n"
		}
		open, end := bytes.IndexByte(text, '{'), bytes.LastIndexByte(text, '}')
		return splice(text, open+1, end, newline+"\t\""+currentKey+"\": "+quote(name)+newline)
	}
	last := members[len(members)-1]
	from := bytes.IndexByte(text, '{') + 1
	if len(members) > 1 {
		before := members[len(members)-2].end
		from = before + bytes.IndexByte(text[before:], ',') + 1
	}
	space, colon := string(text[from:last.key]), string(text[last.keyEnd:last.value])
	return splice(text, last.end, last.end, ","+space+`"`+currentKey+`"`+colon+quote(name))
}

// clearCurrent takes the key out, with one comma and the space before it.
func clearCurrent(text []byte, members []member) ([]byte, error) {
	for i, m := range members {
		if !m.isCurrent() {
			continue
		}
		from, to := m.key, m.end
		switch {
		case i > 0:
			from = members[i-1].end
		case len(members) > 1:
			to = members[1].key
		default:
			from, to = bytes.IndexByte(text, '{')+1, bytes.LastIndexByte(text, '}')
		}
		text = splice(text, from, to, "")
		rest, err := scan(text)
		if err != nil {
			return nil, err
		}
		return clearCurrent(text, rest) // a key may be there twice
	}
	return text, nil
}

// scan finds the members of the object that a text is.
func scan(text []byte) (members []member, err error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, broken(text, err)
	}
	if object == nil {
		return nil, errors.New("it is not a JSON object; repair it first, nothing was changed")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return nil, broken(text, err)
	}
	for d.More() {
		from := int(d.InputOffset())
		key, err := d.Token()
		if err != nil {
			return nil, broken(text, err)
		}
		m := member{keyEnd: int(d.InputOffset())}
		m.name, _ = key.(string)
		m.key = from + bytes.IndexByte(text[from:], '"')
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, broken(text, err)
		}
		m.end = int(d.InputOffset())
		m.value = m.end - len(value)
		members = append(members, m)
	}
	return members, nil
}

// broken says where a text is not what docker wants, without showing any of it: it may hold credentials.
func broken(text []byte, err error) error {
	line := func(offset int64) int {
		return 1 + bytes.Count(text[:min(max(offset, 0), int64(len(text)))], []byte("\n"))
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")):
		return errors.New("it starts with a byte order mark, which docker does not read; save it without, nothing was changed")
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: it is not JSON; repair it first, nothing was changed", line(syntax.Offset))
	case errors.As(err, &kind):
		return fmt.Errorf("line %d: a %s stands where docker wants another kind of value; repair it first, nothing was changed", line(kind.Offset), kind.Value)
	}
	return errors.New("it is not JSON; repair it first, nothing was changed")
}

func quote(name string) string {
	b, _ := json.Marshal(name) // a string always can be
	return string(b)
}

func splice(text []byte, from, to int, with string) []byte {
	out := make([]byte, 0, len(text)+len(with))
	out = append(out, text[:from]...)
	out = append(out, with...)
	return append(out, text[to:]...)
}
