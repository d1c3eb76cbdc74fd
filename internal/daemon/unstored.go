package daemon

import (
	"sync"
	"time"
)

// unstoredFor is how long a person is told that something could not be cached: long enough to be seen, and over soon
// after there is room again.
const unstoredFor = 10 * time.Minute

// unstored remembers why the last blob could not be cached.
type unstored struct {
	mu  sync.Mutex
	why string
	at  time.Time
}

func (u *unstored) note(why string, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.why, u.at = why, now
}

// reason is "" when all is well.
func (u *unstored) reason(now time.Time) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.why == "" || now.Sub(u.at) > unstoredFor {
		return ""
	}
	return u.why
}
