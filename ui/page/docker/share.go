package docker

import (
	"context"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// shareSheet asks how this machine's cache is to be lent to the engine of a context, and does it.
func shareSheet(d page.Desk, x model.Context) {
	m := part.NewModal(lang.Say("docker.share.ask", "Name", x.Name), x.Host, fyne.NewSize(520, 330))
	wire := part.NewSwitch(nil)
	wire.Label = lang.Say("docker.share.wire.label")
	body := []fyne.CanvasObject{
		part.NewNotice(fynetheme.InfoIcon(), theme.Muted, lang.Say("docker.share.about")),
		part.NewNotice(fynetheme.AccountIcon(), theme.Muted, lang.Say("docker.share.who")),
		part.NewField(lang.Say("docker.share.wire.label"), lang.Say("docker.share.wire.hint"), wire),
	}
	m.Set(body, m.Cancel("docker.cancel"), part.NewMeant(lang.Say("docker.share.start"), func() {
		startShare(d, x.Name, wire.On())
		m.Close()
	}))
	m.Open(d.Window())
}

func startShare(d page.Desk, name string, wire bool) {
	tool, shares := d.Tool, d.Shares
	d.Work(func(ctx context.Context) func() {
		shares.Run(ctx, tool, name, wire)
		return func() {
			if s, ok := shares.Get(name); ok && s.State == model.ShareFailed {
				d.Toast(page.Toast{Text: lang.Say("docker.share.failed", "Name", name, "Reason", words.Because(s.Cause, s.Error)), Bad: true})
			}
		}
	})
}

// shareRow is one share on the page: how it stands, what is pulled there, and an end to it.
func (c *contexts) shareRow(s model.Share) fyne.CanvasObject {
	said, color, end := "", theme.Muted, "docker.share.stop"
	switch s.State {
	case model.ShareStarting:
		said = lang.Say("docker.share.starting")
	case model.ShareUp:
		said, color = lang.Say("docker.share.up", "Since", words.Ago(&s.Since, c.now)), theme.Cached
	case model.ShareDown:
		said, color = lang.Say("docker.share.down"), fynetheme.ColorNameWarning
	case model.ShareEnding:
		said, end = lang.Say("docker.share.ending"), ""
	case model.ShareFailed:
		said, color, end = lang.Say("docker.share.ended"), fynetheme.ColorNameError, "docker.share.dismiss"
	case model.ShareLapsed:
		said, end = lang.Say("docker.share.lapsed"), "docker.share.dismiss"
	}
	name := part.NewText(lang.Say("docker.share.with", "Name", s.Context))
	tip := part.NewTip(part.NewMuted(said), func() string { return words.Because(s.Cause, s.Error) })
	aside := part.HBox(4)
	if s.State == model.ShareUp {
		pull := "docker pull " + s.Address() + "/library/debian"
		aside.Add(part.Middle(part.NewCopy("", func() string { return pull }, c.desk.Copy)))
	}
	if s.State == model.ShareLapsed {
		again := part.NewLink(lang.Say("docker.share.again"), func() { startShare(c.desk, s.Context, s.Wire) })
		again.Label = lang.Say("docker.share.again") + ": " + s.Context
		aside.Add(part.Middle(again))
	}
	if end != "" {
		stop := part.NewLink(lang.Say(end), func() { c.desk.Shares.Stop(s.Context) })
		stop.Label = lang.Say(end) + ": " + s.Context
		aside.Add(part.Middle(stop))
	}
	left := container.New(layout.NewCustomPaddedLayout(0, 0, 15, 0), part.HBox(12, part.Middle(part.NewDot(color)), part.Middle(name), part.Middle(tip)))
	return container.New(layout.NewCustomPaddedLayout(4, 4, 0, 10), part.Between(left, aside))
}

// shared is how a share stands, and what can be done about it.
func (c *contexts) shared(s model.Share) []fyne.CanvasObject {
	stop := part.NewButton(lang.Say("docker.share.stop"), func() { c.desk.Shares.Stop(s.Context) }).Saying(lang.Say("docker.share.stop") + ": " + s.Context)
	switch s.State {
	case model.ShareStarting:
		return []fyne.CanvasObject{part.Between(part.Middle(part.NewText(lang.Say("docker.share.starting")).Giving()), stop)}
	case model.ShareEnding:
		return []fyne.CanvasObject{part.NewText(lang.Say("docker.share.ending"))}
	case model.ShareDown:
		return []fyne.CanvasObject{part.Between(part.Middle(part.NewText(lang.Say("docker.share.down")).Giving()), stop), part.NewQuote(words.Because(s.Cause, s.Error))}
	case model.ShareFailed:
		again := part.NewButton(lang.Say("docker.again"), func() { c.desk.Shares.Stop(s.Context); startShare(c.desk, s.Context, s.Wire) })
		cause, step := model.Step(s.Error)
		list := []fyne.CanvasObject{part.Between(part.Middle(part.NewText(lang.Say("docker.share.ended")).Giving()), again), part.NewQuote(words.Because(s.Cause, cause))}
		if step != "" {
			list = append(list, part.NewCommand(step, c.desk.Copy))
		}
		return list
	case model.ShareLapsed:
		again := part.NewButton(lang.Say("docker.share.again"), func() { startShare(c.desk, s.Context, s.Wire) }).Saying(lang.Say("docker.share.ask", "Name", s.Context))
		return []fyne.CanvasObject{part.Between(part.Middle(part.NewText(lang.Say("docker.share.lapsed")).Giving()), again)}
	case model.ShareUp:
	}
	up := part.NewText(lang.Say("docker.share.up", "Since", words.Ago(&s.Since, c.now)))
	list := []fyne.CanvasObject{
		part.Between(part.HBox(8, part.Middle(part.NewDot(theme.Cached)), part.Middle(up)), stop),
		part.NewMuted(lang.Say("docker.share.there")).Giving(),
		part.NewCommand("docker pull "+s.Address()+"/library/debian", c.desk.Copy),
	}
	if s.Wired {
		list = append(list, part.NewNotice(fynetheme.ConfirmIcon(), fynetheme.ColorNameSuccess, lang.Say("docker.share.wired")))
	}
	return list
}

// egressSheet asks what shall leave by a context's machine, and has it do so.
func egressSheet(d page.Desk, x model.Context, registries []control.Registry) {
	m := part.NewModal(lang.Say("docker.egress.ask", "Name", x.Name), x.Host, fyne.NewSize(520, 440))
	e := &egressing{desk: d, context: x, modal: m}
	all := part.NewSwitch(nil)
	all.Label = lang.Say("docker.egress.all.label")
	var ticks []*part.Check
	list := part.VBox(-4)
	var use *part.Button
	choose := func() { // a way out for nothing would be none
		part.Enable(use, all.On() || slices.ContainsFunc(ticks, func(tick *part.Check) bool { return tick.Checked }))
	}
	for _, r := range registries {
		tick := part.NewCheck(r.Name, func(bool) { choose() })
		ticks = append(ticks, tick)
		list.Add(tick)
	}
	all.Flipped = func(on bool) {
		for _, tick := range ticks {
			if on {
				tick.Disable()
			} else {
				tick.Enable()
			}
		}
		choose()
	}
	body := []fyne.CanvasObject{
		part.NewNotice(fynetheme.InfoIcon(), theme.Muted, lang.Say("docker.egress.about")),
		part.NewField(lang.Say("docker.egress.all.label"), lang.Say("docker.egress.all.hint"), all),
	}
	if len(ticks) > 0 {
		body = append(body, part.VBox(4, part.NewMuted(lang.Say("docker.egress.some")).Bold(), container.New(layout.NewCustomPaddedLayout(0, 0, -6, 0), list)))
	}
	use = part.NewMeant(lang.Say("docker.egress.use"), func() {
		var chosen []string
		for i, tick := range ticks {
			if tick.Checked {
				chosen = append(chosen, registries[i].Name)
			}
		}
		if all.On() {
			chosen = []string{"*"}
		}
		e.use(chosen)
	}).Saying(lang.Say("docker.egress.ask", "Name", x.Name))
	choose()
	m.Set(body, m.Cancel("docker.cancel"), use)
	m.Open(d.Window())
}

// egressing is making a way out of a context's machine.
type egressing struct {
	desk    page.Desk
	context model.Context
	modal   *part.Modal
	uses    []string
	before  *control.Egress // what it was; nil: there was none
}

func (e *egressing) use(registries []string) {
	daemon := e.desk.Daemon()
	if daemon == nil {
		e.failed(lang.Say("docker.no_daemon"))
		return
	}
	e.uses = registries
	e.modal.Set([]fyne.CanvasObject{part.NewUnderWay(lang.Say("docker.egress.trying", "Name", e.context.Name))}, e.modal.Cancel("docker.wire.background"))
	name, tool := e.context.Name, e.desk.Tool
	e.desk.Work(func(ctx context.Context) func() {
		var report control.EgressReport
		known, err := daemon.Egresses(ctx)
		at := slices.IndexFunc(known, func(x control.Egress) bool { return x.Name == name })
		switch {
		case err != nil:
		case at >= 0:
			e.before = &known[at]
			if err = daemon.UseEgress(ctx, name, registries); err == nil {
				report, err = daemon.TestEgress(ctx, name, "")
			}
		default:
			args := []string{"context", "egress", name}
			for _, r := range registries {
				args = append(args, "--for", r)
			}
			err = tool.Run(ctx, &report, args...)
		}
		return func() { e.tried(report, err) }
	})
}

// tried says what the test of the way found out.
func (e *egressing) tried(r control.EgressReport, err error) {
	switch {
	case r.HostKey != nil && !r.OK:
		e.vouch(*r.HostKey)
	case r.OK:
		e.modal.Close()
		e.desk.Toast(page.Toast{Text: lang.Say("docker.egress.done", "Name", e.context.Name), Undo: e.undo})
	case r.Error != "":
		e.failed(words.Because(r.Cause, r.Error))
	case err != nil:
		e.failed(words.Reason(err))
	}
}

// vouch asks whether a key is that of the machine.
func (e *egressing) vouch(key control.HostKey) {
	e.modal.Set([]fyne.CanvasObject{
		part.NewNotice(fynetheme.WarningIcon(), fynetheme.ColorNameWarning, lang.Say("docker.egress.key.text", "Host", key.Host)),
		part.VBox(6, part.NewMuted(key.Type), part.NewCommand(key.Fingerprint, e.desk.Copy)),
		part.NewNotice(fynetheme.InfoIcon(), theme.Muted, lang.Say("docker.egress.key.compare")),
		part.NewCommand("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub", e.desk.Copy),
	}, instead(e.modal.Cancel("docker.cancel"), func() { e.undo(); e.modal.Close() }), part.NewMeant(lang.Say("docker.egress.key.accept"), func() {
		daemon := e.desk.Daemon()
		if daemon == nil {
			e.failed(lang.Say("docker.no_daemon"))
			return
		}
		e.modal.Set([]fyne.CanvasObject{part.NewUnderWay(lang.Say("docker.egress.trying", "Name", e.context.Name))}, e.modal.Cancel("docker.wire.background"))
		e.desk.Work(func(ctx context.Context) func() {
			var report control.EgressReport
			err := daemon.AcceptKey(ctx, e.context.Name, key.Fingerprint)
			if err == nil {
				report, err = daemon.TestEgress(ctx, e.context.Name, "")
			}
			return func() { e.tried(report, err) }
		})
	}))
}

// instead has a button do something else.
func instead(b *part.Button, tapped func()) *part.Button {
	b.OnTapped = tapped
	return b
}

func (e *egressing) failed(reason string) {
	if e.modal.Gone() {
		e.desk.Toast(page.Toast{Text: reason, Bad: true})
		return
	}
	cause, step := model.Step(reason)
	body := []fyne.CanvasObject{part.NewVerdict(fynetheme.ErrorIcon(), fynetheme.ColorNameError, lang.Say("docker.egress.failed.text", "Name", e.context.Name), ""), part.NewQuote(cause)}
	if step != "" {
		body = append(body, part.NewCommand(step, e.desk.Copy))
	}
	body = append(body, part.NewMuted(lang.Say("docker.egress.failed.kept")).Giving())
	e.modal.Set(body, instead(e.modal.Cancel("docker.egress.drop"), func() { e.undo(); e.modal.Close() }),
		e.modal.Cancel("docker.close"), part.NewMeant(lang.Say("docker.again"), func() { e.use(e.uses) }))
}

// undo makes it as it was.
func (e *egressing) undo() {
	daemon := e.desk.Daemon()
	if daemon == nil {
		return
	}
	name, before := e.context.Name, e.before
	e.desk.Work(func(ctx context.Context) func() {
		var err error
		if before != nil {
			err = daemon.UseEgress(ctx, name, before.For)
		} else {
			err = daemon.RemoveEgress(ctx, name)
		}
		return func() {
			if err != nil {
				e.desk.Toast(page.Toast{Text: words.Reason(err), Bad: true})
			}
		}
	})
}
