package wiring

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"pulley/internal/docker/machine"
)

// containerd is containerd by itself, as nerdctl, ctr and Kubernetes use it: a hosts.toml for every registry, and
// config_path where the Kubernetes interface does not look for them yet.
type containerd struct{}

const (
	containerdID       = "containerd"
	containerdRootless = "containerd-rootless"
	containerdCA       = "pulley.crt" // beside config.toml
)

// place is where one containerd has its things.
type containerdPlace struct {
	dir    string   // of config.toml
	certs  []string // of hosts.toml files, by default
	socket string
	user   bool // it is a person's own
}

func (containerd) place(m machine.Machine, id string) containerdPlace {
	if id != containerdRootless {
		return containerdPlace{dir: "/etc/containerd", certs: certsDirs, socket: "/run/containerd/containerd.sock"}
	}
	conf := configHome(m)
	return containerdPlace{
		dir: path.Join(conf, "containerd"), user: true,
		certs:  []string{path.Join(conf, "containerd/certs.d"), path.Join(conf, "docker/certs.d")},
		socket: path.Join(runtimeDir(m), "containerd/containerd.sock"),
	}
}

// Find implements Kind.
func (k containerd) Find(ctx context.Context, m machine.Machine) []Engine {
	if m.Facts().OS != machine.Linux {
		return nil // elsewhere it is inside of somebody's virtual machine
	}
	out, err := runBriefly(ctx, m, "containerd", "--version")
	if err != nil {
		return nil
	}
	e := Engine{
		ID: containerdID, Name: "containerd", Version: field(out, 2), Reach: loopback,
		Ways: []Way{Mirror, Proxy},
	}
	if !atLeast(e.Version, 1, 5) {
		e.Ways, e.Notes = nil, []Note{{"containerd_old", e.Version, "containerd " + e.Version + " knows no hosts.toml yet; 1.5 and later do"}}
	}
	found := []Engine{k.look(ctx, m, e)}
	if k.rootless(m) {
		e.ID, e.Name = containerdRootless, "containerd (rootless)"
		e.Ways = slices.DeleteFunc(e.Ways, func(w Way) bool { return w == Proxy })
		found = append(found, k.look(ctx, m, e))
	}
	return found
}

// rootless says that this person has a containerd of their own, as nerdctl's setup tool makes one.
func (containerd) rootless(m machine.Machine) bool {
	if m.Facts().Root {
		return false
	}
	for _, name := range []string{
		path.Join(runtimeDir(m), "containerd-rootless"), path.Join(configHome(m), "systemd/user/containerd.service"),
	} {
		if _, err := m.Stat(name); err == nil {
			return true
		}
	}
	return false
}

func (k containerd) look(ctx context.Context, m machine.Machine, e Engine) Engine {
	at := k.place(m, e.ID)
	e.Socket = "unix://" + at.socket
	err := dialBriefly(ctx, m, at.socket)
	if at.user { // its socket is in a namespace of its own
		_, err = m.Stat(path.Join(runtimeDir(m), "containerd-rootless/child_pid"))
	}
	e.Running = err == nil || errors.Is(err, fs.ErrPermission)
	roots := at.certs
	if c, err := readContainerdConfig(m, path.Join(at.dir, "config.toml"), e.Version); err == nil {
		roots = c.where(at.certs)
	} else {
		e.Notes = append(e.Notes, noted(oneLine(err)))
	}
	e.Wired = hostsWired(m, roots, "docker.io", e.Reach)
	return e
}

// Plan implements Kind.
func (k containerd) Plan(_ context.Context, m machine.Machine, e Engine, to Target, o Options) (*Plan, error) {
	p := &Plan{Engine: e, Way: way(e, o)}
	at := k.place(m, e.ID)
	switch {
	case !slices.Contains(e.Ways, p.Way):
		return nil, noWay(e, p.Way)
	case !at.user && !m.Facts().Root:
		return nil, needsRoot(m, e)
	}
	reach := reachOf(e, to, o)
	if err := k.files(m, p, at, reach, to, o); err != nil {
		return nil, fmt.Errorf("%s: %w", e.ID, err)
	}
	if p.Way == Proxy {
		k.proxy(m, p, reach)
		p.Warn = append(p.Warn, nothingPulls(to)...)
	}
	if at.user {
		p.Warn = append(p.Warn, "where RootlessKit gives it a network of its own (before nerdctl 2.0), it cannot reach "+reach+" and pulls from the origin")
	}
	p.Warn = append(p.Warn, "ctr looks for hosts.toml only when told: ctr images pull --hosts-dir "+k.hostsDir(p)+" …")
	if len(o.Search) > 0 {
		p.Warn = append(p.Warn, "containerd looks for names without a registry nowhere but at Docker Hub: the search order is left out")
	}
	p.How = k.activation(m, at, p.changing(m))
	p.Manual = append(p.Manual, byHand(p.How)...)
	return p, nil
}

// files plans hosts.toml files and what has containerd read them.
func (containerd) files(m machine.Machine, p *Plan, at containerdPlace, reach string, to Target, o Options) error {
	conf, err := readContainerdConfig(m, path.Join(at.dir, "config.toml"), p.Engine.Version)
	if err != nil {
		return err
	}
	var settings []File
	if !at.user { // Kubernetes does not use a person's own, and nerdctl looks by itself
		if settings, err = conf.plan(p.Engine.Version, at.certs); err != nil {
			return err
		}
	}
	h := &hostsFiles{m: m, roots: conf.where(at.certs), reach: reach, way: p.Way, ca: path.Join(at.dir, containerdCA)}
	if p.Way == Proxy {
		h.files = append(h.files, File{Path: h.ca, Mode: 0o644, Edit: whole(string(to.CA))})
	}
	if err := h.all(to, o); err != nil {
		return err
	}
	p.Files = append(p.Files, h.files...)
	p.Warn = append(p.Warn, h.warn...)
	p.Files = append(p.Files, settings...)
	return nil
}

func (containerd) hostsDir(p *Plan) string {
	for _, f := range p.Files {
		if path.Base(f.Path) == "hosts.toml" {
			return path.Dir(path.Dir(f.Path))
		}
	}
	return certsDirs[0]
}

// containerdDropIn tells systemd of the proxy, which containerd itself takes from its environment.
const containerdDropIn = "/etc/systemd/system/containerd.service.d/pulley-proxy.conf"

func (containerd) proxy(m machine.Machine, p *Plan, reach string) {
	was := proxyOf(unitEnviron(m, path.Dir(containerdDropIn)))
	p.Files = append(p.Files, File{Path: containerdDropIn, Mode: 0o644, Edit: whole(proxyDropIn(reach, was.except...))})
	p.Egress = was.url
	p.Warn = append(p.Warn,
		"nerdctl and ctr before 2.0 pull by themselves: they need HTTPS_PROXY=http://"+reach+" in their own environment")
	if !hasSystemd(m) {
		p.Warn = append(p.Warn, "systemd does not run here: give containerd's own starter HTTPS_PROXY=http://"+reach)
	}
}

// proxyDropIn is a systemd drop-in with a proxy. except is what the service does not ask its proxy for so far.
func proxyDropIn(reach string, except ...string) string {
	proxy := "http://" + reach
	return ownLine + "[Service]\n" +
		fmt.Sprintf("Environment=\"HTTP_PROXY=%s\" \"HTTPS_PROXY=%s\"\n", proxy, proxy) +
		fmt.Sprintf("Environment=\"NO_PROXY=%s\"\n", strings.Join(noProxy(except...), ","))
}

// Up implements Kind.
func (k containerd) Up(ctx context.Context, m machine.Machine, e Engine) error {
	at := k.place(m, e.ID)
	if at.user {
		_, err := m.Stat(path.Join(runtimeDir(m), "containerd-rootless/child_pid"))
		return err
	}
	return dialBriefly(ctx, m, at.socket)
}

// Activation implements Kind.
func (k containerd) Activation(_ context.Context, m machine.Machine, e Engine, changed []string) Activation {
	return k.activation(m, k.place(m, e.ID), changed)
}

// activation: hosts.toml is read at every pull, the rest at start. Containers have shims of their own and go on.
func (containerd) activation(m machine.Machine, at containerdPlace, changed []string) Activation {
	if !slices.ContainsFunc(changed, func(file string) bool {
		return path.Base(file) != "hosts.toml" && path.Base(file) != containerdCA
	}) {
		return Activation{Kind: AtOnce}
	}
	return restartUnit(m, "containerd", at.user, 0)
}

// Pull implements Kind, in a namespace that goes again.
func (k containerd) Pull(ctx context.Context, m machine.Machine, e Engine, image string) error {
	const namespace = "pulley-test"
	at := k.place(m, e.ID)
	client, pull, remove := []string{"nerdctl", "--namespace", namespace}, []string{"pull", "--quiet", image}, []string{"rmi", image}
	if !at.user {
		roots := at.certs
		if c, err := readContainerdConfig(m, path.Join(at.dir, "config.toml"), e.Version); err == nil {
			roots = c.where(at.certs)
		}
		client = []string{"ctr", "--address", at.socket, "--namespace", namespace}
		pull = []string{"images", "pull", "--hosts-dir", roots[0], image}
		remove = []string{"images", "rm", "--sync", image}
	}
	_, err := m.Run(ctx, machine.Command{Args: slices.Concat(client, pull)})
	if err != nil {
		return err
	}
	for _, args := range [][]string{remove, {"namespace", "remove", namespace}} {
		if _, err := m.Run(ctx, machine.Command{Args: slices.Concat(client, args)}); err != nil {
			return err
		}
	}
	return nil
}

// runBriefly runs a program that has to answer at once.
func runBriefly(ctx context.Context, m machine.Machine, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	out, err := m.Run(ctx, machine.Command{Args: args})
	return strings.TrimSpace(string(out)), err
}

// dialBriefly says whether somebody listens on a unix socket.
func dialBriefly(ctx context.Context, m machine.Machine, socket string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := m.Dial(ctx, "unix", socket)
	if err != nil {
		return err
	}
	return conn.Close()
}
