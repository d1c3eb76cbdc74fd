package service

import (
	"os"
	"os/exec"
)

// apart leaves a daemon on our console: when that is closed, both are told.
func apart(*exec.Cmd) {}

// ask has nothing to do: the console told the daemon already.
func ask(*os.Process) {}

// Renewals are the signals at which a Keeper renews its daemon: none, a port is not handed over.
func Renewals() []os.Signal { return nil }
