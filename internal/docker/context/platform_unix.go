//go:build unix

package context

import (
	"os"
	"strings"
	"syscall"
)

const homeVariable = "HOME"

// Unset is the command that takes variables out of a shell's environment.
func Unset(names ...string) string { return "unset " + strings.Join(names, " ") }

// keepOwner gives a file the owner that another one has; only root may, and only for root it matters.
func keepOwner(f *os.File, like os.FileInfo) error {
	stat, ok := like.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return f.Chown(int(stat.Uid), int(stat.Gid))
}
