package context

import "strings"

const homeVariable = "USERPROFILE"

// sameVariable says whether two names are those of one variable; Windows does not regard their case.
func sameVariable(a, b string) bool { return strings.EqualFold(a, b) }

// Unset is the command that takes variables out of a PowerShell's environment.
func Unset(names ...string) string {
	return "Remove-Item Env:" + strings.Join(names, ",Env:")
}
