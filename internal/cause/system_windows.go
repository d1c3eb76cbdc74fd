package cause

import "golang.org/x/sys/windows"

// What the system says of each.
var (
	refused = []error{windows.WSAECONNREFUSED}
	noWay   = []error{windows.WSAEHOSTUNREACH, windows.WSAENETUNREACH}
	reset   = []error{windows.WSAECONNRESET, windows.WSAECONNABORTED}
	full    = []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL}
	taken   = []error{windows.WSAEADDRINUSE}
)
