package fetch

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// bufferSize is what is read at most before it is written: all that a connection
// has ready at a time (egress reads 128 KiB ahead, and a record of TLS may be begun),
// so that a write costs little beside its bytes; 64 transfers hold 9 MiB.
const bufferSize = 144 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}

// reader reads what a source sends. It gives a connection up that stays silent
// while it is read; the time a sink takes to write does not count.
type reader struct {
	run   *run
	ctx   context.Context //nolint:containedctx // of the connection
	r     io.Reader
	src   Source
	stop  func()
	meter *meter // nil: nobody asks
	timer *time.Timer
}

func (r *run) reader(ctx context.Context, body io.Reader, src Source, stop func()) *reader {
	return &reader{run: r, ctx: ctx, r: body, src: src, stop: stop}
}

func (s *reader) Read(p []byte) (int, error) {
	limit := s.run.Rate
	if limit != nil && limit.Limit() != rate.Inf {
		p = p[:min(len(p), max(limit.Burst(), 1))]
	}
	if s.timer == nil {
		s.timer = time.AfterFunc(s.run.StallTimeout, s.stop)
	} else {
		s.timer.Reset(s.run.StallTimeout)
	}
	if s.meter != nil {
		s.meter.wait(time.Now())
	}
	n, err := s.r.Read(p)
	s.timer.Stop()
	if s.meter != nil {
		s.meter.waiting.Store(0)
		s.meter.bytes.Add(int64(n))
	}
	if n > 0 {
		s.run.Received(s.src, n)
		if limit != nil {
			pace(s.ctx, limit, n) // a context that is over shows at the next read
		}
	}
	return n, err
}

func (s *reader) close() {
	if s.timer != nil {
		s.timer.Stop()
	}
}

// copy throws away skip bytes and writes the rest into the claim, until an
// error: io.EOF for a body that ended, nil when the claim has all it wants.
func (w *worker) copy(r io.Reader, claim Claim, skip int64) error {
	bp := buffers.Get().(*[]byte) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	defer buffers.Put(bp)
	for {
		buf := *bp
		off, end := claim.Range()
		if end < 0 {
			end = w.sink.Size()
		}
		if end >= 0 && off >= end {
			return nil
		}
		if want := skip + end - off; end >= 0 && want < int64(len(buf)) {
			buf = buf[:want]
		}
		n, err := r.Read(buf)
		if now := time.Now(); n > 0 && w.meter.due(now) {
			w.note(now)
		}
		p := buf[:n]
		if d := min(skip, int64(n)); d > 0 {
			skip -= d
			p = p[d:]
		}
		if len(p) > 0 {
			w.wrote = true
			if _, werr := claim.Write(p); werr != nil {
				if errors.Is(werr, ErrStop) {
					return ErrStop
				}
				return &sinkError{werr}
			}
		}
		if !w.led && w.meter.bytes.Load() >= leadBytes {
			w.ahead()
		}
		if err != nil {
			return err
		}
	}
}

// ahead ends the worker's lead, if it has one.
func (w *worker) ahead() {
	w.led = true
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stir()
}

// note takes down how fast the connection is.
func (w *worker) note(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.peer.came = true
	if rate, ok := w.meter.roll(now); ok {
		w.peer.observed(rate)
	}
}
