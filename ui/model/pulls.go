package model

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"pulley/internal/control"
)

// Pull is an image on its way here: its layers that are being fetched now. What was in the cache already, or has arrived, is
// not told of.
type Pull struct {
	Registry, Repository string
	Since                time.Time
	Layers               []control.Transfer // first begun first
	Have, Total          int64              // bytes of the layers; Total -1: unknown
	Rate                 float64            // bytes a second
}

// Pulls groups what is being fetched by image, in an order that stays while they run: first begun first.
func Pulls(active []control.Transfer) []Pull {
	var pulls []Pull
	layers := slices.Clone(active)
	slices.SortStableFunc(layers, func(a, b control.Transfer) int {
		return cmp.Or(a.Since.Compare(b.Since), strings.Compare(a.Digest, b.Digest))
	})
	for _, l := range layers {
		i := slices.IndexFunc(pulls, func(p Pull) bool { return p.Registry == l.Registry && p.Repository == l.Repository })
		if i < 0 {
			i = len(pulls)
			pulls = append(pulls, Pull{Registry: l.Registry, Repository: l.Repository, Since: l.Since})
		}
		p := &pulls[i]
		p.Layers = append(p.Layers, l)
		p.Have += l.Have
		p.Rate += l.Rate
		if l.Total < 0 || p.Total < 0 {
			p.Total = -1
		} else {
			p.Total += l.Total
		}
	}
	return pulls
}

// Left is how long the rest takes at the present rate; false: that cannot be told, or is hardly worth telling.
func (p Pull) Left() (left time.Duration, known bool) {
	if p.Total < 0 || p.Have >= p.Total || p.Rate <= 0 {
		return 0, false
	}
	seconds := float64(p.Total-p.Have) / p.Rate
	const week = 7 * 24 * 3600
	if seconds < 1 || seconds > week {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Second), true
}

// Done is how much of a layer has arrived, 0 … 1; below 0: nobody knows.
func Done(l control.Transfer) float64 {
	if l.Total <= 0 {
		return -1
	}
	return min(float64(l.Have)/float64(l.Total), 1)
}
