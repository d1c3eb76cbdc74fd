//go:build !unix

package proxy

// maxFiles is how many files this process may have open: more than it has memory for.
func maxFiles() int { return 1 << 16 }
