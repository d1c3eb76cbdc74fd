//go:build linux

package main

import (
	"context"

	"pulley/internal/control"
)

// wayOut is what the run's way out is called in the settings.
const wayOut = "out"

// stepWay switches the way out in the middle of pulls, of which none may notice: one is added, is for something else, or goes.
func stepWay(ctx context.Context, w *world, r *dice) {
	most := []string{"*"}
	if r.IntN(3) == 0 {
		most = []string{pick(r, []string{"docker.io", otherHost, plainHost})}
	}
	url := pick(r, []string{"http://", "socks5://"}) + w.way.addr
	what := r.IntN(3)
	w.together(ctx, w.crowd(r, 4), func() {
		var err error
		switch {
		case w.leaves == nil:
			err = w.control.AddEgress(ctx, control.Egress{Name: wayOut, URL: url, For: most})
			w.leaves = most
		case what == 0:
			err = w.control.UseEgress(ctx, wayOut, most)
			w.leaves = most
		default:
			err = w.control.RemoveEgress(ctx, wayOut)
			w.leaves = nil
		}
		if err != nil {
			w.breaks("way out %s for %v: %v", url, w.leaves, err)
		}
	})
	w.story.tell("    out through %s: %v", url, w.leaves)
	w.leavesSo(ctx, r)
}

// leavesSo: what was never pulled leaves by the way that the settings say.
func (w *world) leavesSo(ctx context.Context, r *dice) {
	if w.weather.now(failing) || w.weather.now(sick) || w.route["docker.io"] != "direct" && w.route["docker.io"] != "auto" {
		return
	}
	to := w.model.repos[r.IntN(4)]
	w.model.push(to, "latest", w.fresh(r))
	before := w.way.made()
	w.pull(ctx, w.orderOf(r, to, "latest"))
	through := len(w.leaves) > 0 && (w.leaves[0] == "*" || w.leaves[0] == to.registry)
	switch made := w.way.made(); {
	case through && made == 0:
		w.breaks("%s was pulled past the way out that it is to leave through", to)
	case w.leaves == nil && made > before:
		w.breaks("%s was pulled through a way out that was removed", to)
	}
}

// stepWayGone takes the way out away for some steps.
func stepWayGone(ctx context.Context, w *world, r *dice) {
	if w.leaves == nil {
		stepWay(ctx, w, r)
		return
	}
	w.story.tell("    the way out is away")
	w.together(ctx, w.crowd(r, 4), func() {
		w.unwell(true)
		w.way.down()
	})
	w.storm = 1 + r.IntN(3)
	w.offlinePulls(ctx, r, 4)
}
