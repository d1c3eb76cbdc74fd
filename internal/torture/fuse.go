//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// largest is how much is read or written in one operation at most.
const largest = 128 << 10

// ail mounts one over a folder. It is served by this process until it is unmounted, and nothing of it is open.
func ail(dir string) (*ailing, error) {
	device, err := fuseDevice(dir)
	if err != nil {
		return nil, err
	}
	beneath, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) // as long as this process lives
	if err != nil {
		return nil, err
	}
	root, err := fs.NewLoopbackRoot(fmt.Sprintf("/proc/self/fd/%d", beneath))
	if err != nil {
		return nil, err
	}
	options := fmt.Sprintf("fd=%d,rootmode=%o,user_id=%d,group_id=%d,max_read=%d", device, unix.S_IFDIR, os.Geteuid(), os.Getegid(), largest)
	if err := unix.Mount("ailing", dir, "fuse.ailing", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return nil, &os.PathError{Op: "mount", Path: dir, Err: err}
	}
	names := time.Second
	a := &ailing{RawFileSystem: fs.NewNodeFS(root, &fs.Options{EntryTimeout: &names})}
	if err := a.serve(dir, device); err != nil {
		return nil, errors.Join(err, unix.Unmount(dir, unix.MNT_DETACH))
	}
	return a, nil
}

// serve answers from now on. The device goes by its number, and no child has it, which would keep what waits for an answer
// waiting when this process has gone.
func (a *ailing) serve(dir string, device int) error {
	server, err := fuse.NewServer(a, fmt.Sprintf("/dev/fd/%d", device), &fuse.MountOptions{
		MaxWrite: largest, ExplicitDataCacheControl: true, DisableReadDirPlus: true, // so that every name is looked up
		DisableSplice: true, Logger: log.New(io.Discard, "", 0)})
	if err != nil {
		return err
	}
	go server.Serve()
	return polled(filepath.Join(dir, ".polled"))
}

// fuseDevice opens the device, one of its own if this machine's /dev has none.
func fuseDevice(dir string) (int, error) {
	device, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT { //nolint:errorlint // a number
		own := dir + ".fuse"
		if err = unix.Mknod(own, unix.S_IFCHR|0o600, int(unix.Mkdev(10, 229))); err == nil {
			device, err = unix.Open(own, unix.O_RDWR|unix.O_CLOEXEC, 0)
			_ = os.Remove(own)
		}
	}
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: "/dev/fuse", Err: err}
	}
	return device, nil
}

// polled has the kernel learn that nothing here can be polled. Else Go's runtime would ask this process for it in each
// os.Open of its own, while it keeps the goroutine that answers from running.
func polled(name string) error {
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	_ = unix.Close(fd)
	return os.Remove(name)
}
