package images

import (
	"strings"
	"time"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// drawn is what the side panel was made of: it is made anew when that changed, and not while somebody reads it else.
type drawn struct {
	row    *model.ImageRow
	pinned bool
	minute int64
}

// open shows an image at the side.
func (p *Page) open(id string) {
	r := p.list.Get(id)
	if r == nil {
		p.side.Shut()
		return
	}
	now := drawn{r, p.list.Pinned(r), p.now.Unix() / 60}
	if p.side.Shown() && now == p.drawn {
		return
	}
	p.detail, p.drawn = id, now
	name, _, _ := strings.Cut(r.Name(), "@")
	p.side.Open(r.Short(), name, p.details(r)...)
}

func (p *Page) details(r *model.ImageRow) []fyne.CanvasObject {
	objects := []fyne.CanvasObject{p.detailButtons(r)}
	if !r.Complete {
		objects = append(objects, part.NewParagraph(lang.Say("images.incomplete.tip"), widget.WarningImportance))
	}
	objects = append(objects,
		part.NewSection(lang.Say("images.detail.pull"), part.NewCommand(p.pullCommand(r), p.desk.Copy)),
		part.NewSection(lang.Say("images.detail.facts"), part.NewFacts(p.desk.Copy,
			part.Fact{Label: lang.Say("images.detail.name"), Value: r.Name(), Copied: r.Name()},
			part.Fact{Label: lang.Say("images.detail.digest"), Value: r.Digest, Mono: true, Copied: r.Digest},
			part.Fact{Label: lang.Say("images.detail.tags"), Value: strings.Join(r.Tags, ", "), Tip: r.Full(), Copied: r.Full()},
			part.Fact{Label: lang.Say("images.column.size"), Value: words.Bytes(r.Size)},
			part.Fact{Label: lang.Say("images.column.own"), Value: words.Bytes(r.Own), Tip: lang.Say("images.own.tip")},
			part.Fact{Label: lang.Say("images.column.saved"), Value: saved(r), Tip: lang.Say("images.saved.tip")},
		)),
		part.NewSection(lang.Say("images.detail.times"), part.NewFacts(p.desk.Copy,
			p.when("images.detail.stored", r.Stored), p.when("images.detail.used", r.Used), p.when("images.detail.checked", r.Checked))))
	if brought := r.Brought(); len(brought) > 0 {
		objects = append(objects, part.NewSection(lang.Say("images.detail.sources"), p.brought(r, brought)...))
	}
	if len(r.Platforms) > 0 {
		objects = append(objects, part.NewSection(lang.Say("images.column.platforms"), p.platformList(r)))
	}
	return objects
}

func saved(r *model.ImageRow) string {
	if r.Saved == 0 {
		return ""
	}
	return words.Bytes(r.Saved)
}

func (p *Page) detailButtons(r *model.ImageRow) fyne.CanvasObject {
	key := "images.pin"
	if p.list.Pinned(r) {
		key = "images.unpin"
	}
	pin := part.NewButton(lang.Say(key), func() { p.pin(!p.list.Pinned(r), []string{r.ID}) })
	export := part.NewButton(lang.Say("images.export.button"), func() { p.export([]string{r.ID}) })
	removes := part.NewButton(lang.Say("images.remove"), func() { p.remove([]string{r.ID}) })
	for _, button := range []*part.Button{pin, export, removes} {
		button.Label = page.Joined(button.Text, r.Short())
	}
	return part.HBox(8, pin, export, removes)
}

// pullCommand is how an engine gets it.
func (p *Page) pullCommand(r *model.ImageRow) string {
	if r.Mine() {
		return "docker pull " + p.view.State.Listen + "/" + r.Name()
	}
	if r.Tag == "" {
		return "docker pull " + model.Familiar(r.Registry, r.Repository) + "@" + r.Digest
	}
	return "docker pull " + model.FamiliarRef(r.Name())
}

func (p *Page) brought(r *model.ImageRow, names []string) []fyne.CanvasObject {
	colors := page.Hues(names)
	var all int64
	shares := make([]page.Share, len(names))
	for n, name := range names {
		shares[n] = page.Share{Name: name, Bytes: r.Sources[name], Color: colors[name]}
		all += r.Sources[name]
	}
	bar := part.NewStrip(8)
	at := int64(0)
	for _, s := range shares {
		bar.Add(at, at+s.Bytes, s.Color, "")
		at += s.Bytes
	}
	bar.Set(all)
	return []fyne.CanvasObject{bar, page.ShareList(shares, func(s page.Share) string { return words.Bytes(s.Bytes) })}
}

func (p *Page) platformList(r *model.ImageRow) fyne.CanvasObject {
	list := part.VBox(4)
	for _, platform := range r.Platforms {
		dot := part.NewDot(theme.Track)
		state := part.NewMuted(lang.Say("images.detail.missing"))
		if platform.Complete {
			dot.Tint(fynetheme.ColorNamePrimary)
			state.Set(lang.Say("images.detail.here"))
		}
		list.Add(part.Between(part.HBox(8, part.Middle(dot), part.NewTip(part.NewText(platform.String()), func() string { return platform.Digest })), state))
	}
	return list
}

// when is a fact about a time: roughly, and exactly on hover.
func (p *Page) when(key string, t time.Time) part.Fact {
	if t.IsZero() {
		return part.Fact{}
	}
	return part.Fact{Label: lang.Say(key), Value: words.Ago(&t, p.now), Tip: words.Exact(t, p.now)}
}
