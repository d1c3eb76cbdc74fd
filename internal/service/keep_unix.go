//go:build unix

package service

import (
	"os"
	"os/exec"
	"syscall"
)

// apart keeps a terminal's Ctrl-C from reaching a daemon, which would be its second signal.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func ask(p *os.Process) { _ = p.Signal(syscall.SIGTERM) }

// Renewals are the signals at which a Keeper renews its daemon.
func Renewals() []os.Signal { return []os.Signal{syscall.SIGHUP} }
