//go:build !windows

package main

import "os"

// takesSequences: every terminal that is not dumb does.
func takesSequences(*os.File) bool { return true }
