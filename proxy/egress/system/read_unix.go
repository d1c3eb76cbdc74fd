//go:build !windows && !darwin

package system

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"time"
)

// Read returns what the person's desktop says; none where no desktop is.
func Read(ctx context.Context, environ []string) (Settings, error) {
	desktop := false
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		desktop = desktop || value != "" && (name == "DBUS_SESSION_BUS_ADDRESS" || name == "XDG_CURRENT_DESKTOP")
	}
	if !desktop {
		return Settings{}, nil
	}
	cmd := exec.CommandContext(ctx, "gsettings", "list-recursively", "org.gnome.system.proxy")
	cmd.Env, cmd.WaitDelay = environ, time.Second
	out, err := cmd.Output()
	var gone *exec.Error
	var said *exec.ExitError
	if errors.As(err, &gone) || errors.As(err, &said) { // no such program, no such schema: another desktop
		return Settings{}, nil
	}
	if err != nil {
		return Settings{}, err
	}
	return Gnome(string(out)), nil
}
