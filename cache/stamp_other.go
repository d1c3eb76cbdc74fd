//go:build unix && !linux && !darwin

package cache

import "os"

func stampOf(f *os.File) (stamp, error) {
	fi, err := f.Stat()
	if err != nil {
		return stamp{}, err
	}
	if !fi.Mode().IsRegular() {
		return stamp{}, errNotRegular
	}
	return stamp{size: fi.Size(), mtime: fi.ModTime().UnixNano()}, nil
}
