//go:build !windows

package proxy

import (
	"errors"
	"syscall"
)

// isReset reports whether the other side broke a connection off.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
