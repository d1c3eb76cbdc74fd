package socket_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"pulley/proxy/socket"
)

// past is a connection that is read and written by way of the package, where there is one.
type past struct {
	*net.TCPConn
	by io.ReadWriter
}

func (p *past) Read(b []byte) (int, error)  { return p.by.Read(b) }
func (p *past) Write(b []byte) (int, error) { return p.by.Write(b) }

// pair is a connection by way of the package, and its other end.
func pair(t *testing.T) (c, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's
	must(t, err)
	defer func() { must(t, l.Close()) }()
	far, err = net.Dial("tcp", l.Addr().String()) //nolint:noctx // a test's
	must(t, err)
	near, err := l.Accept()
	must(t, err)
	p := &past{TCPConn: near.(*net.TCPConn), by: near}
	if s := socket.Of(near); s != nil {
		p.by = s
	}
	if _, past := p.by.(*socket.Conn); past != (runtime.GOOS == "linux") {
		t.Fatalf("%T", p.by)
	}
	c = p
	t.Cleanup(func() { _, _ = c.Close(), far.Close() })
	return c, far
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestBytesGoBothWays: in pieces of all sizes, both ways at once, with a reader that the writer has to wait for.
func TestBytesGoBothWays(t *testing.T) {
	c, far := pair(t)
	text := make([]byte, 8<<20)
	rand.NewChaCha8([32]byte{}).Read(text)
	ended := make(chan error, 3)
	send := func(to net.Conn, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 0))
		for rest := text; len(rest) > 0; {
			n, err := to.Write(rest[:min(len(rest), r.IntN(300<<10))])
			if rest = rest[n:]; err != nil {
				ended <- err
				return
			}
		}
		ended <- to.(interface{ CloseWrite() error }).CloseWrite()
	}
	go send(c, 1)
	go send(far, 2)
	go func() {
		got, err := io.ReadAll(far)
		if err == nil && !bytes.Equal(got, text) {
			err = errors.New("other bytes came")
		}
		ended <- err
	}()
	got, err := io.ReadAll(c)
	must(t, err)
	if !bytes.Equal(got, text) {
		t.Error("other bytes came")
	}
	for range 3 {
		must(t, <-ended)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF { //nolint:errorlint // it is that itself, as of any connection
		t.Errorf("behind the end: %d, %v", n, err)
	}
}

// TestErrorsAreThoseOfAnyConnection: what callers look for is there.
func TestErrorsAreThoseOfAnyConnection(t *testing.T) {
	full := make([]byte, 32<<10)
	for _, c := range []struct {
		name, op string
		do       func(c, far net.Conn) error
		want     error
	}{
		{"a read that takes too long", "read", func(c, _ net.Conn) error {
			must(t, c.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
			_, err := c.Read(full)
			return err
		}, os.ErrDeadlineExceeded},
		{"a write that takes too long", "write", func(c, _ net.Conn) error {
			must(t, c.SetWriteDeadline(time.Now().Add(50*time.Millisecond)))
			for {
				if _, err := c.Write(full); err != nil {
					return err
				}
			}
		}, os.ErrDeadlineExceeded},
		{"a read of what was closed", "read", func(c, _ net.Conn) error {
			must(t, c.Close())
			_, err := c.Read(full)
			return err
		}, net.ErrClosed},
		{"a read that is waiting while it is closed", "read", func(c, _ net.Conn) error {
			time.AfterFunc(10*time.Millisecond, func() { _ = c.Close() })
			_, err := c.Read(full)
			return err
		}, net.ErrClosed},
		{"a write to what was closed", "write", func(c, _ net.Conn) error {
			must(t, c.Close())
			_, err := c.Write(full)
			return err
		}, net.ErrClosed},
		{"a client that broke it off", "read", func(c, far net.Conn) error {
			must(t, far.(*net.TCPConn).SetLinger(0))
			must(t, far.Close())
			_, err := c.Read(full)
			return err
		}, syscall.ECONNRESET},
	} {
		t.Run(c.name, func(t *testing.T) {
			near, far := pair(t)
			err := c.do(near, far)
			var op *net.OpError
			if !errors.Is(err, c.want) || !errors.As(err, &op) || op.Op != c.op || op.Addr == nil || op.Source == nil {
				t.Fatalf("%v (%T)", err, err)
			}
			if op.Timeout() != errors.Is(c.want, os.ErrDeadlineExceeded) {
				t.Errorf("timeout: %v", op.Timeout())
			}
			if far.LocalAddr().String() != op.Addr.String() {
				t.Errorf("%v is to have gone wrong with %v", err, far.LocalAddr())
			}
		})
	}
}

func TestOthersStayAsTheyAre(t *testing.T) {
	a, b := net.Pipe()
	defer func() { _, _ = a.Close(), b.Close() }()
	if socket.Of(a) != nil {
		t.Error("there is a way past a pipe")
	}
}
