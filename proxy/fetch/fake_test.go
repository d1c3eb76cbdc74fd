package fetch_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pulley/proxy/fetch"
	"pulley/proxy/source"
)

const mib = 1 << 20

var errReset = errors.New("connection reset by peer")

// fake is a source in the time of synctest.
type fake struct {
	name    string
	truth   []byte
	origin  bool
	proven  bool
	most    int         // Connections; 0: 64
	minute  int         // requests that are allowed in one; 0: nobody counts
	closed  atomic.Bool // Connections is 0
	tier    int
	rate    float64       // said to be expected
	speed   float64       // bytes/s of one connection; 0: no time passes
	total   float64       // of all; 0: no limit
	latency time.Duration // to the first byte
	plain   bool          // no ranges
	hidden  bool          // no size is told
	delta   int64         // added to the size that is told
	brief   int64         // how much it sends at most to one request, and says so; 0: all
	ahead   int64         // bytes that it sends before they are read: what fits into buffers on the way

	die    func(n int, off int64) int64 // the n-th connection breaks after so many bytes; -1: it does not
	hang   func(n int, off int64) int64 // … is silent
	refuse func(n int, off int64) error // the n-th is refused
	lie    func(at int64) bool          // the byte there is wrong
	dead   *atomic.Bool                 // connections from before it was set are silent from then on
	bodies []*flow                      // all that there were

	hooks  sync.Mutex // die, hang and refuse are called one at a time
	mu     sync.Mutex
	opened int
	peak   int
	open   int
	sent   int64 // bytes that left it, in vain too
	asked  [][2]int64
	at     []time.Time
	next   time.Time // of the shared line
}

func (f *fake) Name() string  { return f.name }
func (f *fake) Origin() bool  { return f.origin }
func (f *fake) Proven() bool  { return f.proven }
func (f *fake) Rate() float64 { return f.rate }
func (f *fake) Tier() int     { return f.tier }
func (f *fake) Connections() int {
	switch {
	case f.closed.Load():
		return 0
	case f.minute > 0 && f.lately() >= f.minute:
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.open // no more than there are
	case f.most > 0:
		return f.most
	}
	return 64
}

// lately is how many requests there were in the last minute.
func (f *fake) lately() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, at := range f.at {
		if time.Since(at) < time.Minute {
			n++
		}
	}
	return n
}

func (f *fake) Span() time.Duration {
	if f.minute == 0 {
		return 0
	}
	return time.Minute * time.Duration(min(f.most, 8)) / time.Duration(f.minute)
}

func (f *fake) Open(ctx context.Context, off, end int64) (*source.Body, error) {
	f.mu.Lock()
	n := f.opened
	f.opened++
	f.asked = append(f.asked, [2]int64{off, end})
	f.at = append(f.at, time.Now())
	f.open++
	f.peak = max(f.peak, f.open)
	f.mu.Unlock()
	b, err := f.answer(ctx, n, off, end)
	if err != nil {
		f.mu.Lock()
		f.open--
		f.mu.Unlock()
	}
	return b, err
}

func (f *fake) answer(ctx context.Context, n int, off, end int64) (*source.Body, error) {
	if err := sleep(ctx, f.latency); err != nil {
		return nil, err
	}
	f.hooks.Lock()
	defer f.hooks.Unlock()
	if f.refuse != nil {
		if err := f.refuse(n, off); err != nil {
			return nil, err
		}
	}
	size := int64(len(f.truth))
	b := &source.Body{Total: size + f.delta, Ranged: true, Host: f.name + ".example"}
	stop := size
	switch {
	case f.plain && (off > 0 || end >= 0):
		b.Ranged = false
	case off >= size && size > 0:
		return nil, &source.StatusError{Status: 416, Size: size}
	default:
		b.Start = off
		if end >= 0 {
			stop = min(end, size)
		}
	}
	if f.brief > 0 && b.Ranged && (off > 0 || end >= 0) {
		stop = min(stop, b.Start+f.brief)
	}
	b.Length = stop - b.Start
	if off == 0 && end < 0 || !b.Ranged { // a whole body's length is what says how large the blob is
		b.Length = b.Total
	}
	if f.hidden {
		b.Total, b.Length = -1, -1
	}
	fl := &flow{f: f, ctx: ctx, pos: b.Start, end: stop, die: -1, hang: -1}
	if f.die != nil {
		fl.die = f.die(n, off)
	}
	if f.hang != nil {
		fl.hang = f.hang(n, off)
	}
	fl.old = f.dead != nil && !f.dead.Load()
	f.bodies = append(f.bodies, fl)
	b.ReadCloser = fl
	return b, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// flow is one body.
type flow struct {
	f         *fake
	ctx       context.Context //nolint:containedctx // the request's
	pos, end  int64
	read      int64
	die, hang int64
	closed    bool
	old       bool // opened before the network changed
}

func (b *flow) Read(p []byte) (int, error) {
	f := b.f
	f.mu.Lock()
	speed := f.speed
	f.mu.Unlock()
	if b.die >= 0 && b.read >= b.die {
		return 0, errReset
	}
	if b.hang >= 0 && b.read >= b.hang || b.old && f.dead.Load() {
		<-b.ctx.Done()
		return 0, context.Cause(b.ctx)
	}
	n := min(int64(len(p)), b.end-b.pos)
	if n == 0 {
		return 0, io.EOF
	}
	if speed > 0 {
		n = min(n, max(min(int64(speed/20), 64<<10), 1<<10))
	}
	if b.die >= 0 {
		n = min(n, b.die-b.read)
	}
	if b.hang >= 0 {
		n = min(n, b.hang-b.read)
	}
	wait := time.Duration(0)
	if speed > 0 {
		wait = time.Duration(float64(n) / speed * float64(time.Second))
	}
	if f.total > 0 {
		f.mu.Lock()
		now := time.Now()
		if f.next.Before(now) {
			f.next = now
		}
		f.next = f.next.Add(time.Duration(float64(n) / f.total * float64(time.Second)))
		wait = max(wait, f.next.Sub(now))
		f.mu.Unlock()
	}
	if err := sleep(b.ctx, wait); err != nil {
		return 0, err
	}
	copy(p, f.truth[b.pos:b.pos+n])
	if f.lie != nil {
		for i := range n {
			if f.lie(b.pos + i) {
				p[i] ^= 1
			}
		}
	}
	b.pos += n
	b.read += n
	f.mu.Lock()
	f.sent += n
	f.mu.Unlock()
	if b.pos == b.end {
		return int(n), io.EOF
	}
	return int(n), nil
}

// Close ends it. What was on its way by then has been sent as well.
func (b *flow) Close() error {
	f := b.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	f.open--
	if b.die < 0 || b.read < b.die {
		f.sent += min(b.end-b.pos, max(f.ahead, min(64<<10, int64(f.speed*f.latency.Seconds()))))
	}
	return nil
}

// fakes is a list of sources that can be changed.
type fakes struct {
	mu      sync.Mutex
	list    []fetch.Source
	changed chan struct{}
	proved  map[string]int
	liars   map[string][2]int64
	failed  map[string]int
	errs    []error
}

func these(list ...fetch.Source) *fakes {
	return &fakes{
		list: list, changed: make(chan struct{}),
		proved: map[string]int{}, liars: map[string][2]int64{}, failed: map[string]int{},
	}
}

func (s *fakes) List() []fetch.Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list
}

func (s *fakes) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func (s *fakes) set(list ...fetch.Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = list
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *fakes) Proved(src fetch.Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proved[src.Name()]++
}

func (s *fakes) Lied(src fetch.Source, off, end int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, twice := s.liars[src.Name()]; twice {
		panic("told twice of " + src.Name())
	}
	s.liars[src.Name()] = [2]int64{off, end}
	s.list = without(s.list, src)
}

func without(list []fetch.Source, src fetch.Source) []fetch.Source {
	var rest []fetch.Source
	for _, o := range list {
		if o != src {
			rest = append(rest, o)
		}
	}
	return rest
}

func (s *fakes) Failed(src fetch.Source, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed[src.Name()]++
	s.errs = append(s.errs, err)
}

// sent is what left all fakes.
func sent(list ...*fake) (n int64) {
	for _, f := range list {
		f.mu.Lock()
		n += f.sent
		f.mu.Unlock()
	}
	return n
}

var truths sync.Map

// blob is n bytes, the same each time. Nobody writes to them.
func blob(n int) []byte {
	if b, ok := truths.Load(n); ok {
		return b.([]byte) //nolint:errcheck,forcetypeassert // nothing else is stored
	}
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	truths.Store(n, b)
	return b
}

// fours are an origin and three mirrors that have the blob, alike.
func fours(truth []byte, speed float64) (all []*fake, src []fetch.Source) {
	for i, name := range []string{"origin", "a", "b", "c"} {
		f := &fake{name: name, truth: truth, origin: i == 0, proven: true, speed: speed, latency: 20 * time.Millisecond}
		all, src = append(all, f), append(src, f)
	}
	return all, src
}

// took fails the test if more time than that has passed.
func took(t *testing.T, began time.Time, most time.Duration) {
	t.Helper()
	if d := time.Since(began); d > most {
		t.Errorf("took %v, more than %v", d, most)
	}
}

// frugal fails the test if more than that was sent.
func frugal(t *testing.T, size int64, factor float64, list ...*fake) {
	t.Helper()
	if n := sent(list...); float64(n) > factor*float64(size) {
		t.Errorf("%d bytes were sent for %d: %.3f times", n, size, float64(n)/float64(size))
	}
}

// slow changes how fast its connections are.
func (f *fake) slow(speed float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.speed = speed
}

// rounds is how often a random test is to be run, N or that, and the seed, SEED
// or any.
func rounds(t *testing.T, n int) (int, uint64) {
	seed := rand.Uint64()
	if v, err := strconv.Atoi(os.Getenv("N")); err == nil {
		n = v
	}
	if v, err := strconv.ParseUint(os.Getenv("SEED"), 10, 64); err == nil {
		seed = v
	}
	t.Logf("SEED=%d N=%d", seed, n)
	return n, seed
}
