package wiring

import (
	"context"
	"slices"
	"strings"

	"pulley/internal/docker/edit"
	"pulley/internal/docker/machine"
)

// rancher is Rancher Desktop on macOS, Windows and Linux, with Docker (which it calls moby) or containerd. It has no setting
// for mirrors (rancher-sandbox/rancher-desktop#3313) and a program that runs commands in its virtual machine, `rdctl shell`
// (https://docs.rancherdesktop.io/references/rdctl-command-reference/), as root on Windows. What is in daemon.json there
// stays when it starts again: it adds what it needs to it (writeMobyConfig in pkg/rancher-desktop/backend/backendHelper.ts),
// but for 1.14.0, which wrote it anew (#7063).
type rancher struct{}

const (
	rancherID   = "rancher-desktop"
	rancherHost = "host.rancher-desktop.internal"
)

// settings is where it has its own settings: pkg/rancher-desktop/utils/paths.ts.
func (rancher) settings(m machine.Machine) string {
	home := m.Facts().Home
	switch m.Facts().OS {
	case machine.Darwin:
		return below(m, home, "Library", "Preferences", "rancher-desktop", "settings.json")
	case machine.Windows:
		if dir := m.Getenv("APPDATA"); dir != "" {
			return below(m, dir, "rancher-desktop", "settings.json")
		}
		return below(m, home, "AppData", "Roaming", "rancher-desktop", "settings.json")
	}
	dir := m.Getenv("XDG_CONFIG_HOME")
	if dir == "" {
		dir = below(m, home, ".config")
	}
	return below(m, dir, "rancher-desktop", "settings.json")
}

func (k rancher) containerd(m machine.Machine) bool {
	read, err := m.ReadFile(k.settings(m))
	return err == nil && textAt(edit.JSON, read.Data, "containerEngine", "name") == "containerd"
}

func (k rancher) vm(m machine.Machine) vm {
	v := vm{shell: []string{"rdctl", "shell"}, root: []string{"rdctl", "shell", "sudo"}}
	if m.Facts().OS == machine.Windows {
		v.root = v.shell
	}
	if k.containerd(m) {
		v.certs = certsDirs
		return v
	}
	v.daemon, v.reload = "/etc/docker/daemon.json", slices.Concat(v.root, []string{"killall", "-HUP", "dockerd"})
	return v
}

// Find implements Kind.
func (k rancher) Find(ctx context.Context, m machine.Machine) []Engine {
	if !isThere(m, k.settings(m)) {
		return nil
	}
	e := Engine{
		ID: rancherID, Name: "Rancher Desktop", Reach: rancherHost, Ways: []Way{Mirror},
		Notes: []Note{
			hostLoopback(rancherHost),
			{Key: "reset", Text: "what is set in its virtual machine goes with it: after a factory reset connect again"},
		},
	}
	version, err := runBriefly(ctx, m, "rdctl", "version") // "rdctl client version: v1.18.2, targeting server version: v1"
	if err != nil {
		e.Ways = nil
		e.Notes = append([]Note{{Key: "rdctl", Text: "its program `rdctl` is not to be found: put ~/.rd/bin into PATH"}}, e.Notes...)
		return []Engine{e}
	}
	v := k.vm(m)
	if k.containerd(m) {
		e.Name = "Rancher Desktop (containerd)"
		_, err := runBriefly(ctx, m, append(v.root, "nerdctl", "version")...)
		e.Running = err == nil
		e.Notes = append(e.Notes, Note{"kubernetes", "/etc/rancher/k3s/registries.yaml", "its Kubernetes has registries of its own, in /etc/rancher/k3s/registries.yaml, which are left alone"})
	} else {
		e.Context, e.Socket = "rancher-desktop", "unix://"+below(m, m.Facts().Home, ".rd", "docker.sock")
		if m.Facts().OS == machine.Windows {
			e.Socket = "npipe:////./pipe/docker_engine"
		}
		if desktopVersion(e.look(ctx, m).product) != "" { // both serve that pipe, whoever came first
			e.Running = false
		}
	}
	e.Version = field(version, 3)
	if e.Running {
		e.Wired = v.wired(ctx, m)
	} else {
		e.Notes = append(e.Notes, startToConnect)
	}
	return []Engine{e}
}

// Plan implements Kind.
func (k rancher) Plan(_ context.Context, m machine.Machine, e Engine, to Target, o Options) (*Plan, error) {
	plan, err := k.vm(m).plan(m, e, to, o)
	if err == nil && strings.TrimPrefix(e.Version, "v") == "1.14.0" {
		plan.Warn = append(plan.Warn, "this version writes its engine's settings anew whenever it starts; 1.14.1 keeps them")
	}
	return plan, err
}

// Up implements Kind.
func (k rancher) Up(ctx context.Context, m machine.Machine, e Engine) error {
	if e.Socket != "" {
		return upDocker(ctx, m, e)
	}
	_, err := m.Run(ctx, machine.Command{Args: append(k.vm(m).root, "nerdctl", "version")})
	return err
}

// Activation implements Kind.
func (k rancher) Activation(_ context.Context, m machine.Machine, _ Engine, _ []string) Activation {
	return k.vm(m).activation()
}

// Pull implements Kind.
func (k rancher) Pull(ctx context.Context, m machine.Machine, e Engine, image string) error {
	if e.Socket != "" {
		return pullDocker(ctx, m, e, image)
	}
	return k.vm(m).pull(ctx, m, image, false)
}

// Taken says whether a running engine goes by what a plan wrote.
func (rancher) Taken(ctx context.Context, m machine.Machine, p *Plan) error {
	return takesMirror(ctx, m, p)
}

// Ease has its dockerd let go of a mirror.
func (k rancher) Ease(ctx context.Context, m machine.Machine, u *Undo) error {
	return easeDocker(ctx, m, u, k.vm(m).daemon, mirrorsAt(m, u.Engine.Socket))
}
