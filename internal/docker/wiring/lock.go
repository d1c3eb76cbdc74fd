package wiring

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
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
		if err := makeLock(name); err != nil {
			return nil, err
		}
		l := flock.New(name, flock.SetFlag(os.O_RDWR))
		switch got, err := l.TryLock(); {
		case got:
			return func() { _ = l.Close() }, nil
		case err != nil:
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		_ = l.Close()
		select {
		case <-time.After(lockEvery):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// makeLock makes the file in the way in which all in the folder is made: root may do it for a person. Of several that make it
// at once one does, whose file stays.
func makeLock(name string) error {
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	mine := name + "." + rand.Text()
	if err := private(mine, nil); err != nil {
		return err
	}
	defer func() { _ = os.Remove(mine) }()
	if err := os.Link(mine, name); err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return os.Rename(mine, name) // a disk that knows no links
}
