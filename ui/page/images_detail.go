package page

import (
	"strings"
	"time"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/model"
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
func (p *Images) open(id string) {
	r := p.list.Get(id)
	if r == nil {
		p.side.shut()
		return
	}
	now := drawn{r, p.list.Pinned(r), p.now.Unix() / 60}
	if p.side.shown() && now == p.drawn {
		return
	}
	p.detail, p.drawn = id, now
	name, _, _ := strings.Cut(r.Name(), "@")
	p.side.open(r.Short(), name, p.details(r)...)
}

func (p *Images) details(r *model.ImageRow) []fyne.CanvasObject {
	objects := []fyne.CanvasObject{p.detailButtons(r)}
	if !r.Complete {
		objects = append(objects, paragraph(lang.Say("images.incomplete.tip"), widget.WarningImportance))
	}
	objects = append(objects,
		section(lang.Say("images.detail.pull"), command(p.desk, p.pullCommand(r))),
		section(lang.Say("images.detail.facts"), facts(p.desk,
			fact{label: lang.Say("images.detail.name"), value: r.Name(), copied: r.Name()},
			fact{label: lang.Say("images.detail.digest"), value: r.Digest, mono: true, copied: r.Digest},
			fact{label: lang.Say("images.detail.tags"), value: strings.Join(r.Tags, ", "), tip: r.Full(), copied: r.Full()},
			fact{label: lang.Say("images.column.size"), value: words.Bytes(r.Size)},
			fact{label: lang.Say("images.column.own"), value: words.Bytes(r.Own), tip: lang.Say("images.own.tip")},
			fact{label: lang.Say("images.column.saved"), value: saved(r), tip: lang.Say("images.saved.tip")},
		)),
		section(lang.Say("images.detail.times"), facts(p.desk,
			p.when("images.detail.stored", r.Stored), p.when("images.detail.used", r.Used), p.when("images.detail.checked", r.Checked))))
	if brought := r.Brought(); len(brought) > 0 {
		objects = append(objects, section(lang.Say("images.detail.sources"), p.brought(r, brought)...))
	}
	if len(r.Platforms) > 0 {
		objects = append(objects, section(lang.Say("images.column.platforms"), p.platformList(r)))
	}
	return objects
}

func saved(r *model.ImageRow) string {
	if r.Saved == 0 {
		return ""
	}
	return words.Bytes(r.Saved)
}

func (p *Images) detailButtons(r *model.ImageRow) fyne.CanvasObject {
	key := "images.pin"
	if p.list.Pinned(r) {
		key = "images.unpin"
	}
	pin := part.NewButton(lang.Say(key), func() { p.pin(!p.list.Pinned(r), []string{r.ID}) })
	export := part.NewButton(lang.Say("images.export.button"), func() { p.export([]string{r.ID}) })
	removes := part.NewButton(lang.Say("images.remove"), func() { p.remove([]string{r.ID}) })
	return row(8, pin, export, removes)
}

// pullCommand is how an engine gets it.
func (p *Images) pullCommand(r *model.ImageRow) string {
	if r.Mine() {
		return "docker pull " + p.view.State.Listen + "/" + r.Name()
	}
	if r.Tag == "" {
		return "docker pull " + model.Familiar(r.Registry, r.Repository) + "@" + r.Digest
	}
	return "docker pull " + model.FamiliarRef(r.Name())
}

func (p *Images) brought(r *model.ImageRow, names []string) []fyne.CanvasObject {
	colors := hues(names)
	var all int64
	shares := make([]share, len(names))
	for n, name := range names {
		shares[n] = share{name: name, bytes: r.Sources[name], color: colors[name]}
		all += r.Sources[name]
	}
	bar := newStrip(8)
	at := int64(0)
	for _, s := range shares {
		bar.add(at, at+s.bytes, s.color, "")
		at += s.bytes
	}
	bar.set(all)
	return []fyne.CanvasObject{bar, shareList(shares, func(s share) string { return words.Bytes(s.bytes) })}
}

func (p *Images) platformList(r *model.ImageRow) fyne.CanvasObject {
	list := column(4)
	for _, platform := range r.Platforms {
		dot := part.NewDot(theme.Track)
		state := part.NewMuted(lang.Say("images.detail.missing"))
		if platform.Complete {
			dot.Tint(fynetheme.ColorNamePrimary)
			state.Set(lang.Say("images.detail.here"))
		}
		list.Add(between(row(8, middle(dot), part.NewTip(part.NewText(platform.String()), func() string { return platform.Digest })), state))
	}
	return list
}

// when is a fact about a time: roughly, and exactly on hover.
func (p *Images) when(key string, t time.Time) fact {
	if t.IsZero() {
		return fact{}
	}
	return fact{label: lang.Say(key), value: words.Ago(&t, p.now), tip: words.Exact(t, p.now)}
}
