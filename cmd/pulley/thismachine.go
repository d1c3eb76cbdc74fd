package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/distribution/reference"

	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/internal/control/client"
	"pulley/internal/docker/machine"
	"pulley/internal/docker/wiring"
	"pulley/internal/service"
	"pulley/internal/trust"
)

// thisMachine wires the engines that are here: a wirer that knows where Pulley is, and the daemon where one runs.
type thisMachine struct {
	*wiring.Wirer

	daemon *client.Client // nil: none runs
}

// openWired knows what was wired, and how to take it back: whatever became of the daemon and its settings.
func openWired() (*thisMachine, config.Places, error) {
	places, err := config.FindPlaces(os.Environ())
	if err != nil {
		return nil, places, err
	}
	// What is wired is remembered at the person's own place, also where the daemon is the system's.
	h := &thisMachine{Wirer: &wiring.Wirer{Machine: &machine.Local{}, Kinds: wiring.Kinds(), State: places.StateDir}}
	store := trust.Store{NoBrowsers: true} // what is trusted is remembered beside the authority, also where that is the system's
	h.Trusted = func(context.Context) bool {
		status, err := store.Status(h.Target.CAFile) //nolint:contextcheck // it takes none
		return err == nil && status.Current
	}
	h.Trust = func(ctx context.Context, install bool) error {
		if !install {
			err := trust.Store{Dir: places.CADir, NoBrowsers: true}.Uninstall(ctx)
			if h.Machine.Facts().Root {
				err = cmp.Or(err, trust.Store{Dir: config.SystemPlaces().CADir, NoBrowsers: true}.Uninstall(ctx))
			}
			return err
		}
		if err := store.Install(ctx, h.Target.CAFile); err != nil {
			return err
		}
		if h.daemon != nil { // hosts that clients rejected us for need not wait
			_ = h.daemon.CATrusted(ctx)
		}
		return nil
	}
	return h, places, nil
}

// openThisMachine finds out where Pulley is, too. needCA: without its local authority nothing can be done.
func openThisMachine(ctx context.Context, needCA bool) (*thisMachine, error) {
	h, places, err := openWired()
	if err != nil {
		return nil, err
	}
	if err := h.locate(ctx, places, needCA); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func (h *thisMachine) locate(ctx context.Context, places config.Places, needCA bool) error {
	listen, err := h.meet(ctx, places)
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(listen)
	if err == nil {
		h.Target.Port, err = strconv.Atoi(port)
	}
	if err != nil {
		return fmt.Errorf("listen %s: %w", listen, err)
	}
	if h.Target.CAFile, h.Target.CA, err = caFile(ctx); err != nil && needCA {
		return err
	}
	h.Target.Service = hasService(ctx)
	return nil
}

// meet learns the address and the registries: of the daemon that runs, else of the one that would come to be.
func (h *thisMachine) meet(ctx context.Context, places config.Places) (listen string, err error) {
	var state control.State
	file := places.ConfigFile
	if c, err := client.Find(ctx, os.Environ()); err == nil {
		if state, err = c.State(ctx); err == nil {
			h.daemon, listen, file = c, state.Listen, state.ConfigFile
		} else {
			c.Close()
		}
	}
	settings, err := config.Load(file, os.Environ())
	switch {
	case err == nil:
	case h.daemon != nil && errors.Is(err, os.ErrPermission): // the system service's own
		settings = &config.Config{}
		for _, r := range state.Registries {
			settings.Registries = append(settings.Registries, config.Registry{Name: r.Name, Hosts: r.Hosts})
		}
	default:
		return "", err
	}
	if h.daemon == nil {
		listen = settings.Listen
	}
	for _, r := range settings.Registries {
		h.Target.Registries = append(h.Target.Registries, wiring.Registry{Name: r.Name, Hosts: r.Hosts, Origin: originOf(r)})
	}
	return listen, nil
}

// rootTrusts says that the local authority is still to be trusted by this system, which is root's to say.
func (h *thisMachine) rootTrusts(ctx context.Context) bool {
	facts := h.Machine.Facts()
	return facts.OS == machine.Linux && !facts.Root && !h.Trusted(ctx)
}

func (h *thisMachine) close() {
	if h.daemon != nil {
		h.daemon.Close()
	}
}

// knowsPort says that engines can be told a port: one that the system chooses is known while Pulley runs.
func (h *thisMachine) knowsPort() error {
	if h.Target.Port == 0 {
		return errors.New("listen: which port Pulley will have is not known while it does not run; next: pulley up")
	}
	return nil
}

// originOf is where an engine goes without us.
func originOf(r config.Registry) string {
	scheme := "https://"
	if r.Insecure {
		scheme = "http://"
	}
	for _, host := range r.Hosts {
		if !strings.HasPrefix(host, "*") {
			return scheme + host
		}
	}
	return scheme + r.Name
}

// hasService says that Pulley is there whenever the machine, or this person, is.
func hasService(ctx context.Context) bool {
	for _, system := range []bool{false, true} {
		s, err := service.New(service.Options{System: system})
		if err != nil {
			continue
		}
		if status, err := s.Status(ctx); err == nil && status.Installed {
			return true
		}
	}
	return false
}

// hostPort refuses what is no host:port.
func hostPort(address string) error {
	host, port, err := net.SplitHostPort(address)
	n, bad := strconv.Atoi(port)
	if err != nil || host == "" || bad != nil || n < 1 || n > 65535 {
		return errors.New("is no HOST:PORT")
	}
	return nil
}

// takeOver has Pulley go out by the proxy that an engine has now; back undoes it.
func (h *thisMachine) takeOver(ctx context.Context, p *wiring.Plan) (back func() error, err error) {
	nothing := func() error { return nil }
	if p.Egress == "" {
		return nothing, nil
	}
	if h.daemon == nil {
		return nothing, fmt.Errorf("%s: it goes out by a proxy, which Pulley takes over while it runs; next: pulley up", p.Engine.ID)
	}
	list, err := h.daemon.Egresses(ctx)
	if err != nil {
		return nothing, err
	}
	u, err := url.Parse(p.Egress)
	if err != nil {
		return nothing, fmt.Errorf("%s: the proxy that it goes out by is no URL; take it out of its settings, or connect by mirror", p.Engine.ID)
	}
	base := strings.NewReplacer(":", "-", "/", "-").Replace(p.Engine.ID) + "-proxy"
	name := base
	for n := 2; slices.ContainsFunc(list, func(e control.Egress) bool { return e.Name == name }); n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	if slices.ContainsFunc(list, func(e control.Egress) bool { return e.URL == u.Redacted() }) {
		return nothing, nil // it is one already
	}
	if err := h.daemon.AddEgress(ctx, control.Egress{Name: name, URL: p.Egress, For: []string{"*"}}); err != nil {
		return nothing, fmt.Errorf("%s: its proxy as a way out: %w", p.Engine.ID, err)
	}
	return func() error { return h.daemon.RemoveEgress(context.WithoutCancel(ctx), name) }, nil
}

// redacted is an address without its password.
func redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return address
	}
	u.User = url.User(u.User.Username())
	return u.String()
}

// imageOf is an image's registry, repository and the rest.
func imageOf(image string) (reference.Named, error) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return nil, err
	}
	return reference.TagNameOnly(named), nil
}

const (
	proofTime = 2 * time.Minute
	proofWait = 3 * time.Second // for the daemon to have written down what it served
	proofLook = 500             // of its last requests
)

// prove has the engine pull an image and looks whether that came by Pulley. "" without an error: it cannot be told.
func (h *thisMachine) prove(ctx context.Context, p *wiring.Plan, image string) (string, error) {
	named, err := imageOf(image)
	switch {
	case err != nil:
		return "", err
	case !p.Engine.Running || p.How.Kind == wiring.ByHand:
		return "", nil
	case h.daemon == nil:
		return "", fmt.Errorf("%s: is wired, but Pulley does not run, so nothing is proven; next: pulley up, then: pulley connect %s", p.Engine.ID, p.Engine.ID)
	}
	ctx, cancel := context.WithTimeout(ctx, proofTime)
	defer cancel()
	begin := time.Now()
	if err := h.Prove(ctx, p.Engine, named.String()); err != nil {
		return "", fmt.Errorf("%s: is wired, but cannot pull %s: %w; next: pulley doctor %s", p.Engine.ID, named, err, reference.FamiliarString(named))
	}
	repository, registry := reference.Path(named), reference.Domain(named)
	tick := time.NewTicker(proofWait / 10)
	defer tick.Stop()
	for until := time.Now().Add(proofWait); ; {
		events, err := h.daemon.Events(ctx, proofLook)
		if err != nil {
			return "", err
		}
		for _, e := range slices.Backward(events) {
			if e.Repository == repository && e.Registry == registry && e.Time.Add(e.Duration).After(begin) && e.Status < 400 {
				return fmt.Sprintf("%s pulls %s through Pulley (%s)", p.Engine.ID, reference.FamiliarString(named), or(e.Source, "cache")), nil
			}
		}
		if time.Now().After(until) {
			return "", fmt.Errorf("%s: pulled %s, but not through Pulley: it went to the registry itself; next: pulley doctor", p.Engine.ID, reference.FamiliarString(named))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}
