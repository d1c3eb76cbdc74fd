package wiring

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"

	"pulley/internal/docker/edit"
	"pulley/internal/docker/machine"
)

// dockerd is Docker's engine on the machine itself: root's, a person's own (rootless), and old ones that know fewer settings.
//
// A mirror is daemon.json's registry-mirrors, which is read again on SIGHUP
// (https://docs.docker.com/reference/cli/dockerd/#configuration-reload-behavior). A proxy is daemon.json's proxies since 23,
// and before that the environment: a drop-in of systemd's, or what the init script reads. A setting that is also given as a
// flag is refused: dockerd would not start with both.
type dockerd struct{}

const (
	dockerID         = "docker"
	dockerRootless   = "docker-rootless"
	dockerSocket     = "/var/run/docker.sock"
	dockerSocketReal = "/run/docker.sock"
	// slirpHost leads from the network of a rootless engine to the machine's loopback, where that is let through.
	slirpHost = "10.0.2.2"
)

// dockerPlace is one dockerd: where its settings are and how it is started.
type dockerPlace struct {
	id, config, socket string
	user               bool     // it is a person's own
	pid                int      // 0: it does not run
	program            string   // dockerd itself
	flags              []string // that it was, or will be, started with
	from               string   // where they were found, for people
	environ            []string // of the process, where that may be read
	unit               string   // of systemd, that it runs as; "" without
}

// Find implements Kind.
func (k dockerd) Find(ctx context.Context, m machine.Machine) []Engine {
	if m.Facts().OS != machine.Linux {
		return nil
	}
	var list []Engine
	for _, at := range k.places(ctx, m) {
		list = append(list, k.look(ctx, m, at))
	}
	return list
}

func (k dockerd) look(ctx context.Context, m machine.Machine, at dockerPlace) Engine {
	e := Engine{
		ID: at.id, Name: "Docker Engine", Socket: "unix://" + at.socket, Context: "default", Reach: loopback,
		Running: at.pid > 0, Ways: []Way{Mirror, Proxy},
	}
	info, err := dockerInfo(ctx, m, e.Socket)
	switch {
	case err == nil:
		e.Running, e.Version = true, info.ServerVersion
	case at.pid > 0:
		e.Notes = append(e.Notes, Note{"silent", oneLine(err), "runs, but does not answer here: " + oneLine(err)})
	}
	if e.Version == "" {
		if out, err := runBriefly(ctx, m, at.program, "--version"); err == nil { // "Docker version 20.10.24, build 297e128"
			e.Version = field(out, 2)
		}
	}
	if at.user {
		e.Name, e.Context = "Docker Engine (rootless)", "rootless"
		k.reachRootless(ctx, m, at, &e)
	}
	e.Wired = k.wired(m, at, info)
	return e
}

// reachRootless finds out how a rootless engine gets to this machine's loopback: directly where RootlessKit keeps the
// network of containers apart from the engine's (--detach-netns, moby/moby#47103), through slirp4netns where that is let.
func (dockerd) reachRootless(_ context.Context, m machine.Machine, at dockerPlace, e *Engine) {
	for _, p := range processes(m) {
		if path.Base(p.args[0]) == "rootlesskit" && p.uid == m.Facts().UID && slices.Contains(p.args, "--detach-netns") {
			return
		}
	}
	if slices.Contains(at.environ, "DOCKERD_ROOTLESS_ROOTLESSKIT_DISABLE_HOST_LOOPBACK=false") {
		e.Reach = slirpHost
		return
	}
	e.Ways = []Way{Mirror}
	e.Notes = append(e.Notes, Note{Key: "rootless", Text: "it cannot reach this machine's loopback and pulls from the origin instead; it can with RootlessKit 2 and Docker 26, " +
		"or with DOCKERD_ROOTLESS_ROOTLESSKIT_DISABLE_HOST_LOOPBACK=false in its service"})
}

// wired says how it is pointed now: by its settings, and, where it answers, by its environment.
func (k dockerd) wired(m machine.Machine, at dockerPlace, info *system.Info) Wired {
	var w Wired
	if read, err := m.ReadFile(at.config); err == nil && edit.Check(edit.JSON, read.Data) == nil {
		mirrors := wiredBy(Mirror, at.config, listAt(edit.JSON, read.Data, "registry-mirrors")...)
		proxy := wiredBy(Proxy, at.config, unique(textAt(edit.JSON, read.Data, "proxies", "https-proxy"), textAt(edit.JSON, read.Data, "proxies", "http-proxy"))...)
		w = joined(mirrors, proxy)
	}
	if info != nil && info.HTTPSProxy != "" && !slices.Contains(w.To, withoutPassword(info.HTTPSProxy)) {
		w = joined(w, wiredBy(Proxy, "its environment", info.HTTPSProxy))
	}
	for _, flag := range at.values("registry-mirror") {
		w = joined(w, wiredBy(Mirror, "its flags", flag))
	}
	return w
}

// joined is what either of two says, that which leads to us first.
func joined(a, b Wired) Wired {
	switch {
	case b.Way == None:
		return a
	case a.Way == None:
		return b
	}
	return a.either(b)
}

// dockerInfo asks an engine about itself.
func dockerInfo(ctx context.Context, m machine.Machine, socket string) (*system.Info, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c, err := dialDocker(m, socket)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	got, err := c.Info(ctx, client.InfoOptions{})
	if err != nil {
		return nil, errors.New(oneLine(err))
	}
	return &got.Info, nil
}

// Up implements Kind.
func (dockerd) Up(ctx context.Context, m machine.Machine, e Engine) error {
	_, err := dockerInfo(ctx, m, e.Socket)
	return err
}

// Taken says whether a running engine goes by what a plan wrote: a reload that fails only shows in its log.
func (dockerd) Taken(ctx context.Context, m machine.Machine, p *Plan) error {
	if p.Way == Mirror {
		return mirrorsAt(m, p.Engine.Socket).takes(ctx, p)
	}
	info, err := dockerInfo(ctx, m, p.Engine.Socket)
	if err != nil {
		return err
	}
	if url := mirrorURL(p.reach); info.HTTPSProxy != url {
		return fmt.Errorf("it did not take up the proxy %s; its log says why", url)
	}
	return nil
}

// Pull implements Kind.
func (dockerd) Pull(ctx context.Context, m machine.Machine, e Engine, image string) error {
	return pullDocker(ctx, m, e, image)
}

// Activation implements Kind: mirrors and insecure registries are taken up by a reload, all else by a restart.
func (k dockerd) Activation(ctx context.Context, m machine.Machine, e Engine, changed []string) Activation {
	at, ok := k.place(ctx, m, e.ID)
	if !ok {
		return Activation{Kind: ByHand, Text: "restart dockerd"}
	}
	restart := !dockerAtLeast(e.Version, 17, 4) // registry-mirrors are read again since then
	info, err := dockerInfo(ctx, m, e.Socket)
	if err != nil {
		info = nil
	}
	restart = restart || e.Wired.Ours && e.Wired.Way == Proxy // which is taken up, and given up, at start alone
	for _, name := range changed {
		restart = restart || name != at.config
	}
	return k.activation(m, at, e, info, restart)
}

// dockerAtLeast takes an engine that somebody built, and that has no number, for a new one.
func dockerAtLeast(version string, major, minor int) bool {
	if version != "" && (version[0] < '0' || version[0] > '9') {
		return true
	}
	return atLeast(version, major, minor)
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (k dockerd) activation(m machine.Machine, at dockerPlace, e Engine, info *system.Info, restart bool) Activation {
	if !restart && at.pid > 0 {
		if at.unit == "docker.service" && hasSystemd(m) { // whose ExecReload is there; others' may not be
			return unitActivation(m, Reload, "reload", at.unit, at.user, 0)
		}
		hup := []string{"kill", "-HUP", strconv.Itoa(at.pid)}
		return Activation{Kind: Reload, Run: []machine.Command{{Args: hup}}, Text: strings.Join(hup, " ") + " (dockerd)"}
	}
	stops := -1
	switch {
	case info != nil && info.LiveRestoreEnabled:
		stops = 0
	case info != nil:
		stops = info.ContainersRunning
	case !e.Running:
		stops = 0
	}
	script := "/etc/init.d/docker"
	switch {
	case at.unit != "" && hasSystemd(m):
		return restartUnit(m, at.unit, at.user, stops)
	case hasSystemd(m) && at.pid == 0:
		return restartUnit(m, "docker.service", at.user, stops)
	case !at.user && isThere(m, script) && k.byScript(m, at):
		// Debian's fails to restart what does not run.
		run := machine.Command{Args: []string{"/bin/sh", "-c", script + " restart || " + script + " start"}}
		return Activation{Kind: Restart, Run: []machine.Command{run}, Text: script + " restart", Stop: stops}
	}
	return Activation{Kind: ByHand, Text: "restart dockerd", Stop: stops}
}

// byScript says that the init script started it, and so knows how to stop it.
func (dockerd) byScript(m machine.Machine, at dockerPlace) bool {
	if at.pid == 0 {
		return true
	}
	for _, name := range []string{"/var/run/docker-ssd.pid", "/run/docker-ssd.pid", "/var/run/docker.pid", "/run/docker.pid"} {
		if read, err := m.ReadFile(name); err == nil && strings.TrimSpace(string(read.Data)) == strconv.Itoa(at.pid) {
			return true
		}
	}
	return false
}
