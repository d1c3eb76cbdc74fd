//go:build unix

package desktop

import (
	"os"
	"os/exec"
	"syscall"
)

// apart keeps a terminal's Ctrl-C from reaching the child: we end it ourselves.
func apart(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

func askToEnd(process *os.Process) error {
	return process.Signal(syscall.SIGTERM)
}
