package activity

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/words"
)

func (p *Page) newTable() *part.Table {
	column := func(key string, width float32, right bool) part.Column {
		return part.Column{Key: key, Title: lang.Say("activity.column." + key), Width: width, Right: right, NoSort: true}
	}
	name := column("name", 220, false)
	name.Grow = true
	at := column("time", 76, false)
	at.Whole = true
	t := part.NewTable([]part.Column{
		at, column("what", 84, false), name, column("who", 104, false), column("status", 60, true), column("size", 78, true),
		column("from", 112, false), column("took", 76, true),
	}, part.Rows{
		Len: p.log.Len, ID: func(n int) string { return p.log.At(n).ID() }, Cell: p.cell,
		Open: p.open, Copy: p.json, Menu: p.menu, Empty: p.empty,
	})
	t.Label = lang.Say("activity.title")
	t.Follow, t.OnScroll = true, p.scrolled
	t.OnSelect = func(ids []string) {
		if len(ids) == 1 {
			p.open(ids[0])
		}
	}
	return t
}

func (p *Page) cell(n int, column string) part.Cell {
	r := p.log.At(n)
	c := part.Cell{Muted: true}
	switch column {
	case "time":
		c.Text, c.Tip = r.Time.In(p.now.Location()).Format(time.TimeOnly), words.Exact(r.Time, p.now)
	case "what":
		c.Text = what(r)
	case "name":
		c.Text, c.Tip, c.Muted = r.Title(), r.Full(), false
		if r.Bad() {
			c.Color = fynetheme.ColorNameError
			c.Tip = joinedLines(c.Tip, r.Err)
		}
	case "who":
		c.Text, c.Tip = who(r), joinedLines(doorName(r.Door), r.Client, r.Agent)
	case "status":
		c.Text = dash(status(r))
		if r.Bad() {
			c.Color = fynetheme.ColorNameError
		}
	case "size":
		c.Text = "–"
		if amount := r.Amount(); amount > 0 {
			c.Text, c.Muted = words.Bytes(amount), false
		}
	case "from":
		c.Text, c.Tip = page.Mostly(r.Source), joinedLines(page.Sources(r.Source), r.Way)
	case "took":
		c.Text = words.Span(r.Duration)
		if rate := r.Rate(); rate > 0 {
			c.Tip = words.Rate(rate)
		}
	}
	return c
}

func dash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

func status(r *model.Request) string {
	if r.Status == 0 {
		return ""
	}
	return strconv.Itoa(r.Status)
}

// what is what was asked for, in a word.
func what(r *model.Request) string {
	switch r.What {
	case "ping", "token", "manifest", "blob", "tags", "referrers", "upload":
		return lang.Say("activity.what." + r.What)
	default:
		return lang.Say("activity.what.any")
	}
}

// who is who asked, in a word: what it calls itself before its version.
func who(r *model.Request) string {
	if agent, _, _ := strings.Cut(firstWord(r.Agent), "/"); agent != "" {
		return agent
	}
	if r.Client == "" {
		return doorName(r.Door)
	}
	return r.Client
}

// doorName is a person's word for a door.
func doorName(door string) string {
	for _, o := range doors() {
		if o.Value == door && door != "" {
			return o.Label
		}
	}
	return door
}

func joinedLines(lines ...string) string {
	var some []string
	for _, line := range lines {
		if line != "" {
			some = append(some, line)
		}
	}
	return strings.Join(some, "\n")
}

// json are requests as the daemon tells them, one after the other.
func (p *Page) json(ids []string) string {
	var texts []string
	for _, id := range ids {
		if r := p.log.Get(id); r != nil {
			text, err := json.MarshalIndent(r.Event, "", "  ")
			if err == nil {
				texts = append(texts, string(text))
			}
		}
	}
	return strings.Join(texts, "\n")
}

func (p *Page) empty() (title, hint string) {
	switch {
	case p.log.All() > 0:
		return lang.Say("activity.empty.none_found"), lang.Say("activity.empty.none_found_hint")
	case p.failed != "":
		return lang.Say("activity.empty.failed"), p.failed
	case p.view.Phase == model.Down:
		return lang.Say("activity.empty.down"), lang.Say("activity.empty.down_hint")
	default:
		return lang.Say("activity.empty.none"), lang.Say("activity.empty.none_hint")
	}
}

func (p *Page) menu(ids []string) *fyne.Menu {
	if len(ids) == 0 {
		return nil
	}
	r := p.log.Get(ids[0])
	if r == nil {
		return nil
	}
	items := []*fyne.MenuItem{
		fyne.NewMenuItem(lang.Say("activity.menu.copy_json"), func() { p.desk.Copy(p.json(ids)) }),
		fyne.NewMenuItem(lang.Say("activity.menu.copy_name"), func() { p.desk.Copy(r.Full()) }),
	}
	if len(ids) == 1 {
		items = append([]*fyne.MenuItem{fyne.NewMenuItem(lang.Say("activity.menu.story"), func() { p.open(ids[0]) }), fyne.NewMenuItemSeparator()}, items...)
	}
	if r.Registry != "" {
		items = append(items, fyne.NewMenuItemSeparator(),
			fyne.NewMenuItem(lang.Say("activity.menu.only", "Thing", r.Registry), func() { p.registry.Choose(r.Registry) }))
	}
	if r.Repository != "" {
		name := model.Familiar(r.Registry, r.Repository)
		items = append(items, fyne.NewMenuItem(lang.Say("activity.menu.only", "Thing", name), func() { p.search.SetText(name) }))
	}
	return fyne.NewMenu("", items...)
}
