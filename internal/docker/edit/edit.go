// Package edit changes other programs' settings files and takes the change out again. Every byte that does not belong to
// what was asked for stays: order, comments, unknown keys, indentation, a byte order mark, the kind of line ends. A file
// that is broken is refused and left alone.
//
// It works on texts; who reads and writes them, and when, is the caller's business. It must not know engines.
package edit

import "encoding/json"

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
	// Front puts them before the elements that are there.
	Front bool `json:"front,omitempty"`
	// Text is what is put into Lines, or is the Whole.
	Text string `json:"text,omitempty"`

	// Old is what Value replaced; empty if there was nothing. Set by Apply.
	Old json.RawMessage `json:"old,omitempty"`
	// Added are those of Add that were missing. Set by Apply.
	Added []json.RawMessage `json:"added,omitempty"`
	// Made is the path of the outermost table or array that did not exist and goes again once it is empty. Set by Apply.
	Made []string `json:"made,omitempty"`
}
