package egress

import (
	"errors"
	"syscall"

	"golang.org/x/sys/windows"
)

// isReset reports whether the far side reset or refused the connection.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, windows.WSAECONNRESET) ||
		errors.Is(err, windows.WSAECONNREFUSED) || errors.Is(err, windows.WSAECONNABORTED)
}
