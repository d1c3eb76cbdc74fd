//go:build unix

package context

import "strings"

const homeVariable = "HOME"

// sameVariable says whether two names are those of one variable.
func sameVariable(a, b string) bool { return a == b }

// Unset is the command that takes variables out of a shell's environment.
func Unset(names ...string) string { return "unset " + strings.Join(names, " ") }
