package registry

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"pulley/cache"
	"pulley/proxy/egress"
	"pulley/proxy/fetch"
	"pulley/proxy/source"
)

// supply is where a drive gets its bytes: the origins of all who asked, each by
// that one's right, and the mirrors that may know of a repository of theirs. It
// is what a fetch calls its sources.
type supply struct {
	mu      sync.Mutex
	askers  []*asking
	mirrors map[at]*mirrored // so that each stays the same source
	origin  *origin
	careful atomic.Bool          // some client could not make up for a wrong byte
	streams map[*stream]struct{} // that are being answered

	tale tale
}

// asking is one right to the blob. Its fields are guarded by the supply's mu but
// for those that never change.
type asking struct {
	home
	key string
	as  source.Identity

	ref   *source.BlobRef // at the origin; nil while the route allows none
	place *source.Place   // of ref
}

// at is a repository at a mirror.
type at struct {
	place      *source.Place
	repository string
}

// maxAskings bounds how many rights are tried in turn.
const maxAskings = 8

// join adds the request's right to the drive. The caller has made sure of it.
func (d *drive) join(req *Request) {
	a := &asking{home: req.home(), key: req.Asker.Key, as: req.Asker.identity()}
	d.mu.Lock()
	defer d.mu.Unlock()
	known := slices.ContainsFunc(d.askers, func(o *asking) bool {
		return o.reg.Name == a.reg.Name && o.host == a.host && o.repository == a.repository && o.key == a.key
	})
	if !known && len(d.askers) < maxAskings {
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
// what the others add. What may be told to whom is asked each time: a repository
// may be found to be public, or not to be any more, while its blob is on its way.
func (d *drive) List() []fetch.Source {
	var list []fetch.Source
	have := map[fetch.Source]bool{}
	for _, a := range d.asked() {
		places := d.h.opt.Sources.PlacesAt(a.reg, a.host)
		if len(places) == 0 {
			d.drop(a)
		}
		for _, p := range places {
			src := d.sourceAt(a, p)
			if src != nil && !have[src] {
				have[src] = true
				list = append(list, src)
			}
		}
		if name, why := d.h.passedOver(a.home); why != "" {
			d.tale.add(name, why, d.h.now())
		}
	}
	return d.sure(list)
}

// sure leaves those out that have not proved worth anything, if there are others,
// where more than their bytes would have to be believed or waited for: their word
// about the size would be the first to be heard (a page that says "pay here" is
// shorter than any layer), or only parts of the blob are wanted, and theirs could
// be shown when all of it is here.
func (d *drive) sure(list []fetch.Source) []fetch.Source {
	sized := d.fill.Size() >= 0 || d.h.sizes.hint(d.fill.Digest()) > 0
	if sized && d.fill.WasWhole() {
		return list
	}
	doubtful := func(s fetch.Source) bool { return !s.Origin() && !s.Proven() }
	if slices.ContainsFunc(list, func(s fetch.Source) bool { return !doubtful(s) && s.Connections() > 0 }) {
		return slices.DeleteFunc(list, doubtful)
	}
	return list
}

// sourceAt is the source that a place is for this drive, always the same one; nil
// for a mirror that may not know of the repository.
func (d *drive) sourceAt(a *asking, p *source.Place) fetch.Source {
	want := source.Want{Repository: a.repository, Digest: string(d.fill.Digest()), As: a.as}
	if p.Origin() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if a.place != p {
			a.place, a.ref = p, p.Blob(want)
		}
		if d.origin == nil {
			d.origin = &origin{d: d}
		}
		return d.origin
	}
	if !d.h.mayTell(p, a.home) {
		return nil
	}
	want.As, want.Public = source.Anonymous(), true // it is asked about below each time
	d.mu.Lock()
	defer d.mu.Unlock()
	key := at{p, a.repository}
	if d.mirrors[key] == nil {
		if d.mirrors == nil {
			d.mirrors = map[at]*mirrored{}
		}
		d.mirrors[key] = &mirrored{BlobRef: p.Blob(want), d: d, home: a.home}
	}
	return d.mirrors[key]
}

// drop forgets where the origin was, which must not be asked any more.
func (d *drive) drop(a *asking) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a.place, a.ref = nil, nil
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
// registry it is asked for, and whoever holds bytes of it starts over.
func (d *drive) Lied(src fetch.Source, off, end int64) {
	m, ok := src.(*mirrored)
	if !ok {
		return
	}
	m.Expel(wrongBytes)
	d.tale.add(m.Name(), wrongBytes, d.h.now())
	d.startOver(d.h.handed.lied(d.fill.Digest(), stretch{off, end}))
}

// blame names who brought every byte of a blob that does not fit its digest: for
// that, the origin need not be asked.
func (d *drive) blame() {
	parts := d.fill.Provenance()
	if len(parts) == 0 || slices.ContainsFunc(parts, func(p cache.Part) bool { return p.Source != parts[0].Source }) {
		return
	}
	d.mu.Lock()
	all := slices.Collect(maps.Values(d.mirrors))
	d.mu.Unlock()
	for _, m := range all {
		if m.Name() == parts[0].Source {
			d.Lied(m, 0, d.fill.Size())
		}
	}
}

const wrongBytes = "it sent wrong bytes"

// startOver makes clients who hold wrong bytes get the whole blob at their next
// request, and breaks off what they are being sent to put behind those.
func (d *drive) startOver(who []visit) {
	for _, v := range who {
		d.h.manners.broke(v)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for s := range d.streams {
		if slices.Contains(who, s.x.visit(s.req.Digest)) && s.behind {
			s.cancel(errWrongPrefix)
		}
	}
}

// Failed implements fetch.Sources.
func (d *drive) Failed(src fetch.Source, err error) {
	if m, ok := src.(*mirrored); ok && !source.Unknown(err) {
		m.d.mu.Lock()
		m.refused = true
		m.d.mu.Unlock()
	}
	if m, ok := src.(*mirrored); ok && notShared(m.Place, err) {
		return
	}
	d.tale.add(src.Name(), reason(err), d.h.now())
}

// origin is the registry itself, asked with the right of each who asked until one
// is accepted: should it turn one away, another's still counts for the bytes,
// which are the same.
type origin struct{ d *drive }

// Name implements fetch.Source, like the methods that follow.
func (*origin) Name() string    { return fromOrigin }
func (*origin) Origin() bool    { return true }
func (*origin) Proven() bool    { return true }
func (o *origin) Rate() float64 { return most(o.refs(), (*source.BlobRef).Rate) }

// Connections is what the origin may have. It is left alone while it does not
// answer, as long as a mirror has the blob: a mirror that has not must not keep
// anybody from it.
func (o *origin) Connections() int {
	refs := o.refs()
	if n := most(refs, (*source.BlobRef).Connections); n > 0 || len(refs) == 0 || o.d.mirrored() {
		return n
	}
	return 1
}

// mirrored says that there is a mirror that has not said no to the blob.
func (d *drive) mirrored() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range d.mirrors {
		if !m.refused && m.Connections() > 0 {
			return true
		}
	}
	return false
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

// Open opens the blob with one of the askers' rights. A registry that cannot be
// reached is not tried with the next one's.
func (o *origin) Open(ctx context.Context, off, end int64) (*source.Body, error) {
	var err error
	silent := map[string]bool{}
	for _, a := range o.d.asked() {
		o.d.mu.Lock()
		ref := a.ref
		o.d.mu.Unlock()
		if ref == nil || silent[a.registry()] {
			continue
		}
		var b *source.Body
		b, err = o.d.open(ctx, ref, fromOrigin, off, end)
		o.d.h.heard(a.registry(), err)
		if err == nil {
			return b, nil
		}
		if ctx.Err() != nil {
			break
		}
		silent[a.registry()] = !definite(err)
	}
	if err == nil {
		err = errOffline
	}
	return nil, err
}

// mirrored is the blob at a mirror.
type mirrored struct {
	*source.BlobRef
	home
	d       *drive
	refused bool // it has not this blob; guarded by the drive's mu
}

// Proven implements fetch.Source: whether its bytes may be shown at once.
func (m *mirrored) Proven() bool { return !m.d.careful.Load() && m.BlobRef.Proven() }

// Open implements fetch.Source.
func (m *mirrored) Open(ctx context.Context, off, end int64) (*source.Body, error) {
	if !m.d.h.mayTell(m.Place, m.home) {
		return nil, &source.UnusableError{Registry: m.reg.Name, Place: m.Name(), Why: "the repository is not public any more"}
	}
	b, err := m.d.open(ctx, m.BlobRef, m.Name(), off, end)
	if err != nil {
		return nil, &elsewhereError{err}
	}
	return b, nil
}

// open opens the blob somewhere and writes down which way that went.
func (d *drive) open(ctx context.Context, ref *source.BlobRef, name string, off, end int64) (*source.Body, error) {
	ctx, trail := egress.WithTrail(ctx)
	b, err := ref.Open(ctx, off, end)
	for _, t := range trail.Tried() {
		d.tale.add(name, t.Way+": "+reason(t.Err), d.h.now())
	}
	if err != nil {
		return nil, err
	}
	d.tale.went(name, trail.Way())
	d.total.Store(b.Total)
	d.once.Do(func() { close(d.answered) })
	return b, nil
}
