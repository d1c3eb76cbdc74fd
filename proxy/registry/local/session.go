package local

import (
	"context"
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"pulley/cache"
	"pulley/proxy/registry"
)

const (
	// idleFor is how long a session waits for its next request, and a request for
	// its next byte.
	idleFor = time.Hour
	// maxSessions is several dozen pushes at once: engines push five layers at a
	// time. Each session is an open file.
	maxSessions = 256
)

// session is an upload between its requests: "Pushing blobs".
type session struct {
	id     string
	name   cache.Name
	upload *cache.Upload // for whoever has the turn
	turn   chan struct{} // holds one thing: the turn

	used time.Time // guarded by the sessions' mu
	busy int       // requests at work or waiting; the same
	gone bool      // the same
}

// sessions are those that are open.
type sessions struct {
	now func() time.Time

	mu     sync.Mutex
	open   map[string]*session
	closed bool
}

// begin opens a session.
func (s *sessions) begin(c *cache.Cache, n cache.Name) (*session, error) {
	one := &session{id: rand.Text(), name: n, turn: make(chan struct{}, 1), busy: 1} // the turn is ours
	s.mu.Lock()
	switch {
	case s.closed:
		s.mu.Unlock()
		return nil, cache.ErrClosed
	case len(s.open) >= maxSessions:
		s.mu.Unlock()
		return nil, refuse(http.StatusTooManyRequests, registry.TooManyRequests, "too many uploads are open; finish or cancel some")
	}
	s.open[one.id] = one
	s.mu.Unlock()
	u, err := c.Upload()
	if err != nil {
		s.end(one)
		s.leave(one)
		return nil, err
	}
	one.upload = u
	return one, nil
}

// enter waits for a session's turn, since a client that was cut off may be back
// before its last request has ended. Leave it.
func (s *sessions) enter(ctx context.Context, n cache.Name, id string) (*session, error) {
	unknown := refuse(http.StatusNotFound, blobUploadUnknown, "there is no such upload, or no longer; start over")
	s.mu.Lock()
	one := s.open[id]
	if one == nil || one.name != n {
		s.mu.Unlock()
		return nil, unknown
	}
	one.busy++
	s.mu.Unlock()
	select {
	case <-one.turn:
	case <-ctx.Done():
		s.depart(one)
		return nil, context.Cause(ctx)
	}
	s.mu.Lock()
	gone := one.gone
	s.mu.Unlock()
	if gone {
		s.leave(one)
		return nil, unknown
	}
	return one, nil
}

// leave gives the turn to the next request.
func (s *sessions) leave(one *session) {
	one.turn <- struct{}{}
	s.depart(one)
}

// depart is for a request that has not, or no longer, the turn.
func (s *sessions) depart(one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one.busy--
	one.used = s.now()
	if one.gone && one.busy == 0 && one.upload != nil {
		one.upload.Close()
	}
}

// end forgets a session, for whoever has the turn.
func (s *sessions) end(one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one.gone = true
	delete(s.open, one.id)
}

// sweep ends sessions to which nobody came back.
func (s *sessions) sweep() {
	now := s.now()
	s.endIf(func(one *session) bool { return now.Sub(one.used) >= idleFor })
}

// close ends all; those with requests at work when these end.
func (s *sessions) close() {
	s.mu.Lock()
	s.closed = true
	for id, one := range s.open {
		if one.busy > 0 {
			one.gone = true
			delete(s.open, id)
		}
	}
	s.mu.Unlock()
	s.endIf(func(*session) bool { return true })
}

func (s *sessions) endIf(over func(*session) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, one := range s.open {
		if one.busy == 0 && over(one) {
			one.gone = true
			delete(s.open, id)
			one.upload.Close()
		}
	}
}
