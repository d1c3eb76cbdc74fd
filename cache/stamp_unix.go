//go:build linux || darwin

package cache

import (
	"errors"
	"os"
	"syscall"
)

// stampOf goes around os.File.Stat, which allocates what nobody needs here.
func stampOf(f *os.File) (stamp, error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return stamp{}, err
	}
	var st stamp
	cerr := rc.Control(func(fd uintptr) {
		st, err = stampBy(func(into *syscall.Stat_t) error { return syscall.Fstat(int(fd), into) })
	})
	return st, errors.Join(err, cerr)
}

// stampAt is stampOf the file at a path.
func stampAt(path string) (stamp, error) {
	return stampBy(func(into *syscall.Stat_t) error { return syscall.Stat(path, into) })
}

func stampBy(stat func(*syscall.Stat_t) error) (stamp, error) {
	var st syscall.Stat_t
	for {
		switch err := stat(&st); {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return stamp{}, err
		case st.Mode&syscall.S_IFMT != syscall.S_IFREG:
			return stamp{}, errNotRegular
		default:
			return stampIn(&st), nil
		}
	}
}
