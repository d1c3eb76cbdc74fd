package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// meter watches a body: how fast it comes, whether it comes to its end, and
// that no more comes than the quota has room for. It is one reader's.
type meter struct {
	io.ReadCloser
	ctx   context.Context // of the request: whose fault an end is
	place *Place
	hold  *hold
	want  int64  // bytes, -1 unknown
	most  int64  // bytes that may be read, -1 as many as come
	left  func() // may be nil

	got   int64
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
	if m.most >= 0 && int64(len(p)) > m.most-m.got {
		if m.most == m.got {
			p = p[:min(1, len(p))] // whether it ends here
		} else {
			p = p[:m.most-m.got]
		}
	}
	n, err := m.ReadCloser.Read(p)
	if m.most >= 0 && m.got+int64(n) > m.most {
		n, err = 0, fmt.Errorf("%s sends more than may be taken of it", m.place.Name())
	}
	m.got += int64(n)
	if m.part += int64(n); m.part >= sampleBytes && err == nil {
		if now := m.place.set.now(); now.Sub(m.since) >= sampleEvery {
			m.sample(now)
		}
	}
	if err != nil {
		m.end(err)
	}
	return n, err
}

func (m *meter) sample(now time.Time) {
	m.place.set.health.moved(m.place.key, m.part, now.Sub(m.since))
	m.part, m.since = 0, now
}

func (m *meter) Close() error {
	m.end(nil)
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
		m.place.set.health.failed(m.place.key, strip(err))
	}
	m.hold.leave(m.got)
	if m.left != nil {
		m.left()
	}
}
