package tool

import (
	"context"
	"errors"

	"golang.org/x/sys/windows"
)

func elevated() bool { return windows.GetCurrentProcessToken().IsElevated() }

// asRoot has PowerShell ask, by the system's own dialog.
func (t *Tool) asRoot(ctx context.Context, into any, program string, args []string) error {
	b, err := newBox()
	if err != nil {
		return err
	}
	defer b.close()
	script := powerScript(b, carried(t.environ()), program, args)
	err = ask(ctx, nil, nil, t.command(ctx, "powershell.exe", "-NoProfile", "-NonInteractive", "-EncodedCommand", encoded(script)))
	var f *failure
	switch {
	case errors.As(err, &f) && f.code == declinedCode:
		return ErrDeclined
	case err != nil:
		return err
	}
	return b.answer(into, args)
}
