package cache

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// errLocked is what lockFile answers when another process has the lock.
var errLocked = errors.New("locked")

// lockDir takes the lock of dir: one process holds a cache. The file says who
// for the message of the second one; the lock itself is the system's, so that
// nothing a killed process leaves behind can keep the next one out.
func lockDir(dir string) (*os.File, error) {
	name := filepath.Join(dir, "lock")
	f, err := openShared(name, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		_ = f.Close()
		if errors.Is(err, errLocked) {
			return nil, &HeldError{Dir: dir, PID: holder(name)}
		}
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	sign(f)
	return f, nil
}

// sign says whose the lock is. A full disk must not keep the cache from opening:
// the number is a courtesy.
func sign(f *os.File) {
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
}

// errOtherLock is for a lock that is not of this directory.
var errOtherLock = errors.New("the lock is another directory's")

// takeLock makes the lock ours that we were given.
func (c *Cache) takeLock() error {
	ours, err := sameFile(c.lock, filepath.Join(c.dir, "lock"))
	if !ours {
		c.unlock()
		return cmp.Or(err, errOtherLock)
	}
	sign(c.lock)
	return nil
}

// holder reads who has the lock. One that has just taken it may not have written its number yet, hence a few looks.
func holder(name string) int {
	for range 20 {
		b, err := os.ReadFile(name)
		if err != nil {
			return 0
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			return pid
		}
		<-time.After(5 * time.Millisecond)
	}
	return 0
}
