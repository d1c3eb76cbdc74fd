//go:build !windows

package doctor

import "golang.org/x/sys/unix"

// writable asks without writing.
func writable(dir string) bool { return unix.Access(dir, unix.W_OK) == nil }

// ownFolder is the command that lets its owner write to a folder again.
func ownFolder(dir string) string { return `chmod -R u+rwX "` + dir + `"` }
