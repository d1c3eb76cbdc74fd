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

// askToEnd ends it: a program without a console cannot be sent a signal. What it left half done is put right by the next
// `pulley connect` or `pulley disconnect`.
func askToEnd(process *os.Process) error { return process.Kill() }
