package ssh

import (
	"context"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// defaultAgent is the pipe of the OpenSSH agent that Windows has.
const defaultAgent = `\\.\pipe\openssh-ssh-agent`

func openAgent(_ context.Context, name string) (io.ReadWriteCloser, error) {
	return os.OpenFile(name, os.O_RDWR, 0)
}

// shell runs a line as Windows' ssh does.
func shell(ctx context.Context, _ func(string) string, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "cmd.exe")
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: "cmd.exe /d /c " + line}
	return cmd
}

// hideWindow keeps a console from flashing up: the daemon has none.
func hideWindow(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.HideWindow = true
	cmd.SysProcAttr.CreationFlags |= windows.CREATE_NO_WINDOW
}
