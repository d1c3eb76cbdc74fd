// Package daemon is the one place where Pulley is put together: settings, cache, certificate authorities, ways out,
// sources, the registry handler, the port and the control socket. It owns their order at start and at the end, and keeps
// history. It knows no protocol itself.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"pulley/cache"
	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/internal/control/server"
	"pulley/internal/handover"
	"pulley/proxy"
	"pulley/proxy/ca"
	"pulley/proxy/egress"
	"pulley/proxy/egress/system"
	"pulley/proxy/fetch"
	"pulley/proxy/registry"
	personal "pulley/proxy/registry/local"
	"pulley/proxy/source"
	"pulley/proxy/token"
)

// Options of a Daemon. Places must be set.
type Options struct {
	Places  config.Places
	Environ []string
	Version string       // of the program, for people
	Log     *slog.Logger // nil discards
	Now     func() time.Time
	// TakeOver has a daemon that runs in these places hand over what it holds; with none it is a start like any other.
	TakeOver bool
}

// Daemon is everything put together.
type Daemon struct {
	opt     Options
	started time.Time

	settings *config.Store
	listener *handover.Gate
	place    place
	control  *handover.Gate
	take     takeover
	hand     hand

	cache     *cache.Cache
	cacheErr  error  // why the real cache cannot be used; cache is then a throwaway one that keeps nothing
	throw     string // its folder
	dir       string // where the real one is: the settings' until they are others
	ca        *ca.Store
	egress    *egress.Egress
	line      fetch.Line // tells what is being fetched of another network
	sources   *source.Set
	handler   *registry.Handler
	ownImages *personal.Registry
	port      *proxy.Server
	history   *history
	totals    *totals
	metrics   *metrics
	pause     *pause
	changes   changes
	unstored  unstored
	failures  failures
	tally     *tally
	noticing  sync.Mutex
	noticed   map[string]bool // notices about the settings in force that were logged
	end       chan struct{}   // closed when history and the like have to stop
}

// New loads the settings, opens what is on disk and binds the port and the socket, in this order; it serves nothing yet.
// The cache's lock goes first: of two daemons that start at once the second must not take the first one's socket for a
// leftover. Its errors are one line each. A Daemon that is not Run must be closed.
func New(o Options) (_ *Daemon, err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &Daemon{opt: o, started: o.Now(), end: make(chan struct{}), place: place{asked: make(chan struct{}, 1)}}
	defer func() {
		if err != nil {
			d.Close()
		}
	}()
	if d.settings, err = config.Open(o.Places.ConfigFile, o.Environ, o.Log); err != nil {
		return nil, err
	}
	for _, dir := range []string{o.Places.Home, filepath.Dir(o.Places.ConfigFile), o.Places.StateDir, o.Places.LogDir} {
		if err := privateDir(dir); err != nil {
			return nil, err
		}
	}
	if o.TakeOver {
		if err := d.takeOver(); err != nil {
			return nil, err
		}
	}
	if err := d.openCache(); err != nil {
		return nil, err
	}
	if err := d.openCA(); err != nil {
		return nil, err
	}
	if err := d.listen(); err != nil {
		return nil, err
	}
	if err := d.join(); err != nil {
		return nil, err
	}
	d.notice(d.settings.Current())
	d.settings.Subscribe(d.settingsChanged)
	if err := d.took(); err != nil {
		return nil, err
	}
	return d, nil
}

// notice logs what a person may not have meant, each once.
func (d *Daemon) notice(c *config.Config) {
	d.noticing.Lock()
	defer d.noticing.Unlock()
	said := map[string]bool{}
	for _, notice := range c.Notices() {
		said[notice] = true
		if !d.noticed[notice] {
			d.opt.Log.Warn("settings: " + notice)
		}
	}
	d.noticed = said
}

// getenv looks a variable up in an environment.
func getenv(environ []string) func(string) string {
	return func(name string) string {
		for _, line := range slices.Backward(environ) {
			if value, ok := strings.CutPrefix(line, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

// join puts the parts together.
func (d *Daemon) join() (err error) {
	settings := d.settings.Current
	d.egress = egress.New(egress.Options{
		Settings: settings, Environ: d.opt.Environ, Log: d.opt.Log,
		Self:    func() []string { return []string{d.listener.Addr().String()} },
		System:  func(ctx context.Context) (system.Settings, error) { return system.Read(ctx, d.opt.Environ) },
		Changed: d.changes.tell,
	})
	tokens := token.NewKeeper(token.Options{Settings: settings, Network: d.egress, Now: d.opt.Now, Log: d.opt.Log})
	d.sources = source.NewSet(source.Options{
		Settings: settings, Network: d.egress, Tokens: tokens, Now: d.opt.Now, Log: d.opt.Log, StateDir: d.opt.Places.StateDir,
		Getenv: getenv(d.opt.Environ),
	})
	d.history = newHistory(d.opt.Places.LogDir, func() int64 { return int64(settings().Log.MaxSize) }, d.opt.Log)
	d.totals = newTotals(d.opt.Places.StateDir, d.opt.Now)
	d.metrics = newMetrics(settings, d.opt.Version, &standing{d: d})
	d.tally = newTally(d.cache, d.opt.Now, d.changes.tell)
	d.ownImages = personal.New(personal.Options{
		Cache: d.cache, Now: d.opt.Now, Log: d.opt.Log,
		Allowed: func(r *http.Request) (read, write bool) { return d.handler.MayOwn(r) },
		Public:  func(r *http.Request, name string) (cache.Name, bool) { return d.handler.Published(r, name) },
	})
	d.handler, err = registry.New(registry.Options{
		Settings: settings, Cache: d.cache, Sources: d.sources, Tokens: tokens, Network: d.egress, Own: d.ownImages,
		StateDir: d.opt.Places.StateDir, Now: d.opt.Now, Log: d.opt.Log, Line: &d.line, Record: d.record, Moved: d.moved,
	})
	if err != nil {
		return err
	}
	d.port, err = proxy.New(proxy.Options{
		Settings: settings, CA: d.ca, Dial: d.egress.DialContext, Registry: d.handler,
		Own: http.HandlerFunc(d.own), Now: d.opt.Now, Log: d.opt.Log,
	})
	if err != nil {
		return err
	}
	d.pause = newPause(d.opt.Places.StateDir, d.opt.Now, func() error {
		err := d.settings.Set("enabled", "true")
		if err != nil {
			d.opt.Log.Error("the pause is over, but switching on failed; trying again in a minute", "err", err)
		}
		return err
	})
	return nil
}

// own answers for what is neither proxy nor registry.
func (d *Daemon) own(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/healthz":
		_, _ = w.Write([]byte("ok\n"))
	case "/metrics":
		d.metrics.handler.ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (d *Daemon) settingsChanged(c *config.Config) {
	if d.hand.gone() { // what is on disk is another daemon's
		d.handler.Update()
		return
	}
	if d.cacheErr == nil {
		d.cache.SetMaxSize(int64(c.Cache.MaxSize))
	}
	if err := d.ca.Cover(CAHosts(c)); err != nil {
		d.opt.Log.Error("certificates for new registries", "err", err)
	}
	d.handler.Update()
	d.place.ask()
	d.notice(c)
	if c.Enabled {
		d.pause.clear()
	}
	d.changes.tell()
}

// Address is the one port's, with the number that was chosen for port 0.
func (d *Daemon) Address() string { return d.listener.Addr().String() }

const flushEvery = 5 * time.Second

// Run serves until ctx ends, then drains and returns nil. It closes the Daemon.
func (d *Daemon) Run(ctx context.Context) error {
	defer d.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	tending, untend := d.hand.until(ctx) // of what is one daemon's alone
	defer untend()
	asked := make(chan struct{}) // closed when nobody uses the control socket any more
	var parts sync.WaitGroup
	part := func(name string, run func(context.Context) error) {
		parts.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	if events, err := d.history.read(failedRead); err == nil { // else the log says so when it is written
		d.failures.recall(events, d.opt.Now())
	}
	// Downloads end when nobody is served any more, and history when there is nothing more to write down.
	serving, served := context.WithCancel(context.WithoutCancel(ctx))
	defer served()
	var written sync.WaitGroup
	written.Go(func() { d.history.run(d.end) })
	part("settings", d.settings.Run)
	part("registry", func(context.Context) error { return d.handler.Run(serving) })
	part("own images", func(context.Context) error { return d.ownImages.Run(serving) })
	part("sources", func(context.Context) error { return d.sources.Run(serving) })
	part("network", d.watchNetwork)
	part("address", func(context.Context) error { return d.follow(tending) })
	part("cache", func(context.Context) error { return d.scrub(tending) })
	part("port", func(ctx context.Context) error {
		defer served()
		err := d.port.Serve(ctx, d.listener)
		if err == nil && d.hand.gone() {
			d.finish(ctx, asked)
			cancel(nil)
		}
		return err
	})
	part("control", func(ctx context.Context) error {
		defer close(asked)
		s := server.New(d, d.opt.Log)
		s.Handle("POST "+handover.Path, d.handOver(cancel))
		return s.Serve(ctx, d.control)
	})
	part("history", func(context.Context) error { return d.tend(tending) })
	part("hand-over", d.hear)
	<-ctx.Done()
	if !d.hand.gone() {
		d.opt.Log.Info("ending: running transfers are finished first")
	}
	inTime := waitFor(&parts, control.Drain)
	close(d.end)
	written.Wait()
	if !inTime {
		return errors.New("ending: not everything was finished in time")
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// waitFor waits at most so long, and reports whether that was enough.
func waitFor(parts *sync.WaitGroup, most time.Duration) bool {
	ended := make(chan struct{})
	go func() {
		parts.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return true
	case <-time.After(most):
		return false
	}
}

// tend looks after what nobody's request does, every few seconds.
func (d *Daemon) tend(ctx context.Context) error {
	ticks := time.NewTicker(flushEvery)
	defer ticks.Stop()
	var known []control.Problem
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
		if err := d.totals.flush(); err != nil {
			d.opt.Log.Debug("totals", "err", err)
		}
		known = d.look(known)
		d.tally.changed() // others fill the disk, too
	}
}

// Close lets go of everything. It may be called more than once, and on a Daemon that was never Run.
func (d *Daemon) Close() {
	if d.pause != nil {
		d.pause.close()
	}
	if d.handler != nil {
		d.handler.Close()
	}
	if d.totals != nil && !d.hand.gone() {
		_ = d.totals.flush()
	}
	if d.egress != nil {
		d.egress.Close()
	}
	if d.tally != nil {
		d.tally.close()
	}
	if d.cache != nil {
		if err := d.cache.Close(); err != nil {
			d.opt.Log.Warn("closing the cache", "err", err)
		}
	}
	if d.throw != "" {
		_ = os.RemoveAll(d.throw)
	}
	for _, ln := range []*handover.Gate{d.listener, d.control} {
		if ln != nil {
			_ = ln.Close()
		}
	}
	d.take.close()
	d.hand.close()
}
