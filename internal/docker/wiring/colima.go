package wiring

import (
	"context"
	"fmt"
	"strings"

	"pulley/internal/docker/edit"
	"pulley/internal/docker/machine"
)

// colima is Colima, an engine for each of its profiles: BASE/<profile>/colima.yaml
// (https://github.com/abiosoft/colima/blob/main/docs/FAQ.md). Its `docker` is written to daemon.json in the virtual machine
// whenever that starts, and the proxy in its `env` to `proxies` there (environment/container/docker/daemon.go), so changes
// are made in this file alone. With containerd in place of Docker it has no such key: hosts.toml files in the virtual machine.
type colima struct{}

const (
	limaHost    = "host.lima.internal"
	limaGateway = "192.168.5.2"
	guestCA     = "/usr/local/share/ca-certificates/pulley" // of update-ca-certificates, which takes one of each file
)

// base is where Colima has its profiles: config/files.go of its source.
func (colima) base(m machine.Machine) string {
	home := m.Facts().Home
	if dir := m.Getenv("COLIMA_HOME"); dir != "" && isThere(m, dir) {
		return dir
	}
	xdg := m.Getenv("XDG_CONFIG_HOME")
	if xdg == "" {
		xdg = below(m, home, ".config")
	}
	return firstThere(m, below(m, home, ".colima"), below(m, xdg, "colima"))
}

func (k colima) profile(e Engine) string {
	if _, name, ok := strings.Cut(e.ID, ":"); ok {
		return name
	}
	return "default"
}

func (k colima) file(m machine.Machine, e Engine) string {
	return below(m, k.base(m), k.profile(e), "colima.yaml")
}

func (k colima) vm(e Engine) vm {
	shell := []string{"colima", "ssh", "--profile", k.profile(e), "--"}
	root := append(shell[:len(shell):len(shell)], "sudo")
	return vm{shell: shell, root: root, certs: certsDirs}
}

// Find implements Kind.
func (k colima) Find(ctx context.Context, m machine.Machine) []Engine {
	base := k.base(m)
	if base == "" || m.Facts().OS == machine.Windows {
		return nil
	}
	names, err := m.List(base)
	if err != nil {
		return nil
	}
	running := make(map[string]bool)
	if out, err := runBriefly(ctx, m, "colima", "list", "--json"); err == nil {
		for _, p := range objects[struct{ Name, Status string }](out) {
			running[p.Name] = p.Status == "Running"
		}
	}
	var found []Engine
	for _, name := range names {
		file := below(m, base, name, "colima.yaml")
		read, err := m.ReadFile(file)
		if err != nil || strings.HasPrefix(name, "_") {
			continue
		}
		e := Engine{
			ID: "colima:" + name, Name: "Colima (" + name + ")", Context: "colima-" + name, Reach: limaHost, Running: running[name],
			Socket: "unix://" + below(m, base, name, "docker.sock"), Notes: []Note{hostLoopback(limaHost)},
		}
		if name == "default" {
			e.ID, e.Name, e.Context = "colima", "Colima", "colima"
		}
		switch runtime := textAt(edit.YAML, read.Data, "runtime"); {
		case runtime == "containerd":
			e.Ways, e.Context, e.Socket = []Way{Mirror}, "", "unix://"+below(m, base, name, "containerd.sock")
			if e.Running {
				e.Wired = k.vm(e).wired(ctx, m)
			}
		case runtime == "docker" || runtime == "":
			e.Ways = []Way{Mirror, Proxy}
			e.look(ctx, m)
			e.Wired = wiredBy(Mirror, file, listAt(edit.YAML, read.Data, "docker", "registry-mirrors")...)
			var proxies []string
			for _, key := range proxyVars {
				proxies = append(proxies, textAt(edit.YAML, read.Data, "env", key), textAt(edit.YAML, read.Data, "env", strings.ToUpper(key)))
			}
			e.Wired = e.Wired.either(wiredBy(Proxy, file, unique(proxies[:4]...)...))
		default:
			e.Notes = []Note{{"runtime", runtime, "its runtime is " + runtime + ", which pulls nothing from registries that we know of"}}
		}
		found = append(found, e)
	}
	return found
}

// proxyVars are the names of a proxy in an environment; programs read them in capitals as well.
var proxyVars = []string{"https_proxy", "http_proxy", "no_proxy"}

// Plan implements Kind.
func (k colima) Plan(ctx context.Context, m machine.Machine, e Engine, to Target, o Options) (*Plan, error) {
	file := k.file(m, e)
	text, err := readSettings(m, e.ID, file, edit.YAML)
	if err != nil {
		return nil, err
	}
	if textAt(edit.YAML, text, "runtime") == "containerd" {
		return k.vm(e).plan(m, e, to, o)
	}
	plan := &Plan{Engine: e, Way: way(e, o)}
	switch plan.Way {
	case Mirror:
		plan.reach = reachOf(e, to, o)
		f := daemonJSON(file, edit.YAML, []string{"docker"}, plan.reach, o)
		f.Edit.Steps = emptyTable(text, "docker", f.Edit.Steps)
		plan.Files = []File{f}
		plan.Warn = append(plan.Warn, "a mirror is for Docker Hub alone: other registries are pulled as before; a proxy would take all")
	case Proxy:
		if !e.Running {
			return nil, fmt.Errorf("%s: it does not run, and Pulley's certificate goes into it; start it and connect again", e.ID)
		}
		k.planProxy(plan, file, text, to, o)
	default:
		return nil, noWay(e, plan.Way)
	}
	plan.Warn = append(plan.Warn, searchNeedsPodman(o)...)
	plan.How = k.Activation(ctx, m, e, plan.changing(m))
	return plan, nil
}

func (k colima) planProxy(plan *Plan, file string, text []byte, to Target, o Options) {
	proxy := "http://" + reachOf(plan.Engine, to, o)
	var steps []edit.Step
	for _, key := range proxyVars {
		names := []string{}
		var exclude []string
		for _, name := range []string{key, strings.ToUpper(key)} {
			old := textAt(edit.YAML, text, "env", name)
			if old == "" {
				continue
			}
			names = append(names, name)
			if key == "no_proxy" {
				exclude = unique(append(exclude, splitList(old)...)...)
			} else if plan.Egress == "" && !isUs(old, to) {
				plan.Egress = old
			}
		}
		if len(names) == 0 {
			names = []string{key}
		}
		for _, name := range names {
			s := edit.Step{Path: []string{"env", name}, Value: value(proxy)}
			if key == "no_proxy" {
				s.Value = value(strings.Join(noProxy(exclude...), ","))
			}
			steps = append(steps, s)
		}
	}
	plan.Files = []File{
		{Path: file, Mode: 0o644, Edit: &edit.Edit{Format: edit.YAML, Steps: emptyTable(text, "env", steps)}},
	}
	for i, one := range authorities(to.CA) {
		name := fmt.Sprintf("%s-%d.crt", guestCA, i+1)
		plan.Files = append(plan.Files, File{Path: name, Mode: 0o644, Edit: whole(one), Through: k.vm(plan.Engine).root})
	}
	plan.Warn = append(plan.Warn, nothingPulls(to)...)
	plan.Warn = append(plan.Warn, "all of its virtual machine goes out through this proxy; Pulley passes on untouched what is no registry")
	if len(o.Insecure) > 0 {
		steps := emptyTable(text, "docker", []edit.Step{insecureStep(o, "docker")})
		plan.Files[0].Edit.Steps = append(plan.Files[0].Edit.Steps, steps...)
	}
}

// authorities are the certificates of a PEM text, one by one.
func authorities(text []byte) (list []string) {
	const begin = "-----BEGIN CERTIFICATE-----"
	for _, part := range strings.Split(string(text), begin)[1:] {
		list = append(list, begin+part)
	}
	return list
}

// emptyTable has steps work where the file says `key:` and nothing, as people leave it: that is no table, so it is given all
// at once.
func emptyTable(text []byte, key string, steps []edit.Step) []edit.Step {
	if raw, err := edit.Has(edit.YAML, text, key); err != nil || string(raw) != "null" {
		return steps
	}
	table := make(map[string]any)
	for _, s := range steps {
		name := s.Path[len(s.Path)-1]
		if s.Add != nil {
			table[name] = s.Add
		} else {
			table[name] = s.Value
		}
	}
	return []edit.Step{{Path: []string{key}, Value: value(table)}}
}

// Up implements Kind.
func (k colima) Up(ctx context.Context, m machine.Machine, e Engine) error {
	if strings.HasSuffix(e.Socket, "containerd.sock") {
		_, err := m.Run(ctx, machine.Command{Args: append(k.vm(e).root, "nerdctl", "version")})
		return err
	}
	return upDocker(ctx, m, e)
}

// Activation implements Kind: the profile is read when it starts.
func (k colima) Activation(ctx context.Context, m machine.Machine, e Engine, changed []string) Activation {
	trust := false
	profile := false
	for _, name := range changed {
		trust = trust || strings.HasPrefix(name, guestCA)
		profile = profile || name == k.file(m, e)
	}
	if !profile && !trust {
		return Activation{Kind: AtOnce}
	}
	var run []machine.Command
	if trust {
		run = append(run, machine.Command{Args: append(k.vm(e).root, "update-ca-certificates", "--fresh")})
	}
	restart := []string{"colima", "restart", "--profile", k.profile(e)}
	return Activation{Kind: Restart, Stop: stops(ctx, m, e), Run: append(run, machine.Command{Args: restart}), Text: strings.Join(restart, " ")}
}

// Pull implements Kind.
func (k colima) Pull(ctx context.Context, m machine.Machine, e Engine, image string) error {
	if strings.HasSuffix(e.Socket, "containerd.sock") {
		return k.vm(e).pull(ctx, m, image, false)
	}
	return pullDocker(ctx, m, e, image)
}

// Taken says whether a running engine goes by what a plan wrote.
func (colima) Taken(ctx context.Context, m machine.Machine, p *Plan) error {
	return takesMirror(ctx, m, p)
}
