package daemon

import (
	"time"

	"pulley/internal/config"
	"pulley/internal/control"
)

// speed is what a registry's blobs came at over the network, and what did not have to.
type speed struct {
	FromCache int64         `json:"from_cache"` // bytes, of all requests
	FromNet   int64         `json:"from_net"`   // bytes of downloads that were timed
	Took      time.Duration `json:"took"`       // while at least one of those ran
}

// stretch is a time without a pause.
type stretch struct{ from, to time.Time }

const (
	// timed is from how many bytes on a download says how fast the network is, and not how far away.
	timed = 1 << 20
	// fading is after how many bytes half of what was seen is forgotten: networks change.
	fading = 8 << 30
)

// measure takes an event into its registry's speed. Layers of one pull come beside each other: what counts is the time in
// which any was on its way. It needs mu.
func (t *totals) measure(e control.Event) {
	s := t.sums.Speeds[e.Registry]
	s.FromCache += e.FromCache
	if e.What == "blob" && e.FromNet >= timed && e.Duration > 0 && e.Err == "" {
		was, is := t.busy[e.Registry], stretch{e.Time, e.Time.Add(e.Duration)}
		if !is.from.After(was.to) && !is.to.Before(was.from) {
			if was.from.Before(is.from) {
				is.from = was.from
			}
			if was.to.After(is.to) {
				is.to = was.to
			}
		} else {
			was = stretch{}
		}
		s.FromNet += e.FromNet
		s.Took += is.to.Sub(is.from) - was.to.Sub(was.from)
		t.busy[e.Registry] = is
		if s.FromNet > fading {
			s.FromNet, s.Took = s.FromNet/2, s.Took/2
		}
	}
	t.sums.Speeds[e.Registry] = s
}

// saved is how long the bytes from the cache would have taken, each registry's at its own speed, in bytes a second. Where no
// download was timed otherwise knows it; 0 for what nobody knows, which counts as no time.
func (t *totals) saved(otherwise func(registry string) float64) (all time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for registry, s := range t.sums.Speeds {
		var rate float64
		switch {
		case s.FromCache <= 0:
			continue
		case s.FromNet > 0 && s.Took > 0:
			rate = float64(s.FromNet) / s.Took.Seconds()
		default:
			rate = otherwise(registry)
		}
		if rate > 0 {
			all += time.Duration(float64(s.FromCache) / rate * float64(time.Second))
		}
	}
	return all
}

// traffic is what was served.
func (d *Daemon) traffic(c *config.Config) control.Traffic {
	t := d.totals.traffic()
	t.SavedTime = d.totals.saved(func(registry string) (best float64) {
		if r, known := c.Registry(registry); known {
			for _, st := range d.sources.Standings(r) {
				best = max(best, st.Rate)
			}
		}
		return best
	})
	return t
}
