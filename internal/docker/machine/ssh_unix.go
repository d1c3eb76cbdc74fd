//go:build unix

package machine

import (
	"os"
	"os/exec"
	"syscall"
)

// canShare says that ssh can use one connection for many commands.
const canShare = true

// apart keeps the terminal's Ctrl-C from the program: what it is needed for in the end still goes over it.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// longestDir leaves room in a unix socket's path, of 104 bytes on some systems, for our name and what ssh adds while it
// makes the socket.
const longestDir = 70

// socketDir makes a folder for the person alone whose path is short enough.
func socketDir() (string, error) {
	dir, err := os.MkdirTemp("", "pulley-ssh-")
	if err == nil && len(dir) > longestDir {
		_ = os.Remove(dir)
		dir, err = os.MkdirTemp("/tmp", "pulley-ssh-")
	}
	return dir, err
}
