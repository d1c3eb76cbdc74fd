//go:build unix

package main

import (
	"context"
	"os/exec"
)

// usualEditor is opened where none is set; "" opens none.
const usualEditor = ""

// editorCommand opens a file. Editors are often set with arguments ("code -w"): a shell splits them.
func editorCommand(ctx context.Context, editor, path string) *exec.Cmd {
	return exec.CommandContext(ctx, "sh", "-c", editor+` "$1"`, "sh", path)
}
