package model

import (
	"context"
	"errors"
	"slices"
	"time"

	"pulley/internal/control"
	"pulley/ui/lang"
)

// Verb is a kind of action. Each says what is to be, never what is to change:
// an action made from a menu that has been overtaken still means what it said.
type Verb int

const (
	None Verb = iota
	TurnOn
	TurnOff
	Pause      // For long
	SetRoute   // of Registry to Route
	Open       // the window, at Page, led to Thing; "": where it is
	UseContext // docker's, by name: Thing
	Retry      // look for the daemon, or start it, now
	Quit
)

// Action is something that a person asked for. Comparable.
type Action struct {
	Verb     Verb
	Registry string
	Route    string
	For      time.Duration
	Page     string
	Thing    string
}

func (a Action) forDaemon() bool {
	switch a.Verb {
	case TurnOn, TurnOff, Pause, SetRoute:
		return true
	default:
		return false
	}
}

func (a Action) ask(ctx context.Context, d Daemon) error {
	switch a.Verb {
	case TurnOn, TurnOff:
		return d.SetEnabled(ctx, a.Verb == TurnOn)
	case Pause:
		return d.Pause(ctx, a.For)
	case SetRoute:
		return d.SetRoute(ctx, a.Registry, a.Route)
	default:
		return nil
	}
}

// applied is what the state will be when the action is done, as far as it is
// shown. The state it is given stays as it was.
func (a Action) applied(s control.State) control.State {
	switch a.Verb {
	case TurnOn, TurnOff:
		s.Enabled, s.PausedUntil = a.Verb == TurnOn, nil
	case Pause:
		s.Enabled = false
	case SetRoute:
		s.Registries = slices.Clone(s.Registries)
		for i := range s.Registries {
			if s.Registries[i].Name == a.Registry {
				s.Registries[i].Route = a.Route
			}
		}
	}
	return s
}

// failed is the notice for an action that did not happen.
func (a Action) failed(err error) string {
	reason := lang.Reason(err)
	if errors.Is(err, ErrNotRunning) {
		reason = lang.Say("notice.not_running")
	}
	switch a.Verb {
	case TurnOn:
		return lang.Say("notice.turn_on", "Reason", reason)
	case TurnOff:
		return lang.Say("notice.turn_off", "Reason", reason)
	case Pause:
		return lang.Say("notice.pause", "Reason", reason)
	case SetRoute:
		return lang.Say("notice.route", "Registry", a.Registry, "Reason", reason)
	default:
		return reason
	}
}
