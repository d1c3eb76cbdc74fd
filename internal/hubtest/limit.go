package hubtest

import (
	"fmt"
	"net/http"
	"time"
)

// limits counts manifest GETs per identity. Guarded by Hub.mu.
type limits struct {
	limit int
	used  map[string]*window
}

type window struct {
	since time.Time
	n     int
}

// SetRateLimit changes the limit (0: none) and forgets what was counted.
func (h *Hub) SetRateLimit(limit int) {
	h.init()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.limits = limits{limit: limit}
}

// pull counts one manifest request, sets the headers, and reports whether there was one left. A HEAD is free.
func (h *Hub) pull(w http.ResponseWriter, method, identity string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := &h.limits
	if l.limit == 0 {
		return true
	}
	if l.used == nil {
		l.used = map[string]*window{}
	}
	win := l.used[identity]
	if now := h.Now(); win == nil || now.Sub(win.since) >= h.RateWindow {
		win = &window{since: now}
		l.used[identity] = win
	}
	ok := win.n < l.limit || method == http.MethodHead
	if ok && method == http.MethodGet {
		win.n++
	}
	seconds := int(h.RateWindow.Seconds())
	w.Header()["ratelimit-limit"] = []string{fmt.Sprintf("%d;w=%d", l.limit, seconds)}
	w.Header()["ratelimit-remaining"] = []string{fmt.Sprintf("%d;w=%d", max(0, l.limit-win.n), seconds)}
	w.Header()["docker-ratelimit-source"] = []string{identity}
	return ok
}
