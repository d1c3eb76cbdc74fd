package settings

import (
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// authorityCard is the local certificate authority: what it may sign for, until when, and who trusts it.
type authorityCard struct {
	page   *Page
	list   []shownAuthority
	known  bool
	asking bool
	busy   bool
	failed string

	skeleton                       fyne.CanvasObject
	valid, print, names, trusts    *row
	until, count, trusters         *part.Text
	copySum                        *part.Copy
	trust, untrust, rotate, export *part.Button
	note                           *widget.Label
	facts                          *fyne.Container
	root                           fyne.CanvasObject
}

// shownAuthority is what `pulley ca show --json` prints of one.
type shownAuthority struct {
	control.CA
	TrustedIn []model.TrustStore `json:"trusted_in"`
}

// trustAnswer is what `pulley ca trust --json` and `untrust` print.
type trustAnswer struct {
	Trusted bool `json:"trusted"`
	Stores  []struct {
		Store   string `json:"store"`
		Done    bool   `json:"done"`
		Command string `json:"command"` // what an administrator has to do
		Error   string `json:"error"`
	} `json:"stores"`
}

// needsRoot tells whether an administrator could do what was not done.
func (a trustAnswer) needsRoot() bool {
	for _, s := range a.Stores {
		if !s.Done && s.Command != "" {
			return true
		}
	}
	return false
}

// expiresSoon is how long before its end an authority is to be renewed.
const expiresSoon = 30 * 24 * time.Hour

func newAuthorityCard(s *Page) *authorityCard {
	c := &authorityCard{page: s, skeleton: part.NewSkeleton(4), until: part.NewText(""), count: part.NewMuted(""), trusters: part.NewText("").Giving()}
	c.copySum = part.NewCopy(lang.Say("settings.ca_print"), func() string { return c.current().SHA256 }, s.desk.Copy)
	c.trusts = newRow("ca.trusted", lang.Say("settings.ca_trusted"), lang.Say("settings.ca_trusted_hint"), fixedRight(wide, c.trusters))
	c.valid = newRow("ca.valid", lang.Say("settings.ca_valid"), "", c.until)
	c.print = newRow("ca.sha256", lang.Say("settings.ca_print"), " ", c.copySum)
	c.names = newRow("ca.names", lang.Say("settings.ca_names"), " ", c.count)
	for _, r := range []*row{c.valid, c.print, c.names} {
		r.rule(true)
	}
	c.trust = part.NewButton(lang.Say("settings.ca_trust"), func() { c.change("trust") })
	c.untrust = part.NewButton(lang.Say("settings.ca_untrust"), func() { c.change("untrust") })
	c.rotate = part.NewButton(lang.Say("settings.ca_rotate"), c.renew)
	c.export = part.NewButton(lang.Say("settings.ca_export"), c.save)
	c.note = newNote()
	c.facts = part.VBox(0, c.trusts, c.valid, c.print, c.names)
	c.root = part.VBox(4, c.skeleton, c.facts, flushNote(c.note), part.HBox(8, c.trust, c.untrust, c.rotate, c.export))
	return c
}

// newNote is a line of second rank that wraps.
func newNote() *widget.Label {
	note := widget.NewLabel("")
	note.Wrapping, note.SizeName = fyne.TextWrapWord, theme.SizeSmall
	note.Hide()
	return note
}

// flushNote lets a note begin where other text does: a label has room of its own around it.
func flushNote(note *widget.Label) fyne.CanvasObject {
	return container.New(layout.NewCustomPaddedLayout(0, 0, -7, 0), note)
}

// tell changes a note; "" takes it away.
func tell(note *widget.Label, text string, importance widget.Importance) {
	if note.Text != text || note.Importance != importance {
		note.Importance = importance
		note.SetText(text)
	}
	part.Show(note, text != "")
}

// current is the authority that signs.
func (c *authorityCard) current() shownAuthority {
	for _, a := range c.list {
		if !a.Retired {
			return a
		}
	}
	return shownAuthority{}
}

func (c *authorityCard) words() []string {
	return append([]string{"certificate", "CA", "SHA-256"}, c.current().Permitted...)
}

// ask asks the command line, which alone knows who trusts it.
func (c *authorityCard) ask() {
	if c.asking || c.page.desk.Tool == nil {
		return
	}
	c.asking = true
	c.page.desk.Work(func(ctx context.Context) func() {
		var list []shownAuthority
		err := c.page.desk.Tool.Run(ctx, &list, "ca", "show")
		return func() {
			c.asking = false
			if err != nil {
				c.failed = words.Reason(err)
			} else {
				c.list, c.known, c.failed = list, true, ""
			}
			c.page.render()
		}
	})
}

func (c *authorityCard) show() {
	a := c.current()
	part.Show(c.skeleton, !c.known && c.failed == "")
	part.Show(c.facts, c.known && a.SHA256 != "")
	now := c.page.now
	c.until.Set(lang.Say("settings.ca_until", "Date", words.Date(a.NotAfter, now)))
	note := ""
	if left := a.NotAfter.Sub(now); c.known && left < expiresSoon && a.SHA256 != "" {
		note = lang.Say("settings.ca_soon", "Span", words.Span(max(left, 0)))
	}
	c.valid.say(note, widget.WarningImportance)
	c.print.explain(fingerprint(a.SHA256))
	c.names.explain(strings.Join(a.Permitted, ", "))
	c.count.Set(lang.Say("settings.ca_count", "Count", len(a.Permitted)))
	trusters := lang.Say("settings.ca_nobody")
	if len(a.TrustedIn) > 0 {
		names := make([]string, len(a.TrustedIn))
		for i, t := range a.TrustedIn {
			names[i] = t.Name()
		}
		trusters = words.List(names...)
	}
	c.trusters.Set(trusters)
	if c.failed != "" {
		tell(c.note, c.failed, widget.DangerImportance)
	} else if !c.busy {
		tell(c.note, "", widget.MediumImportance)
	}
	part.Enable(c.trust, !c.busy && c.known)
	importance := widget.MediumImportance
	if c.known && len(a.TrustedIn) == 0 {
		importance = widget.HighImportance // it is what is left to do
	}
	if c.trust.Importance != importance {
		c.trust.Importance = importance
		c.trust.Refresh()
	}
	part.Show(c.untrust, len(a.TrustedIn) > 0)
	part.Enable(c.untrust, !c.busy)
	part.Enable(c.rotate, !c.busy && c.page.desk.Daemon() != nil)
	part.Enable(c.export, !c.busy && c.known)
}

// fingerprint sets a digest in groups, as it is compared.
func fingerprint(hex string) string {
	var groups []string
	for part := range slices.Chunk([]byte(strings.ToUpper(hex)), 4) {
		groups = append(groups, string(part))
	}
	return strings.Join(groups, " ")
}

// change has this system trust the authority, or trust it no more: as the person first, and as an administrator for what is left.
func (c *authorityCard) change(what string) {
	tool := c.page.desk.Tool
	if tool == nil || c.busy {
		return
	}
	c.begin(lang.Say("settings.ca_working"))
	c.page.desk.Work(func(ctx context.Context) func() {
		var answer trustAnswer
		err := tool.Run(ctx, &answer, "ca", what)
		if answer.needsRoot() {
			answer = trustAnswer{}
			err = tool.AsRoot(ctx, &answer, "ca", what)
		}
		return func() {
			if what == "untrust" {
				c.end(err, lang.Say("settings.ca_untrust_done"), func() { c.change("trust") })
				return
			}
			c.end(err, lang.Say("settings.ca_trust_done"), nil)
		}
	})
}

// renew makes new keys.
func (c *authorityCard) renew() {
	c.begin(lang.Say("settings.ca_working"))
	c.page.call(func(ctx context.Context, d page.Daemon) error { return d.RotateCA(ctx) }, func(err error) {
		c.end(err, lang.Say("settings.ca_rotate_done"), nil)
	})
}

// save writes the certificates to a file.
func (c *authorityCard) save() {
	c.page.desk.Files.Save(lang.Say("settings.ca_export"), "pulley-ca.crt", func(path string) {
		c.begin(lang.Say("settings.ca_working"))
		c.page.desk.Work(func(ctx context.Context) func() {
			var pem struct {
				PEM string `json:"pem"`
			}
			err := c.page.desk.Tool.Run(ctx, &pem, "ca", "export")
			if err == nil {
				err = os.WriteFile(path, []byte(pem.PEM), 0o644) //nolint:gosec // a certificate is there to be read
			}
			return func() { c.end(err, lang.Say("settings.ca_export_done", "Path", path), nil) }
		})
	})
}

func (c *authorityCard) begin(text string) {
	c.busy, c.failed = true, ""
	tell(c.note, text, widget.MediumImportance)
	c.page.render()
}

// end says what came of it; undo takes it back, nil: nothing can.
func (c *authorityCard) end(err error, done string, undo func()) {
	c.busy = false
	if err != nil {
		c.failed = words.Reason(err)
	} else {
		c.page.desk.Toast(page.Toast{Text: done, Undo: undo})
		c.ask()
	}
	c.page.render()
}
