package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pulley/internal/config"
	"pulley/internal/docker/machine"
	dockershare "pulley/internal/docker/share"
	"pulley/internal/docker/wiring"
)

// remoteWirer wires the engines of a machine elsewhere. What it did is in this machine's ledger, under that one's name.
func remoteWirer(m machine.Machine) (*wiring.Wirer, error) {
	places, err := config.FindPlaces(os.Environ())
	if err != nil {
		return nil, err
	}
	return &wiring.Wirer{Machine: m, Kinds: wiring.DockerKinds(), State: places.StateDir}, nil
}

// remoteEngine is the engine that a context leads to: docker's.
func remoteEngine(ctx context.Context, w *wiring.Wirer) (wiring.Engine, error) {
	var ids []string
	socket := or(w.Machine.Getenv("DOCKER_HOST"), "unix:///run/docker.sock")
	var found *wiring.Engine
	for _, e := range w.Find(ctx) {
		ids = append(ids, e.ID)
		if !slices.Contains(e.Ways, wiring.Mirror) || !strings.HasPrefix(e.ID, "docker") {
			continue
		}
		if found == nil || strings.Replace(e.Socket, "/var/run/", "/run/", 1) == strings.Replace(socket, "/var/run/", "/run/", 1) {
			found = &e
		}
	}
	name := w.Machine.Facts().Name
	switch {
	case found != nil:
		return *found, nil
	case len(ids) == 0:
		return wiring.Engine{}, fmt.Errorf("%s: no engine is found on it; see: pulley context test %s", name, name)
	}
	return wiring.Engine{}, fmt.Errorf("%s: of the engines on it none is a dockerd that takes mirrors: %s", name, strings.Join(ids, ", "))
}

// wireShared has share wire the engine there to the port there, and take that back.
func (a *app) wireShared(cmd *cobra.Command, o *dockershare.Options) {
	o.SSH.Sudo = true
	var out io.Writer = io.Discard
	if !a.json {
		out = cmd.OutOrStdout()
	}
	name := o.SSH.Name
	wired := "" // the engine's ID
	say := func(line string) { _, _ = fmt.Fprintf(out, "%s: %s\n", name, line) }
	o.Wire = func(ctx context.Context, m machine.Machine, reach string) error {
		w, err := remoteWirer(m)
		if err != nil {
			return err
		}
		e, err := remoteEngine(ctx, w)
		if err != nil {
			return err
		}
		if e.Wired.Ours && !slices.ContainsFunc(e.Wired.To, isLoopbackURL) { // by a share that was killed it leads to loopback
			return fmt.Errorf("%s: its engine is wired to %s; keep that, without --wire, or first: pulley disconnect --context %s", name, strings.Join(e.Wired.To, ", "), name)
		}
		wired = e.ID
		p, err := w.Plan(ctx, e.ID, wiring.Options{Way: wiring.Mirror, Reach: reach})
		if err != nil {
			return there(name, err)
		}
		if p.How.Kind != wiring.Reload && p.How.Kind != wiring.AtOnce && e.Running {
			return fmt.Errorf("%s: its engine takes mirrors up by a restart alone (%s); without --wire: pulley context share %s", name, p.How.Text, name)
		}
		if err := w.Connect(ctx, p, say); err != nil {
			return there(name, err)
		}
		return nil
	}
	o.Unwire = func(ctx context.Context, m machine.Machine) error {
		if wired == "" {
			return nil
		}
		w, err := remoteWirer(m)
		if err != nil {
			return err
		}
		if _, err := w.Disconnect(ctx, wired, say); err != nil && !errors.Is(err, wiring.ErrNotWired) {
			return there(name, err)
		}
		return nil
	}
}

// isLoopbackURL reports whether a URL's host is an address of loopback.
func isLoopbackURL(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
