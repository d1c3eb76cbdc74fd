package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"pulley/internal/cause"
)

// meter watches a body: how fast it comes, whether it comes to its end, and
// that no more comes than the quota has room for. It may be closed while it is
// read.
type meter struct {
	io.ReadCloser
	ctx   context.Context // of the request: whose fault an end is
	place *Place
	hold  *hold
	want  int64  // bytes, -1 unknown
	most  int64  // bytes that may be read, -1 as many as come
	left  func() // may be nil
	late  bool   // the answer came so late that one throughput is taken of all

	mu    sync.Mutex // guards what follows; held for no read
	got   int64
	told  int64     // of got, to the ledger
	part  int64     // since
	since time.Time // of the sample under way
	ended bool
}

// A throughput is taken every sampleEvery while a body comes, and the clock is
// looked at every sampleBytes.
const (
	sampleEvery = 2 * time.Second
	sampleBytes = 1 << 20

	// enough bytes are proof that the place works, whether or not the rest is
	// wanted.
	enough = 1 << 20
)

func (m *meter) Read(p []byte) (int, error) {
	p = p[:m.room(len(p))]
	n, err := m.ReadCloser.Read(p)
	return m.took(n, err)
}

// room is how much of a buffer may be filled: where nothing more may come, one
// byte, to see whether it ends there.
func (m *meter) room(n int) int {
	if m.most < 0 {
		return n
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return int(min(int64(n), max(m.most-m.got, 1)))
}

func (m *meter) took(n int, err error) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.most >= 0 && m.got+int64(n) > m.most {
		n, err = 0, fmt.Errorf("%s sends more than may be taken of it", m.place.Name())
	}
	m.got += int64(n)
	m.part += int64(n)
	if m.hold.account != nil && m.got-m.told >= sampleBytes {
		m.tell()
	}
	if m.part >= sampleBytes && err == nil && !m.late {
		if now := m.place.set.now(); now.Sub(m.since) >= sampleEvery {
			m.sample(now)
		}
	}
	if err != nil {
		m.end(err)
	}
	return n, err
}

// tell has the ledger know what came.
func (m *meter) tell() {
	m.place.set.ledger.came(m.hold.account, m.got-m.told)
	m.told = m.got
}

func (m *meter) sample(now time.Time) {
	m.place.set.health.moved(m.place.key, m.part, now.Sub(m.since))
	m.part, m.since = 0, now
}

// Close ends it.
func (m *meter) Close() error {
	m.mu.Lock()
	m.end(nil)
	m.mu.Unlock()
	return m.ReadCloser.Close()
}

// end takes down how it went, once.
func (m *meter) end(err error) {
	if m.ended {
		return
	}
	m.ended = true
	m.sample(m.place.set.now())
	whole := m.want >= 0 && m.got >= m.want
	switch {
	case err == nil && m.got < enough && !whole, err != nil && m.ctx.Err() != nil:
		m.place.set.health.abandon(m.place.key)
	case err == nil, whole, errors.Is(err, io.EOF):
		m.place.set.health.succeeded(m.place.key)
	default:
		m.place.set.health.failed(m.place.key, strip(err), cause.Of(err))
		m.place.doubt(strip(err))
	}
	if m.hold.account != nil {
		if !whole && !errors.Is(err, io.EOF) {
			m.got += m.hold.onItsWay(m.got)
		}
		m.tell()
	}
	m.hold.leave(m.got)
	if m.left != nil {
		m.left()
	}
}
