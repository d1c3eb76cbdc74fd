package mirrors

import (
	"strings"
	"time"

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

// facts is what there is to know of a source beyond its line.
type facts struct {
	page   *Page
	list   *fyne.Container
	said   string // what is in the list, so that it is made anew only when that changed
	root   fyne.CanvasObject
	shownS control.Source
}

func newFacts(page *Page) *facts {
	f := &facts{page: page, list: container.New(layout.NewFormLayout())}
	f.root = container.New(layout.NewCustomPaddedLayout(0, 10, 4, 8), f.list)
	f.root.Hide()
	return f
}

// fact is one of them: a word, and what there is to say of it.
type fact struct {
	key, text string
	copied    bool // it can be copied
	color     fyne.ThemeColorName
}

func (f *facts) show(s control.Source, t model.Trial, tested, open bool, now time.Time) {
	part.Show(f.root, open)
	if !open {
		return
	}
	f.shownS = s
	facts := factsOf(s, t, tested, now)
	said := ""
	for _, fact := range facts {
		said += fact.key + "\x00" + fact.text + "\x00"
	}
	if said == f.said {
		return
	}
	f.said = said
	f.list.Objects = nil
	for _, fact := range facts {
		key := part.NewMuted(fact.key)
		at := fyne.CanvasObject(container.NewVBox(key))
		if fact.copied {
			at = part.Middle(key) // as its value is, beside the button
		}
		f.list.Objects = append(f.list.Objects, container.New(layout.NewCustomPaddedLayout(2, 0, 4, 14), at), f.value(fact))
	}
	f.list.Refresh()
}

func (f *facts) value(fact fact) fyne.CanvasObject {
	if fact.copied {
		text := part.NewMuted(fact.text).Giving()
		return part.Border(nil, nil, nil, part.Middle(part.NewCopy(fact.key, func() string { return fact.text }, f.page.desk.Copy)), part.Middle(text))
	}
	label := widget.NewLabel(fact.text)
	label.Wrapping, label.SizeName = fyne.TextWrapWord, theme.SizeSmall
	if fact.color == fynetheme.ColorNameWarning {
		label.Importance = widget.WarningImportance
	}
	return container.New(layout.NewCustomPaddedLayout(-4, -4, -7, 0), label)
}

func factsOf(s control.Source, t model.Trial, tested bool, now time.Time) (facts []fact) {
	add := func(key, text string, color fyne.ThemeColorName) {
		if text != "" {
			facts = append(facts, fact{key: key, text: text, color: color})
		}
	}
	if s.URL != "" {
		facts = append(facts, fact{key: lang.Say("mirrors.fact_url"), text: s.URL, copied: true})
	}
	if !s.Origin {
		add(lang.Say("mirrors.fact_about"), aboutOf(s), "")
		add(lang.Say("mirrors.fact_style"), styleText(s), "")
	}
	add(lang.Say("mirrors.fact_needs"), needsOf(s), "")
	add(lang.Say("mirrors.fact_limits"), limitsOf(s), "")
	if s.Closed != "" {
		add(lang.Say("mirrors.fact_closed"), lang.Say("mirrors.closed_explained", "Since", s.Closed), "")
	}
	if s.Enabled && !s.Usable && s.Why != "" {
		add(lang.Say("mirrors.fact_why"), s.Why, fynetheme.ColorNameWarning)
	}
	if s.Quota > 0 {
		text := quotaText(s)
		if s.QuotaEnds != nil {
			text = lang.Say("mirrors.quota_ends", "Text", text, "When", words.Moment(*s.QuotaEnds, now))
		}
		add(lang.Say("mirrors.fact_quota"), text, "")
	}
	if s.Auth != "" {
		add(lang.Say("mirrors.fact_auth"), s.Auth, "")
	}
	if !s.Origin && s.Enabled {
		trust := lang.Say("mirrors.trust_unproven")
		if s.Proven {
			trust = lang.Say("mirrors.trust_proven")
		}
		add(lang.Say("mirrors.fact_trust"), trust, "")
	}
	if s.TrustTags {
		add(lang.Say("mirrors.fact_tags"), lang.Say("mirrors.tags_believed"), "")
	}
	if s.Private {
		add(lang.Say("mirrors.fact_private"), lang.Say("mirrors.private_told"), "")
	}
	if tested && !t.Running && t.Report.QuotaLeft >= 0 && s.Quota > 0 {
		add(lang.Say("mirrors.fact_left"), words.Bytes(t.Report.QuotaLeft), "")
	}
	if tested && t.Report.Error != "" {
		add(lang.Say("mirrors.fact_said"), t.Report.Error, fynetheme.ColorNameWarning)
	}
	if len(s.Differs) > 0 {
		add(lang.Say("mirrors.fact_differs"), differsText(s.Differs, now), fynetheme.ColorNameWarning)
	}
	return facts
}

// shownDiffers is how many disagreements are spelled out.
const shownDiffers = 3

func differsText(all []control.Differs, now time.Time) string {
	var lines []string
	for _, d := range all[:min(shownDiffers, len(all))] {
		lines = append(lines, lang.Say("mirrors.differs_line", "Image", model.FamiliarRef(d.Image), "Mirror", model.ShortDigest(d.Mirror),
			"Origin", model.ShortDigest(d.Origin), "Ago", words.Moment(d.At, now)))
	}
	if more := len(all) - shownDiffers; more > 0 {
		lines = append(lines, lang.Say("mirrors.differs_more", "Count", more))
	}
	return strings.Join(lines, "\n")
}

func styleText(s control.Source) string {
	switch s.Style {
	case "host":
		return lang.Say("mirrors.style_host")
	case "prefix":
		return lang.Say("mirrors.style_prefix", "Registry", s.Registry)
	case "ns":
		return lang.Say("mirrors.style_ns", "Registry", s.Registry)
	default:
		return ""
	}
}
