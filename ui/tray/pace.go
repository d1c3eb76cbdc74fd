package tray

import (
	"context"
	"slices"
	"time"
)

// Calm is how long a number in the menu stands at least. A menu that changes
// under the pointer is worse than one that is ten seconds old.
const Calm = 10 * time.Second

// clock is how often a menu is looked at though nothing was heard: what it says of a time of the day ends by itself.
const clock = time.Minute

// Pace draws what build returns: at once when the state or the language has changed, but numbers
// at most every Calm, whatever else changes meanwhile. changed is signalled after
// every change; it may hold one signal for many. It returns when ctx ends.
func Pace(ctx context.Context, changed <-chan struct{}, build func() Menu, draw func(Menu)) {
	last := build()
	draw(last)
	at := time.Now() // when numbers moved last
	var later <-chan time.Time
	passed := time.NewTicker(clock)
	defer passed.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-passed.C:
		case <-later:
			later = nil
		}
		next := build()
		if !same(last, next) && time.Since(at) < Calm && last.Language == next.Language {
			calm := held(last, next)
			if later == nil && !same(calm, next) {
				later = time.After(Calm - time.Since(at))
			}
			next = calm
		}
		if same(last, next) {
			continue
		}
		if moved(last, next) {
			at, later = time.Now(), nil
		}
		draw(next)
		last = next
	}
}

// held is next with the numbers that can be read in last.
func held(last, next Menu) Menu {
	before := numbers(last)
	if tooltip, shown := before[tooltipKey]; shown && next.Form == Trouble {
		next.Tooltip = tooltip
	}
	next.Sections = slices.Clone(next.Sections)
	for i := range next.Sections {
		s := &next.Sections[i]
		s.Items, s.Tail = relabelled(s.Items, before), relabelled(s.Tail, before)
	}
	return next
}

// relabelled are items with other labels for those that move and can be seen.
func relabelled(items []Item, labels map[string]string) []Item {
	items = slices.Clone(items)
	for i := range items {
		item := &items[i]
		if label, known := labels[item.Key]; known && item.Moves && !item.Hidden {
			item.Label = label
		}
		item.Children = relabelled(item.Children, labels)
	}
	return items
}

// moved tells whether next shows a number that cannot be read in last.
func moved(last, next Menu) bool {
	before := numbers(last)
	for key, label := range numbers(next) {
		if before[key] != label {
			return true
		}
	}
	return false
}

// tooltipKey is no item's.
const tooltipKey = ""

// numbers are the labels that move by themselves, by key, and the tooltip while that says what is wrong.
func numbers(m Menu) map[string]string {
	labels := map[string]string{}
	if m.Form == Trouble {
		labels[tooltipKey] = m.Tooltip
	}
	var note func([]Item)
	note = func(items []Item) {
		for _, item := range items {
			if item.Moves && !item.Hidden {
				labels[item.Key] = item.Label
			}
			note(item.Children)
		}
	}
	for _, s := range m.Sections {
		note(s.Items)
		note(s.Tail)
	}
	return labels
}

// same tells whether two menus show the same.
func same(a, b Menu) bool {
	if a.Form != b.Form || a.Tooltip != b.Tooltip {
		return false
	}
	var alike func(a, b Item) bool
	alike = func(a, b Item) bool {
		if a.Key != b.Key || a.Label != b.Label || a.Action != b.Action || a.Checked != b.Checked ||
			a.Disabled != b.Disabled || a.Hidden != b.Hidden || a.Moves != b.Moves {
			return false
		}
		return slices.EqualFunc(a.Children, b.Children, alike)
	}
	return slices.EqualFunc(a.Sections, b.Sections, func(a, b Section) bool {
		return slices.EqualFunc(a.Items, b.Items, alike) && slices.EqualFunc(a.Tail, b.Tail, alike)
	})
}
