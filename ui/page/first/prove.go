package first

import (
	"context"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/page/engine"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// proofImage is what is pulled to prove it: small, and what everybody has heard of.
const proofImage = "docker.io/library/alpine:latest"

// proveStep is the step in which an image is pulled, twice, to see where it comes from.
type proveStep struct {
	*stage

	first   *Page
	engine  *model.Engine // that pulls it too; nil: none is connected
	pulse   model.Pulse
	running bool

	cold, warm *model.TestPull // nil: not yet
	proof      string          // what the engine's pull showed
	unproven   error           // or why it showed nothing
	asked      bool            // the engine was asked

	lines [3]*proofLine
}

func newProveStep(f *Page) *proveStep {
	p := &proveStep{stage: newStage(f), first: f}
	for i := range p.lines {
		p.lines[i] = newProofLine()
	}
	return p
}

func (p *proveStep) body() fyne.CanvasObject { return p.box }

func (p *proveStep) result() string {
	if p.warm == nil || p.cold == nil {
		return ""
	}
	return lang.Say("first.prove.result", "Cold", words.Span(p.cold.Took), "Warm", words.Span(p.warm.Took))
}

func (p *proveStep) enter() {
	p.engine = nil
	if e, ok := p.first.steps[model.EngineStep].(*engineStep); ok {
		if list := e.connected(); len(list) > 0 {
			p.engine = &list[0]
		}
	}
	p.draw()
}

func (p *proveStep) draw() {
	about := part.NewProse(lang.Say("first.prove.about", "Image", "alpine"))
	if p.first.desk.Daemon() == nil {
		p.set(about, part.NewNotice(fynetheme.InfoIcon(), theme.Muted, lang.Say("docker.no_daemon")), p.first.buttons(model.ProveStep))
		return
	}
	objects := []fyne.CanvasObject{about}
	if p.running || p.cold != nil {
		list := part.VBox(0)
		for i, l := range p.lines {
			if i == 2 && p.engine == nil {
				break
			}
			if i > 0 {
				list.Add(part.NewRule())
			}
			list.Add(l.root)
		}
		card := part.NewSheet(list)
		card.Padding = fyne.NewSize(1, 1)
		objects = append(objects, card)
		p.update()
	}
	switch {
	case p.running:
		objects = append(objects, p.first.buttons(model.ProveStep))
	case p.over():
		objects = append(objects, p.first.buttons(model.ProveStep, part.NewMeant(lang.Say("first.prove.finish"), func() { p.first.finished(model.ProveStep) })))
	default:
		key := "first.prove.do"
		if p.cold != nil {
			key = "docker.again"
		}
		objects = append(objects, p.first.buttons(model.ProveStep, part.NewMeant(lang.Say(key), p.do)))
	}
	p.set(objects...)
}

// over says that both pulls went well.
func (p *proveStep) over() bool {
	return p.cold != nil && p.cold.Error == "" && p.warm != nil && p.warm.Error == "" && (p.engine == nil || p.asked)
}

// update shows how far it is.
func (p *proveStep) update() {
	p.lines[0].pull(lang.Say("first.prove.first"), p.cold, p.running && p.cold == nil, &p.pulse)
	p.lines[1].pull(lang.Say("first.prove.again"), p.warm, p.running && p.cold != nil && p.warm == nil, &p.pulse)
	if p.engine != nil {
		p.lines[2].engine(lang.Say("first.prove.engine", "Engine", p.engine.Name), p.proof, p.unproven, p.running && p.warm != nil)
	}
}

// do pulls twice, and then has the engine pull.
func (p *proveStep) do() {
	daemon, tool := p.first.desk.Daemon(), p.first.desk.Tool
	if daemon == nil || p.running {
		return
	}
	p.running, p.cold, p.warm, p.proof, p.unproven, p.asked, p.pulse = true, nil, nil, "", nil, false, model.Pulse{}
	pick := p.engine
	p.draw()
	p.first.desk.Work(func(ctx context.Context) func() {
		cold := p.pull(ctx, daemon)
		fyne.Do(func() { p.cold = &cold; p.pulse = model.Pulse{}; p.update() })
		var warm model.TestPull
		var proof string
		var unproven error
		if cold.Error == "" {
			warm = p.pull(ctx, daemon)
			fyne.Do(func() { p.warm = &warm; p.update() })
		}
		if pick != nil && tool != nil && cold.Error == "" {
			did, err := engine.Wire(ctx, tool, false, []string{"connect", pick.ID, "--" + pick.Wired.Way, "--yes", "--test", proofImage})
			proof, unproven = did.Proof, err
		}
		return func() {
			p.running, p.proof, p.unproven, p.asked = false, proof, unproven, pick != nil && cold.Error == ""
			p.draw()
		}
	})
}

// pull has the daemon fetch the image, and sees where its bytes come from.
func (p *proveStep) pull(ctx context.Context, daemon page.Daemon) model.TestPull {
	var seen model.Pulse
	var last time.Time
	begin := time.Now()
	pulled, err := daemon.Pull(ctx, control.Pull{Images: []control.PullImage{{Image: proofImage}}}, func(one control.Pulling) {
		seen.Heard(one)
		if at := time.Now(); at.Sub(last) >= page.Glance || one.Done {
			last = at
			fyne.Do(func() { p.pulse.Heard(one); p.update() })
		}
	})
	got := seen.TestPull(time.Since(begin))
	switch {
	case err != nil:
		got.Error = words.Reason(err)
	case len(pulled.Images) > 0 && pulled.Images[0].Error != "":
		got.Error = pulled.Images[0].Error
	case len(pulled.Images) > 0:
		got.Bytes, got.Fetched = pulled.Images[0].Size, pulled.Images[0].Fetched
	}
	return got
}

// undo removes the image, unless it was there before.
func (p *proveStep) undo() {
	if p.cold == nil || p.cold.Cached() {
		p.cold, p.warm, p.asked = nil, nil, false
		p.first.undone(model.ProveStep)
		return
	}
	d := p.first.desk
	daemon := d.Daemon()
	if daemon == nil {
		d.Toast(page.Toast{Text: lang.Say("docker.no_daemon"), Bad: true})
		return
	}
	d.Work(func(ctx context.Context) func() {
		_, err := daemon.RemoveImage(ctx, proofImage)
		return func() {
			if err != nil {
				d.Toast(page.Toast{Text: words.Reason(err), Bad: true})
			}
			p.cold, p.warm, p.asked = nil, nil, false
			p.first.undone(model.ProveStep)
		}
	})
}

// proofLine is one pull: what it was, how it goes, and what came of it.
type proofLine struct {
	title, said, aside *part.Text
	bar                *part.Meter
	root               fyne.CanvasObject
}

func newProofLine() *proofLine {
	l := &proofLine{title: part.NewText("").Bold().Giving(), said: part.NewMuted("").Giving(), aside: part.NewText(""), bar: part.NewMeter()}
	l.bar.Height = 4
	l.root = container.New(&proofLayout{}, l.title, l.said, l.aside, l.bar)
	return l
}

func (l *proofLine) set(title, said, aside string, tint fyne.ThemeColorName) {
	l.title.Set(title)
	l.said.Tint(tint)
	l.said.Set(said)
	l.aside.Set(aside)
	l.root.Refresh()
}

func (l *proofLine) pull(title string, t *model.TestPull, running bool, pulse *model.Pulse) {
	part.Show(l.bar, running)
	switch {
	case running:
		have, size := pulse.Have()
		share := 0.0
		if size > 0 {
			share = float64(have) / float64(size)
		}
		l.bar.Set(part.Share{Part: share, Color: theme.Cached})
		l.set(title, lang.Say("first.prove.running"), words.Bytes(have), theme.Muted)
	case t == nil:
		l.set(title, lang.Say("first.prove.waiting"), "", theme.Muted)
	case t.Error != "":
		l.set(title, t.Error, "", fynetheme.ColorNameError)
	default:
		l.set(title, fromWhom(*t), lang.Say("first.prove.speed", "Size", words.Bytes(t.Bytes), "Took", words.Span(t.Took)), fynetheme.ColorNameSuccess)
	}
}

// fromWhom says where a pull's bytes came from, and how fast.
func fromWhom(t model.TestPull) string {
	if t.Cached() {
		return lang.Say("first.prove.cached", "Rate", words.Rate(t.Rate()))
	}
	var names []string
	for _, name := range t.Sources {
		names = append(names, page.Source(name))
	}
	if len(names) == 0 {
		return lang.Say("first.prove.net", "Rate", words.Rate(t.Rate()))
	}
	return lang.Say("first.prove.from", "Sources", words.List(names...), "Rate", words.Rate(t.Rate()))
}

func (l *proofLine) engine(title, proof string, unproven error, running bool) {
	part.Show(l.bar, false)
	switch {
	case running:
		l.set(title, lang.Say("first.prove.running"), "", theme.Muted)
	case unproven != nil:
		l.set(title, unproven.Error(), "", fynetheme.ColorNameError)
	case proof != "":
		l.set(title, proof, "", fynetheme.ColorNameSuccess)
	default:
		l.set(title, lang.Say("first.prove.waiting"), "", theme.Muted)
	}
}

// proofLayout is two lines of text, an amount at the right, and a bar below.
type proofLayout struct{}

// MinSize implements fyne.Layout.
func (*proofLayout) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(400, 54) }

// Layout implements fyne.Layout.
func (*proofLayout) Layout(o []fyne.CanvasObject, size fyne.Size) {
	const side = 14
	title, said, aside := o[0].MinSize(), o[1].MinSize(), o[2].MinSize()
	room := size.Width - 2*side - aside.Width - 12
	top := (size.Height - title.Height - said.Height - 2) / 2
	o[0].Move(fyne.NewPos(side, top))
	o[0].Resize(fyne.NewSize(room, title.Height))
	o[1].Move(fyne.NewPos(side, top+title.Height+2))
	o[1].Resize(fyne.NewSize(room, said.Height))
	o[2].Move(fyne.NewPos(size.Width-side-aside.Width, (size.Height-aside.Height)/2))
	o[2].Resize(aside)
	o[3].Move(fyne.NewPos(side, size.Height-7))
	o[3].Resize(fyne.NewSize(size.Width-2*side, 4))
}
