//go:build !windows

package cache

// pathElement is a part of a name as a file name.
func pathElement(s string) string { return s }
