package server

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"pulley/internal/control"
)

// events streams JSON lines: the whole state first and again when it changed; with ?requests=1 answered requests too.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	flush := http.NewResponseController(w)
	lines := json.NewEncoder(w)
	send := func(m control.Message) bool { return lines.Encode(m) == nil && flush.Flush() == nil }

	var requests <-chan control.Event
	if r.URL.Query().Get("requests") == "1" {
		events, stop := s.daemon.Follow()
		defer stop()
		requests = events
	}
	changed := s.daemon.Changed() // before the state, so that no change is lost
	state := s.daemon.State()
	if !send(control.Message{State: &state}) {
		return
	}
	var due <-chan time.Time
	for {
		select {
		case <-s.ending:
			return
		case <-r.Context().Done():
			return
		case e, ok := <-requests:
			if !ok || !send(control.Message{Event: &e}) {
				return
			}
		case <-changed:
			changed, due = nil, time.After(coalesce)
		case <-due:
			due = nil
			changed = s.daemon.Changed()
			state := s.daemon.State()
			if !send(control.Message{State: &state}) {
				return
			}
			if len(state.Active) > 0 {
				due = time.After(time.Second) // bytes that arrive tell nobody
			}
		}
	}
}

// tail answers with the last ?n= requests.
func (s *Server) tail(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil || n < 0 || n > maxTail {
		n = 100
	}
	events, err := s.daemon.Events(n)
	reply(w, events, err)
}
