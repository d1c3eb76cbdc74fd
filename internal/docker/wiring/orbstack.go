package wiring

import (
	"context"
	"fmt"
	"strings"

	"pulley/internal/docker/edit"
	"pulley/internal/docker/machine"
)

// orbstack is OrbStack, on macOS alone. ~/.orbstack/config/docker.json is daemon.json
// (https://docs.orbstack.dev/docker/#engine-config), but for `proxies`, which it ignores (orbstack/orbstack#1344): the way
// there is its setting network_proxy, "auto" unless somebody set it (https://docs.orbstack.dev/docker/network#proxies).
// It dials that proxy from the machine itself, and host.docker.internal leads to the machine from inside
// (https://docs.orbstack.dev/docker/network#connecting-to-servers-on-mac).
type orbstack struct{}

const (
	orbHost    = "host.orb.internal"
	orbSetting = "network_proxy"
)

var orbConfig = []string{"orb", "config"}

func (orbstack) dir(m machine.Machine) string { return below(m, m.Facts().Home, ".orbstack") }

func (k orbstack) daemon(m machine.Machine) string {
	return below(m, k.dir(m), "config", "docker.json")
}

func (orbstack) proxy() File { return File{Path: orbSetting, Through: orbConfig, Setting: true} }

// Find implements Kind.
func (k orbstack) Find(ctx context.Context, m machine.Machine) []Engine {
	if m.Facts().OS != machine.Darwin || !isThere(m, k.dir(m)) && !isThere(m, "/Applications/OrbStack.app") {
		return nil
	}
	e := Engine{
		ID: "orbstack", Name: "OrbStack", Context: "orbstack", Reach: desktopHost, Ways: []Way{Mirror, Proxy},
		Socket: "unix://" + below(m, k.dir(m), "run", "docker.sock"),
		Notes:  []Note{hostBoth(desktopHost)},
	}
	e.look(ctx, m)
	if out, err := runBriefly(ctx, m, "orb", "version"); err == nil { // "Version: 1.10.3 (1100300)"
		e.Version = field(out, 1)
	} else {
		e.Ways = []Way{Mirror}
		e.Notes = append(e.Notes, Note{Key: "orb", Text: "its program `orb` is not to be found: without it its proxy cannot be set"})
	}
	if read, err := m.ReadFile(k.daemon(m)); err == nil {
		e.Wired = wiredBy(Mirror, k.daemon(m), listAt(edit.JSON, read.Data, "registry-mirrors")...)
	}
	if len(e.Ways) > 1 {
		if out, err := runBriefly(ctx, m, append(orbConfig, "get", orbSetting)...); err == nil && strings.Contains(out, "://") {
			e.Wired = e.Wired.either(wiredBy(Proxy, strings.Join(orbConfig, " ")+" get "+orbSetting, out))
		}
	}
	return []Engine{e}
}

// Plan implements Kind.
func (k orbstack) Plan(ctx context.Context, m machine.Machine, e Engine, to Target, o Options) (*Plan, error) {
	plan := &Plan{Engine: e, Way: way(e, o)}
	switch plan.Way {
	case Mirror:
		name := k.daemon(m)
		if _, err := readSettings(m, e.ID, name, edit.JSON); err != nil {
			return nil, err
		}
		plan.reach = reachOf(e, to, o)
		plan.Files = []File{daemonJSON(name, edit.JSON, nil, plan.reach, o)}
		plan.Warn = append(plan.Warn, "a mirror is for Docker Hub alone: other registries are pulled as before; a proxy would take all")
	case Proxy:
		if len(e.Ways) < 2 {
			return nil, noWay(e, Proxy)
		}
		f := k.proxy()
		read, err := f.On(m).ReadFile(f.Path)
		if err != nil {
			return nil, fmt.Errorf("%s: its proxy cannot be asked for: %w", e.ID, err)
		}
		if old := textAt(edit.JSON, read.Data, orbSetting); strings.Contains(old, "://") && !isUs(old, to) {
			plan.Egress = old
		}
		host := o
		if host.Reach == "" {
			host.Reach = loopback
		}
		f.Edit = &edit.Edit{Format: edit.JSON, Steps: []edit.Step{{
			Path: []string{orbSetting}, Value: value("http://" + reachOf(e, to, host)),
		}}}
		plan.Files, plan.Trust = []File{f}, true
		plan.Warn = append(plan.Warn, nothingPulls(to)...)
		plan.Warn = append(plan.Warn, "its containers and Linux machines go out through this proxy as well; Pulley passes on untouched what is no registry",
			"whether its engine trusts what macOS trusts depends on its version (orbstack/orbstack#1835): where it does not, Pulley passes its pulls on untouched, and a mirror is the better way")
		if len(o.Insecure) > 0 {
			plan.Files = append(plan.Files, File{Path: k.daemon(m), Mode: 0o644, Edit: insecureAlone(o)})
		}
	default:
		return nil, noWay(e, plan.Way)
	}
	plan.Warn = append(plan.Warn, searchNeedsPodman(o)...)
	plan.How = k.Activation(ctx, m, e, plan.changing(m))
	return plan, nil
}

// Up implements Kind.
func (orbstack) Up(ctx context.Context, m machine.Machine, e Engine) error {
	return upDocker(ctx, m, e)
}

// Activation implements Kind: docker.json is read when the engine starts; the proxy counts at once, but authorities are read
// at start as well.
func (orbstack) Activation(ctx context.Context, m machine.Machine, e Engine, _ []string) Activation {
	return Activation{Kind: Restart, Stop: stops(ctx, m, e), Run: []machine.Command{{Args: []string{"orb", "restart", "docker"}}}, Text: "orb restart docker"}
}

// Pull implements Kind.
func (orbstack) Pull(ctx context.Context, m machine.Machine, e Engine, image string) error {
	return pullDocker(ctx, m, e, image)
}

// Taken says whether a running engine goes by what a plan wrote.
func (orbstack) Taken(ctx context.Context, m machine.Machine, p *Plan) error {
	return takesMirror(ctx, m, p)
}
