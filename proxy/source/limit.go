package source

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RateLimit is a registry's pull limit as its headers tell it; nothing is
// assumed where they are silent.
type RateLimit struct {
	Known     bool
	Limit     int           // pulls per Window
	Remaining int           // at At; -1 if it was not said
	Window    time.Duration // 0 if it was not said
	At        time.Time
}

// parseLimit reads ratelimit-limit ("100;w=21600") and ratelimit-remaining. The
// address that the limit is counted for (docker-ratelimit-source) is left alone.
func parseLimit(h http.Header, now time.Time) (RateLimit, bool) {
	limit, window, ok := parseQuota(h.Get("Ratelimit-Limit"))
	if !ok {
		return RateLimit{}, false
	}
	l := RateLimit{Known: true, Limit: limit, Remaining: -1, Window: window, At: now}
	if n, w, ok := parseQuota(h.Get("Ratelimit-Remaining")); ok {
		l.Remaining = n
		if l.Window == 0 {
			l.Window = w
		}
	}
	return l, true
}

func parseQuota(v string) (n int, window time.Duration, ok bool) {
	parts := strings.Split(v, ";")
	n, err := strconv.Atoi(strings.TrimSpace(parts[0]))
	if err != nil || n < 0 {
		return 0, 0, false
	}
	for _, p := range parts[1:] {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if s, err := strconv.ParseInt(strings.TrimSpace(value), 10, 32); err == nil && s > 0 && strings.EqualFold(name, "w") {
			window = time.Duration(s) * time.Second
		}
	}
	return n, window, true
}

// observe remembers the limit that an answer of the origin carries.
func (o *Origin) observe(h http.Header) {
	if l, ok := parseLimit(h, o.set.now()); ok {
		o.set.mu.Lock()
		o.set.limits[o.reg.Name] = l
		o.set.mu.Unlock()
	}
}

// Limits returns the last seen pull limit of the registry.
func (o *Origin) Limits() RateLimit {
	o.set.mu.Lock()
	defer o.set.mu.Unlock()
	return o.set.limits[o.reg.Name]
}
