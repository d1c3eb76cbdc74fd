//go:build linux || darwin

package cache

import (
	"errors"
	"os"
	"syscall"
)

// readStamped reads the first bytes of a file, and says what it looked like before.
// It goes around os.File, whose care for files that may block costs as much as the
// reading of a small one.
func readStamped(path string, p []byte) (st stamp, n int, err error) {
	fd, err := again(func() (int, error) { return syscall.Open(path, os.O_RDONLY|syscall.O_CLOEXEC, 0) })
	if err != nil {
		return stamp{}, 0, err
	}
	defer func() { _ = syscall.Close(fd) }()
	if st, err = stampBy(func(into *syscall.Stat_t) error { return syscall.Fstat(fd, into) }); err != nil {
		return stamp{}, 0, err
	}
	for more := 1; more > 0 && int64(n) < st.size && n < len(p); n += more {
		if more, err = again(func() (int, error) { return syscall.Read(fd, p[n:]) }); err != nil {
			return stamp{}, 0, err
		}
	}
	return st, n, nil
}

// again makes a system call until no signal interrupts it.
func again(call func() (int, error)) (n int, err error) {
	for {
		if n, err = call(); !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}
