package cache

import (
	"bytes"
	"fmt"
	"slices"
)

// Provenance says who brought what is there, in the order of the bytes,
// neighbours that are alike joined. It survives a restart; bytes whose source the
// last run did not write down are from "" and withheld. When the digest did not
// fit, everything is withheld.
func (f *Fill) Provenance() []Part {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.parts)
}

// Given reports whether any reader, open or closed, was given a byte of
// [off,end) since this fill began. Bytes on their way to a reader count.
func (f *Fill) Given(off, end int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.given.next(off) < end {
		return true
	}
	for r := range f.readers {
		if max(r.start, off) < min(r.out, end) {
			return true
		}
	}
	return false
}

// Doubt withholds, from now on and whatever Claim.From said, what anybody but one
// source has brought or brings: for a reader that could not make up for a wrong
// byte. Call it before that Reader is made; what others were given stays given. It
// is for this fill: one that is resumed knows nothing of it.
func (f *Fill) Doubt(trusted string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.trusted != nil || f.verified {
		return
	}
	f.trusted = &trusted
	var all parts
	for _, p := range f.parts {
		if f.doubts(p.Source) {
			p.Withheld = true
			f.held.add(p.Off, p.End)
		}
		all.set(p)
	}
	f.parts = all
	for _, c := range f.claims {
		c.hold = c.hold || f.doubts(c.source)
	}
	f.announce()
}

// doubts reports whether a source's bytes are withheld because of Doubt. Needs mu.
func (f *Fill) doubts(source string) bool { return f.trusted != nil && source != *f.trusted }

// freeze is for a digest that did not fit. The journal learns at once that
// nothing of what is there is to be shown before it does: after a kill the next
// run would not know. Needs mu and proving; lets mu go meanwhile.
func (f *Fill) freeze(why *DigestError) {
	f.wrong = why
	var all parts
	for _, p := range f.parts {
		p.Withheld = true
		all.set(p)
	}
	f.parts = all
	all = slices.Clone(all)
	f.mu.Unlock()
	for _, p := range all {
		_ = f.journal.part(p)
	}
	f.mu.Lock()
}

// Amend holds p, which source brought, against the bytes at off and puts it in
// their place: they are source's from then on. differs: there was a difference. A
// reader that was given one of the bytes that differ fails with *DigestError at
// once; all others go on when a Commit succeeds.
//
// It is for the time between a Commit that said *DigestError and the next Commit
// or Fail, and answers ErrNotWrong at any other. Ranges that do not overlap may be
// amended at once. *NoSpaceError or *DiskError: the fill is over, Fail is next.
// p is not kept.
func (f *Fill) Amend(p []byte, off int64, source string) (differs bool, err error) {
	if err := f.beginAmend(off, int64(len(p))); err != nil {
		return false, err
	}
	differs, err = f.overwrite(p, off)
	part := Part{off, off + int64(len(p)), source, true}
	if err == nil && len(p) > 0 {
		_ = f.journal.part(part)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writing--
	f.cond.Broadcast()
	if err != nil {
		err = diskFault("amend "+f.key.hex(), err)
		f.breakOff(err, true)
		return differs, err
	}
	f.parts.set(part)
	f.unsynced += int64(len(p))
	return differs, nil
}

func (f *Fill) beginAmend(off, n int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.failure != nil:
		return f.failure
	case f.wrong == nil || f.proving || f.ending:
		return fmt.Errorf("cache: %s: %w", f.digest, ErrNotWrong)
	case off < 0 || off > f.size-n:
		return fmt.Errorf("cache: %s: range %d+%d is not in a blob of %d bytes", f.digest, off, n, f.size)
	}
	f.writing++
	return nil
}

// overwrite puts p at off, where it differs from what is there.
func (f *Fill) overwrite(p []byte, off int64) (differs bool, err error) {
	buf := bufPool.Get().(*[]byte)
	defer bufPool.Put(buf)
	for len(p) > 0 {
		n := min(len(p), bufSize)
		old := (*buf)[:n]
		if _, err := f.r.ReadAt(old, off); err != nil {
			return differs, err
		}
		if !bytes.Equal(old, p[:n]) {
			differs = true
			f.breakReaders(old, p[:n], off)
			if _, err := f.writeAt(p[:n], off); err != nil {
				return differs, err
			}
		}
		p, off = p[n:], off+int64(n)
	}
	return differs, nil
}

// breakReaders fails the readers that were given a byte in which old and right,
// both at off, differ. What is there is looked at again by the next Commit: also by one
// that comes before whoever amends has ended.
func (f *Fill) breakReaders(old, right []byte, off int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.amended = true
	for r := range f.readers {
		from, to := max(r.start-off, 0), min(r.out-off, int64(len(old)))
		if from < to && !bytes.Equal(old[from:to], right[from:to]) {
			r.broken = f.wrong
		}
	}
	f.wake()
}
