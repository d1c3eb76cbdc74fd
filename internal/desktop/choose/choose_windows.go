package choose

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/windows"
)

func ask(ctx context.Context, q question) (string, error) {
	script, environ := q.power()
	command := exec.CommandContext(ctx, "powershell.exe", "-NoProfile", "-NonInteractive", "-STA", "-Command", script) //nolint:gosec // the words are variables, not script
	command.Env = append(os.Environ(), environ...)
	command.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NO_WINDOW}
	var said bytes.Buffer
	command.Stderr = &said
	out, err := command.Output()
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return "", fmt.Errorf("%w: powershell: %w: %s", ErrNone, err, strings.TrimSpace(said.String()))
	}
	return strings.TrimRight(string(out), "\r\n"), nil
}
