// Package ui is the window: it shows what the model knows and hands the model
// what a person asks for. Nothing here blocks, and nothing here is true: the
// daemon is.
//
// It must not import Fyne's app driver, so that all of it runs in tests that
// have neither a display nor cgo.
package ui

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/page/activity"
	"pulley/ui/page/docker"
	"pulley/ui/page/engine"
	"pulley/ui/page/images"
	"pulley/ui/page/mirrors"
	"pulley/ui/page/overview"
	"pulley/ui/page/settings"
	"pulley/ui/part"
)

// Options are what a window works with. All functions but those of Model are called on the UI goroutine and must not block.
type Options struct {
	Model   *model.Model
	Do      func(model.Action) // what a person asks for
	Daemon  func() page.Daemon // nil: none runs
	Tool    page.Tool          // nil: what belongs to the person's machine cannot be done
	Work    func(work func(ctx context.Context) (then func()))
	Files   page.Files     // nil: Fyne's own dialogs
	Login   settings.Login // nil: this desktop starts nothing at login
	Now     func() time.Time
	Close   func() // the person wants the window gone: Escape, Ctrl+W
	Memory  string // the file in which size, page, columns and what was chosen on pages are remembered; "": they are not
	Version string
}

// Window shows a model. All methods but Changed, Open and Retire are for the
// UI goroutine.
type Window struct {
	fyne.Window
	options Options
	desk    page.Desk
	memory  *memory
	keys    fyne.ShortcutHandler

	nav    *nav
	footer *footer
	banner *banner
	toasts *part.Toasts
	hints  *fyne.Container
	area   *fyne.Container // holds the page in front

	pages map[page.Name]page.Page // those that were in front once
	name  page.Name               // of the page in front; "" for the first steps, or before anything was shown
	front page.Page

	open    atomic.Bool
	met     bool // it is decided whether the first steps are shown
	since   time.Time
	shown   time.Time
	notice  string
	queued  atomic.Bool
	retired atomic.Bool
}

// New makes the window, hidden. Its pages are made when they are first wanted.
func New(app fyne.App, o Options) *Window {
	w := &Window{Window: app.NewWindow("Pulley"), options: o, memory: recall(o.Memory), pages: map[page.Name]page.Page{}, since: o.Now()}
	w.desk = page.Desk{
		Do: o.Do, Daemon: o.Daemon, Tool: o.Tool, Work: o.Work, Files: o.Files, Now: o.Now, Shares: model.NewShares(), Jobs: &model.Jobs{}, Memory: w.memory,
		Copy:   func(text string) { app.Clipboard().SetContent(text) },
		Toast:  w.toast,
		Visit:  w.Visit,
		Window: func() fyne.Window { return w.Window },
	}
	w.desk.Shares.Recall(w.memory)
	w.desk.Shares.Watch(w.memory.save) // nobody is asked before a crash
	if w.desk.Files == nil {
		w.desk.Files = Dialogs(w.desk.Window)
	}
	w.SetPadded(false)
	w.dress()
	w.Resize(w.memory.size())
	w.listen()
	w.SetOnDropped(func(_ fyne.Position, files []fyne.URI) {
		var paths []string
		for _, f := range files {
			paths = append(paths, f.Path())
		}
		w.Drop(paths)
	})
	return w
}

// dress makes all that is around the pages.
func (w *Window) dress() {
	w.nav = newNav(func(name page.Name) { w.Visit(name, "") })
	w.footer = newFooter(w.options.Version, w.desk.Copy, w.diagnose, w.explainKeys)
	w.banner = newBanner(func() { w.options.Do(model.Action{Verb: model.Retry}) })
	w.toasts = part.NewToasts()
	w.hints = container.NewWithoutLayout()
	for _, e := range w.nav.entries {
		e.hint.layer = func() *fyne.Container { return w.hints }
	}
	w.area = container.NewStack()
	clip := container.NewClip(w.area)
	clip.ExtendBaseWidget(clip) // else it is given its size before it can pass it on, and never again while that stays the same
	page := part.Border(w.banner.root, nil, nil, nil, clip)
	frame := container.New(&shell{nav: w.nav, footer: w.footer.root, resized: w.resized}, w.nav.root, page, w.footer.root)
	w.SetContent(container.NewStack(frame, w.hints, w.toasts))
}

// resized remembers the size that a person chose; before the window is shown nobody has.
func (w *Window) resized(size fyne.Size) {
	if w.open.Load() {
		w.memory.setSize(size)
	}
}

// Reveal brings the window up to date and to the front.
func (w *Window) Reveal() {
	w.open.Store(true)
	if w.front == nil {
		w.bring(w.remembered())
	} else {
		w.enter()
	}
	w.Update()
	w.Show()
	w.RequestFocus()
}

func (w *Window) remembered() page.Name {
	for _, name := range order {
		if name == w.memory.page() {
			return name
		}
	}
	return order[0]
}

// Conceal hides the window. While hidden it is not kept up to date, and what toasts wait to do is done.
func (w *Window) Conceal() {
	w.open.Store(false)
	w.leave()
	w.toasts.Flush()
	w.memory.save()
	w.Hide()
}

// Settle does what toasts wait to do, since nobody can undo it any more: the program is about to end.
func (w *Window) Settle() { w.toasts.Flush() }

// Open tells whether the window is shown. Any goroutine.
func (w *Window) Open() bool { return w.open.Load() }

// Retire says that the program is ending: from now on Changed does nothing, as
// there may be no UI goroutine any more. Any goroutine.
func (w *Window) Retire() {
	w.retired.Store(true)
	w.memory.save()
}

// Visit brings a page to the front, and leads it to one of its things; "" for none.
func (w *Window) Visit(name page.Name, thing string) {
	if name == page.FirstPage {
		w.welcome()
		return
	}
	if name != w.name {
		w.bring(name)
		w.Update()
	}
	if taker, ok := w.front.(page.Taker); ok && thing != "" {
		taker.Take(thing)
	}
}

// Part asks what is to become of engines that are wired, before the app ends with its daemon; leave is called when it may.
func (w *Window) Part(engines []model.Engine, leave func()) {
	if w.free() {
		engine.AskParting(w.desk, engines, leave)
	}
}

// bring puts a page into the window.
func (w *Window) bring(name page.Name) {
	w.put(name, w.page(name))
	w.memory.setPage(name)
}

func (w *Window) put(name page.Name, p page.Page) {
	w.leave()
	w.name, w.front = name, p
	w.nav.choose(name)
	w.Canvas().Unfocus()
	w.area.Objects = []fyne.CanvasObject{p.Root()}
	w.area.Refresh()
	w.enter()
}

// page makes a page when it is first wanted.
func (w *Window) page(name page.Name) page.Page {
	p, made := w.pages[name]
	if made {
		return p
	}
	switch name {
	case page.ImagesPage:
		p = images.New(w.desk)
	case page.MirrorsPage:
		p = mirrors.New(w.desk)
	case page.DockerPage:
		p = docker.New(w.desk)
	case page.ActivityPage:
		p = activity.New(w.desk)
	case page.SettingsPage:
		s := settings.New(w.desk)
		s.Login = w.options.Login
		p = s
	default:
		p = overview.New(w.desk)
	}
	w.pages[name] = p
	if wide, ok := p.(spread); ok {
		wide.SetWidths(w.memory.widths(name))
	}
	return p
}

// spread is a page with columns that a person may draw wider.
type spread interface {
	Widths() map[string]float32
	SetWidths(map[string]float32)
}

func (w *Window) enter() {
	if guest, ok := w.front.(page.Guest); ok && w.open.Load() {
		guest.Enter()
	}
}

func (w *Window) leave() {
	if guest, ok := w.front.(page.Guest); ok {
		guest.Leave()
	}
	w.measure()
}

// measure remembers how wide the columns of the page in front are.
func (w *Window) measure() {
	if wide, ok := w.front.(spread); ok {
		w.memory.setWidths(w.name, wide.Widths())
	}
}

// Drop takes files that were dropped on the window: whichever page is in front, they are for the images.
func (w *Window) Drop(paths []string) {
	if len(paths) == 0 {
		return
	}
	w.Visit(page.ImagesPage, "")
	if images, ok := w.front.(*images.Page); ok {
		images.Drop(paths)
	}
}

// Anew makes everything again, in the language and the colours that are in force now. What stood in fields is gone; where the
// person was stays.
func (w *Window) Anew() {
	w.leave()
	w.toasts.Flush()
	name, first := w.name, w.front != nil && w.name == ""
	w.pages, w.front, w.name = map[page.Name]page.Page{}, nil, ""
	for top := w.Canvas().Overlays().Top(); top != nil; top = w.Canvas().Overlays().Top() {
		w.Canvas().Overlays().Remove(top)
	}
	w.dress()
	switch {
	case first:
		w.welcome()
	case name != "":
		w.bring(name)
	}
	if w.open.Load() {
		w.Update()
	}
}

// toast shows a sentence for a while.
func (w *Window) toast(t page.Toast) {
	w.toasts.Add(part.Toast{Text: t.Text, Bad: t.Bad, Undo: t.Undo, Done: t.Done})
}

// diagnose copies what somebody who helps wants to know.
func (w *Window) diagnose() {
	if w.options.Tool == nil {
		return
	}
	w.toast(page.Toast{Text: lang.Say("shell.footer.diagnosing")})
	w.desk.Work(func(ctx context.Context) func() {
		var found json.RawMessage
		err := w.options.Tool.Run(ctx, &found, "doctor")
		if err == nil && len(found) == 0 {
			err = errors.New("pulley doctor: it said nothing")
		}
		if len(found) > 0 {
			if pretty, indentErr := json.MarshalIndent(found, "", "  "); indentErr == nil {
				found = pretty
			}
		}
		return func() {
			if len(found) == 0 {
				w.toast(page.Toast{Text: lang.Say("shell.footer.failed", "Reason", lang.Reason(err)), Bad: true})
				return
			}
			w.desk.Copy(string(found))
			w.toast(page.Toast{Text: lang.Say("shell.footer.copied")})
		}
	})
}
