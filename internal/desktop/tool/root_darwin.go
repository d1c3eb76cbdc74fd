package tool

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
)

func elevated() bool { return os.Geteuid() == 0 }

// asRoot has osascript ask, which knows the system's own dialog.
func (t *Tool) asRoot(ctx context.Context, into any, program string, args []string) error {
	b, err := newBox()
	if err != nil {
		return err
	}
	defer b.close()
	script := appleScript(b, slices.Concat(carried(t.environ()), person()), program, args)
	err = ask(ctx, nil, nil, t.command(ctx, "/usr/bin/osascript", "-e", script))
	var f *failure
	switch {
	case errors.As(err, &f) && strings.Contains(f.said, "-128"): // userCanceledErr
		return ErrDeclined
	case errors.As(err, &f) && strings.Contains(f.said, "-1713"): // errAENoUserInteraction
		return &TerminalError{"nobody can be asked for an administrator's password here", sudoLine(t.environ(), program, args)}
	case err != nil:
		return err
	}
	return b.answer(into, args)
}
