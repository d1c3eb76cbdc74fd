package wiring

import (
	"context"

	"pulley/internal/docker/machine"
)

// crio is CRI-O: the machine's registries.conf.d, taken up on a reload (crio(8), "Reload").
type crio struct{}

const (
	crioDropIn = "901-pulley-crio.conf" // beside Podman's, which comes and goes by itself
	crioSocket = "/run/crio/crio.sock"
)

// Find implements Kind.
func (crio) Find(ctx context.Context, m machine.Machine) []Engine {
	if m.Facts().OS != machine.Linux {
		return nil
	}
	out, err := runBriefly(ctx, m, "crio", "--version") // "crio version 1.30.0"
	if err != nil {
		return nil
	}
	return []Engine{{
		ID: "cri-o", Name: "CRI-O", Version: field(out, 2), Reach: loopback, Socket: "unix://" + crioSocket,
		Running: dialBriefly(ctx, m, crioSocket) == nil, Ways: []Way{Mirror}, Wired: systemRegistries(m, crioDropIn).wired(),
	}}
}

// Plan implements Kind.
func (k crio) Plan(ctx context.Context, m machine.Machine, e Engine, to Target, o Options) (*Plan, error) {
	if !m.Facts().Root {
		return nil, needsRoot(m, e)
	}
	p, err := planRegistries(systemRegistries(m, crioDropIn), e, to, o)
	if err != nil {
		return nil, err
	}
	p.How = k.Activation(ctx, m, e, p.changing(m))
	p.Manual = append(p.Manual, byHand(p.How)...)
	return p, nil
}

// Up implements Kind.
func (crio) Up(ctx context.Context, m machine.Machine, _ Engine) error {
	return dialBriefly(ctx, m, crioSocket)
}

// Activation implements Kind.
func (crio) Activation(_ context.Context, m machine.Machine, _ Engine, _ []string) Activation {
	return unitActivation(m, Reload, "reload", "crio", false, 0)
}

// Pull implements Kind. An image that was there before is not taken away.
func (crio) Pull(ctx context.Context, m machine.Machine, _ Engine, image string) error {
	run := func(verb ...string) error {
		_, err := m.Run(ctx, machine.Command{Args: append([]string{"crictl", "--runtime-endpoint", "unix://" + crioSocket}, verb...)})
		return err
	}
	there := run("inspecti", "--quiet", image)
	if err := run("pull", image); err != nil || there == nil {
		return err
	}
	return run("rmi", image)
}
