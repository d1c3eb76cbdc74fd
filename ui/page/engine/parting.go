package engine

import (
	"context"
	"fmt"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// parting is what is asked before the daemon ends with the app while engines are wired to it.
type parting struct {
	*part.Modal

	desk    page.Desk
	engines []model.Engine
	leave   func()
}

// AskParting says which engines are wired and what becomes of their pulls, and offers to keep the daemon as a service or to
// take the wiring back first. leave is called when the app may end.
func AskParting(d page.Desk, engines []model.Engine, leave func()) {
	p := &parting{Modal: part.NewModal(lang.Say("parting.title"), lang.Say("parting.about", "Count", len(engines)), fyne.NewSize(560, 460)), desk: d, engines: engines, leave: leave}
	p.ask(nil)
	p.Open(d.Window())
}

// ask shows the choice, and why the last one did not come about.
func (p *parting) ask(failed error) {
	var body []fyne.CanvasObject
	for _, e := range p.engines {
		if e.Wired.Way == "proxy" {
			body = append(body, part.NewNotice(fynetheme.WarningIcon(), fynetheme.ColorNameWarning, lang.Say("parting.proxy", "Engine", e.Name)))
		} else {
			body = append(body, part.NewNotice(fynetheme.ConfirmIcon(), theme.Muted, lang.Say("parting.mirror", "Engine", e.Name)))
		}
	}
	if failed != nil {
		body = append(body, part.NewNotice(fynetheme.ErrorIcon(), fynetheme.ColorNameError, failed.Error()))
	}
	p.Set(body,
		p.Cancel("parting.stay"),
		part.NewButton(lang.Say("parting.quit"), p.end),
		part.NewButton(lang.Say("parting.unwire"), p.unwire),
		part.NewMeant(lang.Say("parting.keep"), p.keep))
}

func (p *parting) end() {
	p.Close()
	p.leave()
}

// keep has the system keep the daemon, which takes over from ours.
func (p *parting) keep() {
	p.work(lang.Say("parting.keeping"), func(ctx context.Context) error {
		return p.desk.Tool.Run(ctx, nil, "service", "install")
	})
}

// unwire takes back what was done to the engines.
func (p *parting) unwire() {
	p.work(lang.Say("parting.unwiring"), func(ctx context.Context) error {
		for _, e := range p.engines {
			plan, err := Wire(ctx, p.desk.Tool, false, []string{"disconnect", e.ID, "--dry-run"})
			if err == nil || plan.Root {
				_, err = Wire(ctx, p.desk.Tool, plan.Root, []string{"disconnect", e.ID, "--yes"})
			}
			if err != nil {
				return fmt.Errorf("%s: %w", e.Name, err)
			}
		}
		return nil
	})
}

// work does something, and leaves if that came about.
func (p *parting) work(text string, do func(context.Context) error) {
	p.Set([]fyne.CanvasObject{part.NewUnderWay(text)}, p.Cancel("parting.stay"))
	p.desk.Work(func(ctx context.Context) func() {
		err := do(ctx)
		return func() {
			switch {
			case err != nil && p.Gone():
				p.desk.Toast(page.Toast{Text: words.Reason(err), Bad: true})
			case err != nil:
				p.ask(err)
			case !p.Gone():
				p.end()
			}
		}
	})
}
