package proxy

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sync/singleflight"
)

// passwords checks names and passwords against [access] users. bcrypt takes tens
// of milliseconds on purpose and engines send their password with each request, so
// a right one is remembered for a while; a wrong one is not, but counted, and who
// sends several waits longer each time. It is safe for concurrent use, and what it
// holds is bounded whatever it is sent.
type passwords struct {
	now     func() time.Time
	compare func(hash, password []byte) error
	key     [sha256.Size]byte // of this process alone
	turns   chan struct{}     // of bcrypt
	flights singleflight.Group

	mu        sync.Mutex
	right     map[secret]time.Time // until when
	friends   map[friend]struct{}
	addresses guesses[netip.Prefix]
	names     guesses[secret]
}

// secret is something that is remembered without being held: a MAC under a key
// that dies with the process.
type secret [sha256.Size]byte

// friend is somebody who was right before, from there. Guesses that others make at
// that name elsewhere keep nobody out who is.
type friend struct {
	from netip.Prefix
	name secret
}

const (
	rightFor    = 5 * time.Minute // a credential is believed so long without asking bcrypt again
	turnsOfHash = 2               // bcrypt at a time: an attack leaves the other processors to those who are in
	turnWait    = 10 * time.Second
	maxRight    = 1024
	maxFriends  = 1024
)

// How often may be guessed. Of addresses, IPv6 ones count by the /64 that one
// machine may have all of (RFC 7421).
var (
	byAddress = allowance{free: 5, first: time.Second, most: 5 * time.Minute}
	byName    = allowance{free: 10, first: time.Second, most: 30 * time.Second}
)

func newPasswords(now func() time.Time) *passwords {
	p := &passwords{
		now: now, compare: bcrypt.CompareHashAndPassword, turns: make(chan struct{}, turnsOfHash), right: map[secret]time.Time{}, friends: map[friend]struct{}{},
		addresses: newGuesses[netip.Prefix](byAddress), names: newGuesses[secret](byName),
	}
	_, _ = rand.Read(p.key[:]) // it never fails
	return p
}

// mac hides what is remembered. Each part goes with its length, so that no two
// lists of parts are one text.
func (p *passwords) mac(parts ...string) (s secret) {
	h := hmac.New(sha256.New, p.key[:])
	for _, part := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	h.Sum(s[:0])
	return s
}

// verdict is what check says: yes, no, or (wait > 0) that it was not looked at.
type verdict struct {
	ok   bool
	wait time.Duration
}

// check says whether a client somewhere has one of users' passwords. What is
// remembered of a right one hangs on its hash in users: it ends when that changes.
func (p *passwords) check(client netip.Addr, users map[string]string, name, password string) verdict {
	hash, known := users[name]
	credential := p.mac("credential", hash, name, password)
	if known && p.remembers(credential) {
		return verdict{ok: true}
	}
	from := prefixOf(client)
	// An engine opens many connections at once: they are one guess.
	v, _, _ := p.flights.Do(string(credential[:])+from.String(), func() (any, error) {
		if known && p.remembers(credential) {
			return verdict{ok: true}, nil
		}
		if !known {
			hash = p.decoy(users, name)
		}
		return p.guess(friend{from, p.mac("name", name)}, known, hash, password, credential), nil
	})
	return v.(verdict) //nolint:errcheck,forcetypeassert // it is nothing else
}

// guess looks at a password. It counts as wrong until it has turned out to be
// right: those that come at once must not all be looked at.
func (p *passwords) guess(who friend, known bool, hash, password string, credential secret) verdict {
	if wait := p.begin(who); wait > 0 {
		return verdict{wait: wait}
	}
	timer := time.NewTimer(turnWait)
	defer timer.Stop()
	select {
	case p.turns <- struct{}{}:
	case <-timer.C:
		p.forgive(who)
		return verdict{wait: turnWait}
	}
	err := p.compare([]byte(hash), []byte(password))
	<-p.turns
	if err != nil || !known {
		return verdict{}
	}
	p.forgive(who)
	p.mu.Lock()
	defer p.mu.Unlock()
	makeRoom(p.right, maxRight)
	p.right[credential] = p.now().Add(rightFor)
	makeRoom(p.friends, maxFriends)
	p.friends[who] = struct{}{}
	return verdict{ok: true}
}

// makeRoom keeps a set small to which only right passwords lead.
func makeRoom[K comparable, V any](set map[K]V, most int) {
	if len(set) >= most {
		clear(set)
	}
}

func (p *passwords) remembers(credential secret) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	until, ok := p.right[credential]
	if ok && !p.now().Before(until) {
		delete(p.right, credential)
		return false
	}
	return ok
}

// begin counts a guess, or says how long to wait before the next.
func (p *passwords) begin(who friend) (wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	_, trusted := p.friends[who]
	wait = p.addresses.wait(who.from, now)
	if !trusted {
		wait = max(wait, p.names.wait(who.name, now))
	}
	if wait == 0 {
		p.addresses.count(who.from, now)
		p.names.count(who.name, now)
	}
	return wait
}

// forgive takes back what begin counted.
func (p *passwords) forgive(who friend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.addresses.forgive(who.from)
	p.names.forgive(who.name)
}

// decoy is the hash that a name which is none of users' is held against: how long
// an answer takes must not tell which names there are. Costs may differ, so it is
// one of theirs, always the same for a name.
func (p *passwords) decoy(users map[string]string, name string) string {
	hashes := slices.Sorted(maps.Values(users))
	n := p.mac("decoy", name)
	return hashes[binary.BigEndian.Uint64(n[:8])%uint64(len(hashes))]
}

func prefixOf(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	prefix, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{} // a pipe has none
	}
	return prefix
}
