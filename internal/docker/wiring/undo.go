package wiring

import (
	"context"
	"fmt"
	"slices"
)

// Undo is what disconnecting an engine does, or has done.
type Undo struct {
	Engine Engine     `json:"engine"`
	Files  []Undone   `json:"files"`
	Trust  bool       `json:"untrust,omitempty"` // the local authorities leave the machine's trust store
	How    Activation `json:"how"`

	list []*change
}

// Undone is what becomes of one file.
type Undone struct {
	Path    string `json:"path"`
	Removed bool   `json:"removed,omitempty"` // there was none
	Edited  bool   `json:"edited,omitempty"`  // somebody changed it since: only ours is taken out
	Same    bool   `json:"same,omitempty"`    // nothing of ours is in it any more
}

// Diff shows what changes in files.
func (u *Undo) Diff() string { return diffs(u.list) }

// AllowedUndo says whether whoever runs this may do what an undo says, as Allowed does for a plan.
func (w *Wirer) AllowedUndo(u *Undo) error { return w.allowed(u.list, "disconnect", u.Engine.ID) }

// PlanUndo says what disconnecting an engine would do. Nothing is changed. The error Is ErrNotWired where there is nothing
// to undo.
func (w *Wirer) PlanUndo(ctx context.Context, id string) (*Undo, error) {
	l, err := w.load()
	if err != nil {
		return nil, err
	}
	return w.planUndo(ctx, l, id)
}

func (w *Wirer) planUndo(ctx context.Context, l *ledger, id string) (*Undo, error) {
	r := l.Engines[w.key(id)]
	if r == nil {
		return nil, fmt.Errorf("%s: %w", id, ErrNotWired)
	}
	list, err := w.undone(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", id, w.asRoot(err, "disconnect", id))
	}
	u := &Undo{Engine: r.Engine, list: list}
	var changed []string
	for _, c := range list {
		u.Files = append(u.Files, Undone{Path: c.Path, Removed: c.before != nil && c.after == nil, Edited: c.edited, Same: !c.moves()})
		if c.moves() || r.Phase != connected {
			changed = append(changed, c.Path)
		}
	}
	u.Trust = l.untrusts(w.key(id))
	u.Engine.Running, u.Engine.kind = false, nil
	if e, err := w.find(ctx, id); err == nil { // it may have been uninstalled: its files go all the same
		e.Wired.Way, e.Wired.Ours = r.Way, true
		e.Running = e.Running || r.downed()
		u.Engine = e
		if len(changed) > 0 || u.Trust {
			u.How = e.kind.Activation(ctx, w.Machine, e, changed)
		}
	}
	return u, nil
}

// Disconnect makes everything as it was before Connect. A file that somebody has edited since keeps that; one that is broken
// now is refused before anything is changed.
func (w *Wirer) Disconnect(ctx context.Context, id string, say func(string)) (*Undo, error) {
	unlock, err := w.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	l, err := w.load()
	if err != nil {
		return nil, err
	}
	w.mend(ctx, l, w.key(id), say)
	u, err := w.planUndo(ctx, l, id)
	if err != nil {
		return nil, err
	}
	if err := w.allowed(u.list, "disconnect", id); err != nil {
		return nil, fmt.Errorf("%s: %w", id, err)
	}
	r := l.Engines[w.key(id)]
	r.Phase = disconnecting
	if err := w.save(l); err != nil {
		return nil, err
	}
	w.ease(ctx, u, say)
	j := &job{w: w, e: u.Engine, how: u.How, list: u.list, say: say, verb: "disconnect"}
	if stopped, err := j.stop(ctx); err != nil {
		return u, fmt.Errorf("%s: %w; nothing was changed: see what it says itself, then: pulley disconnect %s", id, j.startAgain(ctx, err), id)
	} else if stopped { // it may have written its files as it ended
		list, err := w.undone(r)
		if err != nil {
			return u, fmt.Errorf("%s: %w", id, j.startAgain(ctx, err))
		}
		j.list, u.list = list, list
	}
	if j.stopped { // whoever breaks off now leaves nothing down
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), undoTime)
		defer cancel()
	}
	if err := j.write(); err != nil {
		return u, fmt.Errorf("%s: %w; what was begun is finished by: pulley disconnect %s", id, j.startAgain(ctx, err), id)
	}
	var trusts error
	if u.Trust && w.Trust != nil {
		w.told(StepUntrust, "")
		if trusts = w.Trust(ctx, false); trusts == nil {
			l.Trust = false
			say("the system does not trust Pulley's local authority any more")
		}
	}
	if err := j.activate(ctx); err != nil {
		if trusts != nil {
			say("the system trusts Pulley's local authority still: " + oneLineOf(trusts))
		}
		return u, fmt.Errorf("%s: its files are as they were, but: %w; see what it says itself, then: pulley disconnect %s", id, err, id)
	}
	if trusts != nil {
		return u, fmt.Errorf("%s: its files are as they were, but the system trusts Pulley's local authority still: %w", id, trusts)
	}
	delete(l.Engines, w.key(id))
	return u, w.save(l)
}

// Wired are the IDs of all engines of this machine that connect did something to, sorted.
func (w *Wirer) Wired() ([]string, error) {
	l, err := w.load()
	if err != nil {
		return nil, err
	}
	var ids []string
	for key, r := range l.Engines {
		if w.key(r.Engine.ID) == key {
			ids = append(ids, r.Engine.ID)
		}
	}
	slices.Sort(ids)
	return ids, nil
}
