package source

import (
	"sync"
	"time"

	"pulley/internal/config"
)

// trust is what each mirror's word is worth, whatever the network.
type trust struct {
	mu    sync.Mutex
	words map[string]*word // by trustKey
}

// word is one mirror's.
type word struct {
	Proven   bool       `json:"proven,omitempty"`
	Expelled *Expulsion `json:"expelled,omitempty"`
}

// Expulsion is why and since when a mirror is not asked any more.
type Expulsion struct {
	Why   string    `json:"why"`
	Since time.Time `json:"since"`
}

func (t *trust) proven(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.words[key]
	return w != nil && w.Proven
}

// prove reports whether that is news.
func (t *trust) prove(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.of(key)
	if w.Proven || w.Expelled != nil {
		return false
	}
	w.Proven = true
	return true
}

func (t *trust) of(key string) *word {
	if t.words[key] == nil {
		t.words[key] = &word{}
	}
	return t.words[key]
}

func (t *trust) expel(key, why string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.of(key)
	if w.Expelled != nil {
		return false
	}
	*w = word{Expelled: &Expulsion{why, now}}
	return true
}

func (t *trust) expelled(key string) *Expulsion {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w := t.words[key]; w != nil {
		return w.Expelled
	}
	return nil
}

// readmit lets a mirror in again, unproven.
func (t *trust) readmit(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.words[key]
	if w == nil || w.Expelled == nil {
		return false
	}
	delete(t.words, key)
	return true
}

// all is a copy.
func (t *trust) all() map[string]word {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make(map[string]word, len(t.words))
	for key, w := range t.words {
		out[key] = *w
	}
	return out
}

// Readmit lets an expelled mirror of a registry in again, unproven, and reports
// whether it had been expelled. So does switching it off and on in the settings.
func (s *Set) Readmit(registry, mirror string) bool {
	reg, ok := s.settings().Registry(registry)
	if !ok {
		return false
	}
	m, ok := reg.Mirror(mirror)
	if store := s.storeNow(); mirror == config.SharedName && store != nil {
		m, ok = s.asMirror(store), true
	}
	if !ok || !s.trust.readmit(trustKey(m)) {
		return false
	}
	s.save()
	s.changed()
	return true
}
