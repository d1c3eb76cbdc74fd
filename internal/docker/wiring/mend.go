package wiring

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// mend puts back what was ended in the middle, of all engines of this machine but one, which whoever calls goes on with. What
// cannot be put back now is said, and keeps nobody from the others.
func (w *Wirer) mend(ctx context.Context, l *ledger, but string, say func(string)) {
	for _, key := range slices.Sorted(maps.Keys(l.Engines)) {
		r := l.Engines[key]
		if key == but || r.Phase == connected || w.key(r.Engine.ID) != key {
			continue
		}
		id, phase := r.Engine.ID, r.Phase
		if err := w.mendOne(ctx, l, r, say); err != nil {
			say(fmt.Sprintf("%s: %s was ended in the middle: %s; next: pulley disconnect %s", id, phase, oneLineOf(err), id))
		}
	}
}

func (w *Wirer) mendOne(ctx context.Context, l *ledger, r *record, say func(string)) error {
	id := r.Engine.ID
	list, err := w.undone(r)
	if err != nil {
		return err
	}
	if err := w.allowed(list, "disconnect", id); err != nil {
		return err
	}
	for _, c := range list {
		if err := c.do(); err != nil {
			return err
		}
	}
	if l.untrusts(w.key(id)) && w.Trust != nil {
		if err := w.Trust(ctx, false); err != nil {
			return err
		}
		l.Trust = false
	}
	delete(l.Engines, w.key(id))
	if err := w.save(l); err != nil {
		return err
	}
	say(fmt.Sprintf("%s: %s was ended in the middle; its files are as they were", id, r.Phase))
	e, err := w.find(ctx, id)
	if err != nil || !e.Running && !r.downed() {
		return nil //nolint:nilerr // it was uninstalled, or takes them up when it starts
	}
	how := e.kind.Activation(ctx, w.Machine, e, r.paths())
	switch {
	case how.Kind == ByHand, how.Kind == Restart && e.Running: // nobody was asked about that
		say(id + ": it may need: " + how.Text)
		return nil
	}
	for _, c := range how.Run {
		if _, err := w.Machine.Run(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (r *record) paths() (list []string) {
	for _, k := range r.Files {
		list = append(list, k.Path)
	}
	return list
}
