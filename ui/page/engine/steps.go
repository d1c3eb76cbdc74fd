package engine

import (
	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/part"
	"pulley/ui/theme"
)

// stepsView shows what connecting or disconnecting takes, a line for each step: taken, under way, or still to come.
type stepsView struct {
	steps *model.WireSteps
	plan  model.Wiring
	root  *fyne.Container
}

func newStepsView(plan model.Wiring, prove bool) *stepsView {
	v := &stepsView{steps: model.PlanSteps(plan, prove), plan: plan, root: part.VBox(8)}
	v.draw()
	return v
}

// took hears of steps that began.
func (v *stepsView) took(begun []model.WireStep) {
	for _, step := range begun {
		v.steps.Began(step)
	}
	v.draw()
}

// ended says that it is over.
func (v *stepsView) ended(did model.Wiring, err error) {
	v.steps.Ended(err == nil)
	if err == nil && !did.Proven {
		v.steps.Drop(model.StepProve) // there was nothing to prove it with
	}
	v.draw()
}

func (v *stepsView) draw() {
	var rows []fyne.CanvasObject
	for _, p := range v.steps.List {
		icon, tint := fynetheme.RadioButtonIcon(), theme.Muted
		switch p.State {
		case model.WireRuns:
			icon, tint = fynetheme.ViewRefreshIcon(), fynetheme.ColorNamePrimary
		case model.WireTaken:
			icon, tint = fynetheme.ConfirmIcon(), fynetheme.ColorNameSuccess
		case model.WireFailed:
			icon, tint = fynetheme.ErrorIcon(), fynetheme.ColorNameError
		case model.WireWaits:
		}
		rows = append(rows, part.NewNotice(icon, tint, v.text(p)))
	}
	v.root.Objects = rows
	v.root.Refresh()
}

// text is what a step does; of a restart, what that costs too.
func (v *stepsView) text(p model.WireProgress) string {
	switch p.Kind {
	case model.StepActivate:
		if v.plan.How.Kind == "reload" {
			return lang.Say("docker.wire.reload")
		}
		return restartText(v.plan)
	case model.StepPutBack:
		return lang.Say("docker.step.put_back")
	default:
		return lang.Say("docker.step."+p.Kind, "Thing", p.Thing)
	}
}
