//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package config

import (
	"os"
	"path/filepath"
)

// crowd is how many files a folder may have to be watched. kqueue opens each of them, and a link may well lead into a
// package store with a hundred thousand.
const crowd = 512

// watchable is what to watch to hear of a place: its folder; the place itself if that is crowded and cannot be looked
// through.
func watchable(place string) string {
	folder := filepath.Dir(place)
	d, err := os.Open(folder)
	if err != nil {
		return folder
	}
	defer func() { _ = d.Close() }()
	if list, _ := d.Readdirnames(crowd + 1); len(list) > crowd {
		return place
	}
	return folder
}
