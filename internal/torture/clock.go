//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// clock is the daemon's: the machine's, and so much besides. A process cannot be given a wall clock of its own by any means
// that leaves others theirs, so the daemon under torture is built with a time.Now that adds what a file says; timers go on as
// they do on a machine whose clock is set.
type clock struct {
	file *os.File // eight bytes, as this machine orders them: seconds
}

// clockVar names the file to the daemon.
const clockVar = "PULLEY_TORTURE_CLOCK"

// newClock is one that is right.
func newClock(path string) (*clock, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	c := &clock{file: f}
	return c, c.set(0)
}

// set sets it, at once and for every process.
func (c *clock) set(ahead time.Duration) error {
	b := binary.NativeEndian.AppendUint64(nil, uint64(ahead/time.Second)) //nolint:gosec // its bits
	_, err := c.file.WriteAt(b, 0)
	return err
}

// timeWithClock is added to package time.
const timeWithClock = `package time

import (
	"syscall"
	"unsafe"
)

var ahead = func() *int64 {
	path, _ := syscall.Getenv("` + clockVar + `")
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return new(int64)
	}
	defer syscall.Close(fd)
	b, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return new(int64)
	}
	return (*int64)(unsafe.Pointer(&b[0]))
}()
`

// Where time.Now asks the system.
const (
	nowAsks  = "\tsec, nsec, mono := runtimeNow()\n"
	nowMoves = nowAsks + "\tsec += *ahead\n"
)

// overlay writes what `go build -overlay` takes for a program with a clock that can be set.
func overlay(dir string) (string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output() //nolint:noctx // it answers at once
	if err != nil {
		return "", err
	}
	lib := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	source, err := os.ReadFile(filepath.Join(lib, "time.go"))
	if err != nil {
		return "", err
	}
	if bytes.Count(source, []byte(nowAsks)) != 1 {
		return "", errors.New("this Go's time.Now is another than the one that torture knows how to move")
	}
	files := map[string][]byte{
		"time.go": bytes.Replace(source, []byte(nowAsks), []byte(nowMoves), 1), "torture.go": []byte(timeWithClock),
	}
	replace := map[string]string{}
	for name, text := range files {
		replace[filepath.Join(lib, name)] = filepath.Join(dir, name)
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return "", err
		}
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, list, 0o600)
}
