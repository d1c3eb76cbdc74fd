package context

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
)

// ended is a command's connection after the command: who reads learns why, one time.
type ended struct {
	net.Conn
	reads chan error
	write error // what who writes is told
}

func (e *ended) Write([]byte) (int, error) { return 0, &os.PathError{Op: "write", Err: e.write} }
func (e *ended) Read([]byte) (int, error)  { return 0, <-e.reads }

// TestWhoWritesLearnsWhyToo: also where somebody else reads, whoever is first.
func TestWhoWritesLearnsWhyToo(t *testing.T) {
	why := errors.New("has exited: connection refused")
	for _, end := range []struct {
		others bool  // somebody reads
		write  error // docker's closes the pipe as soon as somebody reads its end
	}{{false, syscall.EPIPE}, {true, syscall.EPIPE}, {true, os.ErrClosed}} {
		e := &ended{reads: make(chan error, 2), write: end.write}
		c, err := reasonable(func(context.Context, string, string) (net.Conn, error) { return e, nil })(t.Context(), "", "")
		must(t, err)
		read := make(chan error, 1)
		if end.others {
			go func() { _, err := c.Read(make([]byte, 1)); read <- err }()
		}
		e.reads <- why
		e.reads <- os.ErrClosed // by then docker's has closed the pipe
		if _, err := c.Write([]byte("GET")); !errors.Is(err, why) {
			t.Errorf("who writes: %v", err)
		}
		if end.others {
			if err := <-read; !errors.Is(err, why) {
				t.Errorf("who reads: %v", err)
			}
		}
	}
	e := &ended{reads: make(chan error, 1), write: syscall.EPIPE}
	e.reads <- io.EOF
	if _, err := (&reasoned{Conn: e}).Write([]byte("GET")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("a command that says nothing: %v", err)
	}
}
