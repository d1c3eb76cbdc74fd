package proxy

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"pulley/proxy/socket"
)

// conn is a client's connection whose first bytes were looked at. It keeps the
// io.ReaderFrom of what it wraps, so that files still leave by sendfile.
//
// As with any connection there may be one reader and one writer at a time; the
// fields below belong to the reader.
type conn struct {
	net.Conn
	run    *run
	door   string
	client netip.Addr // invalid if the connection has no such address
	state  *tls.Conn  // of the TLS door, else nil
	site   *site      // of an intercepted connection, else nil

	ahead
	keep  bool // all that is read stays in head
	hello hello

	// direct is how what is below is read and written, if not nil. It may be closed
	// by others meanwhile.
	direct   atomic.Pointer[socket.Conn]
	hijacked atomic.Bool // the http.Server has it no more
	leave    func()      // counts a client's connection off; nil if it is not counted
}

// Close closes the connection and counts it off. It may be called again.
func (c *conn) Close() error {
	c.run.crew.before.remove(c)
	if c.leave != nil {
		c.leave()
	}
	return c.Conn.Close()
}

// guarded says that nobody on the way reads what the client sends.
func (c *conn) guarded() bool { return c.state != nil || isLocal(c.client) }

// below is what is read and written.
func (c *conn) below() io.ReadWriter {
	if s := c.direct.Load(); s != nil {
		return s
	}
	return c.Conn
}

// fill reads once into an empty head, waiting no longer than d.
func (c *conn) fill(d time.Duration) error { return c.ahead.fill(c.Conn, c.below().Read, d) }

// Read gives what was read ahead, then what comes.
func (c *conn) Read(p []byte) (int, error) {
	if c.pos < len(c.head) {
		return c.take(p, c.keep), nil
	}
	n, err := c.below().Read(p)
	if c.keep {
		c.head = append(c.head, p[:n]...)
		c.pos = len(c.head)
	}
	return n, err
}

// record makes Read keep what it gives, from the bytes read ahead on.
func (c *conn) record() { c.keep = true }

// rewind ends record and makes all that was read since be read again.
func (c *conn) rewind() { c.keep, c.pos = false, 0 }

// forget ends record: what was read is gone.
func (c *conn) forget() {
	c.keep = false
	if c.pos == len(c.head) {
		c.release()
	}
}

// Write writes to the client, unless a TLS server is at work that has not yet
// been allowed to answer: then nothing must show.
func (c *conn) Write(p []byte) (int, error) {
	if c.hello.mute {
		return len(p), nil
	}
	return c.below().Write(p)
}

// ReadFrom lets the connection below do it, which on TCP means sendfile or
// splice.
//
// Linux hands sendfile's bytes to TCP in pieces of 64 KiB, and one without delay
// sends the odd end of each by itself. A file that is sent alone goes a fifth
// faster, and for less work, while full segments are waited for; where several
// share the processors, that costs a tenth. What is left at the end goes out when
// the waiting ends, which other systems do not promise.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	if tc, ok := c.Conn.(*net.TCPConn); ok && runtime.GOOS == "linux" && isFile(r) {
		defer c.run.sending.Add(-1)
		if c.run.sending.Add(1) == 1 {
			_ = tc.SetNoDelay(false)
			defer func() { _ = tc.SetNoDelay(true) }()
		}
	}
	if rf, ok := c.Conn.(io.ReaderFrom); ok {
		return rf.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

// isFile reports whether r is a file, or the front of what is left of one.
func isFile(r io.Reader) bool {
	if part, ok := r.(*io.LimitedReader); ok {
		r = part.R
	}
	_, ok := r.(*os.File)
	return ok
}

// CloseWrite ends the client's reading, where the connection below can do that.
func (c *conn) CloseWrite() error {
	if cw, ok := c.Conn.(closeWriter); ok {
		return cw.CloseWrite()
	}
	return nil
}

type closeWriter interface{ CloseWrite() error }

// addrOf returns the IP address of a, invalid if it has none.
func addrOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}
