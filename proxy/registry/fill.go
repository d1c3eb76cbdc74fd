package registry

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
	"pulley/internal/config"
	"pulley/proxy/fetch"
	"pulley/proxy/source"
)

// Transfer is a download in flight.
type Transfer struct {
	Registry, Repository string // on whose account it began
	Digest               digest.Digest
	Have, Size           int64 // bytes; Size -1 while unknown
	Clients              int
	Begun                time.Time
}

// Active lists the downloads in flight, oldest first.
func (h *Handler) Active() []Transfer { return h.drives.active() }

// drives are the downloads in flight. There is one for each of the cache's fills.
type drives struct {
	mu     sync.Mutex
	by     map[*cache.Fill]*drive
	closed bool
}

func (s *drives) init() { s.by = map[*cache.Fill]*drive{} }

// close keeps further drives from starting.
func (s *drives) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// of returns the drive of a fill, which its first asker starts.
func (s *drives) of(h *Handler, f *cache.Fill) *drive {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.by[f]
	if d == nil {
		d = &drive{h: h, fill: f, answered: make(chan struct{}), begun: h.now()}
		d.total.Store(-1)
		select {
		case <-f.Done(): // its drive has ended and gone: nobody would remove this one
		default:
			s.by[f] = d
		}
	}
	return d
}

func (s *drives) active() []Transfer {
	s.mu.Lock()
	all := make([]*drive, 0, len(s.by))
	for _, d := range s.by {
		all = append(all, d)
	}
	s.mu.Unlock()
	list := make([]Transfer, 0, len(all))
	for _, d := range all {
		if t, ok := d.transfer(); ok {
			list = append(list, t)
		}
	}
	sortTransfers(list)
	return list
}

// drive brings the bytes of one fill, for as long as somebody wants them and in
// nobody's request. It has the sources of all who asked: should the origin turn
// one away, another's right still counts for the bytes, which are the same.
type drive struct {
	h     *Handler
	fill  *cache.Fill
	begun time.Time

	answered chan struct{} // closed when a source has begun to answer
	once     sync.Once
	total    atomic.Int64 // what it said of the size, -1 if nothing

	net    atomic.Int64 // bytes that came
	billed atomic.Int64 // of them, those in somebody's event

	mu     sync.Mutex
	askers []asking
}

// asking is one right to the blob.
type asking struct {
	registry, repository, key string
	ref                       source.Ref
}

// maxAskings bounds how many rights are tried in turn.
const maxAskings = 8

// join adds the request's right to the drive. The caller has made sure of it.
func (d *drive) join(req *Request) {
	a := asking{req.Registry.Name, req.Repository, req.Asker.Key, source.Ref{
		Origin: d.h.origin(req), Repository: req.Repository, Digest: string(req.Digest), As: req.Asker.identity(),
	}}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, old := range d.askers {
		if old.registry == a.registry && old.repository == a.repository && old.key == a.key {
			d.askers[i] = a // the same person's token may be a newer one
			return
		}
	}
	if len(d.askers) < maxAskings {
		d.askers = append(d.askers, a)
	}
}

// Open opens the blob with one of the askers' rights.
func (d *drive) Open(ctx context.Context, off, end int64) (*source.Body, error) {
	d.mu.Lock()
	askers := append([]asking(nil), d.askers...)
	d.mu.Unlock()
	err := errDown
	for _, a := range askers {
		var b *source.Body
		b, err = a.ref.Open(ctx, off, end)
		d.h.heard(a.registry, err)
		if err == nil {
			d.total.Store(b.Total)
			d.once.Do(func() { close(d.answered) })
			return b, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// start runs the drive in the background. It is called once, by the first asker,
// after that one's demand is registered.
func (h *Handler) start(d *drive) {
	h.drives.mu.Lock()
	closed := h.drives.closed
	if !closed {
		h.wg.Add(1)
	}
	h.drives.mu.Unlock()
	if closed {
		d.end(context.Canceled)
		return
	}
	h.moved()
	go func() {
		defer h.wg.Done()
		d.end(d.run())
		h.moved()
	}()
}

// moved says that Active may answer differently now.
func (h *Handler) moved() {
	if h.opt.Moved != nil {
		h.opt.Moved()
	}
}

// run fetches until the fill is committed (nil), given up for want of readers
// (nil) or failed.
func (d *drive) run() error {
	ctx, cancel := context.WithCancelCause(d.h.ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		d.watch(ctx, cancel)
	}()
	defer func() {
		cancel(nil)
		<-watched
	}()
	for {
		err := fetch.Run(ctx, origin{d}, sink{d.fill}, fetch.Options{
			Connections: d.h.settings().Fetch.Connections,
			RangeMin:    int64(d.h.settings().Fetch.RangeMin),
			Received:    func(_ fetch.Source, n int) { d.net.Add(int64(n)) },
			Log:         d.h.log,
		})
		switch {
		case err == nil:
			return nil
		case errors.Is(context.Cause(ctx), errGivenUp):
			return nil
		case !errors.Is(err, fetch.ErrIdle):
			return err
		case d.leave():
			return nil
		}
	}
}

// errGivenUp ends a fetch that nobody waits for any more.
var errGivenUp = errors.New("nobody wants this download any more")

// watch decides what becomes of the fill each time its last client has left,
// also while a long range is on its way.
func (d *drive) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	for {
		select {
		case <-d.fill.Idle():
		case <-ctx.Done():
			return
		}
		if d.leave() {
			cancel(errGivenUp)
			return
		}
		if d.fill.Readers() == 0 {
			return // it goes on without any
		}
	}
}

// leave gives the fill up if it has no client and is not worth finishing
// without one.
func (d *drive) leave() bool {
	if d.worthFinishing(d.h.settings().Fetch.Finish) {
		d.fill.WantAll()
		return false
	}
	return d.fill.EndIdle()
}

// finishAnyway is up to which size a blob that lost its last client is worth
// finishing in any case.
const finishAnyway = 256 << 20

// worthFinishing says whether a fill without a client goes on: what nobody
// wanted whole never does.
func (d *drive) worthFinishing(policy string) bool {
	if !d.fill.WasWhole() || d.h.ctx.Err() != nil {
		return false
	}
	switch policy {
	case config.FinishAlways:
		return true
	case config.FinishNever:
		return false
	}
	size := d.fill.Size()
	return size <= finishAnyway || d.fill.Have() > size/2
}

// end closes the fill, if that has not happened, and the books.
func (d *drive) end(err error) {
	h := d.h
	if err != nil {
		d.fill.Fail(err)
	} else {
		d.fill.Fail(nil) // after a Commit it does nothing
	}
	h.drives.mu.Lock()
	delete(h.drives.by, d.fill)
	h.drives.mu.Unlock()
	if err != nil {
		h.log.Info("download ended early", "digest", d.fill.Digest(), "err", err)
	}
	// What came after the last asker had left is on nobody's account yet.
	if n := d.bill(); (n > 0 || err != nil) && h.opt.Record != nil {
		e := Event{
			Time: d.begun, Door: "fill", What: string(Blob), Digest: d.fill.Digest(), Reference: string(d.fill.Digest()),
			FromNet: n, Source: fromOrigin, Duration: h.now().Sub(d.begun),
		}
		if t, ok := d.transfer(); ok {
			e.Registry, e.Repository = t.Registry, t.Repository
		}
		if err != nil {
			e.Err = err.Error()
		}
		h.opt.Record(e)
	}
}

// bill returns the bytes that came since it was last called.
func (d *drive) bill() int64 {
	n := d.net.Load()
	return n - d.billed.Swap(n)
}

func (d *drive) transfer() (Transfer, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.askers) == 0 {
		return Transfer{}, false
	}
	return Transfer{
		Registry: d.askers[0].registry, Repository: d.askers[0].repository, Digest: d.fill.Digest(),
		Have: d.fill.Have(), Size: d.fill.Size(), Clients: d.fill.Readers(), Begun: d.begun,
	}, true
}

// origin is the one source of a drive: the registry itself.
type origin struct{ *drive }

// Name implements fetch.Source, like the methods that follow.
func (origin) Name() string { return fromOrigin }

func (origin) Origin() bool     { return true }
func (origin) Proven() bool     { return true }
func (origin) Rate() float64    { return 0 }
func (origin) Tier() int        { return 0 }
func (origin) Connections() int { return math.MaxInt16 }

// List implements fetch.Sources, like the methods that follow.
func (o origin) List() []fetch.Source { return []fetch.Source{o} }

func (origin) Changed() <-chan struct{}              { return nil }
func (origin) Proved(fetch.Source)                   {}
func (origin) Lied(_ fetch.Source, _, _ int64)       {}
func (origin) Failed(src fetch.Source, reason error) {}

// sink lets a fetch write into a fill; neither package knows the other.
type sink struct{ *cache.Fill }

func (s sink) Claim(ctx context.Context) (fetch.Claim, error) {
	c, err := s.Fill.Claim(ctx)
	switch {
	case errors.Is(err, cache.ErrIdle):
		return nil, fetch.ErrIdle
	case errors.Is(err, cache.ErrComplete):
		return nil, fetch.ErrComplete
	case err != nil:
		return nil, err
	}
	return claim{c}, nil
}

func (s sink) Provenance() []fetch.Part {
	var list []fetch.Part
	for _, p := range s.Fill.Provenance() {
		list = append(list, fetch.Part(p))
	}
	return list
}

func (s sink) Commit() error {
	err := s.Fill.Commit()
	var wrong *cache.DigestError
	if errors.As(err, &wrong) {
		return wrongDigestError{wrong}
	}
	return err
}

// wrongDigestError is the cache's error for a fetch.
type wrongDigestError struct{ *cache.DigestError }

func (e wrongDigestError) Unwrap() []error { return []error{e.DigestError, fetch.ErrDigest} }

type claim struct{ *cache.Claim }

func (c claim) Range() (off, end int64) {
	off = c.Pos()
	left := c.Remaining()
	if left < 0 {
		return off, -1
	}
	return off, off + left
}

func (c claim) Write(p []byte) (int, error) {
	n, err := c.Claim.Write(p)
	if errors.Is(err, cache.ErrStop) {
		err = fetch.ErrStop
	}
	return n, err
}
