package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/moby/sys/atomicwriter"
)

// state is the file in which it is kept what a restart must not forget.
type state struct {
	dir string // "": none

	mu     sync.Mutex // one write at a time
	failed bool       // the last one, and the log has said so
	others bool       // the file is somebody else's, after Retire
}

const stateName = "sources.json"

// document is the file. It names places as they are, networks by hashes, and
// no repository.
type document struct {
	Health map[string]map[string]memory `json:"health,omitempty"` // by network and place
	Trust  map[string]word              `json:"trust,omitempty"`
	Quotas map[string]account           `json:"quotas,omitempty"`
}

// memory is what is kept of vitals. How a breaker stands is not: after a
// restart everything deserves a try.
type memory struct {
	Rate   float64       `json:"rate,omitempty"` // bytes a second
	First  time.Duration `json:"first,omitempty"`
	Last   time.Time     `json:"last"`
	Probed time.Time     `json:"probed"`
	Rest   time.Time     `json:"rest"`
	Called string        `json:"called,omitempty"`
}

// restore reads the file.
func (s *Set) restore() error {
	if s.state.dir == "" {
		return nil
	}
	b, err := os.ReadFile(filepath.Join(s.state.dir, stateName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		return fmt.Errorf("%s: %w", stateName, err)
	}
	for network, places := range d.Health {
		for key, m := range places {
			s.health.seen[spot{network, key}] = &vitals{
				rate: m.Rate, first: m.First, last: m.Last, probed: m.Probed, rest: m.Rest, called: m.Called,
			}
		}
	}
	for key, w := range d.Trust {
		s.trust.words[key] = &w
	}
	for key, a := range d.Quotas {
		s.ledger.restore(key, a)
	}
	return nil
}

// save writes the file now. That it cannot be written is logged once: what it
// is for goes on without.
func (s *Set) save() { s.write(false) }

func (s *Set) write(last bool) {
	if s.state.dir == "" {
		return
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if s.state.others {
		return
	}
	err := s.state.put(s.document(last))
	if err != nil && !s.state.failed {
		s.log.Warn("what is known about mirrors cannot be kept", "err", err)
	}
	s.state.failed = err != nil
}

func (s *Set) document(last bool) document {
	d := document{Health: map[string]map[string]memory{}, Trust: s.trust.all(), Quotas: s.ledger.marks(last)}
	h := s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dirty = false
	for at, v := range h.seen {
		m := memory{v.rate, v.first, v.last, v.probed, v.rest, v.called}
		if m == (memory{}) {
			continue
		}
		if d.Health[at.network] == nil {
			d.Health[at.network] = map[string]memory{}
		}
		d.Health[at.network][at.key] = m
	}
	return d
}

// put replaces the file in one step.
func (st *state) put(d document) error {
	b, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(st.dir, 0o700); err != nil {
		return err
	}
	return atomicwriter.WriteFile(filepath.Join(st.dir, stateName), append(b, '\n'), 0o600)
}

// Retire writes down what was learned, for somebody else who goes on from there: this
// Set writes no more, unless Resume is called.
func (s *Set) Retire() {
	s.write(true)
	s.retire(true)
}

// Resume ends Retire.
func (s *Set) Resume() { s.retire(false) }

func (s *Set) retire(on bool) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	s.state.others = on
}

// saveEvery is how often what changed is written when nothing hurries.
const saveEvery = time.Minute

// Run runs the shared store, probes mirrors of which nothing is known and writes down what was learned,
// until ctx ends; then once more, and exactly. A Set that is not run works, and
// keeps what must not be lost.
func (s *Set) Run(ctx context.Context) error {
	t := time.NewTicker(saveEvery)
	defer t.Stop()
	var stores sync.WaitGroup
	stores.Go(func() { s.runStores(ctx) })
	defer stores.Wait()
	for {
		select {
		case <-ctx.Done():
			s.write(true)
			return nil
		case p := <-s.curious:
			s.probe(ctx, p)
		case <-t.C:
			s.health.mu.Lock()
			dirty := s.health.dirty
			s.health.mu.Unlock()
			if dirty {
				s.save()
			}
		}
	}
}
