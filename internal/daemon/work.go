package daemon

import (
	"context"
	"errors"

	"pulley/internal/control"
)

var errLater = errors.New("not in this version")

func (d *Daemon) Verify(ctx context.Context, v control.Verify, progress func(control.Verifying)) (control.Verified, error) {
	return control.Verified{}, errLater
}
