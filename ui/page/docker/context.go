package docker

import (
	"fmt"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// open shows a context at the side.
func (c *contexts) open(name string) {
	c.detail = name
	c.details()
}

func (c *contexts) details() {
	x, ok := c.model.Get(c.detail)
	if !ok {
		c.side.Shut()
		return
	}
	r, asked := c.model.ReportOf(x.Name)
	share, shared := c.desk.Shares.Get(x.Name)
	told := fmt.Sprintf("%+v %+v %v %+v %v", x, r, asked, share, words.Ago(&share.Since, c.now))
	if c.side.Shown() && told == c.told {
		return // else whoever is on one of its buttons would lose it
	}
	c.told = told
	below := x.Description
	var objects []fyne.CanvasObject
	if x.Mark != nil {
		objects = append(objects, part.HBox(0, part.NewBadge(x.Mark.Word, markColours[model.NamedColour(x.Mark.Colour)])))
	}
	objects = append(objects, c.buttons(x))
	if x.Wins {
		objects = append(objects, part.NewNotice(fynetheme.ConfirmIcon(), fynetheme.ColorNameSuccess, lang.Say("docker.detail.in_force")+" "+whyText(x)))
	}
	if x.Error != "" {
		objects = append(objects, part.NewNotice(fynetheme.WarningIcon(), fynetheme.ColorNameError, x.Error))
	} else if asked && r.Error != "" {
		cause, step := model.Step(strings.TrimPrefix(r.Error, x.Name+": "))
		objects = append(objects, part.NewNotice(fynetheme.WarningIcon(), fynetheme.ColorNameError, words.Because(r.Cause, cause)))
		if step != "" {
			objects = append(objects, part.NewCommand(step, c.desk.Copy))
		}
	}
	if shared {
		objects = append(objects, part.NewSection(lang.Say("docker.share.title"), c.shared(share)...))
	}
	objects = append(objects, part.NewSection(lang.Say("docker.detail.engine"), part.NewFacts(c.desk.Copy, c.facts(x, r)...)))
	if len(x.Cures) > 0 && (!shared || share.Over()) {
		cures := []fyne.CanvasObject{part.NewNotice(fynetheme.InfoIcon(), theme.Muted, lang.Say("docker.detail.elsewhere"))}
		for _, cure := range x.Cures {
			cures = append(cures, part.NewCommand(cure.Command, c.desk.Copy))
		}
		objects = append(objects, part.NewSection(lang.Say("docker.detail.cures"), cures...))
	}
	c.side.Open(x.Name, below, objects...)
}

func (c *contexts) facts(x model.Context, r model.ContextReport) []part.Fact {
	list := []part.Fact{{Label: lang.Say("docker.column.host"), Value: x.Host, Mono: true, Copied: x.Host}}
	if x.TLS {
		list = append(list, part.Fact{Label: lang.Say("docker.detail.tls"), Value: lang.Say("docker.detail.tls_yes")})
	}
	if !r.Reachable {
		return list
	}
	list = append(list,
		part.Fact{Label: lang.Say("docker.detail.version"), Value: strings.TrimSpace(r.Engine + "  " + r.System)},
		part.Fact{Label: lang.Say("docker.column.latency"), Value: words.Span(r.Latency)},
		part.Fact{Label: lang.Say("docker.detail.images"), Value: strconv.Itoa(r.Images)},
		part.Fact{Label: lang.Say("docker.column.running.title"), Value: lang.Say("docker.detail.containers", "Count", r.Running)},
		part.Fact{Label: lang.Say("docker.detail.mirrors"), Value: strings.Join(r.Mirrors, ", ")},
		part.Fact{Label: lang.Say("docker.detail.proxy"), Value: r.Proxy})
	if r.Disk >= 0 {
		list = append(list, part.Fact{Label: lang.Say("docker.column.disk"), Value: words.Bytes(r.Disk), Tip: lang.Say("docker.detail.disk_tip")})
	}
	return list
}

// buttons are what can be done with a context.
func (c *contexts) buttons(x model.Context) fyne.CanvasObject {
	first, second := part.HBox(6), part.HBox(6)
	if !x.Wins {
		first.Add(part.NewMeant(lang.Say("docker.context.use"), func() { c.use(x.Name) }).Saying(lang.Say("docker.context.use") + " " + x.Name))
	}
	if x.SSH() {
		if _, shared := c.desk.Shares.Get(x.Name); !shared {
			first.Add(part.NewButton(lang.Say("docker.share.start"), func() { shareSheet(c.desk, x) }).Saying(lang.Say("docker.share.ask", "Name", x.Name)))
		}
		first.Add(part.NewButton(lang.Say("docker.egress.start"), func() { egressSheet(c.desk, x, c.registries) }).Saying(lang.Say("docker.egress.ask", "Name", x.Name)))
	}
	if !x.Fixed() {
		into := second
		if len(first.Objects) < 2 {
			into = first
		}
		into.Add(part.NewButton(lang.Say("docker.context.edit"), func() { contextForm(c.desk, &x, nil, c.again) }).Saying(lang.Say("docker.form.edit", "Name", x.Name)))
		into.Add(part.NewButton(lang.Say("docker.context.remove"), func() { c.remove(x.Name) }).Saying(lang.Say("docker.context.remove") + " " + x.Name))
	}
	rows := part.VBox(6)
	for _, r := range []*fyne.Container{first, second} {
		if len(r.Objects) > 0 {
			rows.Add(r)
		}
	}
	return rows
}
