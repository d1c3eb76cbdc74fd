package assets

import "embed"

// Locales holds all texts of the desktop app, for translators: locales/PAGE.LANGUAGE.toml, in go-i18n's form of TOML.
// CONTRIBUTING.md says how to add a language.
//
//go:embed locales/*.toml
var Locales embed.FS
