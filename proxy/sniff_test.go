package proxy

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"
)

func TestSniff(t *testing.T) {
	for head, want := range map[string]protocol{
		"\x05\x01\x00": protocolSOCKS5, "\x16\x03\x01": protocolTLS, "GET / HTTP/1.1": protocolHTTP, "C": protocolHTTP,
		"CONNECT": protocolHTTP, "M-SEARCH * ": protocolHTTP, "\r\nGET": protocolHTTP, "patch /": protocolHTTP,
		"\x04": protocolUnknown, " GET": protocolUnknown, "-x ": protocolUnknown, "GET\t/": protocolUnknown, "\x80": protocolUnknown,
		"AVERYLONGWORDTHATISNOTAMETHOD ": protocolUnknown,
	} {
		if got := sniff([]byte(head)); got != want {
			t.Errorf("%q: %v, want %v", head, got, want)
		}
	}
}

// What a conn gives to its reader is what arrived, however it was looked at.
func FuzzConnKeepsItsBytes(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), []byte("early"), uint8(3), true)
	f.Add([]byte{0x16, 3, 1}, []byte(nil), uint8(0), false)
	f.Fuzz(func(t *testing.T, sent, early []byte, n uint8, rewind bool) {
		if len(sent) == 0 {
			return
		}
		c := &conn{Conn: &bytesConn{r: bytes.NewReader(sent)}}
		if err := c.fill(time.Second); err != nil {
			t.Fatal(err)
		}
		_ = sniff(c.peek())
		want := sent
		c.record()
		got := make([]byte, n)
		k, _ := io.ReadFull(c, got)
		if rewind {
			c.rewind()
		} else {
			c.forget()
			want = want[k:]
		}
		c.unread(early)
		want = append(bytes.Clone(early), want...)
		if rest, err := io.ReadAll(c); err != nil || !bytes.Equal(rest, want) {
			t.Errorf("read %q, %v; want %q", rest, err, want)
		}
	})
}

// bytesConn is a connection that gives bytes.
type bytesConn struct {
	net.Conn
	r io.Reader
}

func (c *bytesConn) Read(p []byte) (int, error)      { return c.r.Read(p) }
func (c *bytesConn) SetReadDeadline(time.Time) error { return nil }

// No bytes may crash the port or keep it busy for ever.
func FuzzPort(f *testing.F) {
	for _, s := range []string{
		"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT registry-1.docker.io:443 HTTP/1.1\r\n\r\n\x16\x03\x01\x00\x05hello",
		"CONNECT x:1 HTTP/1.1\r\n\r\n", "GET http://x/ HTTP/1.1\r\n\r\n", socksRequest(1, "registry-1.docker.io", 443) + "\x16\x03",
		socksRequest(1, "x.test", 80), "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x05\x02\x00\x02",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		ln := &onceListener{conns: make(chan net.Conn, 1), done: make(chan struct{})}
		p := newPort(t, options{
			timeouts: Timeouts{FirstByte: time.Second, Handshake: time.Second, Header: time.Second, Idle: time.Second, Drain: time.Second},
			listen:   func(old net.Listener) net.Listener { _ = old.Close(); return ln },
		})
		client, server := net.Pipe()
		ln.conns <- server
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		stop := context.AfterFunc(ctx, func() { _ = client.Close() })
		defer stop()
		go func() {
			_, _ = client.Write(sent)
			_ = client.Close()
		}()
		_, _ = io.Copy(io.Discard, client)
		if ctx.Err() != nil {
			t.Errorf("%q keeps the port busy", sent)
		}
		_ = p.stop()
	})
}

// onceListener gives the connections of a channel.
type onceListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *onceListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *onceListener) Close() error {
	select {
	case <-l.done:
	default:
		close(l.done)
	}
	return nil
}

func (l *onceListener) Addr() net.Addr { return &net.UnixAddr{Name: "once", Net: "unix"} }
