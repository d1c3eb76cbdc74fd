package ssh

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// A stream makes a net.Conn, deadlines included, of something that has none.
// What its far side sends is read ahead into two small buffers.
type stream struct {
	rw    io.ReadWriteCloser
	addr  target
	leave func() // called once, by Close

	full chan []byte // from the pump to Read; closed at the end
	free chan []byte // back
	err  error       // why full was closed; set before
	gone chan struct{}
	once sync.Once

	reading sync.Mutex
	left    []byte // of buf, not handed out yet
	buf     []byte
	until   deadline

	writeMu sync.Mutex // guards the two below
	writeBy time.Time
}

const streamBuffer = 32 << 10 // a packet of the ssh protocol carries no more

// newStream takes rw over. ended says what the end of rw is: io.EOF, or an error.
func newStream(rw io.ReadWriteCloser, addr string, ended func() error, leave func()) *stream {
	s := &stream{
		rw: rw, addr: target(addr), leave: leave,
		full: make(chan []byte), free: make(chan []byte, 2), gone: make(chan struct{}), until: makeDeadline(),
	}
	for range cap(s.free) {
		s.free <- make([]byte, streamBuffer)
	}
	go s.pump(ended)
	return s
}

func (s *stream) pump(ended func() error) {
	defer close(s.full)
	for buf := range s.free {
		n, err := s.rw.Read(buf[:streamBuffer])
		if n > 0 {
			select {
			case s.full <- buf[:n]:
			case <-s.gone:
				s.err = net.ErrClosed
				return
			}
		} else {
			s.free <- buf
		}
		if err != nil {
			select {
			case <-s.gone:
				s.err = net.ErrClosed
				return
			default:
			}
			if s.err = err; errors.Is(err, io.EOF) {
				s.err = ended()
			}
			return
		}
	}
}

func (s *stream) Read(p []byte) (int, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	if len(s.left) == 0 {
		if len(p) == 0 {
			return 0, nil
		}
		expired := s.until.wait()
		select {
		case <-expired:
			return 0, os.ErrDeadlineExceeded
		case <-s.gone:
			return 0, net.ErrClosed
		default:
		}
		select {
		case b, ok := <-s.full:
			if !ok {
				return 0, s.err
			}
			s.buf, s.left = b, b
		case <-expired:
			return 0, os.ErrDeadlineExceeded
		case <-s.gone:
			return 0, net.ErrClosed
		}
	}
	n := copy(p, s.left)
	if s.left = s.left[n:]; len(s.left) == 0 {
		s.free <- s.buf
	}
	return n, nil
}

// Write that passes its deadline ends the stream: how much of it went is not
// known.
func (s *stream) Write(p []byte) (int, error) {
	s.writeMu.Lock()
	by := s.writeBy
	s.writeMu.Unlock()
	if by.IsZero() {
		return s.write(p)
	}
	wait := time.Until(by)
	if wait <= 0 {
		return 0, os.ErrDeadlineExceeded
	}
	timer := time.AfterFunc(wait, func() { _ = s.rw.Close() })
	n, err := s.write(p)
	if !timer.Stop() && err != nil {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

func (s *stream) write(p []byte) (int, error) {
	n, err := s.rw.Write(p)
	if err != nil {
		select {
		case <-s.gone: // whatever that made of it
			err = net.ErrClosed
		default:
		}
	}
	return n, err
}

// CloseWrite says that no more will be written.
func (s *stream) CloseWrite() error {
	if h, ok := s.rw.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (s *stream) Close() error {
	err := net.ErrClosed
	s.once.Do(func() {
		close(s.gone)
		err = s.rw.Close()
		if errors.Is(err, io.EOF) { // it was closed by the far side before
			err = nil
		}
		s.leave()
	})
	return err
}

func (s *stream) SetDeadline(t time.Time) error {
	_ = s.SetReadDeadline(t)
	return s.SetWriteDeadline(t)
}

func (s *stream) SetReadDeadline(t time.Time) error {
	s.until.set(t)
	return nil
}

// SetWriteDeadline holds from the next Write on.
func (s *stream) SetWriteDeadline(t time.Time) error {
	s.writeMu.Lock()
	s.writeBy = t
	s.writeMu.Unlock()
	return nil
}

// LocalAddr is nowhere: the connection begins on the far machine.
func (s *stream) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4zero} }
func (s *stream) RemoteAddr() net.Addr { return s.addr }

// target is where a stream leads, as it was asked for.
type target string

func (target) Network() string  { return "tcp" }
func (t target) String() string { return string(t) }

// deadline is a channel that is closed when its time has come, as net.Pipe has
// it.
type deadline struct {
	mu     *sync.Mutex
	timer  *time.Timer
	cancel chan struct{}
}

func makeDeadline() deadline { return deadline{mu: &sync.Mutex{}, cancel: make(chan struct{})} }

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		<-d.cancel // the timer has fired and is about to close it
	}
	d.timer = nil
	closed := false
	select {
	case <-d.cancel:
		closed = true
	default:
	}
	if t.IsZero() {
		if closed {
			d.cancel = make(chan struct{})
		}
		return
	}
	if wait := time.Until(t); wait > 0 {
		if closed {
			d.cancel = make(chan struct{})
		}
		c := d.cancel
		d.timer = time.AfterFunc(wait, func() { close(c) })
		return
	}
	if !closed {
		close(d.cancel)
	}
}

func (d *deadline) wait() chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cancel
}
