package engine

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// sheet shows what connecting or disconnecting an engine changes, does it when it is told to, and says what came of it.
type sheet struct {
	desk   page.Desk
	engine model.Engine
	undo   bool
	way    string
	plan   model.Wiring
	asRoot bool // the plan itself could be made by an administrator alone
	done   func(model.Wiring)
	steps  *stepsView // of the last try; nil: there was none
	*part.Modal
}

// Connect opens it for connecting. done is called when something was done, or tried.
func Connect(d page.Desk, e model.Engine, done func(model.Wiring)) {
	s := &sheet{desk: d, engine: e, done: done}
	if len(e.Ways) > 0 {
		s.way = e.Ways[0]
	}
	if e.Standing() == model.Connected && slices.Contains(e.Ways, e.Wired.Way) {
		s.way = e.Wired.Way
	}
	s.begin(lang.Say("docker.wire.connect", "Engine", e.Name))
}

// Disconnect opens it for taking back what connecting did.
func Disconnect(d page.Desk, e model.Engine, done func(model.Wiring)) {
	s := &sheet{desk: d, engine: e, undo: true, done: done}
	s.begin(lang.Say("docker.wire.disconnect", "Engine", e.Name))
}

func (s *sheet) begin(title string) {
	s.Modal = part.NewModal(title, "", fyne.NewSize(660, 520))
	s.look()
	s.Open(s.desk.Window())
}

// look asks what would be changed.
func (s *sheet) look() {
	s.steps = nil
	s.Set(append(s.choice(), part.NewSkeleton(7)), s.Cancel("docker.cancel"))
	tool, way, args, asRoot := s.desk.Tool, s.way, s.args("--dry-run"), s.asRoot
	s.desk.Work(func(ctx context.Context) func() {
		plan, err := Wire(ctx, tool, asRoot, args)
		return func() {
			if s.Gone() || way != s.way {
				return
			}
			s.plan = plan
			switch {
			case err != nil && plan.Root && !asRoot:
				s.hidden()
			case err != nil:
				s.failed(err, s.look)
			default:
				s.show()
			}
		}
	})
}

func (s *sheet) args(more ...string) []string {
	args := []string{"connect", s.engine.ID}
	if s.undo {
		args[0] = "disconnect"
	} else if s.way != "" {
		args = append(args, "--"+s.way)
	}
	return append(args, more...)
}

// choice is that between the ways, where there is one.
func (s *sheet) choice() []fyne.CanvasObject {
	if s.undo || len(s.engine.Ways) == 0 {
		return nil
	}
	text := part.NewProse(lang.Say("docker.way." + s.way + ".about"))
	if len(s.engine.Ways) == 1 {
		return []fyne.CanvasObject{text}
	}
	names := make([]string, len(s.engine.Ways))
	for i, way := range s.engine.Ways {
		names[i] = lang.Say("docker.way." + way + ".name")
	}
	segments := part.NewSegments(names, slices.Index(s.engine.Ways, s.way), func(i int) {
		s.way, s.asRoot = s.engine.Ways[i], false
		s.look()
	})
	segments.Label = lang.Say("docker.way.label")
	return []fyne.CanvasObject{part.HBox(0, segments), text}
}

// hidden is where only an administrator can see what would be changed.
func (s *sheet) hidden() {
	cause, _ := model.Step(s.plan.Error)
	look := part.NewMeant(lang.Say("docker.wire.look_as_root"), func() { s.asRoot = true; s.look() })
	s.Set(append(s.choice(), part.NewNotice(fynetheme.WarningIcon(), fynetheme.ColorNameWarning, lang.Say("docker.wire.hidden")), part.NewQuote(cause)),
		s.Cancel("docker.cancel"), look)
}

// show shows the plan.
func (s *sheet) show() {
	body := append(s.choice(), s.effects()...)
	if files := model.ParseDiff(s.plan.Diff); len(files) > 0 {
		body = append(body, diffView(files))
	}
	if len(s.plan.Manual) > 0 {
		body = append(body, s.manual())
	}
	switch {
	case s.plan.Idle():
		s.Set(body, s.Cancel("docker.close"))
	case s.plan.ByHandOnly():
		s.Set(body, s.Cancel("docker.close"))
	default:
		key := "docker.connect.button"
		switch {
		case s.undo && s.rooted():
			key = "docker.disconnect.as_root"
		case s.undo:
			key = "docker.disconnect.button"
		case s.rooted():
			key = "docker.connect.as_root"
		}
		s.Set(body, s.Cancel("docker.cancel"), part.NewMeant(lang.Say(key), s.do))
	}
}

func (s *sheet) rooted() bool { return s.plan.Root || s.asRoot }

// effects are what it does besides the files, a line each.
func (s *sheet) effects() (lines []fyne.CanvasObject) {
	w := s.plan
	say := func(icon fyne.Resource, tint fyne.ThemeColorName, text string) {
		lines = append(lines, part.NewNotice(icon, tint, text))
	}
	if w.Idle() {
		key := "docker.wire.idle"
		if s.undo {
			key = "docker.wire.idle_undo"
		}
		say(fynetheme.ConfirmIcon(), fynetheme.ColorNameSuccess, lang.Say(key))
	}
	if w.Trust {
		say(fynetheme.LoginIcon(), theme.Muted, lang.Say("docker.wire.trust"))
	}
	if w.Untrust {
		say(fynetheme.LogoutIcon(), theme.Muted, lang.Say("docker.wire.untrust"))
	}
	if w.Egress != "" {
		say(fynetheme.InfoIcon(), theme.Muted, lang.Say("docker.wire.egress", "URL", w.Egress))
	}
	switch {
	case w.Idle():
	case w.Restarts():
		tint := fynetheme.ColorNameWarning
		if w.How.Stops == 0 {
			tint = theme.Muted
		}
		say(fynetheme.ViewRefreshIcon(), tint, restartText(w))
	case w.How.Kind == "reload" && w.Engine.Running:
		say(fynetheme.ConfirmIcon(), theme.Muted, lang.Say("docker.wire.reload"))
	case !w.Engine.Running && !w.ByHandOnly():
		say(fynetheme.InfoIcon(), theme.Muted, lang.Say("docker.wire.stopped"))
	case w.How.Kind == "none":
		say(fynetheme.ConfirmIcon(), theme.Muted, lang.Say("docker.wire.at_once"))
	}
	for _, line := range w.Warn {
		say(fynetheme.InfoIcon(), theme.Muted, line)
	}
	return lines
}

// restartText says what a restart costs.
func restartText(w model.Wiring) string {
	switch {
	case w.How.Stops < 0:
		return lang.Say("docker.wire.restart_unknown", "Command", w.How.Text)
	case w.How.Stops == 0:
		return lang.Say("docker.wire.restart_none", "Command", w.How.Text)
	}
	return lang.Say("docker.wire.restart", "Command", w.How.Text, "Count", w.How.Stops)
}

// manual is what is left to the person.
func (s *sheet) manual() fyne.CanvasObject {
	list := part.VBox(6, part.NewText(lang.Say("docker.wire.manual")).Bold())
	for _, line := range s.plan.Manual {
		list.Add(part.NewCommand(line, s.desk.Copy))
	}
	return list
}

// do does it.
func (s *sheet) do() {
	key := "docker.wire.connecting"
	if s.undo {
		key = "docker.wire.disconnecting"
	}
	lines := []fyne.CanvasObject{part.NewUnderWay(lang.Say(key, "Engine", s.engine.Name))}
	if s.rooted() {
		lines = append(lines, part.NewMuted(lang.Say("docker.wire.password")).Giving())
	}
	s.steps = newStepsView(s.plan, !s.undo)
	s.Set(append(lines, s.steps.root), s.Cancel("docker.wire.background"))
	tool, args, asRoot := s.desk.Tool, s.args("--yes"), s.rooted()
	var begun page.Mailbox[model.WireStep]
	var did model.Wiring
	page.NewStream(s.desk, page.Glance, func(ctx context.Context, moved func()) (err error) {
		did, err = wireBySteps(ctx, tool, asRoot, args, func(step model.WireStep) {
			begun.Put(step)
			moved()
		})
		return err
	}, func() {
		s.steps.took(begun.Take())
		s.Refit()
	}, func(err error) {
		if did.Engine.ID == "" {
			did.Engine, did.Way = s.engine, s.way
		}
		s.steps.ended(did, err)
		s.ended(did, err)
		s.done(did)
	})
}

// ended says what came of it: on the sheet, or in a toast where that was closed.
func (s *sheet) ended(did model.Wiring, err error) {
	did.Root = did.Root || s.rooted() // for another try
	s.plan = did
	if s.Gone() {
		s.toast(did, err)
		return
	}
	if err != nil && !did.Done {
		s.failed(err, s.do)
		return
	}
	var body []fyne.CanvasObject
	switch {
	case s.undo:
		body = append(body, part.NewVerdict(fynetheme.ConfirmIcon(), fynetheme.ColorNameSuccess, lang.Say("docker.wire.disconnected", "Engine", s.engine.Name), lang.Say("docker.wire.as_it_was")))
	case did.Proven:
		body = append(body, part.NewVerdict(fynetheme.ConfirmIcon(), fynetheme.ColorNameSuccess, lang.Say("docker.wire.connected", "Engine", s.engine.Name), lang.Say("docker.wire.proven")), part.NewQuote(did.Proof))
	case err != nil:
		cause, step := model.Step(err.Error())
		body = append(body, part.NewVerdict(fynetheme.WarningIcon(), fynetheme.ColorNameWarning, lang.Say("docker.wire.connected", "Engine", s.engine.Name), lang.Say("docker.wire.unproven")), part.NewQuote(words.Because(words.CauseOf(err), cause)))
		body = append(body, s.next(step)...)
	default:
		body = append(body, part.NewVerdict(fynetheme.ConfirmIcon(), fynetheme.ColorNameSuccess, lang.Say("docker.wire.connected", "Engine", s.engine.Name), lang.Say("docker.wire.proof_later")))
	}
	body = append(body, s.steps.root)
	if !s.undo && !did.Engine.Running && !did.ByHandOnly() {
		body = append(body, part.NewNotice(fynetheme.InfoIcon(), theme.Muted, lang.Say("docker.wire.stopped")))
	}
	if len(did.Said) > len(s.steps.steps.List) { // more than its steps, as of an engine that was left half-done before
		for _, line := range did.Said {
			body = append(body, part.NewNotice(fynetheme.InfoIcon(), theme.Muted, line))
		}
	}
	if len(did.Manual) > 0 {
		body = append(body, s.manual())
	}
	s.Set(body, part.NewMeant(lang.Say("docker.done"), s.Close))
}

func (s *sheet) toast(did model.Wiring, err error) {
	key := "docker.wire.connected"
	if s.undo {
		key = "docker.wire.disconnected"
	}
	switch {
	case err != nil && !did.Done:
		s.desk.Toast(page.Toast{Text: words.Reason(err), Bad: true})
	case err != nil:
		s.desk.Toast(page.Toast{Text: lang.Say(key, "Engine", s.engine.Name) + ". " + lang.Say("docker.wire.unproven") + ": " + words.Reason(err), Bad: true})
	default:
		s.desk.Toast(page.Toast{Text: lang.Say(key, "Engine", s.engine.Name)})
	}
}

// failed says why nothing was done.
func (s *sheet) failed(err error, again func()) {
	title := lang.Say("docker.wire.not_connected")
	if s.undo {
		title = lang.Say("docker.wire.not_disconnected")
	}
	cause, step := model.Step(strings.TrimPrefix(err.Error(), s.engine.ID+": "))
	if line := CommandOf(err); line != "" {
		step = line
	}
	below := ""
	if s.steps != nil && s.steps.steps.Restored() {
		below = lang.Say("docker.wire.restored")
	}
	body := append(s.choice(), part.NewVerdict(fynetheme.ErrorIcon(), fynetheme.ColorNameError, title, below), part.NewQuote(words.Because(kindOf(s.plan, err), cause)))
	if s.steps != nil {
		body = append(body, s.steps.root)
	}
	body = append(body, s.next(step)...)
	s.Set(body, s.Cancel("docker.close"), part.NewMeant(lang.Say("docker.again"), again))
}

// kindOf is the kind of what an engine was not wired for.
func kindOf(did model.Wiring, err error) string { return cmp.Or(words.CauseOf(err), did.Cause) }

// next is the step to take, to be copied.
func (s *sheet) next(step string) []fyne.CanvasObject {
	if step == "" {
		return nil
	}
	return []fyne.CanvasObject{part.VBox(6, part.NewText(lang.Say("docker.next")).Bold(), part.NewCommand(step, s.desk.Copy))}
}
