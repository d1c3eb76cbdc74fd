//go:build !windows

package doctor

import "golang.org/x/sys/unix"

// writable asks without writing.
func writable(dir string) bool { return unix.Access(dir, unix.W_OK) == nil }
