package egress

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
)

// A TLS connection gives what is in one record at a time, 16 KiB at most (RFC 8446, 5.1), and reads its connection in
// about such pieces. A blob that comes fast is so many small writes to one file, from several connections at once, which
// then wait for each other; and as many wake-ups of who reads it. A flow reads ahead below TLS, and gives what is there
// in one piece.

const (
	// aheadSize is how much is read ahead, while that much comes: 64 connections in full use hold 8 MiB.
	aheadSize = 128 << 10
	// maxRecord is more than any TLS record is, header included (RFC 5246, 6.2.3).
	maxRecord = 5 + 16<<10 + 2<<10
)

var aheads = sync.Pool{New: func() any { b := make([]byte, aheadSize); return &b }}

// flow is a TLS connection over a reservoir. Like that of a transport, it is read by one goroutine at a time.
type flow struct {
	*tls.Conn
	below *reservoir
	err   error // of the last read, which had bytes, too
}

// flowing is the handshake of a connection that is read for its bytes.
func flowing(cfg *tls.Config) handshake {
	return func(ctx context.Context, c net.Conn) (net.Conn, error) {
		below := &reservoir{Conn: c}
		t, err := tlsHandshake(cfg)(ctx, below)
		if err != nil {
			return nil, err
		}
		return &flow{Conn: t.(*tls.Conn), below: below}, nil //nolint:errcheck,forcetypeassert // it is what it makes
	}
}

// Read waits for bytes, and gives all that are there as well as far as p goes. While it has some it does not wait for
// others, but behind a whole record's length of records without bytes, which no server has a reason to send.
func (f *flow) Read(p []byte) (n int, err error) {
	if err, f.err = f.err, nil; err != nil {
		return 0, err
	}
	n, err = f.Conn.Read(p)
	for err == nil && n < len(p) && len(f.below.rest) >= maxRecord {
		var more int
		more, err = f.Conn.Read(p[n:])
		n += more
	}
	if n > 0 {
		f.err, err = err, nil
	}
	return n, err
}

// reservoir is a connection that is read ahead while more comes than is asked for. It holds memory only then.
type reservoir struct {
	net.Conn
	rest []byte  // what was read ahead
	buf  *[]byte // where that is; nil if there is none
	more bool    // the last read got all it had room for
	err  error   // of a read that had bytes, too
}

func (r *reservoir) Read(p []byte) (n int, err error) {
	if len(r.rest) > 0 {
		return r.draw(p), nil
	}
	if err, r.err = r.err, nil; err != nil {
		return 0, err
	}
	if !r.more || len(p) >= aheadSize {
		n, err = r.Conn.Read(p)
		r.more = n == len(p) && n >= maxRecord
		return n, err
	}
	r.buf = aheads.Get().(*[]byte) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	n, r.err = r.Conn.Read(*r.buf)
	r.rest, r.more = (*r.buf)[:n], n >= aheadSize/2
	if n == 0 {
		r.free()
		err, r.err = r.err, nil
		return 0, err
	}
	return r.draw(p), nil
}

// draw takes from what was read ahead.
func (r *reservoir) draw(p []byte) int {
	n := copy(p, r.rest)
	if r.rest = r.rest[n:]; len(r.rest) == 0 {
		r.free()
	}
	return n
}

func (r *reservoir) free() {
	aheads.Put(r.buf)
	r.buf, r.rest = nil, nil
}
