//go:build unix

package config

import (
	"errors"
	"os"
	"syscall"
)

// syncDir makes renames in a folder last. Some network file systems cannot; theirs are as durable as they make them.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
