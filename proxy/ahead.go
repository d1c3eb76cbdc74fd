package proxy

import (
	"io"
	"net"
	"sync"
	"time"
)

// headSize is what is read at once to tell protocols apart: room for most
// requests and for a ClientHello with a post-quantum key share, and no more than
// the buffer of net/http, which copies it out in one go.
const headSize = 4 << 10

var headPool = sync.Pool{New: func() any { return new([headSize]byte) }}

// ahead is what was read of a connection to be looked at, and is still to be read
// by whoever gets the connection.
type ahead struct {
	head   []byte // head[pos:] comes first
	pos    int
	pooled *[headSize]byte // what head lies in, while it comes from the pool
}

// fill reads once into an empty head, waiting no longer than d. The deadline stays.
func (a *ahead) fill(c net.Conn, read func([]byte) (int, error), d time.Duration) error {
	if a.pos < len(a.head) {
		return nil
	}
	if err := c.SetReadDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	a.pooled = headPool.Get().(*[headSize]byte)
	n, err := read(a.pooled[:])
	a.head, a.pos = a.pooled[:n], 0
	if n > 0 {
		return nil
	}
	a.release()
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// peek returns the bytes read ahead.
func (a *ahead) peek() []byte { return a.head[a.pos:] }

// take gives of the bytes read ahead; keep: they stay in head.
func (a *ahead) take(p []byte, keep bool) int {
	n := copy(p, a.peek())
	a.pos += n
	if a.pos == len(a.head) && !keep {
		a.release()
	}
	return n
}

// unread puts b before everything that is still to be read. It keeps no
// reference to b.
func (a *ahead) unread(b []byte) {
	if len(b) == 0 {
		return
	}
	head := append(append(make([]byte, 0, len(b)+len(a.peek())), b...), a.peek()...)
	a.release()
	a.head = head
}

func (a *ahead) release() {
	if a.pooled != nil {
		headPool.Put(a.pooled)
	}
	a.head, a.pos, a.pooled = nil, 0, nil
}
