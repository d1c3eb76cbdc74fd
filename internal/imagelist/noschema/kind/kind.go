// Package kind has the kinds of errors that compose-go names: see the package above it.
package kind

import (
	"math/big"

	"golang.org/x/text/message"
)

// Type is another type than the schema's.
type Type struct{ Want []string }

// Minimum is too little.
type Minimum struct{ Want *big.Rat }

// Maximum is too much.
type Maximum struct{ Want *big.Rat }

// AdditionalProperties is a name that the schema does not have.
type AdditionalProperties struct{}

func (*Type) LocalizedString(*message.Printer) string { return "" }

func (*Minimum) LocalizedString(*message.Printer) string { return "" }

func (*Maximum) LocalizedString(*message.Printer) string { return "" }

func (*AdditionalProperties) LocalizedString(*message.Printer) string { return "" }
