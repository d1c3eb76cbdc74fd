package wiring

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"pulley/internal/docker/machine"
)

// buildx is the builders that `docker buildx create` makes: a buildkitd in a container of its own, which inherits neither
// mirrors nor proxies nor certificates of the engine that it runs on (moby/buildkit#606, docker/buildx#136). While it runs
// its settings are changed inside, and it is started again; else it has to be made anew.
type buildx struct{}

// buildxInstance is one of buildx's files: https://github.com/docker/buildx/blob/master/store/nodegroup.go
type buildxInstance struct {
	Name   string
	Driver string
	Nodes  []buildxNode
}

type buildxNode struct {
	Name       string
	Endpoint   string
	Platforms  []struct{ OS, Architecture, Variant string }
	Flags      []string
	DriverOpts map[string]string
	Files      map[string][]byte
}

// buildkitdToml is where every image of BuildKit looks for settings.
const buildkitdToml = "/etc/buildkit/buildkitd.toml"

func (buildx) dir(m machine.Machine) string {
	if dir := m.Getenv("BUILDX_CONFIG"); dir != "" {
		return dir
	}
	conf := m.Getenv("DOCKER_CONFIG")
	if conf == "" {
		conf = path.Join(m.Facts().Home, ".docker")
	}
	return path.Join(conf, "buildx")
}

func (k buildx) instances(m machine.Machine) []buildxInstance {
	dir := path.Join(k.dir(m), "instances")
	names, err := m.List(dir)
	if err != nil {
		return nil
	}
	var all []buildxInstance
	for _, name := range names {
		var b buildxInstance
		if f, err := m.ReadFile(path.Join(dir, name)); err != nil || json.Unmarshal(f.Data, &b) != nil || b.Name == "" {
			continue // half a file, or none of buildx's
		}
		if b.Driver == "docker-container" {
			all = append(all, b)
		}
	}
	return all
}

func (k buildx) instance(m machine.Machine, e Engine) (buildxInstance, error) {
	for _, b := range k.instances(m) {
		if "buildx:"+b.Name == e.ID {
			return b, nil
		}
	}
	return buildxInstance{}, fmt.Errorf("%s: is gone; see docker buildx ls", e.ID)
}

// container is the one of a builder's node.
func (n buildxNode) container() string { return "buildx_buildkit_" + n.Name }

// inside runs a program in it. An endpoint that is a context's name, or the engine's address, is the default one's in all
// but a few cases; those are named.
func (n buildxNode) inside() []string {
	return []string{"docker", "exec", "--interactive", n.container()}
}

// Find implements Kind.
func (k buildx) Find(ctx context.Context, m machine.Machine) []Engine {
	var found []Engine
	for _, b := range k.instances(m) {
		e := Engine{ID: "buildx:" + b.Name, Name: "builder " + b.Name, Ways: []Way{Mirror, Proxy}}
		for _, n := range b.Nodes {
			running, err := containerRuns(ctx, m, n.container())
			if err == nil && running {
				e.Running = true
				e.Reach = k.reach(ctx, m, n)
				in := newGuestWithin(ctx, m, n.inside())
				if f, err := in.ReadFile(buildkitdToml); err == nil {
					e.Wired = buildkitWired(n.container()+":"+buildkitdToml, e.Reach, f.Data)
				}
				if out, err := runBriefly(ctx, in, "buildkitd", "--version"); err == nil {
					e.Version = field(out, 2)
				}
				continue
			}
			if text := n.Files["buildkitd.toml"]; text != nil {
				e.Wired = buildkitWired(path.Join(k.dir(m), "instances", b.Name), loopback, text)
			}
		}
		if !e.Running {
			start := "docker buildx inspect --bootstrap " + b.Name
			e.Notes = append(e.Notes, Note{"start", start, "it does not run: " + start + " starts it"})
		}
		if len(b.Nodes) > 1 {
			e.Notes = append(e.Notes, Note{Key: "nodes", Text: "its nodes may be on other machines, which do not reach this one's Pulley"})
		}
		found = append(found, e)
	}
	return found
}

// reach is the host that a builder finds this machine at.
func (buildx) reach(ctx context.Context, m machine.Machine, n buildxNode) string {
	if n.DriverOpts["network"] == "host" && m.Facts().OS == machine.Linux {
		return loopback
	}
	network := n.DriverOpts["network"]
	if network == "" {
		network = "bridge"
	}
	return hostOf(ctx, m, network)
}

// Plan implements Kind.
func (k buildx) Plan(ctx context.Context, m machine.Machine, e Engine, to Target, o Options) (*Plan, error) {
	b, err := k.instance(m, e)
	if err != nil {
		return nil, err
	}
	p := &Plan{Engine: e, Way: way(e, o), Warn: searchWarning(o, "BuildKit")}
	switch {
	case !slices.Contains(e.Ways, p.Way):
		return nil, noWay(e, p.Way)
	case len(b.Nodes) == 0:
		return nil, fmt.Errorf("%s: has no nodes; see docker buildx inspect %s", e.ID, b.Name)
	case p.Way == Proxy, !e.Running: // its environment is made with its container
		p.How = Activation{Kind: ByHand, Text: "make the builder anew"}
		p.Manual, err = k.anew(m, b, p.Way, to, o)
		if p.Way == Proxy {
			p.Egress = b.Nodes[0].env("https_proxy")
			p.Warn = append(p.Warn, nothingPulls(to)...)
		}
		return p, err
	}
	for _, n := range b.Nodes {
		if running, err := containerRuns(ctx, m, n.container()); err != nil || !running {
			p.Warn = append(p.Warn, "its node "+n.Name+" does not run here and is left out")
			continue
		}
		in := newGuest(m, n.inside())
		if err := checkTOML(in, buildkitdToml); err != nil {
			return nil, fmt.Errorf("%s: %w", n.container(), err)
		}
		node := e
		node.Reach = k.reach(ctx, m, n)
		reach := reachOf(node, to, o)
		p.Files = append(p.Files, File{Path: buildkitdToml, Through: n.inside(), Mode: 0o644, Edit: buildkitEdit(reach, to, o)})
		p.Warn = append(p.Warn, unreachable(ctx, m, reach)...)
		if proxy := n.env("http_proxy"); proxy != "" && hostIn(reach) != loopback && !strings.Contains(n.env("no_proxy"), hostIn(reach)) {
			p.Warn = append(p.Warn, "it goes to "+reach+" by its own proxy, "+withoutPassword(proxy)+", unless env.no_proxy of its driver options has that")
		}
	}
	p.Warn = append(p.Warn, "the change lasts as long as its container; made anew, it has to be connected again")
	p.How = k.Activation(ctx, m, e, nil)
	return p, nil
}

// env is a variable of its environment, as it was given when it was made.
func (n buildxNode) env(name string) string {
	for _, key := range []string{"env." + name, "env." + strings.ToUpper(name)} {
		if v := n.DriverOpts[key]; v != "" {
			return v
		}
	}
	return ""
}

// anew is how a builder is made again with our settings and its own options.
func (buildx) anew(m machine.Machine, b buildxInstance, w Way, to Target, o Options) ([]string, error) {
	n := b.Nodes[0]
	opts := maps.Clone(n.DriverOpts)
	if opts == nil {
		opts = map[string]string{}
	}
	host := o.Reach
	switch {
	case host != "":
	case m.Facts().OS == machine.Linux:
		host = loopback
		opts["network"] = "host" // else it would need Pulley to listen on a bridge's address
	default:
		host = "host.docker.internal"
	}
	reach := reachOf(Engine{Reach: host}, to, Options{})
	settings := buildkitEdit(reach, to, o)
	if w == Proxy {
		settings = buildkitTrust(to)
		for _, name := range []string{"http_proxy", "https_proxy", "no_proxy"} {
			delete(opts, "env."+strings.ToUpper(name))
			opts["env."+name] = mirrorURL(reach)
		}
		opts["env.no_proxy"] = strings.Join(noProxy(splitList(n.env("no_proxy"))...), ",")
	}
	text, err := settings.Apply(n.Files["buildkitd.toml"])
	if err != nil {
		return nil, fmt.Errorf("buildx:%s: its buildkitd.toml: %w", b.Name, err)
	}
	create := []string{"docker", "buildx", "create", "--name", b.Name, "--node", n.Name, "--driver", b.Driver}
	for _, key := range sortedKeys(opts) {
		option := key + "=" + opts[key]
		if strings.Contains(option, ",") { // they are read as a line of CSV
			option = `"` + option + `"`
		}
		create = append(create, "--driver-opt", option)
	}
	if len(n.Flags) > 0 {
		create = append(create, "--buildkitd-flags", strings.Join(n.Flags, " "))
	}
	if len(n.Platforms) > 0 {
		var list []string
		for _, p := range n.Platforms {
			list = append(list, strings.TrimSuffix(p.OS+"/"+p.Architecture+"/"+p.Variant, "/"))
		}
		create = append(create, "--platform", strings.Join(list, ","))
	}
	create = append(create, "--buildkitd-config", "buildkitd.toml")
	if n.Endpoint != "" {
		create = append(create, n.Endpoint)
	}
	return []string{
		"put this into a file buildkitd.toml:\n" + string(text),
		"docker buildx rm --keep-state " + b.Name,
		shellLine(create),
	}, nil
}

// shellLine is a command as it is typed.
func shellLine(args []string) string {
	quoted := slices.Clone(args)
	for i, a := range quoted {
		if strings.ContainsAny(a, " '\"\\$`&;|<>()*?[]#~{}!\t\n") || a == "" {
			quoted[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// Up implements Kind.
func (k buildx) Up(ctx context.Context, m machine.Machine, e Engine) error {
	b, err := k.instance(m, e)
	if err != nil {
		return err
	}
	for _, n := range b.Nodes {
		if running, err := containerRuns(ctx, m, n.container()); err != nil || !running {
			continue
		}
		if _, err := m.Run(ctx, machine.Command{Args: append(n.inside(), "buildctl", "debug", "workers")}); err != nil {
			return err
		}
	}
	return nil
}

// Activation implements Kind: each node's container is started again, and what is being built in it stops.
func (k buildx) Activation(ctx context.Context, m machine.Machine, e Engine, _ []string) Activation {
	b, err := k.instance(m, e)
	if err != nil {
		return Activation{Kind: AtOnce} // with the builder went what we changed in it
	}
	args := []string{"docker", "restart"}
	for _, n := range b.Nodes {
		if running, err := containerRuns(ctx, m, n.container()); err == nil && running {
			args = append(args, n.container())
		}
	}
	if len(args) == 2 {
		return Activation{Kind: AtOnce}
	}
	return Activation{Kind: Restart, Run: []machine.Command{{Args: args}}, Text: strings.Join(args, " "), Stop: -1}
}

// Pull implements Kind.
func (k buildx) Pull(ctx context.Context, m machine.Machine, e Engine, image string) error {
	b, err := k.instance(m, e)
	if err != nil {
		return err
	}
	for _, n := range b.Nodes {
		if running, err := containerRuns(ctx, m, n.container()); err != nil || !running {
			continue
		}
		return buildkitPull(ctx, m, append(n.inside(), "buildctl"), image)
	}
	return fmt.Errorf("%s: does not run; try: docker buildx inspect --bootstrap %s", e.ID, b.Name)
}
