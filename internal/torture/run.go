//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// step is one kind of thing that happens. weight is how often, beside the others.
type step struct {
	name   string
	weight int
	do     func(context.Context, *world, *dice)
}

var steps = []step{
	{"pull", 14, stepPull},
	{"head", 4, stepHead},
	{"range", 6, stepRange},
	{"leave", 6, stepLeave},
	{"stranger", 6, stepStranger},
	{"push", 4, stepPush},
	{"move", 7, stepMove},
	{"copy", 3, stepCopy},
	{"delete", 3, stepDelete},
	{"storm", 7, stepStorm},
	{"mirror-storm", 5, stepMirrorStorm},
	{"liar", 4, stepLiar},
	{"down", 3, stepDown},
	{"disk", 4, stepDisk},
	{"damage", 3, stepDamage},
	{"clock", 3, stepClock},
	{"kill", 3, stepKill},
	{"restart", 2, stepRestart},
	{"sleep", 2, stepSleep},
	{"hand-over", 4, stepHandOver},
	{"route", 3, stepRoute},
	{"way", 3, stepWay},
	{"way-gone", 1, stepWayGone},
	{"shared", 4, stepShared},
	{"forget", 2, stepForget},
	{"spoil-store", 1, stepSpoilStore},
	{"mirrors", 4, stepMirrors},
	{"tag-ttl", 2, stepTTL},
	{"wrong-settings", 2, stepWrongSettings},
	{"off", 1, stepOff},
	{"pin", 3, stepPin},
	{"gc", 2, stepCollect},
	{"verify", 2, stepVerify},
	{"remove", 2, stepRemove},
	{"bundle", 3, stepBundle},
	{"prefetch", 2, stepPrefetch},
}

// choose draws a step. What is drawn depends on the seed and the step's number alone.
func choose(r *dice, from []step) step {
	total := 0
	for _, s := range from {
		total += s.weight
	}
	n := r.IntN(total)
	for _, s := range from {
		if n -= s.weight; n < 0 {
			return s
		}
	}
	return from[0]
}

// run makes steps until there were n, or the time is over, or a promise is broken. It returns how many were made.
func (w *world) steps(ctx context.Context, out io.Writer, from []step, n int, most time.Duration) (int, error) {
	begun, last := time.Now(), time.Now()
	i := 0
	for ; most > 0 && time.Since(begun) < most || most == 0 && i < n; i++ {
		if ctx.Err() != nil {
			return i, context.Cause(ctx)
		}
		r := roll(w.seed, uint64(i))
		w.weathering(ctx)
		s := choose(r, from)
		at := time.Now()
		w.story.tell("step %d: %s (storm %d, disk %q)", i, s.name, w.storm, w.drought)
		s.do(ctx, w, r)
		if w.verdict() == nil {
			w.promises(ctx, i)
		}
		if took := time.Since(at); took > 20*time.Second {
			fmt.Fprintf(out, "step %d, %s took %s\n", i, s.name, took.Round(time.Second))
		}
		if err := w.verdict(); err != nil {
			return i, fmt.Errorf("step %d, %s: %w", i, s.name, err)
		}
		if time.Since(last) > 20*time.Second {
			last = time.Now()
			fmt.Fprintf(out, "%6d steps in %s: %s\n", i+1, time.Since(begun).Round(time.Second), w.story.counts())
		}
	}
	return i, nil
}

// weathering lets what was made to fail be well again, when its time has come.
func (w *world) weathering(ctx context.Context) {
	if w.storm > 0 {
		if w.storm--; w.storm == 0 {
			w.calm()
		}
	}
	if w.flood > 0 {
		if w.flood--; w.flood == 0 {
			w.dry(ctx)
		}
	}
	if w.lag > 0 {
		if w.lag--; w.lag == 0 {
			w.setRight(ctx)
		}
	}
}
