// Package notice decides what a person is told while they look at something else. There is little of it: a pull failed, a
// limit is nearly spent, a mirror lied, the disk is full. One sentence each, at most one an hour for a cause, and never what
// they see anyway.
//
// It must not know how something is shown.
package notice

import (
	"time"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/words"
)

// apart is how long a cause is quiet after it was told.
const apart = time.Hour

// nearly is how many pulls of a hundred are left when a limit is nearly spent.
const nearly = 10

// Notices remember what was told. For one goroutine.
type Notices struct {
	told  map[string]time.Time // by cause
	known map[control.Problem]bool
	low   map[string]bool // registries whose limit is nearly spent
	met   bool            // a daemon was heard: what it said first was there before
}

// New makes one that has told nothing.
func New() *Notices { return &Notices{told: map[string]time.Time{}} }

// Look takes a view and says what is to be told about it now: what has begun since the one before. quiet: the person sees the
// window, so that nothing needs to be said.
func (n *Notices) Look(v model.View, quiet bool, now time.Time) (texts []string) {
	if v.Phase != model.Running {
		n.met = false // what the next daemon says first is no news either
		return nil
	}
	known, low := map[control.Problem]bool{}, map[string]bool{}
	for _, p := range v.State.Problems {
		known[p] = true
		if cause := cause(p); cause != "" && n.met && !n.known[p] {
			texts = n.add(texts, cause, words.Gist(p), v, quiet, now)
		}
	}
	for _, l := range v.State.Limits {
		last, holds := model.LimitOf(v.State.Limits, l.Registry, now)
		if l != last || !holds || l.Limit <= 0 || l.Remaining*100 > l.Limit*nearly {
			continue
		}
		low[l.Registry] = true
		if n.met && !n.low[l.Registry] {
			left := words.Left(v.State.Limits, l.Registry, now)
			texts = n.add(texts, "limit "+l.Registry, lang.Say("tray.limit_low", "Registry", l.Registry, "Left", left), v, quiet, now)
		}
	}
	n.known, n.low, n.met = known, low, true
	return texts
}

// add says one thing, unless it is not to be said. What is not said because the person looks counts as told.
func (n *Notices) add(texts []string, cause, text string, v model.View, quiet bool, now time.Time) []string {
	if last, told := n.told[cause]; told && now.Sub(last) < apart {
		return texts
	}
	n.told[cause] = now
	if quiet || !v.State.Notify {
		return texts
	}
	return append(texts, text)
}

// cause is what problems have in common that are told once an hour; "" for those that are not worth a word.
func cause(p control.Problem) string {
	switch p.Kind {
	case control.ProblemMirror:
		if p.Key == "mirror.closed" { // known since it was switched on
			return ""
		}
		return p.Kind + " " + p.Thing
	case control.ProblemLimit:
		return p.Kind + " " + p.Thing
	case control.ProblemDisk, control.ProblemPull: // of one full disk there are several; of a network that is gone, one for each image
		return p.Kind
	default:
		return ""
	}
}
