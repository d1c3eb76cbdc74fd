package socket

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// Conn reads and writes a TCP connection with no word to the scheduler. All else is
// the connection's.
type Conn struct {
	tcp     *net.TCPConn
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

// Of is the way past the scheduler to a connection; nil if it is not one of TCP. It
// may be used in turn with the connection itself.
func Of(c net.Conn) *Conn {
	tc, ok := c.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tc.SyscallConn()
	if err != nil {
		return nil
	}
	s := &Conn{tcp: tc, raw: raw}
	s.in.step, s.out.step = s.readOnce, s.writeAll
	return s
}

func (s *Conn) readOnce(fd uintptr) bool {
	a := &s.in
	a.n, a.err = transfer(syscall.SYS_READ, fd, a.p)
	return a.err != syscall.EAGAIN
}

func (s *Conn) writeAll(fd uintptr) bool {
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

// most is what is moved without a word to the scheduler: while the system copies it
// nothing else runs on the processor.
const most = 128 << 10

// Read implements io.Reader.
func (s *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 || len(p) > most {
		return s.tcp.Read(p)
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

// Write implements io.Writer.
func (s *Conn) Write(p []byte) (int, error) {
	if len(p) > most {
		return s.tcp.Write(p)
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
func (s *Conn) failed(op string, err error) error {
	var raw *net.OpError
	if errors.As(err, &raw) {
		err = raw.Err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: s.tcp.LocalAddr(), Addr: s.tcp.RemoteAddr(), Err: err}
}
