package registry

import (
	"maps"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/lapse"
)

// How long what the origin said about a right is believed.
const (
	// publicFor: a public repository may be made private; it is asked about
	// anew after a day, at the first request that finds the origin up.
	publicFor = 24 * time.Hour
	// provenFor bridges the requests of one pull. Registries' own tokens
	// live for five minutes too: a revocation is not seen earlier by them.
	provenFor = 5 * time.Minute
	// noteAfter keeps a busy repository from being written down at each
	// request; a right's age is therefore known to within this much.
	noteAfter = time.Hour
)

// standing is what is known about one repository.
type standing struct {
	// Public is when an anonymous token was last seen to pull it; zero:
	// private for all that is known.
	Public time.Time `json:"public,omitzero"`
	// Closed: somebody without credentials was refused last, whatever else is
	// said about the repository.
	Closed bool `json:"closed,omitempty"`
	// Rights is when the origin last accepted somebody, by Asker.Subject.
	Rights map[string]time.Time `json:"rights,omitempty"`
	// Brought are the images that this machine's owner brought by hand, each with
	// all that came of it.
	Brought map[digest.Digest][]digest.Digest `json:"brought,omitempty"`
}

// Everything about who may have what is in these few rules.

// open says that anybody may have what the repository references.
func (s standing) open(now time.Time) bool {
	return !s.Public.IsZero() && within(now, s.Public, publicFor)
}

// openOffline is open while the origin cannot be asked: being public does not
// lapse by itself.
func (s standing) openOffline() bool { return !s.Public.IsZero() }

// trusts says that this asker's own credentials were accepted for the
// repository less than window ago, which stands in for the origin's word
// while the origin cannot be asked.
func (s standing) trusts(who Asker, now time.Time, window time.Duration) bool {
	at, ok := s.Rights[who.Subject]
	return ok && who.Subject != "" && window > 0 && now.Sub(at) < window
}

// accepted is the standing after the origin let somebody in.
func (s standing) accepted(who Asker, now time.Time, window time.Duration) (standing, bool) {
	if who.anonymous() {
		if within(now, s.Public, noteAfter) && !s.Closed {
			return s, false
		}
		s.Public, s.Closed = now, false
		return s, true
	}
	rights := maps.Clone(s.Rights)
	maps.DeleteFunc(rights, func(_ string, at time.Time) bool { return now.Sub(at) >= window })
	changed := len(rights) != len(s.Rights)
	if at, ok := rights[who.Subject]; window > 0 && (!ok || !within(now, at, min(noteAfter, window/8))) {
		if rights == nil {
			rights = map[string]time.Time{}
		}
		rights[who.Subject] = now
		changed = true
	}
	s.Rights = rights
	return s, changed
}

// refused is the standing after the origin turned somebody away for good.
func (s standing) refused(who Asker) (standing, bool) {
	if who.anonymous() {
		if s.Public.IsZero() && s.Closed {
			return s, false
		}
		s.Public, s.Closed = time.Time{}, true
		return s, true
	}
	if _, ok := s.Rights[who.Subject]; !ok {
		return s, false
	}
	s.Rights = maps.Clone(s.Rights)
	delete(s.Rights, who.Subject)
	return s, true
}

// ledger applies the rules to repositories by name ("registry/repository"),
// and keeps what they need: standings on disk, proofs of the last minutes in
// memory. It is safe for concurrent use.
type ledger struct {
	book   *book[standing]
	now    func() time.Time
	mu     sync.Mutex
	proofs *lapse.Map[proof, time.Time]
}

// proof names one thing the origin let one asker have: the repository, or
// (digest set) one digest of it.
type proof struct{ repository, asker, digest string }

// maxProofs is some pulls of everything at once.
const maxProofs = 16384

func openLedger(dir string, now func() time.Time) (*ledger, error) {
	b, err := openBook[standing](dir)
	if err != nil {
		return nil, err
	}
	proofs := lapse.New[proof](maxProofs, func(at time.Time) bool { return now().Sub(at) >= provenFor })
	return &ledger{book: b, now: now, proofs: proofs}, nil
}

// admits says that the asker may have what the repository references without
// the origin being asked: it is public, or this asker was let in minutes ago.
func (l *ledger) admits(repository string, who Asker) bool {
	return l.book.get(repository).open(l.now()) ||
		!who.anonymous() && l.proven(proof{repository: repository, asker: who.Key})
}

// admitsOffline is admits for when the origin cannot be asked.
func (l *ledger) admitsOffline(repository string, who Asker, window time.Duration) bool {
	s := l.book.get(repository)
	return s.openOffline() || s.trusts(who, l.now(), window) ||
		!who.anonymous() && l.proven(proof{repository: repository, asker: who.Key})
}

// said remembers for minutes that the origin let who have a digest that no
// manifest in the cache accounts for.
func (l *ledger) said(repository string, who Asker, digest string) bool {
	return l.proven(proof{repository, who.Key, digest})
}

// accepted notes that the origin answered who about the repository; digest,
// when not empty, is what it said the repository has.
func (l *ledger) accepted(repository string, who Asker, digest string, window time.Duration) error {
	l.mu.Lock()
	now := l.now()
	l.proofs.Put(proof{repository: repository, asker: who.Key}, now)
	if digest != "" {
		l.proofs.Put(proof{repository, who.Key, digest}, now)
	}
	l.mu.Unlock()
	if _, changed := l.book.get(repository).accepted(who, now, window); !changed {
		return nil
	}
	return l.book.update(repository, func(s standing) (standing, bool) { return s.accepted(who, now, window) })
}

// refused notes that the origin turned who away: every right it had to the
// repository is gone at once.
func (l *ledger) refused(repository string, who Asker) error {
	l.mu.Lock()
	l.proofs.DeleteFunc(func(p proof, _ time.Time) bool { return p.repository == repository && p.asker == who.Key })
	l.mu.Unlock()
	if _, changed := l.book.get(repository).refused(who); !changed {
		return nil
	}
	return l.book.update(repository, func(s standing) (standing, bool) { return s.refused(who) })
}

func (l *ledger) proven(p proof) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.proofs.Get(p)
	return ok
}
