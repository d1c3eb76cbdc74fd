package main

import (
	"context"
	"os/exec"
	"syscall"
)

// usualEditor is opened where none is set.
func usualEditor() string { return "notepad" }

// editorCommand opens a file. Editors are often set with arguments ("code -w"): the command interpreter splits them. With
// /S it takes away the outer quotes and leaves the rest as it is (cmd /?).
func editorCommand(ctx context.Context, editor, path string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "cmd")
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd /S /C "` + editor + ` "` + path + `""`}
	return cmd
}
