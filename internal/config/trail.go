package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// mostLinks is how many links lead to one file at most; Linux allows as many.
const mostLinks = 40

// trail follows path over all links in it. target is where the file is, or would be made. places are what leads there:
// each link, what is missing of the folders, and target itself. When none of them changes, path stands for the same text.
// Links in the root folder (/var, /home) are the machine's, and no places.
func trail(path string) (places []string, target string) {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	at, rest := rooted(path)
	missing := false
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		to, err := os.Readlink(next)
		if err == nil && links < mostLinks {
			links++
			if filepath.Dir(at) != at {
				places = append(places, next)
			}
			if filepath.IsAbs(to) {
				at, to = split(to)
			}
			rest = append(parts(to), rest...)
			continue
		}
		if !missing && len(rest) > 0 {
			_, err := os.Lstat(next)
			if missing = errors.Is(err, fs.ErrNotExist); missing {
				places = append(places, next)
			}
		}
		at = next
	}
	return append(places, at), at
}

// rooted cuts an absolute path into its root and its parts.
func rooted(path string) (root string, rest []string) {
	root, below := split(path)
	return root, parts(below)
}

func split(path string) (root, below string) {
	volume := filepath.VolumeName(path)
	return volume + string(filepath.Separator), path[len(volume):]
}

func parts(path string) (list []string) {
	for _, part := range strings.FieldsFunc(path, func(r rune) bool { return r < 0x80 && os.IsPathSeparator(uint8(r)) }) {
		if part != "." {
			list = append(list, part)
		}
	}
	return list
}
