// Package assets holds the data that is compiled into the programs: built-in registries, icons, translations.
// It has no logic and must not import any other package of ours.
package assets

import _ "embed"

// Registries is registries.toml: the built-in registries and mirrors, in the form of a config.toml with [[registry]]
// tables alone, and with what is known about them.
//
//go:embed registries.toml
var Registries []byte
