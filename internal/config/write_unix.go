//go:build unix

package config

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// syncDir makes renames in a folder last. Some network file systems cannot, nor can who may not read the folder; then
// they are as durable as the system makes them.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
