package model_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pulley/internal/control"
	"pulley/ui/model"
)

// daemon answers when it is told to.
type daemon struct {
	asked  chan string
	answer chan error
}

func newDaemon() *daemon {
	return &daemon{asked: make(chan string, 10), answer: make(chan error)}
}

func (d *daemon) take(ctx context.Context, what string) error {
	d.asked <- what
	select {
	case err := <-d.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *daemon) SetEnabled(ctx context.Context, on bool) error {
	return d.take(ctx, map[bool]string{true: "on", false: "off"}[on])
}

func (d *daemon) Pause(ctx context.Context, length time.Duration) error {
	return d.take(ctx, "pause "+length.String())
}

func (d *daemon) SetRoute(ctx context.Context, registry, route string) error {
	return d.take(ctx, registry+" "+route)
}

func state() control.State {
	return control.State{Enabled: true, Registries: []control.Registry{{Name: "docker.io", Route: "auto"}, {Name: "ghcr.io", Route: "auto"}}}
}

// attached is a model that runs, with a daemon.
func attached(t *testing.T) (*model.Model, *daemon) {
	t.Helper()
	m, d := model.New(), newDaemon()
	m.Attached(d, true)
	m.Heard(state())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = m.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return m, d
}

func TestSwitchFlipsAtOnceAndStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, d := attached(t)
		m.Do(model.Action{Verb: model.TurnOff})
		if m.View().State.Enabled {
			t.Error("it waits for the daemon")
		}
		synctest.Wait()
		m.Heard(state()) // of before: on
		if m.View().State.Enabled {
			t.Error("it flickers when an older state arrives")
		}
		if got := <-d.asked; got != "off" {
			t.Errorf("the daemon was asked for %q", got)
		}
		d.answer <- nil
		synctest.Wait()
		if v := m.View(); v.State.Enabled || v.Notice != "" {
			t.Errorf("after the answer: enabled %v, notice %q", v.State.Enabled, v.Notice)
		}
	})
}

func TestSwitchFallsBackWithTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, d := attached(t)
		m.Do(model.Action{Verb: model.SetRoute, Registry: "ghcr.io", Route: "offline"})
		if got := m.View().State.Registries; got[1].Route != "offline" || got[0].Route != "auto" {
			t.Errorf("routes %v", got)
		}
		<-d.asked
		d.answer <- errors.New("registry.ghcr.io.route is held by the environment")
		synctest.Wait()
		v := m.View()
		if v.State.Registries[1].Route != "auto" {
			t.Error("it stays flipped")
		}
		if want := "ghcr.io keeps its route: registry.ghcr.io.route is held by the environment"; v.Notice != want {
			t.Errorf("notice %q, want %q", v.Notice, want)
		}
		m.Dismiss()
		if m.View().Notice != "" {
			t.Error("the notice stays")
		}
	})
}

func TestRequestsGoInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, d := attached(t)
		for _, verb := range []model.Verb{model.TurnOff, model.TurnOn, model.TurnOff} {
			m.Do(model.Action{Verb: verb})
		}
		m.Do(model.Action{Verb: model.Pause, For: time.Hour})
		m.Do(model.Action{Verb: model.Quit}) // nothing of the daemon's
		for _, want := range []string{"off", "on", "off", "pause 1h0m0s"} {
			if m.View().State.Enabled {
				t.Error("the last request is not what is shown")
			}
			if got := <-d.asked; got != want {
				t.Errorf("asked for %q, want %q", got, want)
			}
			d.answer <- nil
		}
	})
}

func TestDaemonThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := attached(t)
		m.Do(model.Action{Verb: model.TurnOff})
		<-time.After(time.Minute)
		if v := m.View(); !v.State.Enabled || v.Notice == "" {
			t.Errorf("enabled %v, notice %q", v.State.Enabled, v.Notice)
		}
	})
}

func TestNobodyToAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := attached(t)
		m.Lost("it ended by itself")
		if v := m.View(); v.Phase != model.Down || v.Reason != "it ended by itself" || v.Owned {
			t.Errorf("view %+v", v)
		}
		m.Do(model.Action{Verb: model.TurnOff})
		synctest.Wait()
		if got := m.View().Notice; got != "could not turn off: pulley is not running" {
			t.Errorf("notice %q", got)
		}
		m.Searching()
		if m.View().Phase != model.Starting {
			t.Error("not searching")
		}
	})
}

func TestWatchersHearOfEachChange(t *testing.T) {
	m := model.New()
	var heard []model.Phase
	m.Watch(func() { heard = append(heard, m.View().Phase) })
	m.Searching()
	m.Heard(state())
	m.Lost("")
	if want := []model.Phase{model.Starting, model.Running, model.Down}; len(heard) != 3 || heard[0] != want[0] || heard[1] != want[1] || heard[2] != want[2] {
		t.Errorf("heard %v, want %v", heard, want)
	}
}
