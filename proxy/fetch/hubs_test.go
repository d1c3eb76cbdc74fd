package fetch_test

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/egress"
	"pulley/proxy/fetch"
	"pulley/proxy/source"
	"pulley/proxy/token"
)

// market is a hub and mirrors of it.
type market struct {
	hubs  []*hubtest.Hub // the origin first
	names []string
	set   *source.Set
	reg   *config.Registry
}

func newMarket(t testing.TB, mirrors int) *market {
	t.Helper()
	hub := hubtest.Start(t)
	hubs := []*hubtest.Hub{hub}
	for i := range mirrors {
		hubs = append(hubs, hubtest.MirrorOf(t, hub, styleOf(i)))
	}
	return marketOf(t, hubs...)
}

func styleOf(i int) hubtest.Style {
	return []hubtest.Style{hubtest.StyleHost, hubtest.StylePrefix, hubtest.StyleNS}[i%3]
}

// marketOf is one of hubs that run: the origin first, then its mirrors by styleOf.
func marketOf(t testing.TB, hubs ...*hubtest.Hub) *market {
	t.Helper()
	m := &market{hubs: hubs, names: []string{"origin"}}
	cfg := config.Default()
	reg, _ := cfg.Registry("docker.io")
	for i, h := range hubs {
		cfg.Fetch.ExtraRoots = append(cfg.Fetch.ExtraRoots, h.RootsFile())
		for _, name := range h.Hosts() {
			cfg.Addresses = append(cfg.Addresses, config.Address{Host: name, Use: []string{h.Addr()}})
		}
		if i > 0 {
			name := string(rune('a' + i - 1))
			m.names = append(m.names, name)
			reg.Mirrors = append(reg.Mirrors, config.Mirror{Name: name, URL: "https://" + h.Hosts()[0], Style: string(styleOf(i - 1)), Enabled: true})
		}
	}
	settings := func() *config.Config { return cfg }
	out := egress.New(egress.Options{Settings: settings})
	t.Cleanup(out.Close)
	m.set = source.NewSet(source.Options{
		Settings: settings, Network: out,
		Tokens: token.NewKeeper(token.Options{Settings: settings, Network: out}),
	})
	m.reg = reg
	return m
}

// refs are the blob at the origin and at the mirrors.
func (m *market) refs(t testing.TB, d digest.Digest) (list []*source.BlobRef) {
	t.Helper()
	for _, p := range m.set.Places(m.reg) {
		list = append(list, p.Blob(source.Want{Repository: repo, Digest: d.String(), Public: true, As: source.Anonymous()}))
	}
	if len(list) != len(m.hubs) {
		t.Fatalf("%d places for %d hubs", len(list), len(m.hubs))
	}
	return list
}

func (m *market) sources(t *testing.T, d digest.Digest) *fakes {
	t.Helper()
	var list []fetch.Source
	for _, ref := range m.refs(t, d) {
		list = append(list, ref)
	}
	return these(list...)
}

func (m *market) sent(d digest.Digest) (n int64) {
	for _, h := range m.hubs {
		n += h.BytesSent(d)
	}
	return n
}

func (m *market) faults(rules ...hubtest.Faults) {
	for _, h := range m.hubs {
		h.SetFaults(rules...)
	}
}

func TestFourHubsAddUp(t *testing.T) {
	const size, speed = 24 * mib, 2 * mib
	m := newMarket(t, 3)
	d := m.hubs[0].AddBlob(repo, blob(size))
	m.faults(hubtest.Faults{Bandwidth: speed})
	sink := newMemory(blob(size))
	if err := fetch.Run(t.Context(), m.sources(t, d), sink, fetch.Options{Connections: 8, Hint: size}); err != nil {
		t.Fatal(err)
	}
	sink.verify(t)
	for _, name := range m.names { // alike as they are, a quarter each
		if sink.by(name) < size/16 {
			t.Errorf("%s brought %d of %d bytes", name, sink.by(name), size)
		}
	}
	if m.sent(d) > size+size/20 {
		t.Errorf("%d bytes were sent for %d", m.sent(d), size)
	}
}

func TestOneOfFourHubsDies(t *testing.T) {
	const size, speed = 24 * mib, 8 * mib
	n, seed := rounds(t, 4)
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range n {
		m := newMarket(t, 3)
		d := m.hubs[0].AddBlob(repo, blob(size))
		m.faults(hubtest.Faults{Bandwidth: speed})
		die := hubtest.At(rng.Int64N(size / 3))
		sick := rng.IntN(4)
		m.hubs[sick].SetFaults(hubtest.Faults{Bandwidth: speed, Die: die, CutReset: rng.IntN(2) == 0})
		sink := newMemory(blob(size))
		var came atomic.Int64 // what lies in a dead hub's buffers is the system's affair
		received := func(_ fetch.Source, n int) { came.Add(int64(n)) }
		if err := fetch.Run(t.Context(), m.sources(t, d), sink, fetch.Options{Connections: 8, Hint: size, Received: received}); err != nil {
			t.Fatalf("round %d: %s at %d: %v", i, m.names[sick], *die, err)
		}
		sink.verify(t)
		if came.Load() > size+size/20 {
			t.Errorf("round %d: %d bytes came for %d", i, came.Load(), size)
		}
		for _, h := range m.hubs {
			h.Close()
		}
	}
}

func TestLyingHubIsNamed(t *testing.T) {
	const size = 24 * mib
	for _, at := range []int64{100, size / 2, size - 100} {
		m := newMarket(t, 3)
		d := m.hubs[0].AddBlob(repo, blob(size))
		m.faults(hubtest.Faults{Bandwidth: 8 * mib, WrongByte: hubtest.At(at)})
		m.hubs[0].SetFaults(hubtest.Faults{Bandwidth: 4 * mib})
		s, sink := m.sources(t, d), newMemory(blob(size))
		liar := ""
		sink.wrongly = func() {
			for _, p := range sink.Provenance() {
				if p.Off <= at && at < p.End {
					liar = p.Source
				}
			}
		}
		if err := fetch.Run(t.Context(), s, sink, fetch.Options{Connections: 8, Hint: size}); err != nil {
			t.Fatal(err)
		}
		sink.verify(t)
		if liar != "" && (len(s.liars) != 1 || s.liars[liar][1] <= at || s.proved[liar] > 0) || liar == "" && len(s.liars) > 0 {
			t.Errorf("%q lied at %d, named are %v", liar, at, s.liars)
		}
	}
}

func TestHubLiesAboutASmallBlob(t *testing.T) {
	m := newMarket(t, 1)
	d := m.hubs[0].AddBlob(repo, blob(1000))
	m.hubs[1].SetFaults(hubtest.Faults{WrongByte: hubtest.At(500)})
	s, sink := m.sources(t, d), newMemory(blob(1000))
	if s.list[0].Origin() { // whichever is preferred
		s.list[0], s.list[1] = s.list[1], s.list[0]
	}
	if err := fetch.Run(t.Context(), s, sink, fetch.Options{Hint: 1000}); err != nil {
		t.Fatal(err)
	}
	sink.verify(t)
	if span := s.liars["a"]; span[0] > 500 || span[1] <= 500 || s.proved["a"] > 0 {
		t.Errorf("named are %v", s.liars)
	}
}
