//go:build cgo

package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"
	"fyne.io/systray"
	"golang.org/x/sync/errgroup"

	"pulley/assets"
	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/internal/control/client"
	"pulley/internal/desktop"
	"pulley/internal/desktop/keep"
	"pulley/internal/desktop/tool"
	"pulley/ui"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/theme"
	"pulley/ui/tray"
)

// What desktops know the program by; FyneApp.toml says the same to packagers.
const (
	id   = "app.pulley.tray"
	name = "Pulley"
)

// version is the number of FyneApp.toml, or what the linker puts in its place in a release.
var version = "0.1.0"

// program puts everything together.
type program struct {
	places config.Places
	log    *slog.Logger
	model  *model.Model
	keeper *keep.Keeper[daemon]

	app       fyne.App
	window    *ui.Window
	dressed   dress        // as the daemon said last; the keeper's goroutine
	worn      theme.Choice // what is drawn with; the UI goroutine
	icon      atomic.Bool  // something shows our icon
	started   chan struct{}
	changed   chan struct{} // holds one signal, as the next two do: the menu is looked at again
	rouse     chan struct{} // there is something to do on the UI goroutine
	concealed chan struct{} // the window was closed

	daemon   atomic.Pointer[client.Client] // nil: none runs
	tool     tool.Tool
	contexts *contexts

	watched atomic.Bool   // a person has the window before them
	heed    chan struct{} // holds one signal: something may be worth a notification

	work        *errgroup.Group
	ctx         context.Context    // of work
	cancel      context.CancelFunc // ends work
	ending      sync.RWMutex       // held to begin work, and for good when no more may begin
	ended, left sync.Once
	release     func() // lets another tray begin

	last *sync.WaitGroup // of what pages begin as the program ends; nil: it does not yet. For the UI goroutine
}

// dress is what the settings say about looks and language.
type dress struct {
	theme    theme.Choice
	language string
}

func newProgram(places config.Places, log *slog.Logger) *program {
	p := &program{
		places: places, log: log, model: model.New(),
		started: make(chan struct{}), changed: make(chan struct{}, 1), rouse: make(chan struct{}, 1), concealed: make(chan struct{}, 1),
		dressed: dress{theme.Auto, lang.Auto}, worn: theme.Auto,
		heed: make(chan struct{}, 1),
	}
	p.contexts = newContexts(p)
	p.keeper = keep.New(keep.Options[daemon]{
		Find: p.find, Start: p.start, Log: log,
		Searching: func() { p.daemon.Store(nil); p.model.Searching() },
		Attached:  func(d daemon, owned bool) { p.daemon.Store(d.Client); p.model.Attached(d, owned) },
		Heard:     p.heard,
		Lost:      func(reason string) { p.daemon.Store(nil); p.model.Lost(reason) },
	})
	return p
}

// run draws until a person quits, and then ends what was started. It has to be
// called on the main goroutine.
func (p *program) run(showWindow bool) error {
	app.SetMetadata(fyne.AppMetadata{ID: id, Name: name, Version: version, Icon: appIcon(), Migrations: map[string]bool{"fyneDo": true}})
	lang.Use(lang.Auto)
	p.app = app.NewWithID(id)
	p.app.SetIcon(appIcon())
	identify(name)
	p.app.Settings().SetTheme(theme.New(p.worn))
	p.window = ui.New(p.app, p.options())
	p.window.SetCloseIntercept(p.closed)
	p.model.Watch(p.window.Changed)
	p.model.Watch(p.redraw)
	p.model.Watch(func() { signalOn(p.heed) })
	p.app.Lifecycle().SetOnEnteredForeground(func() { p.watched.Store(true) })
	p.app.Lifecycle().SetOnExitedForeground(func() { p.watched.Store(false) })

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	work, ctx := errgroup.WithContext(ctx)
	p.work, p.ctx, p.cancel = work, ctx, cancel
	systray.SetOnTapped(func() { p.do(model.Action{Verb: model.Open}) })
	startTray, stopTray := systray.RunWithExternalLoop(func() {
		bar := tray.NewBar(status{}, p.do)
		build := func() tray.Menu { return tray.Build(p.model.View(), time.Now()) }
		bar.Draw(build()) // before the first host asks
		work.Go(func() error { tray.Pace(ctx, p.changed, build, bar.Draw); return nil })
	}, nil)
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(told)
	p.app.Lifecycle().SetOnStarted(func() {
		startTray()
		work.Go(func() error {
			select {
			case s := <-told:
				if s == syscall.SIGHUP {
					p.quit()
				}
				p.end() // at the others Fyne leaves its loop by itself
			case <-ctx.Done():
			}
			return nil
		})
		close(p.started)
		work.Go(func() error { p.learnFonts(); return nil }) //nolint:contextcheck // what pages begin goes on until the program ends
		work.Go(func() error { p.watchStatusArea(ctx); return nil })
		work.Go(func() error { p.age(ctx); return nil })
		work.Go(func() error { return p.doze(ctx) })
		work.Go(func() error { return p.contexts.keep(ctx) })
		work.Go(func() error { return p.notify(ctx) })
		work.Go(func() error { return p.model.Run(ctx) })
		work.Go(func() error { return p.keeper.Run(ctx) })
		if showWindow {
			p.window.Reveal() //nolint:contextcheck // pages work in the context that Desk.Work hands them
		}
	})
	p.app.Run() // returns when the app quits; its lifecycle hooks are not reliable then
	p.end()
	stopTray()
	return work.Wait()
}

// parting is how long Fyne may take to leave its loop when all else has ended.
const parting = 2 * time.Second

// lastWork is how long what a person did last, and could still have undone, may take when they quit.
const lastWork = 3 * time.Second

// quit ends the program, after what a person did last. Any goroutine.
func (p *program) quit() {
	late := time.AfterFunc(lastWork, p.leaveLoop) // whatever becomes of the loop
	p.onUI(func() {
		last := &sync.WaitGroup{}
		p.last = last
		p.window.Settle() //nolint:contextcheck // what pages begin goes on until the program ends
		p.last = nil
		go func() {
			last.Wait()
			if late.Stop() {
				p.leaveLoop()
			}
		}()
	})
}

func (p *program) leaveLoop() {
	p.end()
	p.left.Do(func() { p.onUI(p.app.Quit) })
}

// end ends all but Fyne's loop. Any goroutine.
func (p *program) end() {
	p.ended.Do(func() {
		p.window.Retire()
		p.release() // the daemon may take its time; whoever starts Pulley again meanwhile wants it shown
		p.cancel()
		p.ending.Lock() // for good: what is begun by now is waited for
		go func() {
			// Run may never return: the last lifecycle event can be put into a queue
			// that is no longer read (fyne-io/fyne#5699 is about the same place). By
			// then there is nothing left to lose.
			status := 0
			if err := p.work.Wait(); err != nil {
				status = 1
			}
			<-time.After(parting)
			os.Exit(status) //nolint:forbidigo // main waits for a loop that may never be left
		}()
	})
}

// options is what the window works with.
func (p *program) options() ui.Options {
	return ui.Options{
		Model: p.model, Do: p.do, Tool: &p.tool, Work: p.pages, Files: p.files(), Now: time.Now, Version: version,
		Daemon: p.client, Login: startAtLogin(), Close: p.closed, Memory: filepath.Join(p.places.StateDir, "window.json"),
	}
}

// client is the daemon as pages ask it; nil while none runs.
func (p *program) client() page.Daemon {
	if c := p.daemon.Load(); c != nil {
		return c
	}
	return nil
}

// beside has work done beside the UI goroutine, and what it returns on it. Once the program ends nothing is begun any more.
func (p *program) beside(work func(ctx context.Context) func()) {
	if !p.ending.TryRLock() {
		return
	}
	defer p.ending.RUnlock()
	p.work.Go(func() error {
		if then := work(p.ctx); then != nil && p.ctx.Err() == nil {
			p.onUI(then)
		}
		return nil
	})
}

// pages is beside for pages, which call it on the UI goroutine: what they begin last is waited for.
func (p *program) pages(work func(ctx context.Context) func()) {
	last := p.last
	if last == nil {
		p.beside(work)
		return
	}
	last.Add(1)
	p.beside(func(ctx context.Context) func() {
		defer last.Done()
		return work(ctx)
	})
}

// do is what a person asked for, in the menu or in the window. Any goroutine.
func (p *program) do(a model.Action) {
	switch a.Verb {
	case model.Open:
		p.reveal()
		if a.Page != "" {
			p.onUI(func() { p.window.Visit(page.Name(a.Page), a.Thing) })
		}
	case model.UseContext:
		p.beside(func(ctx context.Context) func() { p.contexts.use(ctx, a.Thing); return nil })
	case model.Retry:
		p.keeper.Retry()
	case model.Quit:
		p.leave()
	default:
		p.model.Do(a)
	}
}

// reveal shows the window. Any goroutine but the main one.
func (p *program) reveal() {
	<-p.started
	p.onUI(p.window.Reveal)
}

// closed is the window's close button: it hides the window where an icon leads
// back to it, and quits where none does.
func (p *program) closed() {
	if p.icon.Load() {
		p.window.Conceal()
		signalOn(p.concealed)
		time.AfterFunc(settling, p.slim)
		return
	}
	p.leave()
}

// settling is how long a window is hidden before what it took is given back: it may be wanted again at once.
const settling = time.Second

// slim gives back what only a window needs. Any goroutine.
func (p *program) slim() {
	if !p.window.Open() {
		debug.FreeOSMemory()
		unload()
	}
}

// patience is how long a desktop that is just being logged into has to bring
// its status area up before the window is opened instead.
const patience = 3 * time.Second

func (p *program) watchStatusArea(ctx context.Context) {
	late := time.AfterFunc(patience, func() {
		if ctx.Err() == nil && !p.icon.Load() {
			p.log.Info("no status area on this desktop: the window is all there is")
			p.onUI(p.window.Reveal)
		}
	})
	defer late.Stop()
	desktop.WatchStatusArea(ctx, p.icon.Store)
	<-ctx.Done()
}

// redraw has the menu looked at again soon. Any goroutine.
func (p *program) redraw() { signalOn(p.changed) }

// age keeps "3 minutes ago" true in a window that stands open, and "again by
// 18:05" in the menu: nothing else tells that time has passed.
func (p *program) age(ctx context.Context) {
	ticks := time.NewTicker(30 * time.Second)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			p.window.Changed()
			p.redraw()
		}
	}
}

// start runs the daemon as a child. What it prints is kept beside its log.
func (p *program) start() (keep.Child, error) {
	binary, err := desktop.FindBinary("pulley")
	if err != nil {
		return nil, err
	}
	return desktop.StartChild(filepath.Join(p.places.LogDir, "up.log"), binary, "up")
}

// heard takes a state over, and with it `tray.theme` and `tray.language` when they have changed. The keeper's goroutine.
func (p *program) heard(s control.State) {
	p.model.Heard(s)
	dress := p.dressed
	if s.Theme != "" {
		dress.theme = theme.Choice(s.Theme)
	}
	if s.Language != "" {
		dress.language = s.Language
	}
	if dress == p.dressed {
		return
	}
	before := lang.Tag()
	p.dressed = dress
	lang.Use(dress.language)
	theme.Learn()
	spoken := lang.Tag() != before
	p.redraw()
	p.onUI(func() {
		if dress.theme != p.worn || spoken { // another language may have other fonts, which Fyne keeps until then
			p.worn = dress.theme
			p.app.Settings().SetTheme(theme.New(dress.theme))
			p.window.Anew()
		}
	})
}

// learnFonts finds the system's fonts for who reads Chinese from the start.
func (p *program) learnFonts() {
	if theme.Learn() {
		p.onUI(func() {
			p.app.Settings().SetTheme(theme.New(p.worn))
			p.window.Anew()
		})
	}
}

// daemon is a client as the keeper and the model want it.
type daemon struct{ *client.Client }

// Watch hears states.
func (d daemon) Watch(ctx context.Context, heard func(control.State)) error {
	return d.Client.Watch(ctx, false, func(m control.Message) {
		if m.State != nil {
			heard(*m.State)
		}
	})
}

func (p *program) find(ctx context.Context) (daemon, error) {
	c, err := client.Find(ctx, os.Environ())
	if c != nil {
		c.Close() // of connections; it dials again when it is used
	}
	if errors.Is(err, client.ErrNotRunning) {
		return daemon{}, keep.ErrNone
	}
	return daemon{c}, err
}

func appIcon() fyne.Resource {
	picture, err := assets.Icons.ReadFile("icons/app.png")
	if err != nil {
		return nil
	}
	return fyne.NewStaticResource("app.png", picture)
}
