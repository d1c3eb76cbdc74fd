package cache_test

import (
	"bytes"
	"errors"
	"math/rand/v2"

	"pulley/cache"
)

// commit does so, with as many repairs as it takes; sometimes it gives up.
func (w *world) commit(c *cache.Cache, f *cache.Fill, body []byte, rng *rand.Rand) {
	for mending := false; ; mending = true {
		err := f.Commit()
		var de *cache.DigestError
		switch {
		case err == nil:
			if mending {
				w.mended.Add(1)
			}
			return
		case f.Err() != nil:
			if !errors.As(err, &de) && !cache.IsLocal(err) && !errors.Is(err, cache.ErrEnded) && !errors.Is(err, errGaveUp) {
				w.t.Errorf("commit: %v", err)
			}
			return
		case !errors.As(err, &de):
			w.t.Errorf("commit: %v", err)
			return
		}
		w.lies.Add(1)
		w.wantLiars(f, body)
		if rng.IntN(6) == 0 {
			f.Fail(err)
			return
		}
		w.mend(f, body, rng)
	}
}

// mend puts about half of what is not the origin's right.
func (w *world) mend(f *cache.Fill, body []byte, rng *rand.Rand) {
	suspects := 0
	for _, p := range f.Provenance() {
		if p.Source == honest.name {
			continue
		}
		suspects++
		if rng.IntN(2) == 0 {
			continue
		}
		for at := p.Off; at < p.End; {
			end := min(p.End, at+1+rng.Int64N(300_000))
			if _, err := f.Amend(body[at:end], at, honest.name); err != nil {
				if !errors.Is(err, cache.ErrNotWrong) && f.Err() == nil {
					w.t.Errorf("amend: %v", err)
				}
				return // another worker was quicker
			}
			at = end
		}
	}
	if suspects == 0 && f.Err() == nil {
		if err := f.Commit(); err != nil && f.Err() == nil {
			w.t.Errorf("everything is the origin's, and the digest does not fit: %v", err)
		}
	}
}

// wantLiars checks that whatever is wrong in the file is from somebody who lies,
// and withheld if that one is.
func (w *world) wantLiars(f *cache.Fill, body []byte) {
	said := f.Provenance()
	file, err := f.File()
	if err != nil {
		return // it has ended
	}
	for _, p := range said {
		if int(p.End) > len(file) || bytes.Equal(file[p.Off:p.End], body[p.Off:p.End]) {
			continue
		}
		if p.Source != liar.name && p.Source != traitor.name || p.Source == liar.name && !p.Withheld {
			w.t.Errorf("wrong bytes are ascribed to %+v", p)
		}
	}
}

// someSource is whom a worker turns to.
func (w *world) someSource(rng *rand.Rand) testSource {
	all := []testSource{honest, honest, proven, proven, stranger, stranger, liar}
	if w.open {
		all = append(all, traitor)
	}
	return all[rng.IntN(len(all))]
}
