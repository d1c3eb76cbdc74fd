//go:build !windows

package ssh

import (
	"context"
	"io"
	"net"
	"os/exec"
)

// defaultAgent is used where SSH_AUTH_SOCK is not set: none.
const defaultAgent = ""

func openAgent(ctx context.Context, name string) (io.ReadWriteCloser, error) {
	return new(net.Dialer).DialContext(ctx, "unix", name)
}

// shell runs a line as ssh(1) does.
func shell(ctx context.Context, getenv func(string) string, line string) *exec.Cmd {
	sh := getenv("SHELL")
	if sh == "" {
		sh = "/bin/sh"
	}
	return exec.CommandContext(ctx, sh, "-c", "exec "+line)
}

func hideWindow(*exec.Cmd) {}
