package desktop

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// ErrRunning is returned by Claim when another instance runs. It has been told
// to show itself.
var ErrRunning = errors.New("it runs already")

// Instance is the right to be the only one.
type Instance struct {
	lock     *os.File
	listener net.Listener
	done     sync.WaitGroup
}

// Claim makes this process the only one for the folder dir, which is made if it
// is missing. Later processes that try get ErrRunning, and show is called here,
// on a goroutine of its own, once for each of them.
//
// The right ends with the process, however it ends: it is a lock on tray.lock.
// The message travels over tray.sock; where no socket can be made, because the
// path is too long for one, being the only one works and showing does not.
func Claim(dir string, show func()) (*Instance, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("single instance: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "tray.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("single instance: %w", err)
	}
	socket := filepath.Join(dir, "tray.sock")
	if err := tryLock(lock); err != nil {
		_ = lock.Close()
		if errors.Is(err, errLocked) {
			//nolint:noctx // a second at the most, and nobody is there yet who could change their mind
			if conn, err := net.DialTimeout("unix", socket, time.Second); err == nil {
				_ = conn.Close()
			}
			return nil, ErrRunning
		}
		return nil, fmt.Errorf("single instance: %s: %w", lock.Name(), err)
	}
	i := &Instance{lock: lock}
	_ = os.Remove(socket) // of a process that died; the lock says that nobody listens
	if i.listener, err = net.Listen("unix", socket); err != nil {
		return i, nil //nolint:nilerr // see above: being the only one works without
	}
	_ = os.Chmod(socket, 0o600)
	i.done.Go(func() {
		for {
			conn, err := i.listener.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
			show()
		}
	})
	return i, nil
}

// Close gives the right up.
func (i *Instance) Close() error {
	if i.listener != nil {
		_ = i.listener.Close() // removes the socket
		i.done.Wait()
	}
	return i.lock.Close() // and with it the lock
}
