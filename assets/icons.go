package assets

import "embed"

// Icons holds the mark in its forms, as SVG: icons/on.svg, icons/off.svg,
// icons/busy.svg and icons/trouble.svg for a status area, on a grid of 22, and
// icons/app.svg with icons/app.png for everything else.
//
//go:embed icons/*.svg icons/*.png
var Icons embed.FS
