//go:build linux || darwin

package cache

import (
	"errors"
	"os"
	"syscall"
)

// fstat goes around os.File.Stat, which allocates what nobody needs here.
func fstat(f *os.File, st *syscall.Stat_t) error {
	rc, err := f.SyscallConn()
	if err != nil {
		return err
	}
	cerr := rc.Control(func(fd uintptr) {
		for {
			if err = syscall.Fstat(int(fd), st); !errors.Is(err, syscall.EINTR) {
				return
			}
		}
	})
	if err == nil && cerr == nil && st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return errNotRegular
	}
	return errors.Join(err, cerr)
}
