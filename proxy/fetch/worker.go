package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"pulley/proxy/source"
)

// bufferSize is what is read at most before it is written: enough that a write
// costs little beside its bytes, little enough that 64 transfers hold 16 MiB.
const bufferSize = 256 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}

// Waits between attempts that bring nothing: 100 ms, doubled, at most 5 s, and a
// random part taken off so that what broke together does not come back together.
const (
	firstWait = 100 * time.Millisecond
	maxWait   = 5 * time.Second
)

// ErrStalled is the cause of a connection given up because it was silent.
var ErrStalled = errors.New("the connection is silent")

// A worker serves one claim.
type worker struct {
	*run
	claim    Claim
	unranged bool // the source does not serve ranges properly: ask for all, throw away the front
}

// sinkError marks what a claim's Write failed with.
type sinkError struct{ error }

func (e *sinkError) Unwrap() error { return e.error }

// work fetches until the claim is written or given up.
func (w *worker) work() error {
	for barren := 0; ; {
		off, end := w.claim.Range()
		if end >= 0 && off >= end {
			return nil
		}
		err := w.attempt(off, end)
		if err == nil || errors.Is(err, ErrStop) {
			return nil
		}
		if w.ctx.Err() != nil {
			return context.Cause(w.ctx)
		}
		var se *sinkError
		if errors.As(err, &se) {
			return se.error
		}
		if now, _ := w.claim.Range(); now > off {
			barren = 0
		} else {
			barren++
		}
		wait, giveUp := w.judge(err, barren)
		if giveUp {
			return err
		}
		w.Log.Debug("fetch goes on", "offset", off, "err", err, "wait", wait)
		if err := w.sleep(wait); err != nil {
			return err
		}
	}
}

// judge says how long to wait after a failure, or that it is final.
func (w *worker) judge(err error, barren int) (wait time.Duration, giveUp bool) {
	var status *source.StatusError
	var size *SizeError
	var lie *source.LieError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &size), errors.As(err, &cert):
		return 0, true
	case errors.As(err, &lie):
		if w.unranged {
			return 0, true
		}
		w.unranged = true // its whole blob may be right where its ranges are not
		return 0, false
	case errors.As(err, &status):
		if !status.Unknown() {
			return 0, true
		}
	}
	w.mu.Lock()
	limit := 4
	if w.came {
		limit = 10
	}
	w.mu.Unlock()
	if w.Attempts > 0 {
		limit = w.Attempts
	}
	if barren >= limit {
		return 0, true
	}
	if status != nil && status.RetryAfter > 0 {
		return status.RetryAfter, status.RetryAfter > w.MaxWait
	}
	if barren == 0 { // it was getting somewhere: no wait
		return 0, false
	}
	wait = min(firstWait<<(barren-1), maxWait)
	return wait - rand.N(wait/2), false //nolint:gosec // no secret
}

func (w *worker) sleep(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-w.ctx.Done():
		return context.Cause(w.ctx)
	}
}

// attempt opens the source at off and writes what comes. It returns nil when the
// claim is written to its end.
func (w *worker) attempt(off, end int64) error {
	ctx, cancel := context.WithCancelCause(w.ctx)
	defer cancel(nil)
	from, to := off, end
	if size := w.sink.Size(); to >= 0 && to == size {
		to = -1 // "to the end" needs no number, and from 0 on no Range at all
	}
	if w.unranged {
		from, to = 0, -1
	}
	b, err := w.src.Open(ctx, from, to)
	if err != nil {
		return w.opened(err, off, end)
	}
	defer func() { _ = b.Close() }()
	if b.Total >= 0 {
		if err := w.sink.SetSize(b.Total); err != nil {
			return &SizeError{b.Host, b.Total, err}
		}
	}
	if b.Start > off {
		return &source.LieError{Host: b.Host, Why: fmt.Sprintf("it begins at %d instead of %d", b.Start, off)}
	}
	s := &stallReader{r: b, limit: w.StallTimeout, stop: func() { cancel(ErrStalled) }, got: w.Received}
	defer s.close()
	err = w.copy(s, off-b.Start)
	if cause := context.Cause(ctx); errors.Is(cause, ErrStalled) && !errors.Is(err, ErrStop) {
		err = fmt.Errorf("%s: %w", b.Host, ErrStalled)
	}
	if errors.Is(err, io.EOF) {
		return w.ended(b, end)
	}
	return err
}

// opened looks at an error that says more than itself: a 416 at the very end of
// a blob whose size nobody had told.
func (w *worker) opened(err error, off, end int64) error {
	var status *source.StatusError
	if errors.As(err, &status) && status.Status == http.StatusRequestedRangeNotSatisfiable && end < 0 && status.Size == off && off > 0 {
		if err := w.sink.SetSize(off); err != nil {
			return &SizeError{status.Host, off, err}
		}
		return nil
	}
	return err
}

// ended judges a body that came to its end in good order.
func (w *worker) ended(b *source.Body, end int64) error {
	now, _ := w.claim.Range()
	if end < 0 {
		end = w.sink.Size()
	}
	switch {
	case end >= 0 && now >= end:
		return nil
	case end < 0: // nobody said how long it is, so this is how long
		if err := w.sink.SetSize(now); err != nil {
			return &SizeError{b.Host, now, err}
		}
		return nil
	}
	return fmt.Errorf("%s: ends at %d instead of %d: %w", b.Host, now, end, io.ErrUnexpectedEOF)
}

// copy throws away skip bytes and writes the rest into the claim, until an
// error: io.EOF for a body that ended, nil when the claim has all it wants.
func (w *worker) copy(r io.Reader, skip int64) error {
	bp := buffers.Get().(*[]byte) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	defer buffers.Put(bp)
	for {
		buf := *bp
		off, end := w.claim.Range()
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
		p := buf[:n]
		if d := min(skip, int64(n)); d > 0 {
			skip -= d
			p = p[d:]
		}
		if len(p) > 0 {
			w.mu.Lock()
			w.came = true
			w.mu.Unlock()
			if _, werr := w.claim.Write(p); werr != nil {
				if errors.Is(werr, ErrStop) {
					return ErrStop
				}
				return &sinkError{werr}
			}
		}
		if err != nil {
			return err
		}
	}
}

// stallReader gives up a connection that stays silent while it is read; the time
// a sink takes to write does not count.
type stallReader struct {
	r     io.Reader
	limit time.Duration
	stop  func()
	got   func(int)
	timer *time.Timer
}

func (s *stallReader) Read(p []byte) (int, error) {
	if s.timer == nil {
		s.timer = time.AfterFunc(s.limit, s.stop)
	} else {
		s.timer.Reset(s.limit)
	}
	n, err := s.r.Read(p)
	s.timer.Stop()
	if n > 0 {
		s.got(n)
	}
	return n, err
}

func (s *stallReader) close() {
	if s.timer != nil {
		s.timer.Stop()
	}
}
