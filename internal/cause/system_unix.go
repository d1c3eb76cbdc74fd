//go:build !windows

package cause

import "syscall"

// What the system says of each.
var (
	refused = []error{syscall.ECONNREFUSED}
	noWay   = []error{syscall.EHOSTUNREACH, syscall.ENETUNREACH}
	reset   = []error{syscall.ECONNRESET, syscall.EPIPE}
	full    = []error{syscall.ENOSPC, syscall.EDQUOT}
	taken   = []error{syscall.EADDRINUSE}
)
