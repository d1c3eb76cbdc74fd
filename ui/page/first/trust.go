package first

import (
	"context"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/page/engine"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// trustStep is the step in which this system comes to trust Pulley's certificate.
type trustStep struct {
	*stage

	first *Page
	plan  []model.Trusting // what will be done; none: there is nothing left to do
	names []string         // that the certificate is good for
}

func newTrustStep(f *Page) *trustStep { return &trustStep{stage: newStage(f), first: f} }

func (t *trustStep) body() fyne.CanvasObject { return t.box }
func (t *trustStep) result() string          { return lang.Say("first.trust.done") }

func (t *trustStep) enter() {
	d := t.first.desk
	if d.Tool == nil {
		t.set(t.about(), part.NewNotice(fynetheme.WarningIcon(), fynetheme.ColorNameWarning, lang.Say("docker.no_tool.title")), t.first.buttons(model.TrustStep))
		return
	}
	t.set(t.about(), part.NewSkeleton(3), t.first.buttons(model.TrustStep))
	tool, daemon := d.Tool, d.Daemon()
	d.Work(func(ctx context.Context) func() {
		var answer struct {
			Deeds []model.Trusting `json:"deeds"`
		}
		err := tool.Run(ctx, &answer, "ca", "trust", "--dry-run")
		var names []string
		if daemon != nil {
			if list, err := daemon.CAs(ctx); err == nil {
				for _, ca := range list {
					switch {
					case ca.Retired:
					case slices.Contains(ca.Permitted, "localhost"): // the one for ourselves: of less interest
						names = append(names, ca.Permitted...)
					default:
						names = append(slices.Clone(ca.Permitted), names...)
					}
				}
			}
		}
		return func() {
			t.plan, t.names = answer.Deeds, names
			if err != nil {
				t.failed(err)
				return
			}
			t.show()
		}
	})
}

func (t *trustStep) about() fyne.CanvasObject { return part.NewProse(lang.Say("first.trust.about")) }

func (t *trustStep) show() {
	objects := []fyne.CanvasObject{t.about()}
	if len(t.names) > 0 {
		objects = append(objects, part.NewNotice(fynetheme.LoginIcon(), theme.Muted, lang.Say("first.trust.names", "Names", few(t.names, 6))))
	}
	if len(t.plan) == 0 {
		t.set(append(objects, part.NewNotice(fynetheme.ConfirmIcon(), fynetheme.ColorNameSuccess, lang.Say("first.trust.already")),
			t.first.buttons(model.TrustStep, part.NewMeant(lang.Say("first.next"), func() { t.first.finished(model.TrustStep) })))...)
		return
	}
	objects = append(objects, part.VBox(6, part.NewMuted(lang.Say("first.will")).Bold(), t.deeds()),
		t.first.buttons(model.TrustStep, part.NewMeant(lang.Say("first.trust.do"), t.do)))
	t.set(objects...)
}

// deeds are what will be done, a row for each store, with the command that does it to be copied.
func (t *trustStep) deeds() fyne.CanvasObject {
	list := part.VBox(0)
	for i, deed := range t.plan {
		if i > 0 {
			list.Add(part.NewRule())
		}
		what := deed.What
		if deed.Root {
			what = lang.Say("first.trust.root")
		}
		text := part.VBox(1, part.NewText(deed.Name()).Giving(), part.NewTip(part.NewSmallProse(what).Root, func() string { return deed.What }))
		copier := part.NewCopy("", func() string { return deed.What }, t.first.desk.Copy)
		list.Add(container.New(layout.NewCustomPaddedLayout(7, 7, 13, 10), part.Between(text, part.Middle(copier))))
	}
	card := part.NewSheet(list)
	card.Padding = fyne.NewSize(1, 1)
	return card
}

// few are the first of some names, and how many more there are.
func few(names []string, most int) string {
	if len(names) <= most {
		return words.List(names...)
	}
	return lang.Say("first.more", "Names", strings.Join(names[:most], ", "), "Count", len(names)-most)
}

// trusted is how `pulley ca trust` answers.
type trusted struct {
	Trusted bool `json:"trusted"`
	Stores  []struct {
		Command string `json:"command"`
		Error   string `json:"error"`
	} `json:"stores"`
}

// needsRoot says that something was left which an administrator can do.
func (t trusted) needsRoot() bool {
	for _, s := range t.Stores {
		if s.Error != "" && s.Command != "" {
			return true
		}
	}
	return false
}

// do has the person's own stores trust it, and then the system's.
func (t *trustStep) do() {
	t.set(t.about(), part.NewUnderWay(lang.Say("first.trust.doing")), part.NewMuted(lang.Say("docker.wire.password")).Giving())
	tool := t.first.desk.Tool
	t.first.desk.Work(func(ctx context.Context) func() {
		var got trusted
		err := tool.Run(ctx, &got, "ca", "trust")
		if err != nil && got.needsRoot() {
			err = tool.AsRoot(ctx, &got, "ca", "trust", "--system")
		}
		return func() {
			if err != nil {
				t.failed(err)
				return
			}
			t.first.finished(model.TrustStep)
		}
	})
}

func (t *trustStep) failed(err error) {
	cause, step := model.Step(err.Error())
	if line := engine.CommandOf(err); line != "" {
		step = line
	}
	objects := []fyne.CanvasObject{t.about(), part.NewNotice(fynetheme.WarningIcon(), fynetheme.ColorNameWarning, words.Because(words.CauseOf(err), cause))}
	if step != "" {
		objects = append(objects, part.NewCommand(step, t.first.desk.Copy))
	}
	t.set(append(objects, t.first.buttons(model.TrustStep, part.NewMeant(lang.Say("docker.again"), t.enter)))...)
}

func (t *trustStep) undo() {
	d := t.first.desk
	d.Work(func(ctx context.Context) func() {
		var got trusted
		err := d.Tool.Run(ctx, &got, "ca", "untrust")
		if err != nil && got.needsRoot() {
			err = d.Tool.AsRoot(ctx, &got, "ca", "untrust")
		}
		return func() {
			if err != nil {
				d.Toast(page.Toast{Text: words.Reason(err), Bad: true})
				return
			}
			t.first.undone(model.TrustStep)
		}
	})
}
