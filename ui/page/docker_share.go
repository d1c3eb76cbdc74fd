package page

import (
	"context"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// shareSheet asks how this machine's cache is to be lent to the engine of a context, and does it.
func shareSheet(d Desk, x model.Context) {
	m := newModal(lang.Say("docker.share.ask", "Name", x.Name), x.Host, fyne.NewSize(520, 330))
	wire := part.NewSwitch(nil)
	body := []fyne.CanvasObject{
		notice(fynetheme.InfoIcon(), theme.Muted, lang.Say("docker.share.about")),
		notice(fynetheme.AccountIcon(), theme.Muted, lang.Say("docker.share.who")),
		part.NewField(lang.Say("docker.share.wire.label"), lang.Say("docker.share.wire.hint"), wire),
	}
	m.set(body, m.cancel("docker.cancel"), meant(lang.Say("docker.share.start"), func() {
		startShare(d, x.Name, wire.On())
		m.close()
	}))
	m.open(d.Window())
}

func startShare(d Desk, name string, wire bool) {
	tool, shares := d.Tool, d.Shares
	d.Work(func(ctx context.Context) func() {
		shares.Run(ctx, tool, name, wire)
		return func() {
			if s, ok := shares.Get(name); ok && s.State == model.ShareFailed {
				d.Toast(Toast{Text: lang.Say("docker.share.failed", "Name", name, "Reason", s.Error), Bad: true})
			}
		}
	})
}

// shareRow is one share on the page: how it stands, what is pulled there, and an end to it.
func (c *dockerContexts) shareRow(s model.Share) fyne.CanvasObject {
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
	}
	name := part.NewText(lang.Say("docker.share.with", "Name", s.Context))
	tip := part.NewTip(part.NewMuted(said), func() string { return s.Error })
	aside := row(4)
	if s.State == model.ShareUp {
		pull := "docker pull " + s.Address() + "/library/debian"
		aside.Add(middle(part.NewCopy(func() string { return pull }, c.desk.Copy)))
	}
	if end != "" {
		aside.Add(middle(part.NewLink(lang.Say(end), func() { c.desk.Shares.Stop(s.Context) })))
	}
	left := container.New(layout.NewCustomPaddedLayout(0, 0, 15, 0), row(12, middle(part.NewDot(color)), middle(name), middle(tip)))
	return container.New(layout.NewCustomPaddedLayout(4, 4, 0, 10), between(left, aside))
}

// shared is how a share stands, and what can be done about it.
func (c *dockerContexts) shared(s model.Share) []fyne.CanvasObject {
	stop := part.NewButton(lang.Say("docker.share.stop"), func() { c.desk.Shares.Stop(s.Context) })
	switch s.State {
	case model.ShareStarting:
		return []fyne.CanvasObject{between(middle(part.NewText(lang.Say("docker.share.starting")).Giving()), stop)}
	case model.ShareEnding:
		return []fyne.CanvasObject{part.NewText(lang.Say("docker.share.ending"))}
	case model.ShareDown:
		return []fyne.CanvasObject{between(middle(part.NewText(lang.Say("docker.share.down")).Giving()), stop), quoted(s.Error)}
	case model.ShareFailed:
		again := part.NewButton(lang.Say("docker.again"), func() { c.desk.Shares.Stop(s.Context); startShare(c.desk, s.Context, false) })
		cause, step := model.Step(s.Error)
		list := []fyne.CanvasObject{between(middle(part.NewText(lang.Say("docker.share.ended")).Giving()), again), quoted(cause)}
		if step != "" {
			list = append(list, copied(c.desk, step))
		}
		return list
	case model.ShareUp:
	}
	up := part.NewText(lang.Say("docker.share.up", "Since", words.Ago(&s.Since, c.now)))
	list := []fyne.CanvasObject{
		between(row(8, middle(part.NewDot(theme.Cached)), middle(up)), stop),
		part.NewMuted(lang.Say("docker.share.there")).Giving(),
		copied(c.desk, "docker pull "+s.Address()+"/library/debian"),
	}
	if s.Wired {
		list = append(list, notice(fynetheme.ConfirmIcon(), fynetheme.ColorNameSuccess, lang.Say("docker.share.wired")))
	}
	return list
}

// egressSheet asks what shall leave by a context's machine, and has it do so.
func egressSheet(d Desk, x model.Context, registries []control.Registry) {
	m := newModal(lang.Say("docker.egress.ask", "Name", x.Name), x.Host, fyne.NewSize(520, 440))
	e := &egressing{desk: d, context: x, modal: m}
	all := part.NewSwitch(nil)
	var ticks []*widget.Check
	list := column(-4)
	for _, r := range registries {
		tick := widget.NewCheck(r.Name, nil)
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
	}
	body := []fyne.CanvasObject{
		notice(fynetheme.InfoIcon(), theme.Muted, lang.Say("docker.egress.about")),
		part.NewField(lang.Say("docker.egress.all.label"), lang.Say("docker.egress.all.hint"), all),
	}
	if len(ticks) > 0 {
		body = append(body, column(4, part.NewMuted(lang.Say("docker.egress.some")).Bold(), list))
	}
	m.set(body, m.cancel("docker.cancel"), meant(lang.Say("docker.egress.use"), func() {
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
	}))
	m.open(d.Window())
}

// egressing is making a way out of a context's machine.
type egressing struct {
	desk    Desk
	context model.Context
	modal   *modal
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
	e.modal.set([]fyne.CanvasObject{underWay(lang.Say("docker.egress.trying", "Name", e.context.Name))}, e.modal.cancel("docker.wire.background"))
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
		e.modal.close()
		e.desk.Toast(Toast{Text: lang.Say("docker.egress.done", "Name", e.context.Name), Undo: e.undo})
	case r.Error != "":
		e.failed(r.Error)
	case err != nil:
		e.failed(err.Error())
	}
}

// vouch asks whether a key is that of the machine.
func (e *egressing) vouch(key control.HostKey) {
	e.modal.set([]fyne.CanvasObject{
		notice(fynetheme.WarningIcon(), fynetheme.ColorNameWarning, lang.Say("docker.egress.key.text", "Host", key.Host)),
		column(6, part.NewMuted(key.Type), copied(e.desk, key.Fingerprint)),
		notice(fynetheme.InfoIcon(), theme.Muted, lang.Say("docker.egress.key.compare")),
		copied(e.desk, "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"),
	}, instead(e.modal.cancel("docker.cancel"), func() { e.undo(); e.modal.close() }), meant(lang.Say("docker.egress.key.accept"), func() {
		daemon := e.desk.Daemon()
		if daemon == nil {
			e.failed(lang.Say("docker.no_daemon"))
			return
		}
		e.modal.set([]fyne.CanvasObject{underWay(lang.Say("docker.egress.trying", "Name", e.context.Name))}, e.modal.cancel("docker.wire.background"))
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
	if e.modal.gone() {
		e.desk.Toast(Toast{Text: reason, Bad: true})
		return
	}
	cause, step := model.Step(reason)
	body := []fyne.CanvasObject{verdict(fynetheme.ErrorIcon(), fynetheme.ColorNameError, lang.Say("docker.egress.failed.text", "Name", e.context.Name), ""), quoted(cause)}
	if step != "" {
		body = append(body, copied(e.desk, step))
	}
	body = append(body, part.NewMuted(lang.Say("docker.egress.failed.kept")).Giving())
	e.modal.set(body, instead(e.modal.cancel("docker.egress.drop"), func() { e.undo(); e.modal.close() }),
		e.modal.cancel("docker.close"), meant(lang.Say("docker.again"), func() { e.use(e.uses) }))
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
				e.desk.Toast(Toast{Text: err.Error(), Bad: true})
			}
		}
	})
}
