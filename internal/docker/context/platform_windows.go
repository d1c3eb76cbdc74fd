package context

import (
	"os"
	"strings"
)

const homeVariable = "USERPROFILE"

// Unset is the command that takes variables out of a PowerShell's environment.
func Unset(names ...string) string {
	return "Remove-Item Env:" + strings.Join(names, ",Env:")
}

// keepOwner has nothing to do: a file inherits its folder's access list.
func keepOwner(*os.File, os.FileInfo) error { return nil }
