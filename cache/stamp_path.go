//go:build !linux && !darwin

package cache

import "os"

// stampAt is stampOf the file at a path.
func stampAt(path string) (stamp, error) {
	f, err := openShared(path, os.O_RDONLY, 0)
	if err != nil {
		return stamp{}, err
	}
	st, err := stampOf(f)
	_ = f.Close()
	return st, err
}
