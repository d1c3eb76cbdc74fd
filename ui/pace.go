package ui

import (
	"context"
	"slices"
	"time"

	"fyne.io/fyne/v2"

	"pulley/internal/control"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/page/first"
)

// How often the window is brought up to date at most, and how long a daemon that is only starting is not worth a banner.
const (
	pace     = 100 * time.Millisecond
	starting = 1500 * time.Millisecond
)

// Update brings the window to what the model knows.
func (w *Window) Update() {
	v, now := w.options.Model.View(), w.options.Now()
	w.shown = time.Now()
	w.nav.show(v)
	w.footer.show(v, now)
	if v.Phase != model.Starting {
		w.since = time.Time{}
	} else if w.since.IsZero() {
		w.since = now
	}
	patient := v.Phase == model.Starting && now.Sub(w.since) < starting
	if patient {
		time.AfterFunc(starting, w.Changed)
	}
	if w.banner.show(v, patient) {
		w.Content().Refresh()
	}
	w.tell(v)
	w.greet(v)
	w.measure() // the program may end with the window open
	if w.front != nil {
		w.front.Show(v, now)
	}
}

// tell has a toast say why the last thing that was asked for did not happen.
func (w *Window) tell(v model.View) {
	if v.Notice == w.notice {
		return
	}
	if w.notice = v.Notice; v.Notice != "" {
		w.toast(page.Toast{Text: v.Notice, Bad: true, Done: w.options.Model.Dismiss})
	}
}

// Changed asks for an Update soon and may be called from any goroutine, as
// often as one likes: calls that come before the update are one, and there are
// at most ten updates in a second. While the window is hidden it wakes nobody.
func (w *Window) Changed() {
	if w.retired.Load() || !w.open.Load() || w.queued.Swap(true) {
		return
	}
	fyne.Do(func() {
		if wait := pace - time.Since(w.shown); wait > 0 {
			time.AfterFunc(wait, func() { w.now() })
			return
		}
		w.due()
	})
}

// now is due on the UI goroutine. Any goroutine.
func (w *Window) now() {
	if !w.retired.Load() {
		fyne.Do(w.due)
	}
}

func (w *Window) due() {
	w.queued.Store(false)
	if w.open.Load() {
		w.Update()
	}
}

// greet shows the first steps, once, to somebody who never pulled anything through Pulley and has no engine that would.
func (w *Window) greet(v model.View) {
	if w.met || v.Phase != model.Running || !w.open.Load() {
		return
	}
	w.met = true
	if w.memory.met() || w.options.Tool == nil || v.State.Traffic.Ever != (control.Bytes{}) || v.State.Cache.Size > 0 {
		w.memory.setMet()
		return
	}
	w.desk.Work(func(ctx context.Context) func() {
		var engines []model.Engine
		if err := w.options.Tool.Run(ctx, &engines, "connect"); err != nil || slices.ContainsFunc(engines, through) {
			return nil // what cannot be read is no reason to come up
		}
		return func() {
			if w.name == w.remembered() { // nobody went on meanwhile
				w.welcome()
			}
		}
	})
}

// through tells whether an engine goes through Pulley, whoever had it do so.
func through(e model.Engine) bool {
	standing := e.Standing()
	return standing == model.Connected || standing == model.ByHand
}

// welcome puts the first steps in front.
func (w *Window) welcome() {
	w.memory.setMet()
	w.put("", first.New(w.desk, func() { w.Visit(w.remembered(), "") }))
	w.front.Show(w.options.Model.View(), w.options.Now())
}
