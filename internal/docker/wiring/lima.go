package wiring

import (
	"context"
	"encoding/json"
	"path"
	"strings"

	"pulley/internal/docker/edit"
	"pulley/internal/docker/machine"
)

// lima is Lima, an engine for each instance that has one: Docker where a socket of Docker's is passed on, as in its templates
// docker and docker-rootful, else containerd, a person's own unless it says otherwise
// (https://lima-vm.io/docs/examples/containers/). From inside, host.lima.internal is the machine's loopback
// (https://lima-vm.io/docs/config/network/user/).
type lima struct{}

// limaInstance is a line of `limactl list --json`.
type limaInstance struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	Dir    string `json:"dir"`
}

func (lima) name(e Engine) string { return strings.TrimPrefix(e.ID, "lima:") }

// Find implements Kind.
func (k lima) Find(ctx context.Context, m machine.Machine) []Engine {
	out, err := runBriefly(ctx, m, "limactl", "list", "--json")
	if err != nil {
		return nil
	}
	version := ""
	if out, err := runBriefly(ctx, m, "limactl", "--version"); err == nil { // "limactl version 1.0.6"
		version = field(out, 2)
	}
	var found []Engine
	for _, i := range objects[limaInstance](out) {
		e := Engine{
			ID: "lima:" + i.Name, Name: "Lima (" + i.Name + ")", Version: version, Running: i.Status == "Running",
			Reach: limaHost, Ways: []Way{Mirror}, Notes: []Note{hostLoopback(limaHost)},
		}
		kind := k.kind(m, i)
		switch kind {
		case "":
			continue
		case "docker", "docker-rootful":
			e.Context = "lima-" + i.Name
			e.Socket = "unix://" + below(m, i.Dir, "sock", "docker.sock")
			e.look(ctx, m)
		}
		if e.Running {
			if v, err := k.vm(ctx, m, e, kind); err == nil {
				e.Wired = v.wired(ctx, m)
			}
		} else {
			e.Notes = append(e.Notes, startToConnect)
		}
		found = append(found, e)
	}
	return found
}

// kind is what an instance has: docker, docker-rootful, containerd, containerd-rootful, or "".
func (lima) kind(m machine.Machine, i limaInstance) string {
	read, err := m.ReadFile(below(m, i.Dir, "lima.yaml"))
	if err != nil {
		return ""
	}
	var forwards []struct {
		Guest string `json:"guestSocket"`
	}
	if raw, err := edit.Has(edit.YAML, read.Data, "portForwards"); err == nil && raw != nil {
		_ = json.Unmarshal(raw, &forwards)
	}
	for _, f := range forwards {
		switch {
		case !strings.HasSuffix(f.Guest, "docker.sock"):
		case strings.HasPrefix(f.Guest, "/run/user/"):
			return "docker"
		default:
			return "docker-rootful"
		}
	}
	is := func(key string) string {
		raw, _ := edit.Has(edit.YAML, read.Data, "containerd", key)
		return string(raw)
	}
	switch {
	case is("system") == "true":
		return "containerd-rootful"
	case is("user") == "false":
		return ""
	}
	return "containerd"
}

func (k lima) vm(ctx context.Context, m machine.Machine, e Engine, kind string) (vm, error) {
	shell := []string{"limactl", "shell", "--workdir", "/", k.name(e)}
	v := vm{shell: shell, root: append(shell[:len(shell):len(shell)], "sudo")}
	switch kind {
	case "docker-rootful":
		v.daemon = "/etc/docker/daemon.json"
		v.reload = append(v.root[:len(v.root):len(v.root)], "systemctl", "reload", "docker")
		return v, nil
	case "containerd-rootful":
		v.certs = certsDirs
		return v, nil
	}
	home, err := runBriefly(ctx, m, append(shell[:len(shell):len(shell)], "printenv", "HOME")...)
	if err != nil {
		return v, err
	}
	if kind == "docker" {
		v.daemon = path.Join(home, ".config/docker/daemon.json")
		v.reload = append(shell[:len(shell):len(shell)], "systemctl", "--user", "reload", "docker")
	} else {
		v.certs = []string{path.Join(home, ".config/containerd/certs.d"), path.Join(home, ".config/docker/certs.d")}
	}
	return v, nil
}

// find is an instance as it is now.
func (k lima) find(ctx context.Context, m machine.Machine, e Engine) (vm, string, error) {
	out, err := runBriefly(ctx, m, "limactl", "list", "--json", k.name(e))
	if err != nil {
		return vm{}, "", err
	}
	for _, i := range objects[limaInstance](out) {
		if i.Name == k.name(e) {
			kind := k.kind(m, i)
			v, err := k.vm(ctx, m, e, kind)
			return v, kind, err
		}
	}
	return vm{}, "", noWay(e, Mirror)
}

// Plan implements Kind.
func (k lima) Plan(ctx context.Context, m machine.Machine, e Engine, to Target, o Options) (*Plan, error) {
	if !e.Running {
		return vm{}.plan(m, e, to, o)
	}
	v, _, err := k.find(ctx, m, e)
	if err != nil {
		return nil, err
	}
	return v.plan(m, e, to, o)
}

// Up implements Kind.
func (k lima) Up(ctx context.Context, m machine.Machine, e Engine) error {
	if e.Socket != "" {
		return upDocker(ctx, m, e)
	}
	_, err := m.Run(ctx, machine.Command{Args: []string{"limactl", "shell", "--workdir", "/", k.name(e), "nerdctl", "version"}})
	return err
}

// Activation implements Kind.
func (k lima) Activation(ctx context.Context, m machine.Machine, e Engine, _ []string) Activation {
	v, _, err := k.find(ctx, m, e)
	if err != nil {
		return Activation{Kind: ByHand, Text: "restart the engine in " + e.Name}
	}
	return v.activation()
}

// Pull implements Kind.
func (k lima) Pull(ctx context.Context, m machine.Machine, e Engine, image string) error {
	if e.Socket != "" {
		return pullDocker(ctx, m, e, image)
	}
	v, kind, err := k.find(ctx, m, e)
	if err != nil {
		return err
	}
	return v.pull(ctx, m, image, kind == "containerd")
}

// Taken says whether a running engine goes by what a plan wrote.
func (lima) Taken(ctx context.Context, m machine.Machine, p *Plan) error {
	return takesMirror(ctx, m, p)
}

// Ease has its dockerd let go of a mirror.
func (k lima) Ease(ctx context.Context, m machine.Machine, u *Undo) error {
	v, _, err := k.find(ctx, m, u.Engine)
	if err != nil {
		return err
	}
	return easeDocker(ctx, m, u, v.daemon, mirrorsAt(m, u.Engine.Socket))
}
