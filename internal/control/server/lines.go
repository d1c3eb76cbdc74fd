package server

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"pulley/internal/control"
)

// pace is how often progress is sent at most.
const pace = 100 * time.Millisecond

// lines writes the answer to a request that takes a while. Of each thing only the latest progress is kept until it is
// sent, so that the work never waits for a client that does not read. Nothing is sent before there is something to say:
// what fails at once is answered with a status, like any other request.
type lines[P, R any] struct {
	w    http.ResponseWriter
	of   func(P) string
	stop func() // ends the writer and waits for it; may be called again

	mu     sync.Mutex
	latest map[string]P
	order  []string

	begun bool // the status was sent; the writer's, and after stop the handler's

	news  chan struct{} // holds one if there is something to send
	ended chan struct{}
}

// newLines starts a writer, which stop ends. of tells apart what progress is about. With atOnce the status is sent before
// there is anything to say.
func newLines[P, R any](w http.ResponseWriter, of func(P) string, atOnce bool) *lines[P, R] {
	l := &lines[P, R]{w: w, of: of, latest: map[string]P{}, news: make(chan struct{}, 1), ended: make(chan struct{})}
	if atOnce {
		l.begin()
	}
	var writer sync.WaitGroup
	writer.Go(l.write)
	l.stop = sync.OnceFunc(func() {
		close(l.ended)
		writer.Wait()
	})
	return l
}

// progress takes note of how far something is.
func (l *lines[P, R]) progress(p P) {
	key := l.of(p)
	l.mu.Lock()
	if _, waits := l.latest[key]; !waits {
		l.order = append(l.order, key)
	}
	l.latest[key] = p
	l.mu.Unlock()
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// write sends progress until stop.
func (l *lines[P, R]) write() {
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-l.ended:
			return
		case <-wait.C:
		}
		select {
		case <-l.ended:
			return
		case <-l.news:
		}
		l.send()
		wait.Reset(pace)
	}
}

// send writes what is waiting. One goroutine at a time calls it.
func (l *lines[P, R]) send() {
	l.mu.Lock()
	order, latest := l.order, l.latest
	l.order, l.latest = nil, map[string]P{}
	l.mu.Unlock()
	if len(order) == 0 {
		return
	}
	l.begin()
	to := json.NewEncoder(l.w)
	for _, key := range order {
		p := latest[key]
		_ = to.Encode(control.Line[P, R]{Progress: &p}) // a client that is gone ends the work by its context
	}
	l.flush()
}

// begin sends the status.
func (l *lines[P, R]) begin() {
	if l.begun {
		return
	}
	l.begun = true
	l.w.Header().Set("Content-Type", "application/x-ndjson")
	l.w.WriteHeader(http.StatusOK)
	l.flush()
}

// flush sees to it that nothing lies in a buffer.
func (l *lines[P, R]) flush() { _ = http.NewResponseController(l.w).Flush() }

// end sends what is left and the last line.
func (l *lines[P, R]) end(result R, err error) {
	l.stop()
	l.send()
	if err != nil && !l.begun {
		failWith(l.w, err)
		return
	}
	l.begin()
	last := control.Line[P, R]{Result: &result}
	if err != nil {
		last = control.Line[P, R]{Error: words(err)}
	}
	_ = json.NewEncoder(l.w).Encode(last)
	l.flush()
}
