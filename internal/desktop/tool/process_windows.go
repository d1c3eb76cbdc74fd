package tool

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// apart keeps the program from opening a console window.
func apart(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NO_WINDOW | windows.CREATE_NEW_PROCESS_GROUP}
}

// askToEnd ends a program that asks for an administrator's rights: one without a console cannot be sent a signal. What has got
// them goes on to its end.
func askToEnd(process *os.Process) error { return process.Kill() }
