//go:build unix

package main

import (
	"context"
	"os/exec"
)

// usualEditor is opened where none is set: what Debian's alternatives say, else one that is there; "" is none.
func usualEditor() string {
	for _, name := range []string{"editor", "nano", "vi"} {
		if _, err := exec.LookPath(name); err == nil {
			return name
		}
	}
	return ""
}

// editorCommand opens a file. Editors are often set with arguments ("code -w"): a shell splits them.
func editorCommand(ctx context.Context, editor, path string) *exec.Cmd {
	return exec.CommandContext(ctx, "sh", "-c", editor+` "$1"`, "sh", path)
}
