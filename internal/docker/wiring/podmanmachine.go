package wiring

import (
	"context"
	"errors"
	"path"
	"slices"

	"pulley/internal/docker/machine"
)

// podmanMachine is Podman on macOS and Windows, an engine for each of its machines. Which registries it knows is said inside
// of the machine, in /etc: the person's own files count on neither side (podman-desktop/podman-desktop#10550,
// containers/image#2676). `podman machine ssh` runs commands there. host.containers.internal leads to this machine's loopback,
// by gvproxy (https://github.com/containers/gvisor-tap-vsock), which Windows has only with user-mode networking
// (https://docs.podman.io/en/latest/markdown/podman-machine-set.1.html).
type podmanMachine struct{}

const (
	podmanHost   = "host.containers.internal"
	podmanNATKey = "podman_nat"
	podmanNAT    = "it does not reach what listens on this machine's loopback: run podman machine set --user-mode-networking, or have Pulley `listen` elsewhere, with [access]"
)

// podmanListed is an element of `podman machine list --format json`.
type podmanListed struct {
	Name               string
	Default, Running   bool
	UserModeNetworking bool
}

// list has the machines. Asking alone makes their folders; on Linux, where hardly anybody has one, they tell that there are.
func (podmanMachine) list(ctx context.Context, m machine.Machine) []podmanListed {
	if f := m.Facts(); f.OS == machine.Linux {
		if _, err := m.Stat(path.Join(f.Home, ".config/containers/podman/machine")); err != nil {
			return nil
		}
	}
	out, err := runBriefly(ctx, m, "podman", "machine", "list", "--format", "json")
	if err != nil {
		return nil
	}
	return objects[podmanListed](out)
}

// id is what a person calls a machine: the default one needs no name.
func (podmanMachine) id(l podmanListed) string {
	if l.Default {
		return "podman-machine"
	}
	return "podman-machine:" + l.Name
}

// machine is the name of an engine's machine.
func (k podmanMachine) machine(ctx context.Context, m machine.Machine, e Engine) (string, error) {
	for _, l := range k.list(ctx, m) {
		if k.id(l) == e.ID {
			return l.Name, nil
		}
	}
	return "", errors.New(e.ID + ": there is no such machine any more; `podman machine list` shows which there are")
}

func (podmanMachine) root(name string) []string {
	return []string{"podman", "machine", "ssh", name, "sudo"}
}

// Find implements Kind.
func (k podmanMachine) Find(ctx context.Context, m machine.Machine) []Engine {
	version, err := runBriefly(ctx, m, "podman", "--version") // "podman version 5.4.0"
	if err != nil {
		return nil
	}
	var found []Engine
	for _, l := range k.list(ctx, m) {
		e := Engine{
			ID: k.id(l), Name: "Podman machine (" + l.Name + ")", Version: field(version, 2), Running: l.Running,
			Reach: podmanHost, Ways: []Way{Mirror}, Notes: []Note{hostLoopback(podmanHost)},
		}
		if m.Facts().OS == machine.Windows && !l.UserModeNetworking {
			e.Notes = []Note{{Key: podmanNATKey, Text: podmanNAT}}
		}
		if l.Running {
			own := systemDropIn
			if text := glimpse(ctx, m, k.root(l.Name), own); isOurs(text) {
				e.Wired = Wired{Way: Mirror, Where: []string{own}}
			}
		} else {
			e.Notes = append(e.Notes, startToConnect)
		}
		found = append(found, e)
	}
	return found
}

const systemDropIn = "/etc/containers/registries.conf.d/" + dropIn

// Plan implements Kind.
func (k podmanMachine) Plan(ctx context.Context, m machine.Machine, e Engine, to Target, o Options) (*Plan, error) {
	if !e.Running {
		return vm{}.plan(m, e, to, o)
	}
	name, err := k.machine(ctx, m, e)
	if err != nil {
		return nil, err
	}
	g := newGuest(m, k.root(name))
	plan, err := planRegistries(systemRegistries(g, dropIn), e, to, o)
	if err != nil {
		return nil, err
	}
	for i := range plan.Files {
		plan.Files[i].Through = k.root(name)
	}
	if len(e.Notes) > 0 && e.Notes[0].Key == podmanNATKey && o.Reach == "" {
		plan.Warn = append(plan.Warn, podmanNAT)
	}
	for _, home := range []string{"/home/core", "/home/user", "/root"} {
		if own := home + "/.config/containers/registries.conf"; isThere(g, own) {
			plan.Warn = append(plan.Warn, own+" in it has the files in /etc not count for its owner")
		}
	}
	return plan, nil
}

// Up implements Kind.
func (k podmanMachine) Up(ctx context.Context, m machine.Machine, e Engine) error {
	for _, l := range k.list(ctx, m) {
		if k.id(l) == e.ID && l.Running {
			return nil
		}
	}
	return errors.New(e.ID + " does not run")
}

// Activation implements Kind: the file is read at each pull.
func (podmanMachine) Activation(context.Context, machine.Machine, Engine, []string) Activation {
	return Activation{Kind: AtOnce}
}

// Pull implements Kind.
func (k podmanMachine) Pull(ctx context.Context, m machine.Machine, e Engine, image string) error {
	name, err := k.machine(ctx, m, e)
	if err != nil {
		return err
	}
	run := func(args ...string) error {
		_, err := m.Run(ctx, machine.Command{Args: slices.Concat([]string{"podman", "--connection", name}, args)})
		return err
	}
	there := run("image", "exists", image)
	if err := run("pull", "--quiet", image); err != nil || there == nil {
		return err
	}
	return run("rmi", image)
}
