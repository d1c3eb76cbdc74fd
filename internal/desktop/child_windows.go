package desktop

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// apart keeps the child from opening a console window.
func apart(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NO_WINDOW | windows.CREATE_NEW_PROCESS_GROUP}
}

// askToEnd ends it: a program without a console cannot be sent a signal. The
// daemon loses nothing by that, it is made to be killed.
func askToEnd(process *os.Process) error {
	return process.Kill()
}
