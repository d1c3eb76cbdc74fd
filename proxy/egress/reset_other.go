//go:build !windows

package egress

import (
	"errors"
	"syscall"
)

// isReset reports whether the far side reset or refused the connection.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EPIPE)
}
