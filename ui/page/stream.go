package page

import (
	"context"
	"sync"
	"time"
)

// Stream is work beside the UI goroutine that goes on for a while, and what is seen of it meanwhile.
type Stream struct {
	desk Desk
	pace time.Duration
	show func()
	end  func(error)

	moved   chan struct{} // has an element when there is something new to show
	over    chan struct{} // closed when the work has ended, after err was set
	err     error
	quit    context.CancelFunc
	stopped bool
}

// NewStream runs work, which calls moved as often as it likes, from any goroutine. show is called on the UI goroutine after
// that, at most once in pace, and end once, after the last show. After stop neither is called.
func NewStream(d Desk, pace time.Duration, work func(ctx context.Context, moved func()) error, show func(), end func(error)) *Stream {
	life, quit := context.WithCancel(context.Background())
	s := &Stream{desk: d, pace: pace, show: show, end: end, moved: make(chan struct{}, 1), over: make(chan struct{}), quit: quit}
	d.Work(func(ctx context.Context) func() {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(life, cancel)()
		s.err = work(ctx, s.poke)
		close(s.over)
		return nil
	})
	s.await()
	return s
}

func (s *Stream) poke() {
	select {
	case s.moved <- struct{}{}:
	default:
	}
}

// Quit has the work end, which is told as any other end is.
func (s *Stream) Quit() { s.quit() }

// Stop ends it.
func (s *Stream) Stop() {
	s.stopped = true
	s.quit()
}

// await waits beside the UI goroutine for something to show.
func (s *Stream) await() {
	s.desk.Work(func(ctx context.Context) func() {
		select {
		case <-s.moved:
			s.rest(ctx)
		case <-s.over:
		case <-ctx.Done():
			return nil
		}
		return s.tell
	})
}

func (s *Stream) rest(ctx context.Context) {
	timer := time.NewTimer(s.pace)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.over:
	case <-ctx.Done():
	}
}

func (s *Stream) tell() {
	if s.stopped {
		return
	}
	select {
	case <-s.over:
		s.quit()
		s.show()
		s.end(s.err)
	default:
		s.show()
		s.await()
	}
}

// Mailbox holds what a stream's work has brought until it is shown. Any goroutine.
type Mailbox[T any] struct {
	mu   sync.Mutex
	mail []T
}

func (m *Mailbox[T]) Put(items ...T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mail = append(m.mail, items...)
}

func (m *Mailbox[T]) Take() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	mail := m.mail
	m.mail = nil
	return mail
}
