package context

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"pulley/internal/docker/edit"
)

// currentKey is the key of config.json that names the context to use.
const currentKey = "currentContext"

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
// belong to that key stays: docker's own writer would drop the order and the indentation. A text that docker does not read
// is refused.
func setCurrent(text []byte, name string) ([]byte, error) {
	if _, err := readCurrent(text); err != nil {
		return nil, err
	}
	keys, err := currentKeys(text)
	if err != nil {
		return nil, err
	}
	if name == "" {
		for _, key := range keys {
			if text, err = edit.Drop(edit.JSON, text, key); err != nil {
				return nil, unchanged(err)
			}
		}
		return text, nil
	}
	value, err := json.Marshal(name)
	if err != nil {
		return nil, err
	}
	if keys == nil {
		keys = []string{currentKey}
	}
	change := edit.Edit{Format: edit.JSON}
	for _, key := range keys {
		change.Steps = append(change.Steps, edit.Step{Path: []string{key}, Value: value})
	}
	if text, err = change.Apply(text); err != nil {
		return nil, unchanged(err)
	}
	return text, nil
}

// currentKeys are the keys of a config.json that docker takes for currentKey: encoding/json does not regard their case.
func currentKeys(text []byte) (keys []string, err error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, broken(text, err)
	}
	if object == nil {
		return nil, unchanged(errors.New("it is not a JSON object"))
	}
	for key := range object {
		if strings.EqualFold(key, currentKey) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

func unchanged(err error) error { return fmt.Errorf("%w; repair it first, nothing was changed", err) }

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
		return unchanged(fmt.Errorf("line %d: it is not JSON", line(syntax.Offset)))
	case errors.As(err, &kind):
		return unchanged(fmt.Errorf("line %d: a %s stands where docker wants another kind of value", line(kind.Offset), kind.Value))
	}
	return unchanged(errors.New("it is not JSON"))
}
