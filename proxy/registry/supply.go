package registry

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"pulley/internal/config"
	"pulley/proxy/egress"
	"pulley/proxy/fetch"
	"pulley/proxy/source"
)

// supply is where a drive gets its bytes: the origins of all who asked, each by
// that one's right, and the mirrors that may know of a repository of theirs. It
// is what a fetch calls its sources.
type supply struct {
	mu     sync.Mutex
	askers []*asking
	refs   map[*source.Place]*mirrored // by place, so that each stays the same source
	origin *origin
	gone   []given // to clients that are through with it

	tale tale
}

// given is a part of the blob that a client was handed.
type given struct {
	to       visit
	off, end int64
}

// maxGiven bounds what is remembered for the case that something was wrong.
const maxGiven = 4096

// asking is one right to the blob.
type asking struct {
	reg        *config.Registry
	repository string
	host       string // as the client means the registry
	key        string
	public     bool
	as         source.Identity
	ref        *source.BlobRef // at the origin; nil until it is opened
	place      *source.Place   // of ref
}

// maxAskings bounds how many rights are tried in turn.
const maxAskings = 8

// join adds the request's right to the drive. The caller has made sure of it.
func (d *drive) join(req *Request) {
	a := &asking{
		reg: req.Registry, repository: req.Repository, host: d.h.hostOf(req), key: req.Asker.Key,
		public: d.h.public(req), as: req.Asker.identity(),
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, old := range d.askers {
		if old.reg.Name == a.reg.Name && old.repository == a.repository && old.key == a.key {
			d.askers[i] = a // the same person's token may be a newer one
			return
		}
	}
	if len(d.askers) < maxAskings {
		d.askers = append(d.askers, a)
	}
}

// asked are the askings of now.
func (d *drive) asked() []*asking {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.askers)
}

// List implements fetch.Sources: in the order of the first asking's registry, then
// what the others add.
func (d *drive) List() []fetch.Source {
	var list []fetch.Source
	have := map[fetch.Source]bool{}
	for _, a := range d.asked() {
		for _, p := range d.h.opt.Sources.PlacesAt(a.reg, a.host) {
			src := d.sourceAt(a, p)
			if src != nil && !have[src] {
				have[src] = true
				list = append(list, src)
			}
		}
	}
	return list
}

// sourceAt is the source that a place is for this drive, always the same one; nil
// for a mirror that may not know of the repository.
func (d *drive) sourceAt(a *asking, p *source.Place) fetch.Source {
	if p.Origin() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if a.place != p {
			a.place, a.ref = p, p.Blob(source.Want{Repository: a.repository, Digest: string(d.fill.Digest()), As: a.as})
		}
		if d.origin == nil {
			d.origin = &origin{d}
		}
		return d.origin
	}
	if !p.MayKnow(a.public, a.repository) {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refs[p] == nil {
		want := source.Want{Repository: a.repository, Digest: string(d.fill.Digest()), Public: a.public}
		if d.refs == nil {
			d.refs = map[*source.Place]*mirrored{}
		}
		d.refs[p] = &mirrored{p.Blob(want), d}
	}
	return d.refs[p]
}

// Changed implements fetch.Sources.
func (d *drive) Changed() <-chan struct{} { return d.h.opt.Sources.Changed() }

// Proved implements fetch.Sources.
func (d *drive) Proved(src fetch.Source) {
	if m, ok := src.(*mirrored); ok {
		m.Prove()
	}
}

// Lied implements fetch.Sources: the liar is taken out and named, whichever
// registry it is asked for.
func (d *drive) Lied(src fetch.Source, off, end int64) {
	m, ok := src.(*mirrored)
	if !ok {
		return
	}
	m.Expel(wrongBytes)
	d.tale.add(m.Name(), wrongBytes)
	d.mu.Lock()
	gone := slices.Clone(d.gone)
	d.mu.Unlock()
	for _, g := range gone { // those that still read are broken off, and remembered then
		if g.off < end && off < g.end {
			d.h.manners.broke(g.to)
		}
	}
}

// gave takes down what a client was handed of the blob before that was proved: if
// it turns out to be wrong, that client must not go on from there.
func (d *drive) gave(to visit, off, end int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if off < end && len(d.gone) < maxGiven {
		d.gone = append(d.gone, given{to, off, end})
	}
}

const wrongBytes = "it sent wrong bytes"

// Failed implements fetch.Sources.
func (d *drive) Failed(src fetch.Source, err error) { d.tale.add(src.Name(), reason(err)) }

// origin is the registry itself, asked with the right of each who asked until one
// is accepted: should it turn one away, another's still counts for the bytes,
// which are the same.
type origin struct{ d *drive }

// Name implements fetch.Source, like the methods that follow.
func (*origin) Name() string    { return fromOrigin }
func (*origin) Origin() bool    { return true }
func (*origin) Proven() bool    { return true }
func (o *origin) Rate() float64 { return most(o.refs(), (*source.BlobRef).Rate) }
func (o *origin) Connections() int {
	return most(o.refs(), (*source.BlobRef).Connections)
}

// Tier is the least of its askings'.
func (o *origin) Tier() int {
	return -most(o.refs(), func(r *source.BlobRef) int { return -r.Tier() })
}

func (o *origin) refs() (list []*source.BlobRef) {
	o.d.mu.Lock()
	defer o.d.mu.Unlock()
	for _, a := range o.d.askers {
		if a.ref != nil {
			list = append(list, a.ref)
		}
	}
	return list
}

func most[T cmp.Ordered](refs []*source.BlobRef, of func(*source.BlobRef) T) (n T) {
	for i, r := range refs {
		if v := of(r); i == 0 || v > n {
			n = v
		}
	}
	return n
}

// Open opens the blob with one of the askers' rights.
func (o *origin) Open(ctx context.Context, off, end int64) (*source.Body, error) {
	err := errDown
	for _, a := range o.d.asked() {
		if a.ref == nil || a.reg.Route == config.RouteOffline {
			continue
		}
		var b *source.Body
		b, err = o.d.open(ctx, a.ref, fromOrigin, off, end)
		o.d.h.heard(a.reg.Name, err)
		if err == nil {
			return b, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// mirrored is the blob at a mirror.
type mirrored struct {
	*source.BlobRef
	d *drive
}

// Open implements fetch.Source.
func (m *mirrored) Open(ctx context.Context, off, end int64) (*source.Body, error) {
	return m.d.open(ctx, m.BlobRef, m.Name(), off, end)
}

// open opens the blob somewhere and writes down which way that went.
func (d *drive) open(ctx context.Context, ref *source.BlobRef, name string, off, end int64) (*source.Body, error) {
	ctx, trail := egress.WithTrail(ctx)
	b, err := ref.Open(ctx, off, end)
	for _, t := range trail.Tried() {
		d.tale.add(name, t.Way+": "+reason(t.Err))
	}
	if err != nil {
		return nil, err
	}
	d.tale.went(name, trail.Way())
	d.total.Store(b.Total)
	d.once.Do(func() { close(d.answered) })
	return b, nil
}

// tale is what a person may want to know of how a download went.
type tale struct {
	mu    sync.Mutex
	bytes map[string]int64  // by source
	ways  map[string]string // by source, the latest
	turns []string          // what went wrong, in order
}

// maxTurns is as much as anybody reads.
const maxTurns = 8

func (t *tale) add(name, what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if turn := name + ": " + what; len(t.turns) < maxTurns && !slices.Contains(t.turns, turn) {
		t.turns = append(t.turns, turn)
	}
}

func (t *tale) went(name, way string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ways == nil {
		t.ways = map[string]string{}
	}
	t.ways[name] = way
}

func (t *tale) brought(name string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bytes == nil {
		t.bytes = map[string]int64{}
	}
	t.bytes[name] += int64(n)
}

// sources are those that brought bytes, most first: "origin", "daocloud+origin".
func (t *tale) sources() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	names := slices.SortedFunc(maps.Keys(t.bytes), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.bytes[b], t.bytes[a]), cmp.Compare(a, b))
	})
	return strings.Join(names, "+")
}

// way is how the connections went: "direct 192.0.2.1", or with several sources
// "origin direct 192.0.2.1, daocloud egress jump".
func (t *tale) way() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []string
	for _, name := range slices.Sorted(maps.Keys(t.ways)) {
		way := t.ways[name]
		if len(t.ways) > 1 {
			way = name + " " + way
		}
		list = append(list, way)
	}
	return strings.Join(list, ", ")
}

// troubles are what went wrong, on one line.
func (t *tale) troubles() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.turns, "; ")
}
