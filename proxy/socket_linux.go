package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// socket reads and writes a TCP connection that is used over and over. A system call
// by way of the net package first tells Go's scheduler, in case it should last; one
// of a socket that does not block lasts for microseconds, but in a storm of requests
// that is enough for the runtime's watcher to give the processor to another thread
// and to go on watching: a tenth of all the work.
//
// There may be one reader and one writer at a time. Deadlines and Close of the
// connection hold for it, and errors are those that the connection would give.
type socket struct {
	*net.TCPConn
	raw     syscall.RawConn
	in, out pass
}

// pass is what one direction is at.
type pass struct {
	p    []byte
	n    int
	err  syscall.Errno
	step func(fd uintptr) (done bool)
}

// direct has the connection read and written by a socket, if it is a TCP connection.
// Nobody else may use it meanwhile.
func (c *conn) direct() {
	tc, ok := c.Conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tc.SyscallConn()
	if err != nil {
		return
	}
	s := &socket{TCPConn: tc, raw: raw}
	s.in.step, s.out.step = s.readOnce, s.writeAll
	c.Conn = s
}

// ordinary ends direct.
func (c *conn) ordinary() {
	if s, ok := c.Conn.(*socket); ok {
		c.Conn = s.TCPConn
	}
}

func (s *socket) readOnce(fd uintptr) bool {
	a := &s.in
	a.n, a.err = transfer(syscall.SYS_READ, fd, a.p)
	return a.err != syscall.EAGAIN
}

func (s *socket) writeAll(fd uintptr) bool {
	a := &s.out
	for a.n < len(a.p) {
		var n int
		if n, a.err = transfer(syscall.SYS_WRITE, fd, a.p[a.n:]); a.err != 0 {
			break
		}
		a.n += n
	}
	return a.err != syscall.EAGAIN
}

// transfer is a read or write of some bytes, taken up again when a signal came.
func transfer(call, fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, err := syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p))) //nolint:gosec // p outlives the call
		if err == 0 {
			return int(n), 0 //nolint:gosec // len(p) at most
		}
		if err != syscall.EINTR {
			return 0, err
		}
	}
}

// Read implements io.Reader.
func (s *socket) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return s.TCPConn.Read(p)
	}
	s.in.p, s.in.n, s.in.err = p, 0, 0
	err := s.raw.Read(s.in.step)
	s.in.p = nil
	switch {
	case err != nil:
		return 0, s.failed("read", err)
	case s.in.err != 0:
		return 0, s.failed("read", os.NewSyscallError("read", s.in.err))
	case s.in.n == 0:
		return 0, io.EOF
	}
	return s.in.n, nil
}

// most is what is written without a word to the scheduler: while the system copies
// it nothing else runs on the processor.
const most = 64 << 10

// Write implements io.Writer.
func (s *socket) Write(p []byte) (int, error) {
	if len(p) > most {
		return s.TCPConn.Write(p)
	}
	s.out.p, s.out.n, s.out.err = p, 0, 0
	err := s.raw.Write(s.out.step)
	s.out.p = nil
	switch {
	case err != nil:
		return s.out.n, s.failed("write", err)
	case s.out.err != 0:
		return s.out.n, s.failed("write", os.NewSyscallError("write", s.out.err))
	}
	return s.out.n, nil
}

// failed is the error as the connection itself would give it.
func (s *socket) failed(op string, err error) error {
	var raw *net.OpError
	if errors.As(err, &raw) {
		err = raw.Err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: err}
}
