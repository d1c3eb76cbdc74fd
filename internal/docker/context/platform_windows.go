package context

import "strings"

const homeVariable = "USERPROFILE"

// Unset is the command that takes variables out of a PowerShell's environment.
func Unset(names ...string) string {
	return "Remove-Item Env:" + strings.Join(names, ",Env:")
}
