package daemon

import (
	"context"
	"errors"
	"io"

	"pulley/internal/control"
)

var errLater = errors.New("not in this version")

func (d *Daemon) Verify(ctx context.Context, v control.Verify, progress func(control.Verifying)) (control.Verified, error) {
	return control.Verified{}, errLater
}
func (d *Daemon) FetchMissing(ctx context.Context, e control.Export, progress func(control.Pulling)) (control.Pulled, error) {
	return control.Pulled{}, errLater
}
func (d *Daemon) Export(ctx context.Context, e control.Export, w io.Writer) error { return errLater }
func (d *Daemon) Import(ctx context.Context, tar io.Reader, progress func(control.Importing)) (control.Imported, error) {
	return control.Imported{}, errLater
}
