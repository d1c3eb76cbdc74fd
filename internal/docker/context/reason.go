package context

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
)

// reasoned is a connection through a command, docker's over ssh. When the command has
// ended, docker's own tells why to who reads, and closes the pipes; who writes, whether
// before or after, learns no more than that there is no pipe any more.
type reasoned struct {
	net.Conn
	mu  sync.Mutex // held by who reads
	why error      // said so
}

// reasonable has a dialer's connections say why they ended.
func reasonable(dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &reasoned{Conn: c}, nil
	}
}

func (c *reasoned) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != nil {
		return 0, c.why
	}
	n, err := c.Conn.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrClosed) {
		c.why = err
	}
	return n, err
}

func (c *reasoned) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err == nil {
		return n, nil
	}
	_, _ = c.Read(make([]byte, 1)) // there is nobody for what it may be
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != nil {
		err = c.why
	}
	return n, err
}
