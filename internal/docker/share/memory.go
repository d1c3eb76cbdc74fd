package share

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/moby/sys/atomicwriter"

	"pulley/internal/docker/machine"
)

// memory is what is known of a share outside its process, so that there is one of it at a time, and the next one takes up
// what one that was killed has left on the far machine. The zero value remembers nothing.
type memory struct {
	path string
	lock *flock.Flock
}

// left is what it has. The process that has the lock writes it.
type left struct {
	Process int         `json:"process"`
	Ending  bool        `json:"ending,omitempty"` // it takes back what it did
	Far     machine.End `json:"far,omitempty"`
}

// Times of a second share of the same context.
const (
	lockEvery = 100 * time.Millisecond
	lockTime  = 3 * time.Second // one whose owner is gone hears of that at once
)

// remember takes the lock. One that another process has is waited for if that one is about to end.
func remember(ctx context.Context, name, path string) (*memory, error) {
	m := &memory{path: path}
	if path == "" {
		return m, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("%s: no place to remember the share: %w", name, err)
	}
	m.lock = flock.New(path + ".lock")
	for until := time.Now().Add(lockTime); ; {
		switch got, err := m.lock.TryLock(); {
		case err != nil:
			return nil, fmt.Errorf("%s: no place to remember the share: %w", name, err)
		case got:
			return m, nil
		}
		other := m.read()
		if other.Ending {
			until = time.Now().Add(lockTime)
		}
		if time.Now().After(until) {
			return nil, fmt.Errorf("%s: it is shared with already, by process %d; end that first", name, other.Process)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(lockEvery):
		}
	}
}

// read is what was written last; nothing where that cannot be read.
func (m *memory) read() (l left) {
	if text, err := os.ReadFile(m.path); err != nil || json.Unmarshal(text, &l) != nil {
		return left{}
	}
	return l
}

func (m *memory) write(l left) error {
	if m.lock == nil {
		return nil
	}
	l.Process = os.Getpid()
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return atomicwriter.WriteFile(m.path, append(text, '\n'), 0o600)
}

// close lets the next one begin; with nothing to take up if all was taken back.
func (m *memory) close(all bool) error {
	if m.lock == nil {
		return nil
	}
	var err error
	if all {
		err = os.Remove(m.path)
	}
	return errors.Join(err, m.lock.Close())
}
