package model

import (
	"fmt"
	"slices"
	"time"

	"pulley/internal/control"
)

// Sketch is what of a view is shown at once when it changes; all else moves by itself while bytes do, and may wait a little.
// Two views with the same sketch differ in numbers alone.
func Sketch(v View) string {
	s := v.State
	paused := ""
	if s.PausedUntil != nil {
		paused = s.PausedUntil.String()
	}
	sketch := fmt.Sprintln(v.Phase, v.Reason, s.Enabled, paused, s.Listen, s.Problems, Fresh(v))
	for _, r := range s.Registries {
		sketch += fmt.Sprintln(r.Name, r.Route, r.Routes, r.Best, r.LastUsed != nil)
	}
	for _, l := range s.Limits {
		sketch += fmt.Sprintln(l.Registry, l.Identity, l.Remaining, l.Limit)
	}
	for _, c := range v.Contexts {
		r, asked := v.Reports[c.Name]
		sketch += fmt.Sprintln(c.Name, c.Wins, c.Error, asked, r.Reachable)
	}
	for _, p := range Pulls(s.Active) {
		sketch += fmt.Sprintln(p.Registry, p.Repository)
	}
	return sketch
}

// Fresh tells whether nothing was ever pulled through the daemon that runs.
func Fresh(v View) bool {
	return v.Phase == Running && v.State.Listen != "" && v.State.Traffic.Ever == control.Bytes{} && len(v.State.Active) == 0
}

// Past is an image that was pulled: requests for the same repository with no long pause between them.
type Past struct {
	Registry, Repository, Reference string
	Last                            time.Time
	control.Bytes
	Failed bool // the last request for it did
	first  time.Time
}

// pause parts one pull of an image from the next.
const pause = 10 * time.Minute

// Pasts are the images that were pulled of late, the last first, from answered requests in the order of time. An image that was
// pulled several times is there once, for the last time. Requests that brought nothing, as an engine's question whether a tag
// has moved, are no pull.
func Pasts(events []control.Event, most int) []Past {
	var pasts []Past
	closed := map[string]bool{} // repositories whose last pull is complete
	for _, e := range slices.Backward(events) {
		if e.Registry == "" || e.Repository == "" || e.What != "manifest" && e.What != "blob" || e.Method != "GET" && e.Method != "" {
			continue
		}
		name := e.Registry + "/" + e.Repository
		i := slices.IndexFunc(pasts, func(p Past) bool { return p.Registry == e.Registry && p.Repository == e.Repository })
		if i < 0 {
			i = len(pasts)
			pasts = append(pasts, Past{Registry: e.Registry, Repository: e.Repository, Last: e.Time, first: e.Time, Failed: e.Err != ""})
		}
		p := &pasts[i]
		if closed[name] || p.first.Sub(e.Time) > pause {
			closed[name] = true
			continue
		}
		p.first = e.Time
		p.Bytes = plus(p.Bytes, control.Bytes{Requests: 1, FromCache: e.FromCache, FromNet: e.FromNet})
		if p.Reference == "" && e.What == "manifest" && !isDigest(e.Reference) {
			p.Reference = e.Reference
		}
	}
	pasts = slices.DeleteFunc(pasts, func(p Past) bool { return p.FromCache+p.FromNet == 0 && !p.Failed })
	return pasts[:min(len(pasts), most)]
}

// Title is what was pulled, as Docker says it.
func (p Past) Title() string {
	name := Familiar(p.Registry, p.Repository)
	if p.Reference != "" {
		name += ":" + p.Reference
	}
	return name
}
