package wiring

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pulley/internal/docker/machine"
)

// job is one change of an engine under way.
type job struct {
	w         *Wirer
	e         Engine
	how       Activation
	list      []*change
	say       func(string)
	plan      *Plan  // of connect
	verb      string // what the person asked for
	trusted   bool   // the authorities were put into the store just now
	stopped   bool   // it was stopped, or may have been
	activated bool   // it may have taken up what was written
}

func (j *job) connect(ctx context.Context, l *ledger, trust bool) error {
	if err := j.write(); err != nil {
		return err
	}
	if trust {
		if j.w.Trust == nil {
			return errors.New("its system has to trust the local authority first; run: pulley ca trust")
		}
		j.trusted, l.Trust = !l.Trust, true // what another engine needs stays, whatever becomes of this one
		if err := j.w.save(l); err != nil {
			return err
		}
		j.w.told(StepTrust, "")
		if err := j.w.Trust(ctx, true); err != nil {
			return err
		}
		j.say("the system trusts Pulley's local authority")
	}
	return j.activate(ctx)
}

// stop stops an engine that would write over its files as it ends.
func (j *job) stop(ctx context.Context) (stopped bool, err error) {
	if !j.e.Running || len(j.how.Before) == 0 {
		return false, nil
	}
	j.stopped = true
	j.say("stopping " + j.e.Name)
	j.w.told(StepStop, j.e.Name)
	for _, c := range j.how.Before {
		if _, err := j.w.Machine.Run(ctx, c); err != nil {
			return true, err
		}
	}
	return true, nil
}

// startAgain starts an engine that was stopped for nothing, because of why.
func (j *job) startAgain(ctx context.Context, why error) error {
	if !j.stopped {
		return why
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	if err := j.activate(ctx); err != nil {
		return fmt.Errorf("%w; starting it again failed too: %s", why, oneLineOf(err))
	}
	return why
}

// write writes the files.
func (j *job) write() error {
	for _, c := range j.list {
		switch {
		case !c.moves():
		case c.after == nil:
			j.w.told(StepRemove, c.Path)
		default:
			j.w.told(StepWrite, c.Path)
		}
		if err := c.do(); err != nil {
			return j.w.asRoot(err, j.verb, j.e.ID)
		}
		switch {
		case !c.moves():
		case c.after == nil:
			j.say("removed " + c.Path)
		default:
			j.say("wrote " + c.Path)
		}
	}
	return nil
}

// activate has the engine take up its files and waits until it answers. One that does not run takes them up when it starts.
func (j *job) activate(ctx context.Context) error {
	switch {
	case j.how.Kind == AtOnce || j.how.Kind == "":
		return nil
	case j.how.Kind == ByHand:
		return nil // what to do is said by whoever shows the plan
	case !j.e.Running:
		j.say(j.e.Name + " does not run: it takes this up when it starts")
		return nil
	}
	j.activated = true
	j.say(j.how.Text)
	j.w.told(StepActivate, j.how.Text)
	for _, c := range j.how.Run {
		if _, err := j.w.Machine.Run(ctx, c); err != nil {
			return err
		}
	}
	if err := j.w.up(ctx, j.e); err != nil || j.plan == nil {
		return err
	}
	return j.w.taken(ctx, j.plan)
}

// taker is a kind that can tell whether an engine goes by what was written.
type taker interface {
	Taken(ctx context.Context, m machine.Machine, p *Plan) error
}

// takeTime is how long an engine may take to do what it was signalled.
const takeTime = 10 * time.Second

// taken waits until an engine goes by what a plan wrote, where its kind can tell.
func (w *Wirer) taken(ctx context.Context, p *Plan) error {
	k, ok := p.Engine.kind.(taker)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, takeTime)
	defer cancel()
	tick := time.NewTicker(upEvery)
	defer tick.Stop()
	for {
		err := k.Taken(ctx, w.Machine, p)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

// up waits until an engine answers.
func (w *Wirer) up(ctx context.Context, e Engine) error {
	ctx, cancel := context.WithTimeoutCause(ctx, upTime, errNotUp)
	defer cancel()
	tick := time.NewTicker(upEvery)
	defer tick.Stop()
	for {
		err := e.kind.Up(ctx, w.Machine, e)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, errNotUp) {
				return cause
			}
			return fmt.Errorf("%w: %s", errNotUp, oneLineOf(err))
		}
	}
}

var errNotUp = fmt.Errorf("it is not up after %s", upTime)

func oneLineOf(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// ease has an engine that may have taken up what was written let go of what it would keep.
func (j *job) ease(ctx context.Context) {
	back := &Undo{Engine: j.e, How: j.how}
	for _, c := range j.list {
		undone := *c
		undone.after = c.before
		back.list = append(back.list, &undone)
	}
	j.w.ease(ctx, back, j.say)
}

// putBack makes everything as it was before connect, because of why.
func (j *job) putBack(ctx context.Context, l *ledger, was *record, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	var failed []error
	j.w.told(StepPutBack, "")
	if j.activated {
		j.ease(ctx)
		for _, c := range j.how.Before { // else it would write over what is put back as it ends; it may be down already
			_, _ = j.w.Machine.Run(ctx, c)
		}
	}
	for _, c := range slices.Backward(j.list) {
		if err := c.undo(); err != nil {
			failed = append(failed, err)
		}
	}
	if j.trusted {
		if err := j.w.Trust(ctx, false); err != nil {
			failed = append(failed, err)
		} else {
			l.Trust = false
		}
	}
	if j.activated || j.stopped {
		for _, c := range j.how.Run { // all of them: the last is what starts it
			if _, err := j.w.Machine.Run(ctx, c); err != nil {
				failed = append(failed, err)
			}
		}
		if err := j.w.up(ctx, j.e); err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		_ = j.w.save(l) // still half-done: the next call goes on
		return fmt.Errorf("%s: %w; putting it back failed too: %s; try: pulley disconnect %s", j.e.ID, why, oneLineOf(errors.Join(failed...)), j.e.ID)
	}
	delete(l.Engines, j.w.key(j.e.ID))
	if was != nil {
		l.Engines[j.w.key(j.e.ID)] = was
	}
	if err := j.w.save(l); err != nil {
		return fmt.Errorf("%s: %w; everything was put back, but: %w", j.e.ID, why, err)
	}
	j.w.told(StepRestored, "")
	return fmt.Errorf("%s: %w; everything was put back as it was", j.e.ID, why)
}
