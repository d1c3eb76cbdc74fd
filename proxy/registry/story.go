package registry

import (
	"time"

	"pulley/cache"
)

// Part is a range of a blob that one source brought.
type Part struct {
	Source string `json:"source"` // "cache" is what was here before
	From   int64  `json:"from"`
	To     int64  `json:"to"` // not included
}

// Failed is a source that did not bring what it was asked for.
type Failed struct {
	Source string        `json:"source"`
	After  time.Duration `json:"after"` // since the request
	Err    string        `json:"err"`
}

// maxParts is as many as are told of one blob.
const maxParts = 32

// parts is who brought what of the blob as it is now.
func (d *drive) parts() []Part {
	var list []Part
	for _, p := range d.fill.Provenance() {
		list = split(list, p, d.had)
	}
	return coarse(list)
}

// split adds what is known of one range: what was had before is the cache's.
func split(list []Part, p cache.Part, had []cache.Part) []Part {
	at := p.Off
	for _, h := range had {
		from, to := max(h.Off, at), min(h.End, p.End)
		if from >= to {
			continue
		}
		list = joinPart(list, Part{p.Source, at, from})
		list = joinPart(list, Part{fromCache, from, to})
		at = to
	}
	return joinPart(list, Part{p.Source, at, p.End})
}

// joinPart adds a part, to the one before it if they are alike.
func joinPart(list []Part, p Part) []Part {
	if p.From >= p.To {
		return list
	}
	if n := len(list); n > 0 && list[n-1].Source == p.Source && list[n-1].To == p.From {
		list[n-1].To = p.To
		return list
	}
	return append(list, p)
}

// coarse counts the smallest parts to a neighbour until there are few enough.
func coarse(list []Part) []Part {
	for grain := int64(64 << 10); len(list) > maxParts && grain < 1<<50; grain *= 2 {
		kept := list[:0]
		size := int64(0) // of what the last one kept is named for
		for _, p := range list {
			n := p.To - p.From
			last := len(kept) - 1
			switch {
			case last < 0 || kept[last].To != p.From || kept[last].Source != p.Source && n >= grain && size >= grain:
				kept = append(kept, p)
				size = n
				continue
			case kept[last].Source == p.Source:
				size += n
			case n > size:
				kept[last].Source, size = p.Source, n
			}
			kept[last].To = p.To
		}
		list = kept
	}
	return list[:min(len(list), maxParts)]
}
