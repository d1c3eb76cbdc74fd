package wiring

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path"
	"slices"
	"strings"
	"time"

	"pulley/internal/docker/machine"
)

// kubeNodes is the clusters of kind, k3d and minikube: machines that are containers of docker's. Each has a containerd of its
// own, which is wired inside, node by node, at the address where the node finds this machine.
type kubeNodes struct{}

// kubeTool is a program that makes such clusters.
type kubeTool struct {
	name    string
	filter  string // what docker ps finds its nodes by
	cluster string // the label with the cluster's name
	role    string // the label that says what a container is, if others are there too
	roles   []string
}

var kubeTools = []kubeTool{
	{"kind", "label=io.x-k8s.kind.cluster", "io.x-k8s.kind.cluster", "io.x-k8s.kind.role", []string{"control-plane", "worker"}},
	{"k3d", "label=app=k3d", "k3d.cluster", "k3d.role", []string{"server", "agent"}},
	{"minikube", "label=created_by.minikube.sigs.k8s.io=true", "name.minikube.sigs.k8s.io", "", nil},
}

// kubeNode is one container.
type kubeNode struct {
	tool    kubeTool
	cluster string
	name    string
	network string
	running bool
}

func (n kubeNode) inside() []string { return []string{"docker", "exec", "--interactive", n.name} }

// list asks docker for all nodes of a tool.
func (t kubeTool) list(ctx context.Context, m machine.Machine) ([]kubeNode, error) {
	out, err := runBriefly(ctx, m, "docker", "ps", "--all", "--no-trunc", "--filter", t.filter, "--format", "{{json .}}")
	if err != nil {
		return nil, err
	}
	var nodes []kubeNode
	for line := range strings.Lines(out) {
		var c struct{ Names, State, Networks, Labels string }
		if json.Unmarshal([]byte(line), &c) != nil {
			continue
		}
		labels := map[string]string{}
		for pair := range strings.SplitSeq(c.Labels, ",") {
			key, v, _ := strings.Cut(pair, "=")
			labels[key] = v
		}
		if t.role != "" && !slices.Contains(t.roles, labels[t.role]) {
			continue // a load balancer, or a registry
		}
		network, _, _ := strings.Cut(c.Networks, ",")
		nodes = append(nodes, kubeNode{t, labels[t.cluster], c.Names, network, c.State == "running"})
	}
	slices.SortFunc(nodes, func(a, b kubeNode) int { return strings.Compare(a.cluster+" "+a.name, b.cluster+" "+b.name) })
	return nodes, nil
}

// nodes are those of one cluster.
func (kubeNodes) nodes(ctx context.Context, m machine.Machine, e Engine) ([]kubeNode, error) {
	tool, cluster, _ := strings.Cut(e.ID, ":")
	for _, t := range kubeTools {
		if t.name != tool {
			continue
		}
		nodes, err := t.list(ctx, m)
		return slices.DeleteFunc(nodes, func(n kubeNode) bool { return n.cluster != cluster }), err
	}
	return nil, errors.New(e.ID + ": is no cluster")
}

// Find implements Kind.
func (k kubeNodes) Find(ctx context.Context, m machine.Machine) []Engine {
	var found []Engine
	for _, t := range kubeTools {
		nodes, err := t.list(ctx, m)
		if err != nil {
			return found // docker is not there, or does not answer
		}
		for _, n := range nodes {
			id := t.name + ":" + n.cluster
			if len(found) == 0 || found[len(found)-1].ID != id {
				found = append(found, k.look(ctx, m, n))
			} else if !n.running {
				found[len(found)-1].Notes = append(found[len(found)-1].Notes, Note{"node_stopped", n.name, n.name + " does not run and would be left out"})
			}
		}
	}
	return found
}

func (k kubeNodes) look(ctx context.Context, m machine.Machine, n kubeNode) Engine {
	e := Engine{
		ID: n.tool.name + ":" + n.cluster, Name: fmt.Sprintf("%s cluster %s", n.tool.name, n.cluster),
		Running: n.running, Ways: []Way{Mirror},
	}
	if !n.running {
		e.Notes = []Note{{Key: "stopped", Text: "it does not run"}}
		return e
	}
	e.Reach = hostOf(ctx, m, n.network)
	in := newGuestWithin(ctx, m, n.inside())
	switch n.tool.name {
	case "k3d":
		if f, err := in.ReadFile(k3sRegistries); err == nil {
			e.Wired = k3sWired(n.name+":"+k3sRegistries, e.Reach, f.Data)
		}
		return e
	case "minikube":
		if !usesContainerd(in) {
			e.Ways = []Way{Mirror}
			e.Notes = append(e.Notes, Note{Key: "minikube", Text: "it does not use containerd: it is wired by minikube's own flags"})
			return e
		}
	}
	if out, err := runBriefly(ctx, in, "containerd", "--version"); err == nil {
		e.Version = field(out, 2)
	}
	if c, err := readContainerdConfig(in, "/etc/containerd/config.toml", e.Version); err == nil {
		e.Wired = hostsWired(in, c.where(certsDirs), "docker.io", e.Reach)
	}
	e.Ways = append(e.Ways, Proxy)
	return e
}

// usesContainerd says that a minikube node's Kubernetes talks to containerd: crictl's settings name what it does.
func usesContainerd(in machine.Machine) bool {
	f, err := in.ReadFile("/etc/crictl.yaml")
	return err == nil && strings.Contains(string(f.Data), "containerd/containerd.sock")
}

// Plan implements Kind.
func (k kubeNodes) Plan(ctx context.Context, m machine.Machine, e Engine, to Target, o Options) (*Plan, error) {
	nodes, err := k.nodes(ctx, m, e)
	if err != nil {
		return nil, err
	}
	p := &Plan{Engine: e, Way: way(e, o), Warn: searchWarning(o, "a cluster")}
	switch {
	case !slices.Contains(e.Ways, p.Way):
		return nil, noWay(e, p.Way)
	case !slices.ContainsFunc(nodes, func(n kubeNode) bool { return n.running }):
		return nil, fmt.Errorf("%s: does not run; start it and connect again", e.ID)
	case p.Way == Proxy:
		p.Warn = append(p.Warn, nothingPulls(to)...)
	}
	for _, n := range nodes {
		if !n.running {
			p.Warn = append(p.Warn, n.name+" does not run and is left out")
			continue
		}
		at := e
		at.Reach = hostOf(ctx, m, n.network)
		reach := reachOf(at, to, o)
		if err := k.node(m, p, n, reach, to, o); err != nil {
			return nil, fmt.Errorf("%s: %w", n.name, err)
		}
		for _, w := range unreachable(ctx, m, reach) {
			if !slices.Contains(p.Warn, w) {
				p.Warn = append(p.Warn, w)
			}
		}
	}
	if p.How.Kind != ByHand {
		p.How = k.Activation(ctx, m, e, p.changing(m))
		p.Warn = append(p.Warn, "nodes that are made later are not wired: connect again then")
	}
	return p, nil
}

// node plans one node.
func (k kubeNodes) node(m machine.Machine, p *Plan, n kubeNode, reach string, to Target, o Options) error {
	in := newGuest(m, n.inside())
	inner := &Plan{Engine: p.Engine, Way: p.Way}
	switch {
	case n.tool.name == "k3d":
		file, err := k3sPlan(in, reach, to, o)
		if err != nil {
			return err
		}
		inner.Files = []File{file}
	case n.tool.name == "minikube" && !usesContainerd(in):
		p.How = Activation{Kind: ByHand, Text: "start the cluster with a mirror"}
		line := shellLine([]string{"minikube", "start", "--profile", n.cluster, "--registry-mirror", mirrorURL(reach)})
		if !slices.Contains(p.Manual, line) {
			p.Manual = append(p.Manual, line)
			p.Warn = append(p.Warn, "minikube's own flag is for Docker Hub alone, and of clusters that are there already not all versions take it")
		}
		return nil
	default:
		at := containerdPlace{dir: "/etc/containerd", certs: certsDirs}
		if err := (containerd{}).files(in, inner, at, reach, to, o); err != nil {
			return err
		}
		if p.Way == Proxy {
			inner.Files = append(inner.Files,
				File{Path: containerdDropIn, Mode: 0o644, Edit: whole(proxyDropIn(reach))},
				File{Path: nodeCA, Mode: 0o644, Edit: whole(string(to.CA))})
		}
	}
	for i := range inner.Files {
		inner.Files[i].Through = n.inside()
	}
	p.Files = append(p.Files, inner.Files...)
	for _, w := range inner.Warn {
		p.Warn = append(p.Warn, n.name+": "+w)
	}
	return nil
}

// nodeCA is where a node's image, a Debian, looks for further authorities (kubernetes-sigs/kind#1010).
const nodeCA = "/usr/local/share/ca-certificates/pulley.crt"

// Up implements Kind.
func (k kubeNodes) Up(ctx context.Context, m machine.Machine, e Engine) error {
	nodes, err := k.nodes(ctx, m, e)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if !n.running {
			continue
		}
		if _, err := m.Run(ctx, machine.Command{Args: append(n.inside(), "crictl", "version")}); err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
	}
	return nil
}

// Activation implements Kind. Containers of a node go on when its containerd is started again; a node of k3d has to be
// started again itself.
func (k kubeNodes) Activation(ctx context.Context, m machine.Machine, e Engine, changed []string) Activation {
	nodes, err := k.nodes(ctx, m, e)
	if err != nil {
		return Activation{Kind: AtOnce} // with the cluster went what we changed in it
	}
	nodes = slices.DeleteFunc(nodes, func(n kubeNode) bool { return !n.running })
	var run []machine.Command
	var names []string
	for _, n := range nodes {
		names = append(names, n.name)
		for _, args := range [][]string{{"update-ca-certificates"}, {"systemctl", "daemon-reload"}, {"systemctl", "restart", "containerd"}} {
			if args[0] != "update-ca-certificates" || slices.Contains(changed, nodeCA) {
				run = append(run, machine.Command{Args: slices.Concat(n.inside(), args)})
			}
		}
	}
	switch {
	case len(nodes) == 0, !slices.ContainsFunc(changed, func(file string) bool { return path.Base(file) != "hosts.toml" }):
		return Activation{Kind: AtOnce}
	case strings.HasPrefix(e.ID, "k3d:"):
		args := append([]string{"docker", "restart"}, names...)
		return Activation{Kind: Restart, Run: []machine.Command{{Args: args}}, Text: strings.Join(args, " "), Stop: -1}
	default:
		return Activation{Kind: Restart, Run: run, Text: "restart containerd in " + strings.Join(names, ", ")}
	}
}

// Pull implements Kind, on one node.
func (k kubeNodes) Pull(ctx context.Context, m machine.Machine, e Engine, image string) error {
	nodes, err := k.nodes(ctx, m, e)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if !n.running {
			continue
		}
		run := func(args ...string) error {
			_, err := m.Run(ctx, machine.Command{Args: slices.Concat(n.inside(), []string{"crictl"}, args)})
			return err
		}
		there := run("inspecti", "--quiet", image)
		if err := run("pull", image); err != nil || there == nil {
			return err
		}
		return run("rmi", image)
	}
	return errors.New(e.ID + ": does not run")
}

// containerRuns says whether docker has a container of that name and it runs.
func containerRuns(ctx context.Context, m machine.Machine, name string) (bool, error) {
	out, err := runBriefly(ctx, m, "docker", "container", "inspect", "--format", "{{.State.Running}}", name)
	return out == "true", err
}

// hostOf is where containers of a network find this machine: with an engine in a virtual machine a name that leads to the
// person's machine, else the network's gateway.
func hostOf(ctx context.Context, m machine.Machine, network string) string {
	if m.Facts().OS != machine.Linux {
		return "host.docker.internal"
	}
	if out, err := runBriefly(ctx, m, "docker", "info", "--format", "{{.OperatingSystem}}"); err == nil && strings.HasPrefix(out, "Docker Desktop") {
		return "host.docker.internal"
	}
	out, _ := runBriefly(ctx, m, "docker", "network", "inspect", "--format", "{{range .IPAM.Config}}{{.Gateway}} {{end}}", network)
	for gateway := range strings.FieldsSeq(out) {
		if ip := net.ParseIP(gateway); ip != nil && ip.To4() != nil {
			return gateway
		}
	}
	return "172.17.0.1" // docker's own default, where it does not say
}

// unreachable is what a person is told when nobody answers where containers look for Pulley.
func unreachable(ctx context.Context, m machine.Machine, reach string) []string {
	at, _ := hostPort(reach)
	host, port, _ := net.SplitHostPort(at)
	ip := net.ParseIP(host)
	if ip == nil || ip.IsLoopback() {
		return nil // a name that leads to loopback, or that itself
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := m.Dial(ctx, "tcp", at)
	if err == nil {
		_ = conn.Close()
		return nil
	}
	return []string{fmt.Sprintf("nobody answers at %s, where it looks for Pulley, and it pulls from the origin until somebody does: "+
		"let Pulley listen there too (listen = \"0.0.0.0:%s\", [access] allow = [\"127.0.0.0/8\", \"%s/16\"])", reach, port, ip.Mask(net.CIDRMask(16, 32)))}
}
