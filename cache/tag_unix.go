//go:build unix

package cache

import (
	"errors"
	"syscall"
)

// isNotDir reports whether a file lies where a directory would have to be.
func isNotDir(err error) bool { return errors.Is(err, syscall.ENOTDIR) }
