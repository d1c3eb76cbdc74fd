package registry

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
)

// Hijack implements http.Hijacker for upgrades. What the client sent right
// behind its request is in a buffer by then, and would be lost to those who go
// on with the connection alone.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(x.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	n := rw.Reader.Buffered()
	if n == 0 {
		return c, rw, nil
	}
	early, err := rw.Reader.Peek(n)
	if err != nil { // what is buffered can be peeked at
		return nil, nil, errors.Join(err, c.Close())
	}
	c = &earlyConn{Conn: c, r: io.MultiReader(bytes.NewReader(bytes.Clone(early)), c)}
	return c, bufio.NewReadWriter(bufio.NewReader(c), rw.Writer), nil
}

// earlyConn is a connection some of which was read already.
type earlyConn struct {
	net.Conn
	r io.Reader
}

func (c *earlyConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// CloseWrite tells the client that no more comes, where the connection can.
func (c *earlyConn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}
