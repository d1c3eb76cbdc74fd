package tray

import (
	"context"
	"slices"
	"time"
)

// Calm is how long a number in the menu stands at least. A menu that changes
// under the pointer is worse than one that is ten seconds old.
const Calm = 10 * time.Second

// Pace draws what build returns: at once when the state has changed, and at
// most every Calm when only a number has. changed is signalled after every
// change; it may hold one signal for many. It returns when ctx ends.
func Pace(ctx context.Context, changed <-chan struct{}, build func() Menu, draw func(Menu)) {
	last := build()
	draw(last)
	at := time.Now()
	var later <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-later:
			later = nil
		}
		next := build()
		switch {
		case same(last, next, true):
			continue
		case same(last, next, false) && time.Since(at) < Calm:
			if later == nil {
				later = time.After(Calm - time.Since(at))
			}
			continue
		}
		draw(next)
		last, at, later = next, time.Now(), nil
	}
}

// same tells whether two menus show the same; without numbers, labels that may
// move by themselves are not looked at.
func same(a, b Menu, numbers bool) bool {
	if a.Form != b.Form || a.Tooltip != b.Tooltip {
		return false
	}
	var alike func(a, b Item) bool
	alike = func(a, b Item) bool {
		if a.Key != b.Key || a.Action != b.Action || a.Checked != b.Checked ||
			a.Disabled != b.Disabled || a.Hidden != b.Hidden || a.Moves != b.Moves {
			return false
		}
		if a.Label != b.Label && (numbers || !a.Moves) {
			return false
		}
		return slices.EqualFunc(a.Children, b.Children, alike)
	}
	return slices.EqualFunc(a.Sections, b.Sections, func(a, b Section) bool {
		return slices.EqualFunc(a.Items, b.Items, alike) && slices.EqualFunc(a.Tail, b.Tail, alike)
	})
}
