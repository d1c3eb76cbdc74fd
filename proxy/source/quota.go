package source

import (
	"sync"
	"time"

	"pulley/internal/config"
)

// ledger counts what mirrors with a quota have sent, by calendar day or month
// of local time, and hands out no more than is left. Bytes are reserved before
// they are asked for and given back if they do not come.
type ledger struct {
	now  func() time.Time
	save func() // writes the accounts down; called without mu

	mu       sync.Mutex
	accounts map[string]*account
}

// account is one mirror's.
type account struct {
	Period string `json:"period"` // "2026-08" or "2026-08-21"
	Used   int64  `json:"used"`   // in memory what is reserved included; in the file marked

	got    int64 // came
	marked int64 // what the file says: never less than got
}

// ahead is how much more than came the file says, so that a crash costs a
// little quota instead of exceeding it, and not every blob is a write. It holds
// what several connections bring before they say so (sampleBytes each).
const ahead = 16 << 20

// period names the current one and says when the next begins.
func period(q config.Quota, now time.Time) (name string, next time.Time) {
	y, m, d := now.Date()
	if q.Per == "day" {
		return now.Format("2006-01-02"), time.Date(y, m, d+1, 0, 0, 0, 0, now.Location())
	}
	return now.Format("2006-01"), time.Date(y, m+1, 1, 0, 0, 0, 0, now.Location())
}

// of returns a mirror's account in the current period. A clock that was set
// back does not begin one anew. ledger.mu is held.
func (l *ledger) of(key string, q config.Quota) *account {
	name, _ := period(q, l.now())
	a := l.accounts[key]
	if a == nil || len(a.Period) != len(name) || a.Period < name {
		a = &account{Period: name}
		l.accounts[key] = a
	}
	return a
}

// left is what may still be asked for.
func (l *ledger) left(key string, q config.Quota) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(int64(q.Bytes)-l.of(key, q).Used, 0)
}

// reserve takes up to n bytes and says how many.
func (l *ledger) reserve(key string, q config.Quota, n int64) (got int64, in *account) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.of(key, q)
	got = min(n, max(int64(q.Bytes)-a.Used, 0))
	a.Used += got
	return got, a
}

// came tells of bytes that were reserved.
func (l *ledger) came(a *account, n int64) {
	l.mu.Lock()
	a.got += n
	due := a.got > a.marked
	if due {
		a.marked = a.got + ahead
	}
	l.mu.Unlock()
	if due {
		l.save()
	}
}

// giveBack takes back what did not come of a reservation.
func (l *ledger) giveBack(a *account, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.Used -= n
}

// marks is what goes into the file; at the end it is exact.
func (l *ledger) marks(exact bool) map[string]account {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[string]account, len(l.accounts))
	for key, a := range l.accounts {
		if exact {
			a.marked = a.got
		}
		out[key] = account{Period: a.Period, Used: max(a.marked, a.got)}
	}
	return out
}

// restore takes up what the file says.
func (l *ledger) restore(key string, a account) {
	a.got, a.marked = a.Used, a.Used
	l.accounts[key] = &a
}

// QuotaUse is how far a quota is used up.
type QuotaUse struct {
	Used, Limit int64
	Resets      time.Time
}

func (l *ledger) use(key string, q config.Quota) *QuotaUse {
	if q.Bytes == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, next := period(q, l.now())
	return &QuotaUse{Used: l.of(key, q).Used, Limit: int64(q.Bytes), Resets: next}
}
