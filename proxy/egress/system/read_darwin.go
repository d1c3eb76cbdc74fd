package system

import (
	"context"
	"os/exec"
	"time"
)

// Read returns the settings of the network that is in use.
func Read(ctx context.Context, environ []string) (Settings, error) {
	cmd := exec.CommandContext(ctx, "/usr/sbin/scutil", "--proxy")
	cmd.Env, cmd.WaitDelay = environ, time.Second
	out, err := cmd.Output()
	if err != nil {
		return Settings{}, err
	}
	return Mac(string(out)), nil
}
