package fetch_test

import (
	"bytes"
	"cmp"
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

// memory is a sink that wants certain ranges, handed out in order.
type memory struct {
	mu     sync.Mutex
	size   int64
	data   []byte
	spans  [][2]int64 // what was written, in order
	queue  [][2]int64
	out    int           // claims not released
	done   bool          // ErrComplete instead of ErrIdle when the queue is empty
	stopAt int64         // Write answers ErrStop once a claim gets here; 0: never
	broken error         // what Write fails with
	wrote  chan struct{} // if set, told after each write
	linger bool          // with an empty queue wait for the claims that are out
	freed  chan struct{}
}

func newMemory(ranges ...[2]int64) *memory {
	return &memory{size: -1, queue: ranges, freed: make(chan struct{}, 100)}
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
	m.size = n
	return nil
}

func (m *memory) Claim(ctx context.Context) (fetch.Claim, error) {
	for {
		m.mu.Lock()
		if len(m.queue) > 0 {
			r := m.queue[0]
			m.queue = m.queue[1:]
			m.out++
			m.mu.Unlock()
			return &claim{m: m, off: r[0], end: r[1]}, nil
		}
		wait := m.linger && m.out > 0
		m.mu.Unlock()
		if !wait {
			break
		}
		select {
		case <-m.freed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if m.done {
		return nil, fetch.ErrComplete
	}
	return nil, fetch.ErrIdle
}

// claim is a range of memory.
type claim struct {
	m        *memory
	off, end int64
	released bool
}

func (c *claim) Range() (int64, int64) {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	end := c.end
	if end < 0 {
		end = c.m.size
	}
	return c.off, end
}

func (c *claim) Write(p []byte) (int, error) {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if c.m.broken != nil {
		return 0, c.m.broken
	}
	if c.end >= 0 && c.off+int64(len(p)) > c.end {
		return 0, errors.New("written past the claim")
	}
	if need := int(c.off) + len(p); need > len(c.m.data) {
		c.m.data = append(c.m.data, make([]byte, need-len(c.m.data))...)
	}
	copy(c.m.data[c.off:], p)
	c.m.spans = append(c.m.spans, [2]int64{c.off, c.off + int64(len(p))})
	c.off += int64(len(p))
	if c.m.wrote != nil {
		c.m.wrote <- struct{}{}
	}
	if c.m.stopAt > 0 && c.off >= c.m.stopAt {
		return len(p), fetch.ErrStop
	}
	return len(p), nil
}

func (c *claim) Release() {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if c.released {
		panic("released twice")
	}
	c.released = true
	c.m.out--
	c.m.freed <- struct{}{}
}

// check compares what was written, each byte once, in the given ranges.
func (m *memory) check(t *testing.T, want []byte, ranges ...[2]int64) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.out != 0 {
		t.Errorf("%d claims were not released", m.out)
	}
	slices.SortFunc(m.spans, func(a, b [2]int64) int { return cmp.Compare(a[0], b[0]) })
	for i := 1; i < len(m.spans); i++ {
		if m.spans[i][0] < m.spans[i-1][1] {
			t.Fatalf("%v was written twice", m.spans[i])
		}
	}
	for _, r := range ranges {
		at := r[0]
		for _, s := range m.spans {
			if s[0] <= at {
				at = max(at, s[1])
			}
		}
		if at < r[1] {
			t.Fatalf("byte %d is missing", at)
		}
		if !bytes.Equal(m.data[r[0]:r[1]], want[r[0]:r[1]]) {
			t.Fatalf("%v has wrong bytes", r)
		}
	}
}
