package mirrors

import (
	"context"
	"time"

	"fyne.io/fyne/v2"

	"pulley/internal/control"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/words"
)

// toggleTests tests all sources of the registry that are on, or ends that.
func (m *Page) toggleTests() {
	if m.tests != nil {
		m.tests()
		return
	}
	m.measure(m.chosen, m.sources.Testable(m.chosen)...)
}

// measure tests sources of a registry one after another, so that they do not slow each other down.
func (m *Page) measure(registry string, names ...string) {
	daemon := m.desk.Daemon()
	if daemon == nil || m.tests != nil || len(names) == 0 {
		return
	}
	halt, stop := context.WithCancel(context.Background())
	m.tests = stop
	m.begin(registry, names[0])
	m.desk.Work(func(ctx context.Context) func() {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(halt, cancel)()
		for _, name := range names {
			of := model.Named{Registry: registry, Name: name}
			fyne.Do(func() { m.begin(registry, name) })
			trial := trialOf(ctx, daemon, of, func(far control.MirrorTesting) {
				fyne.Do(func() { m.far(of, far) })
			})
			if ctx.Err() != nil || halt.Err() != nil {
				fyne.Do(func() { m.called(of) })
				break
			}
			fyne.Do(func() { m.sources.SetTrial(of, trial); m.render() })
		}
		return func() {
			stop()
			m.tests = nil
			m.sources.Done() // what was measured shows in the sources, too
			m.ask()
			m.render()
		}
	})
}

// trialOf runs one test. far hears how it goes, not too often, on the goroutine of this call.
func trialOf(ctx context.Context, daemon page.Daemon, of model.Named, far func(control.MirrorTesting)) model.Trial {
	var last time.Time
	report, err := daemon.WatchMirrorTest(ctx, of.Registry, of.Name, func(t control.MirrorTesting) {
		if at := time.Now(); at.Sub(last) >= page.Glance {
			last = at
			far(t)
		}
	})
	if err != nil {
		return model.Trial{Failed: words.Reason(err)}
	}
	return model.Trial{Report: report}
}

func (m *Page) begin(registry, name string) {
	m.sources.SetTrial(model.Named{Registry: registry, Name: name}, model.Trial{Running: true})
	m.render()
}

func (m *Page) far(of model.Named, far control.MirrorTesting) {
	m.sources.SetTrial(of, model.Trial{Running: true, Far: far})
	m.detail.showRow(of)
}

// called off: what was measured so far says nothing.
func (m *Page) called(of model.Named) {
	m.sources.DropTrial(of)
	m.render()
}
