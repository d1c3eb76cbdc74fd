package cache_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// testSource is somebody who brings bytes.
type testSource struct {
	name     string
	withhold bool
	lies     bool
}

var (
	honest   = testSource{"origin", false, false}
	proven   = testSource{"mirror.example", false, false}
	stranger = testSource{"new.example", true, false}
	liar     = testSource{"liar.example", true, true}
	traitor  = testSource{"traitor.example", false, true} // proven once, and lies now
)

// model is what a fill must say and do, byte by byte.
type model struct {
	t     *testing.T
	rng   *rand.Rand
	f     *cache.Fill
	body  []byte
	file  []byte       // what was written
	from  []testSource // by whom; no name: not there
	given []bool       // some reader was
	froze bool
	all   []*modelReader
}

type modelReader struct {
	*cache.Reader
	start, pos, end int
	whole           bool
	broken, closed  bool
}

// TestModel writes a blob from several sources in random order, lets readers take
// what they can at every moment, restarts at random places, lets the digest break
// and puts it right in random pieces. At every step each reader gets exactly the
// bytes it may have; it breaks when, and only when, it was given one that turned
// out wrong. N blobs (default 15), SEED to repeat.
func TestModel(t *testing.T) {
	seed, bodies := drawn(t, 15)
	rng := rand.New(rand.NewPCG(seed, 7))
	c := open(t, cache.Options{})
	for i := range bodies {
		body := bytesOf(seed+uint64(i), 1+rng.IntN(400_000))
		m := &model{t: t, rng: rng, body: body, file: make([]byte, len(body)), from: make([]testSource, len(body)), given: make([]bool, len(body))}
		m.begin(c)
		c = m.write(c)
		c = m.settle(c)
		for _, r := range m.all {
			_ = r.Close()
		}
	}
}

// begin joins the fill.
func (m *model) begin(c *cache.Cache) {
	m.f = begun(m.t, c, m.body)
	m.all = nil
	clear(m.given)
	m.wantProvenance()
}

// write brings everything.
func (m *model) write(c *cache.Cache) *cache.Cache {
	var claims []*cache.Claim
	take := func() {
		for {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			cl, err := m.f.ClaimAtMost(ctx, 1+m.rng.Int64N(200_000))
			if errors.Is(err, context.Canceled) || errors.Is(err, cache.ErrComplete) {
				break
			}
			if err != nil {
				m.t.Fatal(err)
			}
			claims = append(claims, cl)
		}
		m.rng.Shuffle(len(claims), func(i, j int) { claims[i], claims[j] = claims[j], claims[i] })
	}
	for take(); len(claims) > 0; {
		cl := claims[0]
		claims = claims[1:]
		for at := int(cl.Off); at < int(cl.End); {
			src := []testSource{honest, proven, stranger, liar, traitor}[m.rng.IntN(5)]
			cl.From(src.name, src.withhold)
			p := m.body[at:min(int(cl.End), at+1+m.rng.IntN(100_000))]
			if src.lies && m.rng.IntN(2) == 0 {
				p = wrongAt(p, m.rng.IntN(len(p)))
			}
			write(m.t, cl, p)
			copy(m.file[at:], p)
			for i := range p {
				m.from[at+i] = src
			}
			at += len(p)
			m.readers()
		}
		cl.Release()
		m.wantProvenance()
		if m.rng.IntN(8) == 0 {
			c = m.restart(c)
			claims = nil
			take()
		}
	}
	return c
}

// restart begins another run with what is on disk, after a kill or an orderly end.
func (m *model) restart(c *cache.Cache) *cache.Cache {
	dir := c.Dir()
	if m.froze || m.rng.IntN(2) == 0 { // an orderly end drops what is wrong
		dir = copyDir(m.t, dir)
	}
	if err := c.Close(); err != nil {
		m.t.Fatal(err)
	}
	for _, r := range m.all {
		_ = r.Close()
	}
	c = open(m.t, cache.Options{Dir: dir})
	if m.froze {
		for i := range m.from {
			m.from[i].withhold = true
		}
		m.froze = false
	}
	m.begin(c)
	return c
}

// readers lets everybody read and checks what they get.
func (m *model) readers() {
	if len(m.all) < 12 && m.rng.IntN(3) == 0 {
		r := &modelReader{start: m.rng.IntN(len(m.body) + 1), whole: m.rng.IntN(2) == 0, end: len(m.body)}
		n := int64(-1)
		if !r.whole {
			r.end = r.start + m.rng.IntN(len(m.body)-r.start+1)
			n = int64(r.end - r.start)
		}
		r.pos = r.start
		r.Reader = now(m.t, m.f, int64(r.start), n, r.whole)
		m.all = append(m.all, r)
	}
	for _, r := range m.all {
		if r.closed || m.rng.IntN(2) == 0 {
			continue
		}
		if m.rng.IntN(15) == 0 {
			_ = r.Close()
			r.closed = true
			continue
		}
		m.read(r, m.rng.IntN(3) > 0)
	}
}

// read takes what there is for r, or some of it.
func (m *model) read(r *modelReader, everything bool) {
	m.t.Helper()
	may := m.may(r)
	n := may - r.pos
	if !everything {
		n = m.rng.IntN(n + 1)
	}
	var in io.Reader = r
	if !everything {
		in = io.LimitReader(r, int64(n))
	}
	got, err := io.ReadAll(in)
	if !bytes.Equal(got, m.file[r.pos:r.pos+n]) {
		m.t.Fatalf("%d bytes at %d of [%d,%d), want %d: %v", len(got), r.pos, r.start, r.end, n, err)
	}
	for i := range n {
		m.given[r.pos+i] = true
	}
	r.pos += n
	if everything {
		m.wantEnd(r, err)
	}
}

// wantEnd checks with what error r, which has all it may have, stops.
func (m *model) wantEnd(r *modelReader, err error) {
	m.t.Helper()
	var de *cache.DigestError
	var ok bool
	switch {
	case r.broken:
		ok = errors.As(err, &de)
	case !m.froze && r.pos == r.end && !r.whole:
		ok = err == nil
	default:
		ok = errors.Is(err, context.Canceled)
	}
	if !ok {
		m.t.Fatalf("reader at %d of [%d,%d), whole %v, broken %v, frozen %v: %v", r.pos, r.start, r.end, r.whole, r.broken, m.froze, err)
	}
}

// may is up to where r may read now.
func (m *model) may(r *modelReader) int {
	end := r.pos
	if m.froze || r.broken {
		return end
	}
	limit := r.end
	if r.whole {
		limit = max(r.pos, min(limit, len(m.body)-cache.HoldBack))
	}
	for end < limit && m.from[end].name != "" && !m.from[end].withhold {
		end++
	}
	return end
}

// settle commits, and puts right what is wrong.
func (m *model) settle(c *cache.Cache) *cache.Cache {
	for round := 0; ; round++ {
		m.readers()
		err := m.f.Commit()
		if bytes.Equal(m.file, m.body) {
			if err != nil {
				m.t.Fatal(err)
			}
			break
		}
		var de *cache.DigestError
		if !errors.As(err, &de) || de.Got != digest.FromBytes(m.file) {
			m.t.Fatal(err)
		}
		m.froze = true
		m.readers()
		m.wantGiven()
		m.wantProvenance()
		if round > 0 && m.rng.IntN(20) == 0 {
			m.giveUp()
			return c
		}
		m.repair()
		if m.rng.IntN(6) == 0 {
			c = m.restart(c)
		}
	}
	m.froze = false
	for _, r := range m.all {
		if r.closed {
			continue
		}
		got, err := io.ReadAll(r)
		var de *cache.DigestError
		if r.broken && (len(got) > 0 || !errors.As(err, &de)) {
			m.t.Fatalf("a broken reader went on: %d bytes, %v", len(got), err)
		}
		if !r.broken && (err != nil || !bytes.Equal(got, m.body[r.pos:r.end])) {
			m.t.Fatalf("an unharmed reader did not get the rest: %d bytes, %v", len(got), err)
		}
		for i := range got {
			m.given[r.pos+i] = true
		}
	}
	m.wantGiven()
	return c
}

func (m *model) giveUp() {
	m.f.Fail(errors.New("the origin is gone"))
	for _, r := range m.all {
		if r.closed {
			continue
		}
		var de *cache.DigestError
		if got, err := io.ReadAll(r); len(got) > 0 || !errors.As(err, &de) {
			m.t.Fatalf("%d bytes and %v", len(got), err)
		}
	}
}

// repair puts some random pieces right.
func (m *model) repair() {
	for range 1 + m.rng.IntN(6) {
		var suspects []cache.Part
		for _, p := range m.f.Provenance() {
			if p.Source != honest.name {
				suspects = append(suspects, p)
			}
		}
		if len(suspects) == 0 {
			return
		}
		p := suspects[m.rng.IntN(len(suspects))]
		off, end := int(p.Off), int(p.End)
		if m.rng.IntN(2) == 0 {
			off = m.rng.IntN(len(m.body))
			end = off + m.rng.IntN(len(m.body)-off+1)
		}
		for _, r := range m.all {
			from, to := max(off, r.start), min(end, r.pos)
			r.broken = r.broken || from < to && !bytes.Equal(m.file[from:to], m.body[from:to])
		}
		amend(m.t, m.f, m.body, off, end, !bytes.Equal(m.file[off:end], m.body[off:end]))
		copy(m.file[off:end], m.body[off:end])
		for i := off; i < end; i++ {
			m.from[i] = honest
		}
		m.readers()
		m.wantProvenance()
	}
}

func (m *model) wantProvenance() {
	m.t.Helper()
	var want []cache.Part
	for i, src := range m.from {
		if src.name == "" {
			continue
		}
		p := cache.Part{Off: int64(i), End: int64(i) + 1, Source: src.name, Withheld: src.withhold || m.froze}
		if last := len(want) - 1; last >= 0 && want[last].End == p.Off && want[last].Source == p.Source && want[last].Withheld == p.Withheld {
			want[last].End++
		} else {
			want = append(want, p)
		}
	}
	if got := m.f.Provenance(); !slices.Equal(got, want) {
		m.t.Fatalf("provenance\n %v, want\n %v", got, want)
	}
}

func (m *model) wantGiven() {
	m.t.Helper()
	for range 20 {
		off := m.rng.IntN(len(m.body))
		end := min(len(m.body), off+m.rng.IntN(1+m.rng.IntN(50_000)))
		if got := m.f.Given(int64(off), int64(end)); got != slices.Contains(m.given[off:end], true) {
			m.t.Fatalf("given [%d,%d): %v", off, end, got)
		}
	}
}
