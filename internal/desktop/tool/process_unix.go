//go:build unix

package tool

import (
	"os"
	"os/exec"
	"syscall"
)

// apart keeps a terminal's Ctrl-C from reaching the program: we end it ourselves.
func apart(command *exec.Cmd) { command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// askToEnd ends a program that asks for an administrator's rights. What has become root is not ours to signal: it goes on to
// its end.
func askToEnd(process *os.Process) error { return process.Signal(syscall.SIGTERM) }
