package model

import (
	"cmp"
	"slices"

	"pulley/internal/control"
)

// Remove takes images off the list before the daemon is asked, and says which they were. They are back with Restore, and
// gone for good with Removed.
func (l *Images) Remove(ids ...string) (removed []*ImageRow) {
	for _, id := range ids {
		if r := l.Get(id); r != nil {
			l.gone[id] = true
			removed = append(removed, r)
		}
	}
	l.arrange()
	return removed
}

// Restore puts images back that Remove took: a person or the daemon did not want it.
func (l *Images) Restore(ids ...string) {
	for _, id := range ids {
		delete(l.gone, id)
	}
	l.arrange()
}

// Removed says that the daemon has removed them.
func (l *Images) Removed(ids ...string) {
	these := set(ids)
	l.keep(slices.DeleteFunc(slices.Clone(l.rows), func(r *ImageRow) bool { return these[r.ID] }))
	l.Restore(ids...)
}

// Pin shows images as pinned, or not, before the daemon has said so. It says of which that is a change.
func (l *Images) Pin(on bool, ids ...string) (changed []*ImageRow) {
	for _, id := range ids {
		if r := l.Get(id); r != nil && l.Pinned(r) != on {
			l.pins[id] = on
			changed = append(changed, r)
		}
	}
	l.settle()
	return changed
}

// Settled says that the daemon's word counts again: it has done what Pin showed, or refused it.
func (l *Images) Settled(ids ...string) {
	for _, id := range ids {
		delete(l.pins, id)
	}
	l.settle()
}

// PinnedNow says that the daemon has done what Pin showed, before it has said so in its next list.
func (l *Images) PinnedNow(on bool, ids ...string) {
	rows, these := slices.Clone(l.rows), set(ids)
	for n, r := range rows {
		if these[r.ID] {
			changed := *r
			changed.Pinned = on
			rows[n] = &changed
		}
	}
	l.keep(rows)
	l.Settled(ids...)
	l.arrange()
}

func set(ids []string) map[string]bool {
	these := make(map[string]bool, len(ids))
	for _, id := range ids {
		these[id] = true
	}
	return these
}

func (l *Images) settle() {
	if l.by == ByPinned {
		l.arrange()
	}
}

// Pinned tells whether an image is shown as pinned.
func (l *Images) Pinned(r *ImageRow) bool {
	if on, flipped := l.pins[r.ID]; flipped {
		return on
	}
	return r.Pinned
}

// Size is what images take, and own what goes with them, in bytes. Layers that they share among them count in size for each
// of them.
func Size(rows []*ImageRow) (size, own int64) {
	for _, r := range rows {
		size += r.Size
		own += r.Own
	}
	return size, own
}

// Disk is what the cache's room is used for, in bytes.
type Disk struct {
	Pinned int64
	Images int64 // that are not pinned
	Loose  int64 // belongs to no image, as far as that is certain: layers that images share hide some of it
	Free   int64 // may be filled
	Total  int64
	// Limited: it is max_size that bounds it. Else it is the disk.
	Limited bool
}

// Disk divides the room.
func (l *Images) Disk(c control.Cache) (d Disk) {
	d.Pinned = min(c.PinnedSize, c.Size)
	all, _ := Size(l.rows)
	if l.known {
		d.Loose = min(max(c.Size-all, 0), c.Size-d.Pinned)
	}
	d.Images = c.Size - d.Pinned - d.Loose
	d.Free = max(c.Free, 0)
	if room := c.MaxSize - c.Size; c.MaxSize > 0 && (c.Free < 0 || room <= c.Free) {
		d.Free, d.Limited = max(room, 0), true
	}
	d.Total = c.Size + d.Free
	return d
}

// WouldGo are the images that make room for so many bytes, those first that were not used for longest. It is a forecast:
// layers that only they share make more room than it says.
func (l *Images) WouldGo(free int64) (rows []*ImageRow, frees int64) {
	for _, r := range l.mayGo() {
		if frees >= free {
			break
		}
		rows = append(rows, r)
		frees += r.Own
	}
	return rows, frees
}

// mayGo are the images that can be thrown out, in that order.
func (l *Images) mayGo() (rows []*ImageRow) {
	for _, r := range l.rows {
		if !l.gone[r.ID] && !l.Pinned(r) && !r.Mine() {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b *ImageRow) int { return cmp.Or(a.Used.Compare(b.Used), cmp.Compare(a.ID, b.ID)) })
	return rows
}
