package machine

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// canShare says that ssh can use one connection for many commands.
const canShare = false

// apart keeps the terminal's Ctrl-C from the program, and it opens no window.
func apart(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_NO_WINDOW | windows.CREATE_NEW_PROCESS_GROUP}
}

func socketDir() (string, error) { return "", nil }
