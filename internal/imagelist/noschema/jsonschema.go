// Package jsonschema stands in for the module of this name, by a replace in our go.mod. compose-go's loader links that module
// to check Compose files against a schema, which Pulley never asks for (loader.Options.SkipValidation); but as it is
// initialised it compiles five drafts of JSON Schema, in each process that links it: a third of what the daemon did until it
// was ready, and 1.7 MB. There is nothing here that compose-go's schema package does not name, and no schema compiles.
package jsonschema

import (
	"errors"
	"io"

	"golang.org/x/text/message"
)

// ErrNotLinked is what compiling says.
var ErrNotLinked = errors.New("this program does not check Compose files against their schema")

// Compiler compiles nothing.
type Compiler struct{}

// NewCompiler returns one.
func NewCompiler() *Compiler { return &Compiler{} }

// AddResource says ErrNotLinked.
func (*Compiler) AddResource(string, any) error { return ErrNotLinked }

// RegisterFormat does nothing.
func (*Compiler) RegisterFormat(*Format) {}

// Compile says ErrNotLinked.
func (*Compiler) Compile(string) (*Schema, error) { return nil, ErrNotLinked }

// Schema fits nothing.
type Schema struct{}

// Validate says ErrNotLinked.
func (*Schema) Validate(any) error { return ErrNotLinked }

// UnmarshalJSON says ErrNotLinked.
func UnmarshalJSON(io.Reader) (any, error) { return nil, ErrNotLinked }

// Format is a form of strings.
type Format struct {
	Name     string
	Validate func(any) error
}

// ValidationError says where something does not fit.
type ValidationError struct {
	InstanceLocation []string
	ErrorKind        ErrorKind
	Causes           []*ValidationError
}

func (*ValidationError) Error() string { return ErrNotLinked.Error() }

// ErrorKind is one of those in the package kind.
type ErrorKind interface {
	LocalizedString(*message.Printer) string
}
