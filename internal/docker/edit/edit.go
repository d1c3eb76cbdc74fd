// Package edit changes other programs' settings files and takes the change out again. Every byte that does not belong to
// what was asked for stays: order, comments, unknown keys, indentation, a byte order mark, the kind of line ends. A file
// that is broken is refused and left alone.
//
// It works on texts; who reads and writes them, and when, is the caller's business. It must not know engines.
package edit

import (
	"encoding/json"
	"fmt"
)

// Format says how a text is read.
type Format string

// Formats of files.
const (
	// JSON is one object, strictly (RFC 8259): the programs whose files these are take no comments. A byte order mark is
	// let pass. An empty text is an empty object.
	JSON Format = "json"
	// TOML is TOML 1.0. Comments and white space stay.
	TOML Format = "toml"
	// Lines is text whose lines are put in between two lines that say whose they are: settings of shells and services.
	Lines Format = "lines"
	// Whole is a file of our own: nothing may be there yet.
	Whole Format = "whole"
)

// Edit is a change of one text. Its JSON form is kept until the change is taken out again. Not safe for several goroutines.
type Edit struct {
	Format Format `json:"format"`
	Steps  []Step `json:"steps"`
}

// Step is one thing that is put in. Exactly one of Value, Add and Text is used.
type Step struct {
	// Path leads to a key through tables: {"proxies", "http-proxy"}. Empty in Lines and Whole.
	Path []string `json:"path,omitempty"`
	// Value is what the key shall have. It replaces what is there.
	Value json.RawMessage `json:"value,omitempty"`
	// Add are elements that the array at Path shall have; those that it has already stay where they are and are not ours.
	Add []json.RawMessage `json:"add,omitempty"`
	// Front puts them before the elements that are there; with a Value in TOML, the table that is made for it before those that
	// are in the outermost one of Path already: the order of tables counts for some programs.
	Front bool `json:"front,omitempty"`
	// Text is what is put into Lines, or is the Whole.
	Text string `json:"text,omitempty"`

	// Old is what Value replaced; empty if there was nothing. Set by Apply.
	Old json.RawMessage `json:"old,omitempty"`
	// Added are those of Add that were missing. Set by Apply.
	Added []json.RawMessage `json:"added,omitempty"`
	// Made is the path of the outermost table or array that did not exist and goes again once it is empty. Set by Apply.
	Made []string `json:"made,omitempty"`

	// Done says that Apply changed something: what was there before is not ours. Set by Apply, as are those that follow.
	Done bool `json:"done,omitempty"`
	// Fresh says that there was nothing at all in the text.
	Fresh bool `json:"fresh,omitempty"`
	// Lead and Trail were put around what is ours, Put is what came in place of Was: with them the same bytes come back as
	// long as nobody changed anything near by.
	Lead  string `json:"lead,omitempty"`
	Trail string `json:"trail,omitempty"`
	Put   string `json:"put,omitempty"`
	Was   string `json:"was,omitempty"`
}

// Apply is text with all steps taken. What is there already stays where it is and does not become ours; applied again to its
// own result it changes nothing. The error names the line where text is broken. text is not changed.
func (e *Edit) Apply(text []byte) ([]byte, error) {
	for i := range e.Steps {
		var err error
		if text, err = e.Steps[i].apply(e.Format, text); err != nil {
			return nil, err
		}
	}
	return text, nil
}

// Revert is text without what Apply put in, as far as that is still what it was: what somebody else wrote since stays, in
// it and around it. Where Apply found an empty text and nobody else wrote anything the result is as empty. text is not
// changed.
func (e *Edit) Revert(text []byte) ([]byte, error) {
	if err := Check(e.Format, text); err != nil {
		return nil, err
	}
	for i := len(e.Steps) - 1; i >= 0; i-- {
		if !e.Steps[i].Done {
			continue
		}
		var err error
		if text, err = e.Steps[i].revert(e.Format, text); err != nil {
			return nil, err
		}
	}
	return text, nil
}

// Has is the value of a key as JSON, and nil if there is none. Lines and Whole have no keys.
func Has(f Format, text []byte, path ...string) (json.RawMessage, error) {
	d, err := dialectOf(f)
	if err != nil {
		return nil, err
	}
	root, err := d.decode(text)
	if err != nil {
		return nil, err
	}
	v, ok := lookup(root, path)
	if !ok {
		return nil, nil
	}
	return encode(v)
}

// Drop is text without a key, however often that is there. Where it is not, text stays as it is. Lines and Whole have no
// keys.
func Drop(f Format, text []byte, path ...string) ([]byte, error) {
	d, err := dialectOf(f)
	if err != nil {
		return nil, err
	}
	root, err := d.decode(text)
	if err != nil {
		return nil, err
	}
	if _, ok := lookup(root, path); !ok {
		return text, nil
	}
	want := without(root, path)
	for ok := true; ok; _, ok = lookup(root, path) {
		if text, err = d.remove(text, path, path); err != nil {
			return nil, err
		}
		if root, err = d.decode(text); err != nil {
			return nil, err
		}
	}
	return proven(d, text, want)
}

// Check says whether text can be worked on: nil if it can, else what is wrong in which line.
func Check(f Format, text []byte) error {
	switch f {
	case Whole:
		return nil
	case Lines:
		_, _, err := block(text)
		return err
	}
	d, err := dialectOf(f)
	if err == nil {
		_, err = d.decode(text)
	}
	return err
}

// dialect is a format with keys.
type dialect interface {
	// decode is what a text means, with the types of encoding/json and json.Number.
	decode(text []byte) (map[string]any, error)
	// value is where the value at path stands, which is there.
	value(text []byte, path []string) (from, to int, err error)
	// entry is where what insert wrote for path stands: the whole of made, or the key and its value.
	entry(text []byte, path, made []string) (from, to int, err error)
	// insert puts in a key that is not there, and the tables around it.
	insert(text []byte, path []string, v json.RawMessage) ([]byte, error)
	// literal is a value as it replaces the one at path.
	literal(text []byte, path []string, v json.RawMessage) (string, error)
	// extend puts elements into an array that is there; shrink takes out those at the given places.
	extend(text []byte, path []string, front bool, elements []json.RawMessage) ([]byte, error)
	shrink(text []byte, path []string, places []int) ([]byte, error)
	// remove takes out the key at path, and the empty tables from top on; top begins path.
	remove(text []byte, path, top []string) ([]byte, error)
}

func dialectOf(f Format) (dialect, error) {
	switch f {
	case JSON:
		return jsonDialect{}, nil
	case TOML:
		return tomlDialect{}, nil
	case YAML:
		return yamlDialect{}, nil
	}
	return nil, fmt.Errorf("no keys in a text of format %q", f)
}
