package first

import (
	"context"
	"strings"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page/engine"
	"pulley/ui/part"
)

// engineStep is the step in which engines come to use Pulley.
type engineStep struct {
	*stage

	first *Page
	rows  *engine.List
}

func newEngineStep(f *Page) *engineStep {
	e := &engineStep{stage: newStage(f), first: f}
	e.rows = engine.NewList(f.desk, e.enter)
	return e
}

func (e *engineStep) body() fyne.CanvasObject { return e.box }

func (e *engineStep) enter() {
	d := e.first.desk
	if d.Tool == nil {
		e.draw()
		return
	}
	e.draw()
	d.Work(func(ctx context.Context) func() {
		var list []model.Engine
		err := d.Tool.Run(ctx, &list, "connect")
		return func() {
			e.rows.Found(list, err)
			if e.first.state.State(model.EngineStep) == model.StepDone && len(e.connected()) == 0 {
				e.first.undone(model.EngineStep)
			}
			e.draw()
		}
	})
}

// connected are the engines that use Pulley.
func (e *engineStep) connected() (list []model.Engine) {
	for _, x := range e.rows.Engines() {
		if x.Standing() == model.Connected {
			list = append(list, x)
		}
	}
	return list
}

func (e *engineStep) draw() {
	card := part.NewSheet(e.rows.Rows())
	card.Padding = fyne.NewSize(1, 1)
	next := part.NewMeant(lang.Say("first.next"), func() { e.first.finished(model.EngineStep) })
	if len(e.connected()) == 0 {
		next.Disable()
	}
	e.set(part.NewProse(lang.Say("first.engine.about")), card,
		part.NewNotice(fynetheme.InfoIcon(), fynetheme.ColorNamePlaceHolder, lang.Say("first.engine.shown")),
		e.first.buttons(model.EngineStep, next))
}

func (e *engineStep) result() string {
	var names []string
	for _, x := range e.connected() {
		names = append(names, x.Name)
	}
	return strings.Join(names, ", ")
}

// undo disconnects: where it is one engine it is shown what that changes, with several the list of them.
func (e *engineStep) undo() {
	list := e.connected()
	if len(list) == 1 {
		engine.Disconnect(e.first.desk, list[0], func(did model.Wiring) {
			if did.Done {
				e.rows.Forget()
				e.first.undone(model.EngineStep)
			}
			e.enter()
		})
		return
	}
	e.first.back(model.EngineStep)
}
