package model

import "slices"

// WireStep is a step that `pulley connect --steps` or disconnect tells as it begins.
type WireStep struct {
	Kind  string `json:"step"`
	Thing string `json:"thing"`
}

// Kinds of steps, as internal/docker/wiring has them.
const (
	StepStop     = "stop"
	StepWrite    = "write"
	StepRemove   = "remove"
	StepTrust    = "trust"
	StepUntrust  = "untrust"
	StepActivate = "activate"
	StepProve    = "prove"
	StepPutBack  = "put back"
	StepRestored = "restored"
)

// stepOrder is the order in which they come.
var stepOrder = []string{StepStop, StepWrite, StepRemove, StepTrust, StepUntrust, StepActivate, StepProve, StepPutBack, StepRestored}

// WireState is how far a step is.
type WireState int

// States of steps of wiring.
const (
	WireWaits WireState = iota
	WireRuns
	WireTaken
	WireFailed
)

// WireSteps are the steps of connecting or disconnecting: those that are to come by the plan, as they begin and end.
type WireSteps struct{ List []WireProgress }

// WireProgress is one of them.
type WireProgress struct {
	WireStep

	State WireState
}

// PlanSteps are those of a plan, none of them begun. prove: a test pull ends them.
func PlanSteps(w Wiring, prove bool) *WireSteps {
	s := &WireSteps{}
	add := func(kind, thing string) {
		s.List = append(s.List, WireProgress{WireStep: WireStep{Kind: kind, Thing: thing}})
	}
	for _, f := range ParseDiff(w.Diff) {
		kind := StepWrite
		if f.Removed {
			kind = StepRemove
		}
		add(kind, f.Path)
	}
	if w.Trust {
		add(StepTrust, "")
	}
	if w.Untrust {
		add(StepUntrust, "")
	}
	if w.Engine.Running && (w.How.Kind == "restart" || w.How.Kind == "reload") {
		add(StepActivate, w.How.Text)
	}
	if prove {
		add(StepProve, "")
	}
	return s
}

// Began says that a step begins: those before it have been taken, unless everything is put back, which is since one failed.
func (s *WireSteps) Began(step WireStep) {
	for i := range s.List {
		if p := &s.List[i]; p.State == WireRuns {
			p.State = WireTaken
			if step.Kind == StepPutBack {
				p.State = WireFailed
			}
		}
	}
	if step.Kind == StepPutBack {
		s.drop()
	}
	if step.Kind == StepRestored { // it is how that ended
		s.List = slices.DeleteFunc(s.List, func(p WireProgress) bool { return p.Kind == StepPutBack })
		s.List = append(s.List, WireProgress{step, WireTaken})
		return
	}
	at := slices.IndexFunc(s.List, func(p WireProgress) bool {
		return p.State == WireWaits && p.Kind == step.Kind && (p.Thing == step.Thing || p.Thing == "")
	})
	if at < 0 {
		rank := slices.Index(stepOrder, step.Kind)
		at = len(s.List)
		for i, p := range s.List {
			if p.State == WireWaits && slices.Index(stepOrder, p.Kind) > rank {
				at = i
				break
			}
		}
		s.List = slices.Insert(s.List, at, WireProgress{WireStep: step})
	}
	s.List[at].WireStep, s.List[at].State = step, WireRuns
}

// Ended says that it is over, and how: what was not begun was not needed.
func (s *WireSteps) Ended(well bool) {
	for i := range s.List {
		if p := &s.List[i]; p.State == WireRuns {
			p.State = WireTaken
			if !well {
				p.State = WireFailed
			}
		}
	}
	s.drop()
}

// Restored says that everything was put back.
func (s *WireSteps) Restored() bool {
	return len(s.List) > 0 && s.List[len(s.List)-1].Kind == StepRestored
}

func (s *WireSteps) drop() {
	s.List = slices.DeleteFunc(s.List, func(p WireProgress) bool { return p.State == WireWaits })
}

// Drop takes steps of a kind away.
func (s *WireSteps) Drop(kind string) {
	s.List = slices.DeleteFunc(s.List, func(p WireProgress) bool { return p.Kind == kind })
}
