//go:build unix

package context

import "strings"

const homeVariable = "HOME"

// Unset is the command that takes variables out of a shell's environment.
func Unset(names ...string) string { return "unset " + strings.Join(names, " ") }
