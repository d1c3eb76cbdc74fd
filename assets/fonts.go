package assets

import _ "embed"

// ChineseRegular is a font with the Chinese characters of our own texts, and nothing that Fyne's own fonts have, as OpenType. It
// is made by .ci/fonts; fonts/OFL.txt is its licence.
//
//go:embed fonts/PulleySansSC-Regular.otf
var ChineseRegular []byte

// ChineseBold is the same in bold.
//
//go:embed fonts/PulleySansSC-Bold.otf
var ChineseBold []byte
