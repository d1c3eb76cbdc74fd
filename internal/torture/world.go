//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"pulley/internal/control/client"
	"pulley/internal/hubtest"
	"pulley/internal/waytest"
)

// dice are what a step draws from: its own, so that what was drawn before does not matter.
type dice struct{ *rand.Rand }

func roll(seed, step uint64) *dice { return &dice{rand.New(rand.NewPCG(seed, step))} } //nolint:gosec // it is to be repeated

// pick is one of several.
func pick[T any](r *dice, list []T) T { return list[r.IntN(len(list))] }

const (
	otherHost = "ghcr.io"
	plainHost = "plain.example" // a registry without TLS
	maxSize   = 24 << 20        // of the cache
	diskSize  = 72 << 20        // of the file system that it is on
)

// users and their passwords, which must turn up nowhere.
var users = map[string]string{"alice": "alices-Secret-5c1d", "bob": "bobs-Secret-77e0"}

// world is all there is in a run.
type world struct {
	seed   uint64
	binary string
	dir    string // everything of the run is below
	home   string
	listen string // the daemon's port, the same over restarts
	disk   *disk

	hub     *hubtest.Hub
	mirrors []*hubtest.Hub
	model   *model
	weather *weather
	held    *shelf

	daemon  *daemon
	gone    []*daemon // have handed over
	control *client.Client
	address string

	ttl     time.Duration // cache.tag_ttl in force
	tagsFor time.Duration // the longest that was in force lately
	route   map[string]string
	way     *way
	leaves  []string // for which registries it is the way out; nil: it is in no settings

	stand     *stand
	store     *waytest.ObjectStore // nil: there is none in this run
	shared    bool                 // it is cache.shared
	storeDown bool

	enabled  bool
	storm    int           // steps until the upstreams are well again
	liar     func()        // ends what a mirror lies about
	restless bool          // it is time to see whether it rests
	flood    int           // steps until the disk is
	drought  string        // what is wrong with it
	ill      time.Time     // since when
	clock    *clock        // the daemon's
	lag      int           // steps until it is right
	debris   []string      // temporary files that were there when it last was well again
	after    time.Duration // for so long the origin wants to be left alone when it is well again
	soak     *soak         // not nil: memory is looked at
	book     accounts
	story    *story
	secrets  secrets

	mu     sync.Mutex
	broken error // the first promise that was

	meddle func(net.Conn) net.Conn // what a test puts between clients and daemon
}

// newWorld starts hubs and daemon.
func newWorld(ctx context.Context, seed uint64, binary, dir string, mount bool) (w *world, err error) {
	w = &world{
		seed: seed, binary: binary, dir: dir, home: filepath.Join(dir, "h"), model: &model{}, weather: &weather{}, held: &shelf{},
		ttl: time.Second, tagsFor: time.Second, route: map[string]string{"docker.io": "auto", otherHost: "auto", plainHost: "auto"}, enabled: true, story: &story{},
	}
	w.hub = &hubtest.Hub{Users: users, Sites: []*hubtest.Site{{Host: otherHost}, {Host: plainHost}}, TokenTTL: time.Minute}
	w.mirrors = []*hubtest.Hub{
		{Of: w.hub, Style: hubtest.StyleHost, Auth: hubtest.Open}, {Of: w.hub, Style: hubtest.StyleNS, Auth: hubtest.Open},
	}
	for _, h := range w.hubs() {
		if err := h.Start(); err != nil {
			w.close()
			return nil, err
		}
	}
	for name, password := range users {
		w.secrets.add(password, basicOf(name, password))
	}
	if err := os.Mkdir(w.home, 0o700); err != nil {
		return nil, err
	}
	if w.disk, err = newDisk(filepath.Join(dir, "d"), mount); err != nil {
		w.close()
		return nil, err
	}
	if w.clock, err = newClock(filepath.Join(dir, "clock")); err != nil {
		w.close()
		return nil, err
	}
	w.stand = &stand{ctx: ctx, dir: dir}
	var leaves string
	if err = attempt(func() { w.listen, leaves = waytest.FreeAddr(w.stand), waytest.FreeAddr(w.stand) }); err != nil {
		w.close()
		return nil, err
	}
	if w.way, err = newWay(leaves, w.hubs()...); err != nil {
		w.close()
		return nil, err
	}
	if mount {
		if err := w.openStore(); err != nil { //nolint:contextcheck // it lives as long as the run
			w.close()
			return nil, err
		}
		w.secrets.add(w.store.Secret)
	}
	w.populate(roll(seed, 1<<40))
	if err := os.WriteFile(w.config(), []byte(w.settings()), 0o600); err != nil {
		w.close()
		return nil, err
	}
	if err := w.start(ctx); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) hubs() []*hubtest.Hub { return append([]*hubtest.Hub{w.hub}, w.mirrors...) }

func (w *world) config() string { return filepath.Join(w.home, "config.toml") }

// settings are those that a run begins with.
func (w *world) settings() string {
	text := hubtest.Settings{
		Origin: w.hub, Mirrors: w.mirrors, Listen: w.listen,
		Fetch: "range_min = \"256KiB\"\nconnections = 4",
		More: fmt.Sprintf("[[registry]]\nname = %q\nhosts = [%q]\ninsecure = true\n[cache]\ndir = %q\nmax_size = \"%dMiB\"\ntag_ttl = %q\n[log]\nmax_size = \"8MiB\"\n",
			plainHost, plainHost, w.disk.cache(), maxSize>>20, w.ttl),
	}.String()
	return strings.ReplaceAll(text, "enabled = true", "enabled = false") // mirrors begin switched off
}

// close ends everything that runs.
func (w *world) close() {
	for _, d := range append(w.gone, w.daemon) {
		if d != nil {
			d.kill()
		}
	}
	if w.control != nil {
		w.control.Close()
	}
	for _, h := range append(w.mirrors, w.hub) {
		h.Close()
	}
	if w.way != nil {
		w.way.down()
	}
	if w.stand != nil {
		for _, end := range slices.Backward(w.stand.ends) {
			end()
		}
	}
	if w.disk != nil {
		w.disk.remove()
	}
}

// breaks takes down that a promise was broken; the first one counts.
func (w *world) breaks(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken == nil {
		w.broken = fmt.Errorf(format, args...)
	}
}

func (w *world) verdict() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.broken
}

// pause waits, or until the run is broken off.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

var errNever = errors.New("not in time")

// until waits for what has no event of its own.
func until(ctx context.Context, most time.Duration, is func() bool) error {
	end := time.Now().Add(most)
	for !is() {
		if time.Now().After(end) {
			return errNever
		}
		pause(ctx, 20*time.Millisecond)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}
