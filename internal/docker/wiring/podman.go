package wiring

import (
	"context"
	"errors"
	"os/exec"
	"strings"

	"pulley/internal/docker/machine"
)

// podman is Podman without a machine, and Buildah and Skopeo, which read the same files: a mirror for every registry.
// They have no daemon and read them at each pull.
type podman struct{}

// Find implements Kind.
func (podman) Find(ctx context.Context, m machine.Machine) []Engine {
	if m.Facts().OS != machine.Linux {
		return nil
	}
	e := Engine{ID: "podman", Reach: loopback, Ways: []Way{Mirror}, Running: true}
	var names []string
	for _, program := range []string{"podman", "buildah", "skopeo"} {
		out, err := runBriefly(ctx, m, program, "--version") // "podman version 4.3.1"
		if err != nil {
			continue
		}
		names = append(names, strings.ToUpper(program[:1])+program[1:])
		if e.Version == "" {
			e.Version = field(out, 2)
		}
	}
	if len(names) == 0 {
		return nil
	}
	e.Name = strings.Join(names, ", ")
	r := personRegistries(m, dropIn)
	e.Wired = r.wired()
	for _, name := range []string{"CONTAINERS_REGISTRIES_CONF", "REGISTRIES_CONFIG_PATH"} {
		if file := m.Getenv(name); file != "" {
			e.Notes = append(e.Notes, noted(name+" has "+file+" read in place of registries.conf"))
		}
	}
	return []Engine{e}
}

// Plan implements Kind.
func (podman) Plan(_ context.Context, m machine.Machine, e Engine, to Target, o Options) (*Plan, error) {
	return planRegistries(personRegistries(m, dropIn), e, to, o)
}

// planRegistries is what all who read registries.conf.d have in common.
func planRegistries(r *registriesConf, e Engine, to Target, o Options) (*Plan, error) {
	p := &Plan{Engine: e, Way: way(e, o), How: Activation{Kind: AtOnce}}
	if p.Way != Mirror {
		return nil, noWay(e, p.Way)
	}
	file, warn, manual, err := r.plan(reachOf(e, to, o), to, o)
	if err != nil {
		return nil, errors.New(e.ID + ": " + oneLine(err))
	}
	p.Files, p.Warn, p.Manual = []File{file}, warn, manual
	return p, nil
}

// Up implements Kind: there is nothing that has to run.
func (podman) Up(context.Context, machine.Machine, Engine) error { return nil }

// Activation implements Kind.
func (podman) Activation(context.Context, machine.Machine, Engine, []string) Activation {
	return Activation{Kind: AtOnce}
}

// Pull implements Kind. An image that was there before is not taken away.
func (podman) Pull(ctx context.Context, m machine.Machine, _ Engine, image string) error {
	run := func(args ...string) error {
		_, err := m.Run(ctx, machine.Command{Args: args})
		return err
	}
	there := run("podman", "image", "exists", image)
	if errors.Is(there, exec.ErrNotFound) { // skopeo reads all there is of it without keeping it
		return run("skopeo", "inspect", "--raw", "docker://"+image)
	}
	if err := run("podman", "pull", "--quiet", image); err != nil || there == nil {
		return err
	}
	return run("podman", "rmi", image)
}
