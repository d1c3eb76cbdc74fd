//go:build !linux

package desktop

// Display returns an error when there is no display to draw on. On this
// platform a person who is logged in has one.
func Display(func(string) string) error { return nil }
