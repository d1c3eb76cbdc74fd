package registry

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
	"pulley/internal/config"
	"pulley/proxy/fetch"
)

// Transfer is a download in flight.
type Transfer struct {
	Registry, Repository string // on whose account it began
	Digest               digest.Digest
	Have, Size           int64 // bytes; Size -1 while unknown
	Clients              int
	Begun                time.Time
	Rate                 float64  // bytes a second of late
	Sources              []string // who brought those, who brought most first; nobody may change it
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
		d = &drive{h: h, fill: f, answered: make(chan struct{}), over: make(chan struct{}), begun: h.now(), had: f.Provenance()}
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
	had   []cache.Part // what was there of it when it began

	over   chan struct{} // closed when it has ended and its books are closed
	result error         // why, once it is over; nil: stored, or given up
	payers int           // on whose account the rest is, guarded by mu

	answered chan struct{} // closed when a source has begun to answer
	once     sync.Once
	total    atomic.Int64 // what it said of the size, -1 if nothing

	supply
}

// start runs the drive in the background. It is called once, by the first asker,
// after that one's demand is registered.
func (h *Handler) start(d *drive) {
	if !h.enter() {
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
		settings := d.h.settings().Fetch
		err := fetch.Run(ctx, d, sink{d.fill}, fetch.Options{
			Connections: settings.Connections,
			RangeMin:    int64(settings.RangeMin),
			Hint:        d.h.sizes.hint(d.fill.Digest()),
			Rate:        d.h.pace,
			Line:        d.h.opt.Line,
			Received:    d.received,
			Log:         d.h.log,
		})
		switch {
		case err == nil:
			return nil
		case errors.Is(context.Cause(ctx), errGivenUp):
			return nil
		case errors.Is(err, fetch.ErrDigest):
			d.blame()
			return err
		case errors.Is(err, fetch.ErrNoSource) && d.switchedOff():
			return errOffline
		case !errors.Is(err, fetch.ErrIdle):
			return err
		case d.leave():
			return nil
		}
	}
}

// switchedOff says that a person allows none of those who asked to ask upstream.
func (d *drive) switchedOff() bool {
	for _, a := range d.asked() {
		if reg, ok := d.h.settings().Registry(a.reg.Name); !ok || reg.Route != config.RouteOffline {
			return false
		}
	}
	return true
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
	d.fill.Fail(err) // after a Commit it does nothing
	var wrong *cache.DigestError
	switch {
	case errors.As(err, &wrong):
		d.startOver(h.handed.dropped(d.fill.Digest()))
	case d.proved():
		h.handed.proved(d.fill.Digest())
	}
	if err == nil && d.proved() {
		d.tellStored()
	}
	h.drives.mu.Lock()
	delete(h.drives.by, d.fill)
	h.drives.mu.Unlock()
	if err != nil {
		h.log.Info("download ended early", "digest", d.fill.Digest(), "err", err)
	}
	d.result = err
	defer close(d.over)
	d.mu.Lock()
	paid := d.payers > 0
	d.mu.Unlock()
	if paid {
		return
	}
	// What came after the last asker had left is on nobody's account yet.
	if fetched := d.tale.bill(); (len(fetched) > 0 || err != nil) && h.opt.Record != nil {
		x := exchange{begun: d.begun}
		x.story(d)
		e := Event{
			Time: d.begun, Door: "fill", What: string(Blob), Digest: d.fill.Digest(), Reference: string(d.fill.Digest()),
			FromNet: sum(fetched), Fetched: fetched, Source: d.tale.sources(), Way: d.tale.way(), Note: d.tale.troubles(), Duration: h.now().Sub(d.begun),
			Parts: x.event.Parts, Failed: x.event.Failed,
		}
		if t, ok := d.transfer(); ok {
			e.Registry, e.Repository = t.Registry, t.Repository
		}
		if err != nil {
			e.Err, e.Cause = err.Error(), causeOf(err)
		}
		h.opt.Record(e)
	}
}

// tellStored says under which names the blob came into the cache.
func (d *drive) tellStored() {
	told := map[string]bool{}
	for _, a := range d.asked() {
		if name := a.name(); !told[name] {
			told[name] = true
			d.h.tellStored(a.home, d.fill.Digest())
		}
	}
}

// pays says that somebody is there, or (-1) has left, who takes what the download
// costs on an account of its own when it is over.
func (d *drive) pays(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.payers += n
}

func (d *drive) received(src fetch.Source, n int) {
	d.tale.brought(src.Name(), n)
}

// proved says that the digest fits.
func (d *drive) proved() bool {
	select {
	case <-d.fill.Done():
		return d.fill.Err() == nil
	default:
		return false
	}
}

func (d *drive) transfer() (Transfer, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.askers) == 0 {
		return Transfer{}, false
	}
	rate, sources := d.tale.pace(d.begun, d.h.now())
	return Transfer{
		Rate: rate, Sources: sources,
		Registry: d.askers[0].reg.Name, Repository: d.askers[0].repository, Digest: d.fill.Digest(),
		Have: d.fill.Have(), Size: d.fill.Size(), Clients: d.fill.Readers(), Begun: d.begun,
	}, true
}
