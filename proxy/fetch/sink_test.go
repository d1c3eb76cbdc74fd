package fetch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"pulley/proxy/fetch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a sink that knows which bytes are right. It wants certain ranges, the
// first most, and holds its user to the contract: a byte is written once, by the
// claim that has it.
type memory struct {
	truth []byte
	told  bool // whole: not ErrIdle but ErrComplete at the end

	mu      sync.Mutex
	news    chan struct{}
	size    int64
	data    []byte
	parts   []fetch.Part // by offset, not joined
	wants   [][2]int64
	readers [][2]int64 // by how long they wait
	cuts    int        // claims that were cut for a reader
	claims  []*claim
	out     int // claims not released
	handed  int
	frozen  bool // a Commit has failed
	commits int
	amended int64
	faults  []string

	stopAt  int64          // Write answers ErrStop once a claim gets here; 0: never
	broken  error          // what Write fails with
	wrote   func(c *claim) // called after each write
	wrongly func()         // called when a Commit fails first
}

// newMemory wants the whole blob, or the ranges (end -1: the blob's).
func newMemory(truth []byte, ranges ...[2]int64) *memory {
	m := &memory{truth: truth, size: -1, wants: ranges, news: make(chan struct{}), data: make([]byte, len(truth))}
	if len(ranges) == 0 {
		m.told, m.wants = true, [][2]int64{{0, -1}}
	}
	return m
}

func (m *memory) fault(format string, args ...any) {
	m.faults = append(m.faults, fmt.Sprintf(format, args...))
}

func (m *memory) stir() {
	close(m.news)
	m.news = make(chan struct{})
}

func (m *memory) Size() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.size
}

func (m *memory) SetSize(n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.size >= 0 && m.size != n {
		return fmt.Errorf("it has %d", m.size)
	}
	for _, p := range m.parts {
		if p.End > n {
			return fmt.Errorf("there are bytes up to %d", p.End)
		}
	}
	for _, c := range m.claims {
		if c.pos > n {
			return fmt.Errorf("there is a claim from %d on", c.pos)
		}
	}
	m.size = n
	for _, c := range m.claims {
		c.cut(n)
	}
	m.stir()
	return nil
}

const forever = 1 << 62

func (m *memory) end() int64 {
	if m.size < 0 {
		return forever
	}
	return m.size
}

// free is the first byte of [off,end) that nobody has or brings, and where that
// run ends.
func (m *memory) free(off, end int64) (int64, int64) {
	for again := true; again; {
		again = false
		for _, p := range m.parts {
			if p.Off <= off && off < p.End {
				off, again = p.End, true
			}
		}
		for _, c := range m.claims {
			if c.pos <= off && off < c.lim {
				off, again = c.lim, true
			}
		}
	}
	for _, p := range m.parts {
		if p.Off > off {
			end = min(end, p.Off)
		}
	}
	for _, c := range m.claims {
		if c.pos > off {
			end = min(end, c.pos)
		}
	}
	return off, end
}

func (m *memory) Claim(ctx context.Context) (fetch.Claim, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		open := false
		wants := m.wants
		if off, ok := m.urgent(); ok {
			wants = append([][2]int64{{off, -1}}, wants...)
		}
		for _, w := range wants {
			if w[1] < 0 || w[1] > m.end() {
				w[1] = m.end()
			}
			if off, end := m.free(w[0], w[1]); off < end {
				c := &claim{m: m, pos: off, lim: end, done: make(chan struct{})}
				m.claims = append(m.claims, c)
				m.out++
				m.handed++
				return c, nil
			}
			open = open || m.missing(w[0], w[1])
		}
		switch {
		case !open && m.told:
			return nil, fetch.ErrComplete
		case !open:
			return nil, fetch.ErrIdle
		}
		news := m.news
		m.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
		}
		m.mu.Lock()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

func (m *memory) missing(off, end int64) bool {
	for _, p := range m.parts {
		if p.Off <= off && off < p.End {
			off = p.End
		}
	}
	return off < end
}

// want asks for a range before all others, as a reader does that waits for it:
// nobody else shall bring it later.
func (m *memory) want(off, end int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wants = slices.Insert(m.wants, 0, [2]int64{off, end})
	for _, c := range m.claims {
		if c.pos+1<<20 < off && off < c.lim {
			c.cut(off)
		}
	}
	m.stir()
}

// read waits for [off,end), as a reader does whose place is more urgent than what nobody waits for: who brings its
// byte not soon is cut there. It reports whether all is there.
func (m *memory) read(off, end int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.readers, func(r [2]int64) bool { return r[1] == end })
	for _, p := range m.parts {
		if p.Off <= off && off < p.End {
			off = p.End
		}
	}
	switch there := off >= end; {
	case i < 0 && !there:
		m.readers = append(m.readers, [2]int64{off, end})
		m.stir()
	case there && i >= 0:
		m.readers = slices.Delete(m.readers, i, i+1)
	case !there:
		m.readers[i][0] = off
	}
	return off >= end
}

// urgent is the byte that is waited for longest and comes from nobody soon. It needs mu.
func (m *memory) urgent() (off int64, ok bool) {
	for _, r := range m.readers {
		if !m.missing(r[0], r[0]+1) {
			continue
		}
		i := slices.IndexFunc(m.claims, func(c *claim) bool { return c.pos <= r[0] && r[0] < c.lim })
		if i >= 0 && r[0]-m.claims[i].pos < 1<<20+256<<10 {
			continue
		}
		if i >= 0 {
			m.claims[i].cut(r[0])
			m.cuts++
		}
		return r[0], true
	}
	return 0, false
}

func (m *memory) Provenance() []fetch.Part {
	m.mu.Lock()
	defer m.mu.Unlock()
	var joined []fetch.Part
	for _, p := range m.parts {
		if n := len(joined) - 1; n >= 0 && joined[n].End == p.Off && joined[n].Source == p.Source && joined[n].Withheld == p.Withheld {
			joined[n].End = p.End
			continue
		}
		joined = append(joined, p)
	}
	return joined
}

func (m *memory) Commit() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.commits++
	if m.out != 0 {
		m.fault("Commit with %d claims out", m.out)
	}
	if !bytes.Equal(m.data, m.truth) {
		m.frozen = true
		if m.wrongly != nil && m.commits == 1 {
			m.mu.Unlock()
			m.wrongly()
			m.mu.Lock()
		}
		return fmt.Errorf("commit %d: %w", m.commits, fetch.ErrDigest)
	}
	m.frozen = false
	return nil
}

func (m *memory) Amend(p []byte, off int64, src string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return false, m.broken
	}
	if !m.frozen {
		m.fault("Amend before a Commit failed")
	}
	differs := !bytes.Equal(m.data[off:off+int64(len(p))], p)
	copy(m.data[off:], p)
	m.amended += int64(len(p))
	end := off + int64(len(p))
	var parts []fetch.Part
	for _, o := range m.parts {
		if o.Off < off {
			parts = append(parts, fetch.Part{Off: o.Off, End: min(o.End, off), Source: o.Source, Withheld: o.Withheld})
		}
		if o.End > end {
			parts = append(parts, fetch.Part{Off: max(o.Off, end), End: o.End, Source: o.Source, Withheld: o.Withheld})
		}
	}
	m.parts = parts
	m.insert(fetch.Part{Off: off, End: end, Source: src})
	return differs, nil
}

func (m *memory) insert(p fetch.Part) {
	i, _ := slices.BinarySearchFunc(m.parts, p.Off, func(a fetch.Part, off int64) int { return int(a.Off - off) })
	if i > 0 && m.parts[i-1].End == p.Off && m.parts[i-1].Source == p.Source && m.parts[i-1].Withheld == p.Withheld {
		m.parts[i-1].End = p.End
		return
	}
	m.parts = slices.Insert(m.parts, i, p)
}

// claim is a range of memory.
type claim struct {
	m        *memory
	pos, lim int64
	src      string
	withhold bool
	said     bool
	released bool
	done     chan struct{}
	over     bool
}

// cut needs mu.
func (c *claim) cut(n int64) {
	if n >= c.lim {
		return
	}
	if c.lim = max(n, c.pos); c.lim == c.pos {
		c.stop()
	}
}

func (c *claim) stop() {
	if !c.over {
		c.over = true
		close(c.done)
	}
}

func (c *claim) Range() (int64, int64) {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if c.lim == forever {
		return c.pos, -1
	}
	return c.pos, c.lim
}

func (c *claim) From(src string, withhold bool) {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	c.src, c.withhold, c.said = src, withhold, true
}

func (c *claim) Done() <-chan struct{} { return c.done }

func (c *claim) Limit(n int64) {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if n < 0 {
		c.m.fault("Limit(%d)", n)
	}
	c.cut(c.pos + n)
	c.m.stir()
}

func (c *claim) Write(p []byte) (int, error) {
	n, err := c.write(p)
	if c.m.wrote != nil {
		c.m.wrote(c)
	}
	return n, err
}

func (c *claim) write(p []byte) (int, error) {
	m := c.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return 0, m.broken
	}
	if !c.said || c.released {
		m.fault("written at %d: said from whom: %v, released: %v", c.pos, c.said, c.released)
	}
	n := min(int64(len(p)), c.lim-c.pos)
	if c.pos+n > int64(len(m.truth)) {
		m.fault("written up to %d of %d", c.pos+n, len(m.truth))
		return 0, fetch.ErrStop
	}
	copy(m.data[c.pos:], p[:n])
	if n > 0 {
		m.insert(fetch.Part{Off: c.pos, End: c.pos + n, Source: c.src, Withheld: c.withhold})
	}
	c.pos += n
	if c.pos == c.lim {
		m.stir()
	}
	if n < int64(len(p)) || m.stopAt > 0 && c.pos >= m.stopAt && c.pos < m.stopAt+1<<20 {
		return int(n), fetch.ErrStop
	}
	return int(n), nil
}

func (c *claim) Release() {
	m := c.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.released {
		m.fault("released twice at %d", c.pos)
		return
	}
	c.released = true
	m.out--
	m.claims = slices.DeleteFunc(m.claims, func(o *claim) bool { return o == c })
	if m.stopAt > 0 && c.pos >= m.stopAt {
		m.wants = [][2]int64{{0, m.stopAt}}
	}
	c.stop()
	m.stir()
}

// verify compares what was written in the given ranges, or everywhere.
func (m *memory) verify(t *testing.T, ranges ...[2]int64) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.faults {
		t.Error(f)
	}
	if m.out != 0 {
		t.Errorf("%d claims were not released", m.out)
	}
	for i := 1; i < len(m.parts); i++ {
		if m.parts[i].Off < m.parts[i-1].End {
			t.Fatalf("%v was written twice", m.parts[i])
		}
	}
	if ranges == nil {
		ranges = [][2]int64{{0, int64(len(m.truth))}}
		if m.size != int64(len(m.truth)) {
			t.Errorf("size %d instead of %d", m.size, len(m.truth))
		}
	}
	for _, r := range ranges {
		if m.missing(r[0], r[1]) {
			t.Fatalf("%v is not all there: %v", r, m.parts)
		}
		if !bytes.Equal(m.data[r[0]:r[1]], m.truth[r[0]:r[1]]) {
			t.Fatalf("%v has wrong bytes", r)
		}
	}
}

// by is how many bytes a source brought.
func (m *memory) by(name string) (n int64) {
	for _, p := range m.Provenance() {
		if p.Source == name {
			n += p.End - p.Off
		}
	}
	return n
}

// over is an error of a sink, of no particular kind.
var errFull = errors.New("disk full")
