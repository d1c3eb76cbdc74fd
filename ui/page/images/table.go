package images

import (
	"fmt"
	"strings"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/assets"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/words"
)

// pinIcon is drawn in the theme's colour.
var pinIcon = icon("pin.svg")

func icon(name string) fyne.Resource {
	svg, err := assets.Icons.ReadFile("icons/" + name)
	if err != nil {
		panic(err) // it is compiled in
	}
	return fyne.NewStaticResource(name, svg)
}

func (p *Page) newTable() *part.Table {
	column := func(key string, width float32, right bool) part.Column {
		return part.Column{Key: key, Title: lang.Say("images.column." + key), Width: width, Right: right}
	}
	name := column(model.ByName, 220, false)
	name.Grow = true
	columns := []part.Column{
		name, column(model.ByPlatforms, 96, false), column(model.BySize, 78, true), column(model.ByOwn, 78, true),
		column(model.ByUsed, 116, false), column(model.ByFrom, 100, false), column(model.BySaved, 78, true), column(model.ByPinned, 60, false),
	}
	t := part.NewTable(columns, part.Rows{
		Len: p.list.Len, ID: func(n int) string { return p.list.At(n).ID }, Cell: p.cell,
		Sort: p.sort, Open: p.open, Delete: p.remove, Copy: p.names, Menu: p.menu, Empty: p.empty,
	})
	t.Label = lang.Say("images.title")
	if by, down, known := page.KeptOrder(p.desk.Memory, order, columns); known {
		p.list.Sort(by, down)
	}
	t.SortedBy(p.list.SortedBy())
	t.OnSelect = func([]string) { p.selected() }
	return t
}

// order is where the order of the list is remembered.
const order = "images.sort"

func (p *Page) sort(column string, down bool) {
	p.list.Sort(column, down)
	page.KeepOrder(p.desk.Memory, order, column, down)
	p.table.SortedBy(column, down)
	p.table.Refresh()
}

func (p *Page) selected() {
	p.chosen.show()
	if ids := p.table.Selected(); p.detail != "" && len(ids) == 1 && ids[0] != p.detail {
		p.open(ids[0])
	}
}

func (p *Page) cell(n int, column string) part.Cell {
	r := p.list.At(n)
	switch column {
	case model.ByName:
		c := part.Cell{Text: title(r), Tip: r.Full()}
		if !r.Complete {
			c.Muted, c.Tip = true, c.Tip+"\n"+lang.Say("images.incomplete.tip")
		}
		return c
	case model.ByPlatforms:
		if share, arriving := p.arriving[r.ID]; arriving {
			return arrivingCell(share)
		}
		return part.Cell{Text: platforms(r), Muted: true, Tip: allPlatforms(r)}
	case model.BySize:
		return part.Cell{Text: words.Bytes(r.Size)}
	case model.ByOwn:
		return part.Cell{Text: words.Bytes(r.Own), Muted: true, Tip: lang.Say("images.own.tip")}
	case model.ByUsed:
		if r.Used.IsZero() {
			return part.Cell{Text: lang.Say("images.never"), Muted: true}
		}
		return part.Cell{Text: words.Ago(&r.Used, p.now), Muted: true, Tip: words.Exact(r.Used, p.now)}
	case model.ByFrom:
		return part.Cell{Text: page.Mostly(r.From), Muted: true, Tip: p.bySource(r)}
	case model.BySaved:
		if r.Saved == 0 {
			return part.Cell{Text: "–", Muted: true}
		}
		return part.Cell{Text: words.Bytes(r.Saved), Muted: true, Tip: lang.Say("images.saved.tip")}
	case model.ByPinned:
		if p.list.Pinned(r) {
			return part.Cell{Icon: p.pinIcon(), Color: fynetheme.ColorNamePrimary, Tip: lang.Say("images.pinned_tip")}
		}
	}
	return part.Cell{}
}

// arrivingCell is shown in place of an image's platforms while it is on its way.
func arrivingCell(share float64) part.Cell {
	c := part.Cell{Text: lang.Say("images.arriving.some"), Muted: true, Tip: lang.Say("images.arriving.tip")}
	if share >= 0 {
		c.Text = lang.Say("images.arriving.share", "Share", words.Percent(share))
	}
	return c
}

// title is an image under its tags.
func title(r *model.ImageRow) string {
	if more := r.MoreTags(); more > 0 {
		return fmt.Sprintf("%s, +%d", r.Title, more)
	}
	return r.Title
}

// platforms are those that are here: "amd64 +1". Which there are besides is said on hover.
func platforms(r *model.ImageRow) string {
	here := r.Here()
	switch {
	case len(here) == 0 && !r.Complete:
		return lang.Say("images.partly")
	case len(here) == 0:
		return "–"
	case len(here) > 1:
		return fmt.Sprintf("%s +%d", here[0], len(here)-1)
	}
	return here[0]
}

func allPlatforms(r *model.ImageRow) string {
	lines := make([]string, len(r.Platforms))
	for n, platform := range r.Platforms {
		lines[n] = platform.String()
		if !platform.Complete {
			lines[n] = lang.Say("images.platform_missing", "Platform", platform.String())
		}
	}
	return strings.Join(lines, "\n")
}

func (p *Page) bySource(r *model.ImageRow) string {
	var lines []string
	for _, name := range r.Brought() {
		lines = append(lines, page.Source(name)+": "+words.Bytes(r.Sources[name]))
	}
	return strings.Join(lines, "\n")
}

// names are the full names of images, a line for each.
func (p *Page) names(ids []string) string {
	var names []string
	for _, id := range ids {
		if r := p.list.Get(id); r != nil {
			names = append(names, r.Name())
		}
	}
	return strings.Join(names, "\n")
}

func (p *Page) empty() (title, hint string) {
	switch {
	case p.failed != "":
		return lang.Say("images.empty.failed"), p.failed
	case !p.list.Known() && p.view.Phase == model.Down:
		return lang.Say("images.empty.down"), lang.Say("images.empty.down_hint")
	case p.list.All() > 0:
		return lang.Say("images.empty.none_found"), lang.Say("images.empty.none_found_hint")
	default:
		return lang.Say("images.empty.none"), lang.Say("images.empty.none_hint")
	}
}

func (p *Page) menu(ids []string) *fyne.Menu {
	rows := p.rows(ids)
	if len(rows) == 0 {
		return nil
	}
	_, own := model.Size(rows)
	var items []*fyne.MenuItem
	if len(rows) == 1 {
		items = append(items, fyne.NewMenuItem(lang.Say("images.menu.details"), func() { p.open(rows[0].ID) }), fyne.NewMenuItemSeparator(),
			fyne.NewMenuItem(lang.Say("images.menu.copy_pull"), func() { p.desk.Copy(p.pullCommand(rows[0])) }))
	}
	items = append(items, fyne.NewMenuItem(lang.Say("images.menu.copy", "Count", len(rows)), func() { p.desk.Copy(p.names(ids)) }), fyne.NewMenuItemSeparator())
	on := !p.allPinned(rows)
	key := "images.unpin"
	if on {
		key = "images.pin"
	}
	items = append(items, fyne.NewMenuItem(lang.Say(key), func() { p.pin(on, ids) }),
		fyne.NewMenuItem(lang.Say("images.export.button"), func() { p.export(ids) }), fyne.NewMenuItemSeparator(),
		fyne.NewMenuItem(lang.Say("images.menu.remove", "Count", len(rows), "Image", rows[0].Short(), "Size", words.Bytes(own)), func() { p.remove(ids) }))
	return fyne.NewMenu("", items...)
}

func (p *Page) rows(ids []string) (rows []*model.ImageRow) {
	for _, id := range ids {
		if r := p.list.Get(id); r != nil {
			rows = append(rows, r)
		}
	}
	return rows
}

func (p *Page) allPinned(rows []*model.ImageRow) bool {
	for _, r := range rows {
		if !p.list.Pinned(r) {
			return false
		}
	}
	return true
}
