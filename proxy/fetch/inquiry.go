package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"pulley/proxy/source"
)

// piece is how much of what is doubted is asked for at a time.
const piece = 8 << 20

// inquiry fetches from the origin what somebody else has brought, and puts it in
// place of that.
type inquiry struct {
	*run
	origin Source
	parts  []Part // in doubt, in order
	once   bool   // it is not worth a second attempt

	mu       sync.Mutex // one Amend at a time
	off, end int64      // where the two differ
}

// hold replaces all parts.
func (q *inquiry) hold(ctx context.Context) error {
	g, group := errgroup.WithContext(ctx)
	g.SetLimit(max(min(q.Connections, q.origin.Connections()), 1))
	for _, p := range q.parts {
		for off := p.Off; off < p.End; off += piece {
			g.Go(func() error { return q.bring(group, off, min(off+piece, p.End), false) })
		}
	}
	err := g.Wait()
	if errors.Is(err, errRanges) {
		err = q.bring(ctx, 0, q.sink.Size(), true)
	}
	return err
}

// bring fetches [off,end), through failures as the origin's claims are.
func (q *inquiry) bring(ctx context.Context, off, end int64, whole bool) error {
	limit := 4
	if q.Attempts > 0 {
		limit = q.Attempts
	}
	for barren := 0; ; {
		at, err := q.attempt(ctx, off, end, whole)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, errRanges):
			return err
		case errors.Is(err, errMoved):
			off, barren = max(at, off), 0
			continue
		}
		p := &peer{src: q.origin, whole: true}
		if v := judge(p, err); v != again {
			return err
		}
		if q.once {
			return err
		}
		q.sources.Failed(q.origin, err)
		if barren++; at > off {
			off, barren = at, 0
		}
		var status *source.StatusError
		wait := time.Duration(0)
		if barren > 0 {
			wait = backoff(barren)
		}
		if errors.As(err, &status) && status.RetryAfter > 0 {
			wait = status.RetryAfter
		}
		if barren >= limit || wait > q.MaxWait {
			return err
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// attempt is one connection. It returns how far it came.
func (q *inquiry) attempt(ctx context.Context, off, end int64, whole bool) (at int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer q.open(cancel)()
	defer func() {
		switch cause := context.Cause(ctx); {
		case err == nil:
		case errors.Is(cause, ErrStalled):
			err = fmt.Errorf("%s: %w", q.origin.Name(), ErrStalled)
		case errors.Is(cause, errMoved):
			err = errMoved
		}
	}()
	stop := func() { cancel(ErrStalled) }
	late := time.AfterFunc(q.StallTimeout, stop)
	from, to := off, end
	if whole {
		from, to = 0, -1
	}
	b, err := q.origin.Open(ctx, from, to)
	late.Stop()
	if err != nil {
		return off, err
	}
	defer func() { _ = b.Close() }()
	switch size := q.sink.Size(); {
	case b.Total >= 0 && b.Total != size:
		q.falseSize()
		return off, &SizeError{b.Host, b.Total, fmt.Errorf("it has %d", size)}
	case b.Start > off:
		return off, &source.LieError{Host: b.Host, Why: fmt.Sprintf("it begins at %d instead of %d", b.Start, off)}
	case !whole && !b.Ranged:
		return off, errRanges
	}
	s := q.reader(ctx, b, q.origin, stop)
	defer s.close()
	return q.compare(s, b.Start, off, end)
}

// open notes a connection that is given up should the network change, until the
// returned function is called.
func (q *inquiry) open(cancel context.CancelCauseFunc) (done func()) {
	q.run.mu.Lock()
	defer q.run.mu.Unlock()
	q.run.attempted++
	n := q.run.attempted
	q.attempts[n] = cancel
	return func() {
		q.run.mu.Lock()
		defer q.run.mu.Unlock()
		delete(q.attempts, n)
	}
}

// compare amends the parts in doubt by what is read, which begins at byte at, from
// byte off on.
func (q *inquiry) compare(s io.Reader, at, off, end int64) (int64, error) {
	bp := buffers.Get().(*[]byte) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	defer buffers.Put(bp)
	for at < end {
		buf := *bp
		buf = buf[:min(int64(len(buf)), end-at)]
		n, err := s.Read(buf)
		if err := q.amend(buf[:n], at, off); err != nil {
			return max(at, off), &sinkError{err}
		}
		at += int64(n)
		if err != nil && at < end {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return max(at, off), err
		}
	}
	return end, nil
}

// amend puts p, which begins at byte at, in place of what is in doubt and not in
// front of off.
func (q *inquiry) amend(p []byte, at, off int64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	first := max(at, off)
	i := sort.Search(len(q.parts), func(i int) bool { return q.parts[i].End > first })
	for _, part := range q.parts[i:] {
		lo, hi := max(part.Off, first), min(part.End, at+int64(len(p)))
		if lo >= hi {
			break
		}
		differs, err := q.sink.Amend(p[lo-at:hi-at], lo, q.origin.Name())
		if err != nil {
			return err
		}
		if !differs {
			continue
		}
		if q.end == 0 {
			q.off, q.end = lo, hi
		}
		q.off, q.end = min(q.off, lo), max(q.end, hi)
	}
	return nil
}
