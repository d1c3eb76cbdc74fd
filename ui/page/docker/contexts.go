package docker

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// contexts is the table of contexts, and one of them in full at the side.
type contexts struct {
	desk       page.Desk
	again      func() // everything is to be asked for once more
	model      *model.Contexts
	registries []control.Registry
	now        time.Time
	known      bool
	testing    bool
	failed     string // why there is no list

	table   *part.Table
	shares  *fyne.Container // those that run, a row each
	sharing string          // what is said of them
	detail  string          // whose details are open; "" nobody's
	told    string          // what is at the side, so that it is made anew only when that changed
	side    *part.Side
	root    fyne.CanvasObject
}

func newContexts(d page.Desk, again func()) *contexts {
	c := &contexts{desk: d, again: again, model: model.NewContexts(), now: d.Now()}
	c.table = part.NewTable([]part.Column{
		{Key: "name", Title: lang.Say("docker.column.name"), Width: 134},
		{Key: "mark", Title: lang.Say("docker.column.mark"), Width: 104},
		{Key: "host", Title: lang.Say("docker.column.host"), Width: 190, Grow: true},
		{Key: "latency", Title: lang.Say("docker.column.latency"), Width: 96},
		{Key: "running", Title: lang.Say("docker.column.running.title"), Width: 70, Right: true},
		{Key: "disk", Title: lang.Say("docker.column.disk"), Width: 86, Right: true},
	}, part.Rows{
		Len:  c.model.Len,
		ID:   func(i int) string { return c.model.At(i).Name },
		Cell: c.cell,
		Sort: func(column string, down bool) {
			c.model.Sort(column, down)
			c.table.SortedBy(column, down)
			c.table.Refresh()
		},
		Open:   c.open,
		Delete: func(names []string) { c.remove(names...) },
		Copy:   func(names []string) string { return strings.Join(names, "\n") },
		Menu:   c.menu,
		Empty: func() (string, string) {
			if c.failed != "" {
				return lang.Say("docker.contexts.failed"), c.failed
			}
			return lang.Say("docker.contexts.none.title"), lang.Say("docker.contexts.none.hint")
		},
	})
	c.table.Label = lang.Say("docker.contexts.title")
	c.table.OnSelect = func(names []string) {
		if len(names) == 1 {
			c.open(names[0])
		}
	}
	c.table.SortedBy("name", false)
	c.table.Loading(d.Tool != nil)
	add := quietButton("docker.contexts.new", fynetheme.ContentAddIcon(), func() { contextForm(d, nil, c.model.Names(), again) })
	card := part.NewSheet(c.table)
	card.Padding = fyne.NewSize(1, 1)
	c.shares = part.VBox(0)
	c.root = part.Border(part.VBox(0, container.New(layout.NewCustomPaddedLayout(0, 8, 0, 0), part.NewHeading(lang.Say("docker.contexts.title"), add)), c.shares), nil, nil, nil, card)
	return c
}

// beside lays the page out with the panel for one context at its side.
func (c *contexts) beside(main fyne.CanvasObject) fyne.CanvasObject {
	c.side = part.NewSide(main, func() { c.detail, c.told = "", "" })
	c.side.Back = c.table
	return c.side.Root
}

// height is what all of it wants.
func (c *contexts) height() float32 {
	return 40 + c.shares.MinSize().Height + 36 + 30*float32(max(c.model.Len(), 3)) + 8
}

// listed takes the contexts there are.
func (c *contexts) listed(list []model.Context, err error) {
	if err != nil && list == nil {
		c.failed = words.Reason(err)
		if c.known {
			return
		}
	} else {
		c.failed, c.known = "", true
		c.model.Set(list)
	}
	c.table.Loading(false)
	c.draw()
}

func (c *contexts) show(now time.Time) {
	c.now = now
	if c.side.Shown() {
		c.details()
	}
}

// draw shows what is known now.
func (c *contexts) draw() {
	c.drawShares()
	c.table.Refresh()
	if c.side != nil && c.side.Shown() {
		c.details()
	}
}

// drawShares shows which contexts use this machine's cache now, with a way to end that.
func (c *contexts) drawShares() {
	list, said := c.desk.Shares.List(), ""
	for _, s := range list {
		said += fmt.Sprintf("%+v %s\n", s, words.Ago(&s.Since, c.now))
	}
	if said == c.sharing {
		return // else whoever is on one of the links would lose it
	}
	c.sharing = said
	c.shares.Objects = nil
	if len(list) > 0 {
		rows := part.VBox(0)
		for i, s := range list {
			if i > 0 {
				rows.Add(part.NewRule())
			}
			rows.Add(c.shareRow(s))
		}
		card := part.NewSheet(rows)
		card.Padding = fyne.NewSize(1, 1)
		c.shares.Add(container.New(layout.NewCustomPaddedLayout(0, 8, 0, 0), card))
	}
	c.shares.Refresh()
	c.root.Refresh()
}

// markColours are the theme's for those that marks have.
var markColours = map[string]fyne.ThemeColorName{
	"red": fynetheme.ColorNameError, "orange": fynetheme.ColorNameWarning, "yellow": theme.Fetched, "green": fynetheme.ColorNameSuccess,
	"blue": theme.Blue, "purple": theme.Violet, "grey": theme.Muted,
}

func (c *contexts) cell(i int, column string) part.Cell {
	x := c.model.At(i)
	r, asked := c.model.ReportOf(x.Name)
	switch column {
	case "name":
		cell := part.Cell{Text: x.Name, Tip: x.Description}
		if x.Wins {
			cell.Bold, cell.Icon, cell.Tip = true, fynetheme.NewPrimaryThemedResource(fynetheme.ConfirmIcon()), whyText(x)
		}
		if share, ok := c.desk.Shares.Get(x.Name); ok && !share.Over() {
			cell.Tip = strings.TrimPrefix(cell.Tip+"\n"+lang.Say("docker.share.short"), "\n")
		}
		return cell
	case "mark":
		if x.Mark == nil {
			return part.Cell{}
		}
		return part.Cell{Text: "● " + x.Mark.Word, Color: markColours[model.NamedColour(x.Mark.Colour)]}
	case "host":
		return part.Cell{Text: x.Host, Muted: true, Tip: x.Host}
	case "latency":
		return latencyCell(x, r, asked)
	case "running":
		if r.Reachable {
			return part.Cell{Text: strconv.Itoa(r.Running), Tip: lang.Say("docker.column.running.tip", "Count", r.Images)}
		}
	case "disk":
		if r.Reachable && r.Disk >= 0 {
			return part.Cell{Text: words.Bytes(r.Disk)}
		}
	}
	return part.Cell{}
}

func latencyCell(x model.Context, r model.ContextReport, asked bool) part.Cell {
	switch {
	case x.Error != "":
		return part.Cell{Text: lang.Say("docker.reach.broken"), Color: fynetheme.ColorNameError, Tip: x.Error}
	case !asked:
		return part.Cell{Text: "…", Muted: true}
	case !r.Reachable:
		return part.Cell{Text: lang.Say("docker.reach.no"), Color: fynetheme.ColorNameError, Tip: words.Because(r.Cause, r.Error)}
	}
	cell := part.Cell{Text: words.Span(r.Latency), Tip: r.Error}
	if r.Latency > 300*time.Millisecond {
		cell.Color = fynetheme.ColorNameWarning
	}
	return cell
}

// whyText says what decides that a context is in force.
func whyText(x model.Context) string {
	switch {
	case strings.HasPrefix(x.Why, "DOCKER_"):
		return lang.Say("docker.why.variable", "Name", x.Why)
	case x.Why == "currentContext":
		return lang.Say("docker.why.current")
	}
	return lang.Say("docker.why.nothing")
}

// menu is what can be done with some contexts.
func (c *contexts) menu(names []string) *fyne.Menu {
	if len(names) != 1 {
		return fyne.NewMenu("", fyne.NewMenuItem(lang.Say("docker.context.remove"), func() { c.remove(names...) }))
	}
	x, ok := c.model.Get(names[0])
	if !ok {
		return nil
	}
	menu := fyne.NewMenu("")
	add := func(key string, may bool, do func()) {
		item := fyne.NewMenuItem(lang.Say(key), do)
		item.Disabled = !may
		menu.Items = append(menu.Items, item)
	}
	add("docker.context.use", !x.Wins, func() { c.use(x.Name) })
	add("docker.context.test", true, func() { c.model.Stale(); c.again() })
	if share, shared := c.desk.Shares.Get(x.Name); shared && !share.Over() {
		add("docker.share.stop", true, func() { c.desk.Shares.Stop(x.Name) })
	} else {
		add("docker.share.start", x.SSH(), func() { shareSheet(c.desk, x) })
	}
	add("docker.egress.start", x.SSH(), func() { egressSheet(c.desk, x, c.registries) })
	menu.Items = append(menu.Items, fyne.NewMenuItemSeparator())
	add("docker.context.copy", true, func() { c.desk.Copy(x.Name) })
	add("docker.context.edit", !x.Fixed(), func() { contextForm(c.desk, &x, nil, c.again) })
	add("docker.context.remove", !x.Fixed(), func() { c.remove(x.Name) })
	return menu
}

// use has docker use a context from now on. It is shown at once.
func (c *contexts) use(name string) {
	before, had := c.model.InForce()
	c.model.Use(name)
	c.draw()
	c.desk.Work(func(ctx context.Context) func() {
		var used struct {
			Overridden []string `json:"overridden_by"`
			Fix        string   `json:"fix"`
		}
		err := c.desk.Tool.Run(ctx, &used, "context", "use", name)
		return func() {
			switch {
			case err != nil:
				c.desk.Toast(page.Toast{Text: lang.Say("docker.use.failed", "Name", name, "Reason", words.Reason(err)), Bad: true})
			case len(used.Overridden) > 0:
				c.desk.Toast(page.Toast{Text: lang.Say("docker.use.overridden", "Name", name, "Variables", strings.Join(used.Overridden, ", ")), Bad: true})
			case had && before.Name != name:
				c.desk.Toast(page.Toast{Text: lang.Say("docker.use.done", "Name", name), Undo: func() { c.use(before.Name) }})
			}
			c.again()
		}
	})
}

// remove removes contexts. What is kept of them brings them back.
func (c *contexts) remove(names ...string) {
	type gone struct {
		Name string `json:"name"`
	}
	inForce, _ := c.model.InForce()
	args, used := []string{"context", "rm"}, ""
	for _, name := range names {
		if x, ok := c.model.Get(name); !ok || x.Fixed() {
			continue
		}
		if name == inForce.Name {
			used = name
		}
		args = append(args, name)
	}
	if len(args) == 2 {
		return
	}
	if used != "" {
		args = append(args, "--force")
	}
	for _, name := range args[2:] {
		c.model.Drop(name)
		c.desk.Shares.Stop(name)
	}
	c.side.Shut()
	c.draw()
	tool := c.desk.Tool
	c.desk.Work(func(ctx context.Context) func() {
		var list []gone
		err := tool.Run(ctx, &list, args...)
		return func() {
			if err != nil {
				c.desk.Toast(page.Toast{Text: words.Reason(err), Bad: true})
			}
			if len(list) > 0 {
				c.desk.Toast(page.Toast{Text: removedText(list[0].Name, len(list)), Undo: func() {
					c.desk.Work(func(ctx context.Context) func() {
						var failed error
						for _, g := range list {
							if err := tool.Run(ctx, nil, "context", "undo", g.Name); err != nil {
								failed = err
							} else if g.Name == used {
								failed = tool.Run(ctx, nil, "context", "use", g.Name)
							}
						}
						return func() {
							if failed != nil {
								c.desk.Toast(page.Toast{Text: failed.Error(), Bad: true})
							}
							c.again()
						}
					})
				}})
			}
			c.again()
		}
	})
}

func removedText(name string, n int) string {
	if n == 1 {
		return lang.Say("docker.removed.single", "Name", name)
	}
	return lang.Say("docker.removed.several", "Count", n)
}
