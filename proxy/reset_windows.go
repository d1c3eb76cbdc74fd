package proxy

import (
	"errors"
	"syscall"
)

// wsaeConnAborted is what a write to a broken connection gives.
const wsaeConnAborted = syscall.Errno(10053)

// isReset reports whether the other side broke a connection off.
func isReset(err error) bool {
	return errors.Is(err, syscall.WSAECONNRESET) || errors.Is(err, wsaeConnAborted)
}
