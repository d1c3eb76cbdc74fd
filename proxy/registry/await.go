package registry

import (
	"context"
	"errors"
	"io"
	"time"
)

// await waits until it is certain that there is something to send, so that a
// failure can still be told as a status.
func (s *stream) await() error {
	slow := time.AfterFunc(s.patience(), func() { s.cancel(errSlow) })
	defer slow.Stop()
	s.size = -1
	if s.whole {
		select {
		case <-s.drive.answered:
		case <-s.fill.Done():
			if err := s.fill.Err(); err != nil {
				return err
			}
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
	} else if err := s.peek(); err != nil {
		return err
	}
	if s.fill.Size() < 0 && s.drive.total.Load() < 0 {
		return s.unsized()
	}
	size, err := s.fill.WaitSize(s.ctx)
	if err != nil {
		return err
	}
	s.size = size
	return s.promote()
}

// unsized makes the answer the whole blob: the origin does not say how much comes,
// so nor do we, and what part of it is wanted cannot be told.
func (s *stream) unsized() error {
	if len(s.specs) == 0 {
		return nil
	}
	old := s.readers
	s.readers, s.from, s.early, s.specs, s.whole = nil, nil, nil, nil, true
	err := s.read([]span{{0, -1}}) // before the fill has no reader
	for _, r := range old {
		_ = r.Close()
	}
	return err
}

// peeked is what was read of the beginning.
type peeked struct {
	b   []byte
	err error
}

// peek reads the first bytes of the answer. If the blob is on its way and these
// are not shown, perhaps because they have to be proved first, the answer begins
// without them.
func (s *stream) peek() error {
	r, coming := s.readers[0], make(chan peeked, 1)
	s.coming = coming
	go func() {
		buf := make([]byte, 32<<10)
		n, err := r.Read(buf)
		coming <- peeked{buf[:n], err}
	}()
	t := time.NewTimer(s.patience() / 2)
	defer t.Stop()
	select {
	case p := <-coming:
		return s.peeked(p)
	case <-t.C:
	}
	select {
	case <-s.drive.answered:
		if s.fill.Size() >= 0 {
			return nil
		}
	default:
	}
	return s.peeked(<-coming) // ends with the request's patience
}

func (s *stream) peeked(p peeked) error {
	s.coming, s.early = nil, p.b
	if len(p.b) == 0 && errors.Is(p.err, io.EOF) && s.fill.Size() >= 0 {
		return nil // beyond the end: resolve says so
	}
	return p.err
}

// settle waits for what is still being read of the first span's beginning.
func (s *stream) settle() error {
	if s.coming == nil {
		return nil
	}
	return s.peeked(<-s.coming)
}

// promote makes a closed range that turned out to be the whole blob one that is
// proved.
func (s *stream) promote() error {
	if s.whole || len(s.readers) != 1 || len(s.specs) != 1 {
		return nil
	}
	spans, err := resolve(s.specs, s.size)
	if err != nil || len(spans) != 1 || spans[0] != (span{0, s.size}) {
		return err
	}
	s.whole = true
	r, err := s.fill.Reader(s.ctx, 0, -1, true)
	if err != nil {
		return err
	}
	_ = s.readers[0].Close()
	_ = s.settle() // it is read again
	s.readers[0], s.early = r, nil
	return nil
}
