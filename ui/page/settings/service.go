package settings

import (
	"context"
	"time"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/words"
)

// serviceCard is the daemon in the background, kept running by the system.
type serviceCard struct {
	page   *Page
	status serviceStatus
	known  bool
	asking bool
	busy   bool
	failed string

	skeleton                        fyne.CanvasObject
	state                           *row
	badge                           *part.Badge
	log                             *row
	install, uninstall, start, stop *part.Button
	note                            *widget.Label
	root                            fyne.CanvasObject
}

// serviceStatus is what `pulley service status --json` prints.
type serviceStatus struct {
	Kind      string     `json:"kind"`
	Installed bool       `json:"installed"`
	Running   bool       `json:"running"`
	PID       int        `json:"pid"`
	Since     *time.Time `json:"since"`
	Unit      string     `json:"unit"`
	Log       string     `json:"log"`
	Detail    string     `json:"detail"`
	Hints     []string   `json:"hints"`
}

func newServiceCard(s *Page) *serviceCard {
	c := &serviceCard{page: s, skeleton: part.NewSkeleton(2), badge: part.NewBadge("", ""), note: newNote()}
	c.state = newRow("service", lang.Say("settings.service_label"), " ", part.NewTip(c.badge, c.exactly))
	c.log = newRow("service.log", lang.Say("settings.service_log"), " ", part.NewCopy("", func() string { return c.status.Log }, s.desk.Copy))
	c.log.rule(true)
	do := func(key, what string) *part.Button {
		return part.NewButton(lang.Say(key), func() { c.do(what) })
	}
	c.install, c.uninstall = do("settings.service_install", "install"), do("settings.service_uninstall", "uninstall")
	c.start, c.stop = do("settings.service_start", "start"), do("settings.service_stop", "stop")
	c.root = part.VBox(6, c.skeleton, c.state, c.log, flushNote(c.note), part.HBox(8, c.install, c.start, c.stop, c.uninstall))
	return c
}

// serviceNone is the kind of a machine that keeps no services.
const serviceNone = "none"

// exactly is when the daemon was started.
func (c *serviceCard) exactly() string {
	if c.status.Since == nil {
		return ""
	}
	return words.Exact(*c.status.Since, c.page.now)
}

func (c *serviceCard) words() []string {
	return []string{"service", "systemd", "launchd", c.status.Kind, c.status.Unit}
}

func (c *serviceCard) ask() {
	if c.asking || c.page.desk.Tool == nil {
		return
	}
	c.asking = true
	c.page.desk.Work(func(ctx context.Context) func() {
		var status serviceStatus
		err := c.page.desk.Tool.Run(ctx, &status, "service", "status")
		return func() {
			c.asking = false
			c.heard(status, err)
		}
	})
}

func (c *serviceCard) heard(status serviceStatus, err error) {
	if err != nil {
		c.failed = words.Reason(err)
	} else {
		c.status, c.known, c.failed = status, true, ""
	}
	c.page.render()
}

func (c *serviceCard) do(what string) {
	if c.busy || c.page.desk.Tool == nil {
		return
	}
	c.busy, c.failed = true, ""
	c.page.render()
	c.page.desk.Work(func(ctx context.Context) func() {
		var status serviceStatus
		err := c.page.desk.Tool.Run(ctx, &status, "service", what)
		return func() {
			c.busy = false
			if err == nil && what == "uninstall" {
				c.page.desk.Toast(page.Toast{Text: lang.Say("settings.service_gone"), Undo: func() { c.do("install") }})
			}
			c.heard(status, err)
		}
	})
}

func (c *serviceCard) show() {
	s := c.status
	part.Show(c.skeleton, !c.known && c.failed == "")
	part.Show(c.state, c.known)
	part.Show(c.log, c.known && s.Log != "")
	c.log.explain(s.Log)
	switch {
	case s.Running:
		c.badge.Set(lang.Say("settings.service_runs"), fynetheme.ColorNameSuccess)
	case s.Installed:
		c.badge.Set(lang.Say("settings.service_stopped"), fynetheme.ColorNameWarning)
	default:
		c.badge.Set(lang.Say("settings.service_none"), "")
	}
	hint := lang.Say("settings.service_hint")
	if s.Running && s.Since != nil {
		hint = lang.Say("settings.service_since", "Kind", s.Kind, "Ago", words.Ago(s.Since, c.page.now))
	} else if s.Installed {
		hint = s.Kind
	}
	c.state.explain(hint)
	switch {
	case c.known && !s.Installed && s.Kind == serviceNone:
		tell(c.note, s.Detail, widget.MediumImportance)
	case c.busy:
		tell(c.note, lang.Say("settings.ca_working"), widget.MediumImportance)
	case c.failed != "":
		tell(c.note, c.failed, widget.DangerImportance)
	case len(s.Hints) > 0:
		tell(c.note, s.Hints[0], widget.MediumImportance)
	default:
		tell(c.note, "", widget.MediumImportance)
	}
	usable := c.known && !c.busy
	for _, one := range []struct {
		b  *part.Button
		on bool
	}{{c.install, !s.Installed && s.Kind != serviceNone}, {c.uninstall, s.Installed}, {c.start, s.Installed && !s.Running}, {c.stop, s.Running && s.Installed}} {
		part.Show(one.b, one.on)
		part.Enable(one.b, usable)
	}
}
