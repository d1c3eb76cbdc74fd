package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"pulley/internal/config"
)

// maxSocketPath is what every system can bind: sun_path holds 104 bytes on macOS, 108 on Linux, with a zero at the end.
const maxSocketPath = 100

// listenControl opens the control socket, for its owner alone; the system service's is for its group too. A socket file that nobody answers at is a leftover and
// goes; one that somebody answers at is another daemon's.
func listenControl(path string) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("control socket: the path is %d bytes long and a socket's may be %d: %s; set a shorter PULLEY_HOME", len(path), maxSocketPath, path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	//nolint:noctx // a second at the most, at start
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = conn.Close()
		return nil, fmt.Errorf("another daemon answers at %s; see: pulley status", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	mode := os.FileMode(0o600)
	if path == config.SystemSocket {
		mode = 0o660
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), ln.Close())
	}
	return ln, nil
}

// listenPort opens the one port. It never takes another than it was told.
func listenPort(address string) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	if err == nil {
		return ln, nil
	}
	err = portError(address, err)
	if isInUse(err) {
		return nil, fmt.Errorf("%w; end that, or take another address: pulley up --listen 127.0.0.1:PORT", err)
	}
	return nil, fmt.Errorf("%w; set another: pulley config set listen ADDRESS", err)
}

// portError says why an address cannot be listened on, and who has it.
func portError(address string, err error) error {
	if !isInUse(err) {
		return fmt.Errorf("listen on %s: %w", address, underlying(err))
	}
	by := holder(address)
	if by == "" {
		by = "another program"
	}
	return &takenError{address, by, err}
}

// takenError is a port that somebody else has.
type takenError struct {
	address, by string
	err         error
}

func (e *takenError) Error() string { return e.address + " is in use by " + e.by }
func (e *takenError) Unwrap() error { return e.err }

// underlying is err without the words that net puts around it.
func underlying(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
