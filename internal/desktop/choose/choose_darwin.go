package choose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// cancelled is AppleScript's number for a person who changed their mind.
const cancelled = "(-128)"

func ask(ctx context.Context, q question) (string, error) {
	command := exec.CommandContext(ctx, "/usr/bin/osascript", q.apple()...) //nolint:gosec // the words are arguments, not script
	var said bytes.Buffer
	command.Stderr = &said
	out, err := command.Output()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case errors.As(err, &exit) && strings.Contains(said.String(), cancelled):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("%w: osascript: %w: %s", ErrNone, err, strings.TrimSpace(said.String()))
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}
