package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// tunnelTo connects c with hostport and moves bytes until both sides are done.
// reply, unless nil, tells the client whether that worked.
func (r *run) tunnelTo(c *conn, hostport, reason string, reply func(error) error) {
	begin := r.s.opt.Now()
	defer r.crew.tunnel(c)()
	up, err := r.dial(r.base, c.client, hostport)
	if reply != nil {
		err = errors.Join(err, reply(err))
	}
	if err != nil {
		if up != nil {
			_ = up.Close()
		}
		_ = c.Close()
		r.record(c, hostport, reason, begin, traffic{err: err})
		return
	}
	r.join(c, up, hostport, reason, begin)
}

// join moves bytes between a client and what it asked for, and closes both.
func (r *run) join(c *conn, up net.Conn, hostport, reason string, begin time.Time) {
	defer r.crew.tunnel(up)()
	var err error
	n := int64(len(c.peek()))
	if n > 0 {
		_, err = up.Write(c.peek())
	}
	c.release()
	t := traffic{err: err}
	if err == nil {
		t = r.relay(c.Conn, up)
	}
	t.sent += n
	_ = c.Close()
	_ = up.Close()
	r.record(c, hostport, reason, begin, t)
}

func (r *run) record(c *conn, hostport, reason string, begin time.Time, t traffic) {
	e := TunnelEvent{
		Time: begin, Door: c.door, Host: hostport, Reason: reason,
		Sent: t.sent, Received: t.received, Duration: r.s.opt.Now().Sub(begin),
	}
	if c.client.IsValid() {
		e.Client = c.client.String()
	}
	if t.err != nil {
		e.Err = t.err.Error()
		r.s.opt.Log.Debug("tunnel failed", "host", hostport, "err", t.err)
	}
	if r.s.opt.Record != nil {
		r.s.opt.Record(e)
	}
}

// traffic is what went through a tunnel.
type traffic struct {
	sent, received int64
	err            error
}

// relay copies both ways until both sides have ended, one has failed, or none
// has moved for Timeouts.TunnelIdle. An end is passed on as an end, a reset as a
// reset: a cut transfer must not look complete.
func (r *run) relay(client, up net.Conn) traffic {
	var t traffic
	w := &watch{idle: r.s.opt.Timeouts.TunnelIdle}
	var once sync.Once
	cut := func(err error) {
		if err != nil {
			// Whoever fails second fails because the first closed its connection.
			once.Do(func() {
				t.err = err
				abort(client, err)
				abort(up, err)
			})
		}
	}
	done := make(chan struct{})
	r.crew.start(func() {
		defer close(done)
		var err error
		t.sent, err = w.copy(0, up, client)
		cut(err)
	})
	var err error
	t.received, err = w.copy(1, client, up)
	cut(err)
	<-done
	return t
}

// abort closes c, with a reset if it can do that and there is reason to.
func abort(c net.Conn, err error) {
	if tcp, ok := c.(*net.TCPConn); ok && !errors.Is(err, errIdle) {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

var errIdle = errors.New("no byte in either direction for too long")

// watch ends a tunnel that is silent in both directions at once. A single
// silent direction is normal.
type watch struct {
	idle time.Duration
	mu   sync.Mutex
	side [2]silence
}

// silence is what is known of one direction: no byte between from and to. After
// its end there never will be one.
type silence struct {
	from, to time.Time
	ended    bool
}

// saw notes what a direction did between two times; it reports whether both
// directions are known to have been silent together for (nearly) idle.
func (w *watch) saw(i int, moved bool, from, to time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &w.side[i]
	if moved {
		*s = silence{}
		return false
	}
	if s.from.IsZero() {
		s.from = from
	}
	s.to = to
	other := w.side[1-i]
	if other.from.IsZero() {
		return false
	}
	if other.ended || other.to.After(to) {
		other.to = to
	}
	if other.from.Before(s.from) {
		other.from = s.from
	}
	return other.to.Sub(other.from) >= w.idle*9/10
}

func (w *watch) ended(i int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.side[i] = silence{from: time.Now(), ended: true}
}

// copy is direction i of a tunnel. The read deadline is not moved for each read,
// which the kernel's own copying would not let us do, but when it has passed.
func (w *watch) copy(i int, dst, src net.Conn) (total int64, err error) {
	for {
		begin := time.Now()
		// A write that is stuck for twice as long is not coming back; deadlines that
		// cut it any earlier would cut between bytes.
		giveUp := begin.Add(2 * w.idle)
		_ = src.SetReadDeadline(begin.Add(w.idle))
		_ = dst.SetWriteDeadline(giveUp)
		n, err := copyConn(dst, src)
		total += n
		now := time.Now()
		switch {
		case err == nil:
			w.ended(i)
			if cw, ok := dst.(closeWriter); ok {
				_ = cw.CloseWrite()
			}
			return total, nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return total, err
		case !now.Before(giveUp), w.saw(i, n > 0, begin, now):
			return total, errIdle
		}
	}
}

var copyPool = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// copyConn copies until src ends: in the kernel between TCP connections, where
// the system can do that, else through a pooled buffer.
func copyConn(dst, src net.Conn) (int64, error) {
	d, ok1 := dst.(*net.TCPConn)
	s, ok2 := src.(*net.TCPConn)
	if ok1 && ok2 {
		return io.Copy(d, s)
	}
	buf := copyPool.Get().(*[32 << 10]byte)
	defer copyPool.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{src}, buf[:])
}
