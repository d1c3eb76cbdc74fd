package wiring

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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
	name := w.lockFile()
	for {
		l, err := tryLock(name)
		switch {
		case l != nil:
			return func() { _ = l.Close() }, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist): // else it was forgotten this very moment
			return nil, err
		}
		select {
		case <-time.After(lockEvery):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// tryLock returns nil and no error while another has it.
func tryLock(name string) (*flock.Flock, error) {
	if err := makeLock(name); err != nil {
		return nil, err
	}
	l := flock.New(name, flock.SetFlag(os.O_RDWR))
	got, err := l.TryLock()
	if got && isStill(l) {
		return l, nil
	}
	_ = l.Close()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return nil, nil //nolint:nilnil // said above
}

func (w *Wirer) lockFile() string { return filepath.Join(w.State, "wiring.lock") }

// isStill says whether the file that is locked is the one that others will lock.
func isStill(l *flock.Flock) bool {
	locked, err := l.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(l.Path())
	return err == nil && os.SameFile(locked, there)
}

// makeLock makes the file in the way in which all in the folder is made: root may do it for a person. Of several that make it
// at once one does, whose file stays. In it are the folders that were made for it, a line each.
func makeLock(name string) error {
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	mine := name + "." + rand.Text()
	made, err := private(mine, nil)
	defer func() { _ = os.Remove(mine) }()
	if err != nil {
		return err
	}
	if len(made) > 0 {
		if err := os.WriteFile(mine, []byte(strings.Join(made, "\n")+"\n"), 0o600); err != nil {
			return err
		}
	}
	if err := os.Link(mine, name); err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return os.Rename(mine, name) // a disk that knows no links
}
