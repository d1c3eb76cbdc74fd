package wiring

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	lockTime  = 2 * time.Minute // longer than one connection takes
	lockEvery = 100 * time.Millisecond
)

var errLocked = errors.New("another pulley is connecting or disconnecting")

// lock waits until nobody else changes the ledger.
func (w *Wirer) lock(ctx context.Context) (unlock func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lockTime, errLocked)
	defer cancel()
	name := filepath.Join(w.State, "wiring.lock")
	for {
		f, err := openLock(name)
		if err != nil {
			return nil, err
		}
		err = lockFile(f)
		if err == nil && current(f, name) {
			return func() { _ = f.Close() }, nil // which lets go of it
		}
		_ = f.Close()
		if err != nil && !errors.Is(err, errLocked) {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		select {
		case <-time.After(lockEvery):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// openLock makes the file in the way in which all in the folder is made: root may do it for a person.
func openLock(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		making := private(name, nil)
		if f, err = os.OpenFile(name, os.O_RDWR, 0); err != nil { // else somebody else may have made it, which Windows then keeps
			return nil, errors.Join(making, err)
		}
	}
	return f, err
}

// current says whether f still is what name leads to: two may have made it at once.
func current(f *os.File, name string) bool {
	mine, err := f.Stat()
	there, err2 := os.Stat(name)
	return err == nil && err2 == nil && os.SameFile(mine, there)
}
