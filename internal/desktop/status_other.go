//go:build !linux

package desktop

import "context"

// HasStatusArea tells whether something on this desktop shows status icons. On
// this platform the system does.
func HasStatusArea(context.Context) bool { return true }
