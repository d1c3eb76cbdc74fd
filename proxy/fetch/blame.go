package fetch

import (
	"context"
	"errors"
	"fmt"
)

// commit closes the blob whose bytes are all there. One digest over ranges of many
// sources does not say whose are wrong; the origin's do.
func (r *run) commit(ctx context.Context) error {
	err := r.sink.Commit()
	if errors.Is(err, ErrDigest) {
		err = r.repair(ctx, err)
	}
	if err != nil {
		return err
	}
	brought := map[string]bool{}
	for _, p := range r.sink.Provenance() {
		brought[p.Source] = true
	}
	for _, src := range r.known() {
		if brought[src.Name()] && !r.lied(src) {
			r.sources.Proved(src)
		}
	}
	return nil
}

// repair replaces what did not come from the origin by what does, source by
// source, until the digest fits. What it fails with is ErrDigest, unless the sink
// or the run is over.
func (r *run) repair(ctx context.Context, broken error) error {
	checked := map[string]bool{}
	r.mu.Lock()
	r.ender = r.lastFrom() // before it is replaced
	r.mu.Unlock()
	for named := false; ; {
		origin := r.origin()
		name, parts := r.suspect(origin, checked)
		switch {
		case parts == nil && origin != nil && !named:
			r.beyond(ctx, origin)
			return broken
		case parts == nil:
			return broken
		}
		if origin == nil {
			return fmt.Errorf("%w, and there is no origin to ask whose are wrong: %w", broken, ErrNoSource)
		}
		checked[name] = true
		q := &inquiry{run: r, origin: origin, parts: parts}
		err := q.hold(ctx)
		if q.end > 0 {
			r.expel(name, q.off, q.end)
			named = true
		}
		var sink *sinkError
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &sink):
			return sink.error
		case err != nil:
			return fmt.Errorf("%w, and the origin does not say whose are wrong: %w", broken, err)
		}
		if broken = r.sink.Commit(); !errors.Is(broken, ErrDigest) {
			return broken
		}
	}
}

// suspect returns the next source to doubt and its parts: those that have proved
// nothing before those that have. Nil parts: there is none left.
func (r *run) suspect(origin Source, checked map[string]bool) (name string, parts []Part) {
	proven := map[string]bool{}
	for _, src := range r.known() {
		proven[src.Name()] = src.Proven()
	}
	by := map[string][]Part{}
	for _, p := range r.sink.Provenance() {
		if checked[p.Source] || origin != nil && p.Source == origin.Name() {
			continue
		}
		by[p.Source] = append(by[p.Source], p)
		if parts == nil || proven[name] && !proven[p.Source] {
			name, parts = p.Source, by[p.Source]
		}
	}
	return name, by[name]
}

// beyond asks the origin for what is behind the end of a blob whose bytes are all
// as the origin's, and whose digest is not: if there is anything, whoever ended the
// blob there has lied.
func (r *run) beyond(ctx context.Context, origin Source) {
	size := r.sink.Size()
	q := &inquiry{run: r, origin: origin, once: true}
	err := q.bring(ctx, size, size+1, false)
	if errors.Is(err, errRanges) {
		err = q.bring(ctx, size, size+1, true)
	}
	if err == nil {
		r.falseSize()
	}
}

// lastFrom is who brought the blob's last byte, "" if nobody has or is known to. Needs mu.
func (r *run) lastFrom() string {
	parts := r.sink.Provenance()
	if n := len(parts); n > 0 && parts[n-1].End == r.sink.Size() {
		return parts[n-1].Source
	}
	return ""
}

// expel tells of a liar, once.
func (r *run) expel(name string, off, end int64) {
	for _, src := range r.known() {
		if src.Name() != name || src.Origin() {
			continue
		}
		r.mu.Lock()
		p := r.peer(src)
		twice := p.liar
		p.gone, p.liar = true, true
		r.mu.Unlock()
		if twice {
			return
		}
		r.Log.Warn("a source sent wrong bytes", "source", name, "from", off, "to", end)
		r.sources.Lied(src, off, end)
	}
}

// falseSize expels who told the size that the origin contradicts. If an earlier Run
// was told, that is who brought the last byte: everybody else was asked for less
// than there is, and gave it.
func (r *run) falseSize() {
	r.mu.Lock()
	name := r.ender
	switch {
	case r.sizedBy != nil:
		name = r.sizedBy.src.Name()
	case name == "":
		name = r.lastFrom()
	}
	r.mu.Unlock()
	if name != "" {
		r.expel(name, 0, r.sink.Size())
	}
}

func (r *run) lied(src Source) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.peer(src).liar
}

// known are the sources that are listed, and those that were.
func (r *run) known() []Source {
	all := r.sources.List()
	listed := map[Source]bool{}
	for _, src := range all {
		listed[src] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for src := range r.peers {
		if !listed[src] {
			all = append(all[:len(all):len(all)], src)
		}
	}
	return all
}

// origin is the one whose word counts, nil if it is not to be asked.
func (r *run) origin() Source {
	for _, src := range r.sources.List() {
		if src.Origin() {
			return src
		}
	}
	return nil
}
