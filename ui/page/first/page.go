// Package first is the first steps: the certificate, an engine, mirrors and a pull that proves it, one after the other, each of
// which can be skipped.
package first

import (
	"strconv"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
)

// Page is what somebody sees who has just come: four steps, each of which can be skipped, and undone from where it was done.
type Page struct {
	desk   page.Desk
	done   func()
	state  model.First
	steps  [model.FirstSteps]step
	cards  [model.FirstSteps]*stepCard
	list   *fyne.Container
	end    *part.Button
	scroll *part.Scroll
	root   fyne.CanvasObject
}

// step is what one of the four is about.
type step interface {
	body() fyne.CanvasObject // the same object for ever
	enter()                  // it is shown: asks for what it wants to show
	result() string          // what came of it, in a few words, once it is done
	undo()                   // takes it back, and tells the page when that is done
}

const width = 720

// New makes it. done is called when the person is through, or has had enough.
func New(d page.Desk, done func()) *Page {
	f := &Page{desk: d, done: done}
	f.steps = [model.FirstSteps]step{newTrustStep(f), newEngineStep(f), newMirrorStep(f), newProveStep(f)}
	title := part.NewText(lang.Say("first.title")).Bold()
	title.Scale = theme.SizeHead
	later := part.NewLink(lang.Say("first.later"), done)
	head := part.Between(part.VBox(3, title, part.NewMuted(lang.Say("first.about")).Giving()), container.NewVBox(later))
	f.list = part.VBox(10, head)
	for i := range f.steps {
		f.cards[i] = newStepCard(f, i)
		f.list.Add(f.cards[i].root)
	}
	f.end = part.NewMeant(lang.Say("first.done"), done)
	f.list.Add(part.HBox(0, layout.NewSpacer(), f.end))
	f.scroll = part.NewScroll(container.New(&centred{width: width}, container.New(layout.NewCustomPaddedLayout(18, 20, 20, 20), f.list)))
	f.root = f.scroll
	f.draw()
	return f
}

// Root is what to put into the window, the same object for ever.
func (f *Page) Root() fyne.CanvasObject { return f.root }

// Show brings it to what v says, as Page.Show does.
func (f *Page) Show(model.View, time.Time) {
	if now := f.state.Now(); now < model.FirstSteps && f.cards[now].waits && f.desk.Daemon() != nil {
		f.cards[now].waits = false
		f.steps[now].enter()
	}
}

// Enter implements Guest.
func (f *Page) Enter() { f.begin() }

// Leave implements Guest.
func (f *Page) Leave() {}

// begin has the step that is shown ask for what it shows.
func (f *Page) begin() {
	if now := f.state.Now(); now < model.FirstSteps {
		f.cards[now].waits = f.desk.Daemon() == nil
		f.steps[now].enter()
	}
}

// finished says that a step was taken.
func (f *Page) finished(step int) { f.move(func() { f.state.Done(step) }) }

// skipped says that it was left out.
func (f *Page) skipped(step int) { f.move(func() { f.state.Skip(step) }) }

// undone says that it was taken back.
func (f *Page) undone(step int) { f.move(func() { f.state.Undone(step) }) }

// back goes to a step.
func (f *Page) back(step int) { f.move(func() { f.state.Back(step) }) }

func (f *Page) move(change func()) {
	before := f.state.Now()
	change()
	f.draw()
	if f.state.Now() != before {
		f.begin()
	}
	f.reveal()
}

// draw shows how far it all is.
func (f *Page) draw() {
	for _, c := range f.cards {
		c.draw()
	}
	part.Show(f.end, f.state.Over())
	f.settle()
}

// settle lays everything out anew: a step wants another height now, and once more where that made a text break differently.
func (f *Page) settle() {
	for range 2 {
		f.list.Refresh()
		f.scroll.Refresh()
	}
}

// reveal brings the step that is shown into sight, its buttons before its title.
func (f *Page) reveal() {
	now := f.state.Now()
	if now >= model.FirstSteps {
		f.scroll.ScrollToTop()
		return
	}
	card := f.cards[now].root
	top := f.list.Position().Y + card.Position().Y - 10
	bottom := f.list.Position().Y + card.Position().Y + card.Size().Height + 14 - f.scroll.Size().Height
	f.scroll.ScrollToOffset(fyne.NewPos(0, max(0, min(top, f.scroll.Offset.Y), bottom)))
}

// buttons are those below a step: it can always be skipped.
func (f *Page) buttons(step int, objects ...fyne.CanvasObject) fyne.CanvasObject {
	skip := part.NewButton(lang.Say("first.skip"), func() { f.skipped(step) }).Saying(lang.Say("first.skip") + ": " + lang.Say("first."+keys[step]+".title"))
	skip.Importance = widget.LowImportance
	return part.HBox(8, append([]fyne.CanvasObject{layout.NewSpacer(), skip}, objects...)...)
}

// stepCard is the frame of a step: its number, its title, what came of it, and while it is shown all of it.
type stepCard struct {
	first  *Page
	index  int
	waits  bool // it could not ask yet: there is no daemon
	number *part.Badge
	tick   *widget.Icon
	title  *part.Text
	said   *part.Text
	link   *part.Link
	body   fyne.CanvasObject
	root   *part.Sheet
}

// keys are the names of the steps in keys of texts.
var keys = [model.FirstSteps]string{"trust", "engine", "mirrors", "prove"}

func newStepCard(f *Page, index int) *stepCard {
	c := &stepCard{
		first: f, index: index, number: part.NewBadge(strconv.Itoa(index+1), ""),
		tick:  widget.NewIcon(fynetheme.NewColoredResource(fynetheme.ConfirmIcon(), fynetheme.ColorNameSuccess)),
		title: part.NewText(lang.Say("first." + keys[index] + ".title")).Bold(), said: part.NewMuted("").Giving(),
	}
	c.link = part.NewLink("", c.follow)
	sign := container.New(layout.NewGridWrapLayout(fyne.NewSize(24, 24)), container.NewStack(container.NewCenter(c.number), c.tick))
	head := part.Border(nil, nil, container.New(layout.NewCustomPaddedLayout(0, 0, 0, 10), part.Middle(sign)), part.Middle(c.link),
		part.Border(nil, nil, part.Middle(c.title), nil, container.New(layout.NewCustomPaddedLayout(0, 0, 12, 12), part.Middle(c.said))))
	c.body = container.New(layout.NewCustomPaddedLayout(10, 2, 38, 0), f.steps[index].body())
	c.root = part.NewSheet(part.VBox(0, head, c.body))
	c.root.Padding = fyne.NewSize(14, 10)
	return c
}

func (c *stepCard) draw() {
	state, now := c.first.state.State(c.index), c.first.state.Now() == c.index
	part.Show(c.tick, state == model.StepDone)
	part.Show(c.number, state != model.StepDone)
	color, shade := fynetheme.ColorNameForeground, fyne.ThemeColorName("")
	if now {
		shade = fynetheme.ColorNamePrimary
	} else if state != model.StepDone {
		color = theme.Muted
	}
	c.number.Set(strconv.Itoa(c.index+1), shade)
	c.title.Tint(color)
	said, link := "", ""
	switch {
	case state == model.StepDone:
		said, link = c.first.steps[c.index].result(), lang.Say("first.undo")
	case state == model.StepSkipped && !now:
		said, link = lang.Say("first.skipped"), lang.Say("first.do")
	}
	c.said.Set(said)
	c.link.Label = link + ": " + c.title.Words()
	c.link.Set(link)
	part.Show(c.link, link != "")
	part.Show(c.body, now)
	c.root.Refresh()
}

// follow does what the link says: takes the step back, or goes to it.
func (c *stepCard) follow() {
	if c.first.state.State(c.index) == model.StepDone {
		c.first.steps[c.index].undo()
		return
	}
	c.first.back(c.index)
}

// centred keeps what is wide from being wider than is good to read.
type centred struct{ width float32 }

// MinSize implements fyne.Layout.
func (*centred) MinSize(o []fyne.CanvasObject) fyne.Size { return o[0].MinSize() }

// Layout implements fyne.Layout.
func (c *centred) Layout(o []fyne.CanvasObject, size fyne.Size) {
	width := min(size.Width, c.width)
	o[0].Move(fyne.NewPos((size.Width-width)/2, 0))
	o[0].Resize(fyne.NewSize(width, size.Height))
}

// stage is a container whose content a step changes as it goes.
type stage struct {
	page *Page
	box  *fyne.Container
}

func newStage(f *Page) *stage { return &stage{f, part.VBox(10)} }

func (s *stage) set(objects ...fyne.CanvasObject) {
	s.box.Objects = objects
	s.box.Refresh()
	if s.page.list != nil {
		s.page.settle()
		s.page.reveal()
	}
}
