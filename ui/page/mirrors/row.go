package mirrors

import (
	"image/color"
	"net/url"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// row is one source of a registry.
type row struct {
	page *Page
	of   model.Named
	last control.Source

	name   *part.Text
	badges [2]*fyne.Container // it is asked first now; it is the fastest
	state  *part.Text
	quota  *part.Meter
	used   *part.Text
	quotas fyne.CanvasObject
	speed  *speed
	test   *part.IconButton
	more   *part.IconButton
	on     *part.Switch
	lead   *part.Plate
	facts  *facts
	root   *fyne.Container
	inset  *fyne.Container // the row as it stands where there are no handles
}

func newRow(page *Page, of model.Named) *row {
	r := &row{
		page: page, of: of, name: part.NewText(source(of.Name)).Bold(),
		state: part.NewMuted("").Giving(), quota: part.NewMeter(), used: part.NewMuted(""), speed: newSpeed(), facts: newFacts(page),
	}
	r.quota.Height = 4
	r.quotas = part.HBox(7, part.Middle(container.New(part.FixedWidth(52), r.quota)), r.used)
	r.test = part.NewIconButton(fynetheme.MediaPlayIcon(), lang.Say("mirrors.test", "Name", r.name.Words()), func() { page.measure(of.Registry, of.Name) })
	r.more = part.NewIconButton(fynetheme.MoreHorizontalIcon(), lang.Say("mirrors.more", "Name", r.name.Words()), func() { part.OpenMenu(r.menu(), r.more) })
	r.on = part.NewSwitch(func(on bool) { page.flip(of, on) })
	r.on.Label = r.name.Words()
	first, fastest := part.NewBadge(lang.Say("mirrors.first"), fynetheme.ColorNameSuccess), part.NewBadge(lang.Say("mirrors.fastest"), "")
	r.badges = [2]*fyne.Container{container.NewVBox(first), container.NewVBox(fastest)}
	strut := canvas.NewRectangle(color.Transparent) // rows with badges are no higher than others
	strut.SetMinSize(fyne.NewSize(0, first.MinSize().Height))
	titles := container.New(layout.NewCustomPaddedHBoxLayout(7), part.Middle(r.name), r.badges[0], r.badges[1], strut)
	r.lead = part.NewPlate(part.VBox(1, titles, part.Border(nil, nil, nil, r.quotas, r.state)), r.name.Words(), func() { page.detail.toggle(of) })
	right := part.HBox(2, part.Middle(container.New(part.FixedWidth(speedWidth), r.speed.root)), fixedGap(8), part.Middle(r.test), part.Middle(container.New(part.FixedWidth(28), r.more)), part.Middle(container.New(part.FixedWidth(54), r.on)))
	main := container.New(layout.NewCustomPaddedLayout(1, 1, 0, 0), part.Between(r.lead, right))
	r.root = part.VBox(0, main, r.facts.root)
	r.inset = container.New(layout.NewCustomPaddedLayout(0, 0, closedInset, 0), r.root)
	return r
}

// speedWidth has room for a speed and a first byte side by side in every language.
const speedWidth = 148

func (r *row) show(s control.Source) {
	r.last = s
	condition := model.ConditionOf(s)
	trial, tested := r.page.sources.Trial(r.of)
	registry, _ := r.page.registry()
	best := registry.Best == s.Name && registry.Route == "auto" && s.Enabled
	part.Show(r.badges[0], best)
	fastest, top := r.page.sources.Fastest(r.of.Registry)
	part.Show(r.badges[1], fastest == s.Name)
	text, color := r.stateText(s, condition, trial, tested)
	r.state.Tint(color)
	r.state.Set(text)
	nameColor := fynetheme.ColorNameForeground
	if !s.Enabled {
		nameColor = theme.Muted
	}
	r.name.Tint(nameColor)
	part.Show(r.quotas, s.Quota > 0 && s.Enabled && !tested) // what a test says needs the room
	r.showQuota(s)
	rate, firstByte := r.page.sources.Speed(s)
	r.speed.show(s.Enabled || tested, trial, rate, firstByte, top, fastest == s.Name)
	part.Enable(r.test, r.page.tests == nil && s.Style != styleShared)
	part.Show(r.more, !s.Origin)
	part.Show(r.on, !s.Origin)
	r.on.Set(s.Enabled)
	r.facts.show(s, trial, tested, r.page.detail.open[r.of], r.page.now)
	lead := lang.Say("mirrors.lead_open", "Text", strings.Join([]string{r.name.Words(), text}, ", "))
	if r.page.detail.open[r.of] {
		lead = lang.Say("mirrors.lead_close", "Text", strings.Join([]string{r.name.Words(), text}, ", "))
	}
	r.lead.Label = lead
}

// styleShared is the style of the shared store among sources.
const styleShared = "store"

func (r *row) showQuota(s control.Source) {
	if s.Quota <= 0 {
		return
	}
	share, color := float64(s.QuotaUsed)/float64(s.Quota), theme.Cached
	if share > 0.9 {
		color = fynetheme.ColorNameWarning
	}
	r.quota.Set(part.Share{Part: min(share, 1), Color: color})
	r.used.Set(quotaText(s))
}

// quotaText is how much of a quota is used, the unit said once where that is enough: "3.2 of 10 GiB".
func quotaText(s control.Source) string {
	used, quota := words.Bytes(s.QuotaUsed), words.Bytes(s.Quota)
	amount, unit, _ := strings.Cut(used, " ")
	if strings.HasSuffix(quota, " "+unit) {
		used = amount
	}
	return lang.Say("mirrors.quota_used", "Used", used, "Quota", quota)
}

// stateText is the second line: what matters most, in its colour.
func (r *row) stateText(s control.Source, c model.Condition, t model.Trial, tested bool) (string, fyne.ThemeColorName) {
	switch {
	case tested && t.Running && t.Far.FirstByte == 0:
		return lang.Say("mirrors.testing"), theme.Muted
	case tested && t.Running:
		return lang.Say("mirrors.testing_far", "Bytes", words.Bytes(t.Far.Bytes), "Size", words.Bytes(t.Far.Size)), theme.Muted
	case tested && t.Failed != "":
		return t.Failed, fynetheme.ColorNameError
	case tested && (t.Report.Error != "" || !t.Report.Reachable):
		return lang.Say("mirrors.test_failed", "Reason", words.Because(t.Report.Cause, t.Report.Error)), fynetheme.ColorNameError
	case tested:
		return reportText(t.Report, s.Origin)
	}
	return conditionText(s, c, r.page.now), differing(c)
}

// reportText is what a test found out beside the speed.
func reportText(r control.MirrorReport, origin bool) (string, fyne.ThemeColorName) {
	ranges := ""
	if !r.Ranges {
		ranges = lang.Say("mirrors.no_ranges")
	}
	join := func(first string) string {
		return strings.Join(slices.DeleteFunc([]string{first, ranges}, func(s string) bool { return s == "" }), " · ")
	}
	switch {
	case origin:
		return join(lang.Say("mirrors.reached")), fynetheme.ColorNameSuccess
	case r.Agrees == "yes":
		return join(lang.Say("mirrors.agrees")), fynetheme.ColorNameSuccess
	case r.Agrees == "no":
		return join(lang.Say("mirrors.disagrees")), fynetheme.ColorNameWarning
	default:
		return join(lang.Say("mirrors.agrees_unknown")), theme.Muted
	}
}

// conditionText is how a source stands when nothing was tested.
func conditionText(s control.Source, c model.Condition, now time.Time) string {
	switch c {
	case model.SourceClosed:
		return lang.Say("mirrors.closed_since", "Since", s.Closed, "About", aboutOf(s))
	case model.SourceOff:
		if s.Needs != "" {
			return lang.Say("mirrors.needs", "Needs", needsOf(s))
		}
		return aboutOf(s)
	case model.SourceSpent:
		if s.QuotaEnds != nil {
			return lang.Say("mirrors.spent_until", "Until", words.Moment(*s.QuotaEnds, now))
		}
		return lang.Say("mirrors.spent")
	case model.SourceWaits:
		if s.Until != nil {
			return lang.Say("mirrors.waits_until", "Until", words.Moment(*s.Until, now), "Why", words.Because(s.Cause, s.Why))
		}
		return lang.Say("mirrors.waits", "Why", words.Because(s.Cause, s.Why))
	case model.SourceDiffers:
		return lang.Say("mirrors.differs", "Image", model.FamiliarRef(s.Differs[0].Image), "Ago", words.Ago(&s.Differs[0].At, now))
	case model.SourceUnproven:
		return lang.Say("mirrors.unproven", "About", aboutOf(s))
	default:
		if s.Origin {
			return lang.Say("mirrors.origin_about")
		}
		if s.Quota > 0 {
			return aboutOf(s) // the quota stands beside it
		}
		return lang.Say("mirrors.ready", "About", aboutOf(s))
	}
}

// hostOf is the host of a URL, or all of it where there is none.
func hostOf(text string) string {
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		return u.Host
	}
	return text
}

// menu is what else can be done.
func (r *row) menu() *fyne.Menu {
	s, page := r.last, r.page
	items := []*fyne.MenuItem{
		fyne.NewMenuItem(lang.Say("mirrors.menu_test"), func() { page.measure(r.of.Registry, r.of.Name) }),
		fyne.NewMenuItem(lang.Say("mirrors.menu_copy"), func() { page.desk.Copy(s.URL) }),
	}
	if s.Place > 0 {
		items = append(items, fyne.NewMenuItem(lang.Say("mirrors.menu_only"), func() {
			page.desk.Do(model.Action{Verb: model.SetRoute, Registry: r.of.Registry, Route: r.of.Name})
		}))
		items[2].Disabled = !s.Enabled
		remove := lang.Say("mirrors.menu_remove", "Name", s.Name)
		if s.BuiltIn {
			remove = lang.Say("mirrors.menu_reset")
		}
		items = append(items, fyne.NewMenuItem(lang.Say("mirrors.menu_edit"), func() { page.detail.edit(&s) }), fyne.NewMenuItemSeparator(),
			fyne.NewMenuItem(remove, func() { page.remove(r.of) }))
	}
	return fyne.NewMenu("", items...)
}

// flash points the row out for a moment.
func (r *row) flash() { r.lead.Flash() }

// fixedGap is room that stays.
func fixedGap(width float32) fyne.CanvasObject {
	gap := canvas.NewRectangle(color.Transparent)
	gap.SetMinSize(fyne.NewSize(width, 1))
	return gap
}
