//go:build !(darwin || dragonfly || freebsd || netbsd || openbsd)

package config

import "path/filepath"

// watchable is what to watch to hear of a place: its folder.
func watchable(place string) string { return filepath.Dir(place) }
