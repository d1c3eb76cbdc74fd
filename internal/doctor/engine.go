package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	dockercontext "pulley/internal/docker/context"
	"pulley/internal/docker/wiring"
)

// wired is how one engine is pointed at something.
type wired struct {
	id      string // for commands
	name    string // for people
	way     wiring.Way
	to      []string
	noProxy string
	pulls   bool // it is the engine that the examination is about
}

// search finds the engines that are installed.
func (x *exam) search(ctx context.Context, _ *notes) {
	if x.o.Engines != nil {
		x.engines = x.o.Engines(ctx)
	}
}

// engine looks which engine docker talks to, whether it answers, and where it pulls from.
func (x *exam) engine(ctx context.Context, n *notes) {
	found := x.engines
	if x.o.Engine != "" {
		x.oneEngine(ctx, n, found)
		return
	}
	id := x.dockers(ctx, n, found)
	for _, e := range found {
		if e.ID != id && e.Running {
			x.judgeWiring(ctx, n, wiredOf(e, id == "" && len(found) == 1))
		}
	}
	if len(n.out.findings) == 0 {
		n.info("engine.none", "no container engine runs here; the rest of the path was looked at without one")
	}
}

// oneEngine is the one that a person named: by its ID, or as a context.
func (x *exam) oneEngine(ctx context.Context, n *notes, found []wiring.Engine) {
	i := slices.IndexFunc(found, func(e wiring.Engine) bool { return e.ID == x.o.Engine })
	if i >= 0 {
		e := found[i]
		if !e.Running {
			n.add(Finding{ID: "engine.down", Level: Problem, What: e.Name + " does not run", Why: strings.Join(e.Notes.Lines(), " "), Fix: startOf(e.ID)})
			return
		}
		x.judgeWiring(ctx, n, wiredOf(e, true))
		return
	}
	if x.o.Contexts != nil {
		if e, err := x.o.Contexts.Get(x.o.Engine); err == nil {
			x.context(ctx, n, dockercontext.Winner{Name: e.Name, Why: "--engine", Host: e.Host, Error: e.Error}, found)
			return
		} else if !errors.Is(err, dockercontext.ErrNotFound) {
			n.add(Finding{ID: "engine.context", Level: Problem, What: oneLine(err), Why: "Docker's own files say what contexts there are.", Fix: "pulley context ls"})
			return
		}
	}
	var have []string
	for _, e := range found {
		have = append(have, e.ID)
	}
	x.usage = fmt.Errorf("%s: no such engine here (%s), and no such docker context; see: pulley context ls", x.o.Engine, strings.Join(have, ", "))
}

// startOf is the command that starts an engine.
func startOf(id string) string {
	kind, name, _ := strings.Cut(id, ":")
	if name == "" {
		name = "default"
	}
	switch kind {
	case "docker-desktop":
		return "docker desktop start"
	case "docker-rootless":
		return "systemctl --user start docker"
	case "orbstack":
		return "orb start"
	case "rancher-desktop":
		return "rdctl start"
	case "colima":
		return "colima start " + name
	case "lima":
		return "limactl start " + name
	case "podman-machine":
		return strings.TrimSuffix("podman machine start "+name, " default")
	case "buildx":
		return "docker buildx inspect --bootstrap " + name
	case "wsl":
		return "wsl -d " + name + " -u root service docker start"
	case "kind", "k3d", "minikube":
		return kind + " get clusters"
	case "cri-o":
		kind = "crio"
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil { // sd_booted(3)
		return "sudo service " + kind + " start"
	}
	return "sudo systemctl start " + kind
}

func wiredOf(e wiring.Engine, pulls bool) wired {
	return wired{id: e.ID, name: e.Name, way: e.Wired.Way, to: e.Wired.To, pulls: pulls}
}

// dockers looks at the engine that docker talks to, and returns its ID among those found.
func (x *exam) dockers(ctx context.Context, n *notes, found []wiring.Engine) string {
	if x.o.Contexts == nil {
		return ""
	}
	w, err := x.o.Contexts.Winner("")
	if err != nil {
		n.add(Finding{ID: "engine.context", Level: Problem, What: oneLine(err), Why: "Docker cannot tell which engine is meant, and neither can Pulley.", Fix: "pulley context use default"})
		return ""
	}
	if w.Error != "" {
		what, fix, _ := strings.Cut(w.Error, "; try: ")
		n.add(Finding{ID: "engine.context", Level: Problem, What: fmt.Sprintf("docker context %s: %s", w.Name, what), Why: "Every docker command fails until that is mended.", Fix: fix})
		return ""
	}
	return x.context(ctx, n, w, found)
}

// context looks at a context's engine.
func (x *exam) context(ctx context.Context, n *notes, w dockercontext.Winner, found []wiring.Engine) string {
	e, err := x.o.Contexts.Get(w.Name)
	if err != nil {
		n.add(Finding{ID: "engine.context", Level: Problem, What: oneLine(err), Why: "Docker's own files say what contexts there are.", Fix: "pulley context ls"})
		return ""
	}
	id := ""
	for _, f := range found {
		if f.Socket != "" && sameSocket(f.Socket, w.Host) || w.Name != dockercontext.Default && f.Context == w.Name {
			id = f.ID
			break
		}
	}
	if w.Why == "DOCKER_HOST" || w.Why == "DOCKER_CONTEXT" {
		n.info("engine.context", "docker talks to %s: %s says so, and goes before docker context use", where(w), w.Why)
	}
	r := x.o.Contexts.Test(ctx, w.Name)
	if !r.Reachable {
		x.unreached(n, w, id, r, slices.ContainsFunc(found, func(f wiring.Engine) bool { return f.ID != id && f.Running }))
		return id
	}
	x.platform = strings.NewReplacer("x86_64", "amd64", "aarch64", "arm64").Replace(r.System)
	if e.Kind == dockercontext.Remote {
		n.add(Finding{
			ID: "engine.remote", Level: Warning, What: fmt.Sprintf("docker talks to a remote engine (%s), which does not use this machine's Pulley", where(w)),
			Why: "It pulls for itself, from where it is. It can share this cache through a tunnel, or be wired to a Pulley of its own.", Fix: "pulley context share " + w.Name,
		})
		return id
	}
	e2 := wired{id: or(id, "docker"), name: or(nameIn(found, id), "Docker ("+where(w)+")"), noProxy: r.NoProxy, pulls: true}
	switch {
	case r.Proxy != "":
		e2.way, e2.to = wiring.Proxy, []string{r.Proxy}
	case len(r.Mirrors) > 0:
		e2.way, e2.to = wiring.Mirror, r.Mirrors
	default: // an engine does not tell of all that it goes by
		for _, f := range found {
			if f.ID == id {
				e2.way, e2.to = f.Wired.Way, f.Wired.To
			}
		}
	}
	x.judgeWiring(ctx, n, e2)
	return id
}

// sameSocket compares URLs: /var/run is /run.
func sameSocket(a, b string) bool {
	return strings.Replace(a, "///var/run/", "///run/", 1) == strings.Replace(b, "///var/run/", "///run/", 1)
}

func nameIn(found []wiring.Engine, id string) string {
	for _, f := range found {
		if f.ID == id {
			return f.Name
		}
	}
	return ""
}

func where(w dockercontext.Winner) string {
	if w.Name == dockercontext.Default {
		return w.Host
	}
	return w.Name
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// unreached: the engine that docker talks to does not answer. Where nothing was set and nothing is installed, there is
// none; where others run, a person may do without it.
func (x *exam) unreached(n *notes, w dockercontext.Winner, id string, r dockercontext.Report, others bool) {
	if w.Name == dockercontext.Default && w.Why == "nothing else is set" && id == "" && !strings.Contains(r.Error, "may not talk") {
		return
	}
	f := Finding{ID: "engine.down", Level: Problem, What: "docker's engine does not answer: " + r.Error, Why: "No docker command works until it does."}
	if what, fix, cut := strings.Cut(r.Error, "; "); cut {
		f.What = "docker's engine does not answer: " + what
		f.Why += " " + sentence(fix)
	}
	if others && w.Why == "nothing else is set" {
		f.Level = Warning
	}
	switch {
	case strings.Contains(r.Error, "may not talk"):
		f.ID, f.Fix = "engine.denied", "sudo usermod -aG docker "+or(x.getenv("USER"), "USER")
		f.What, f.Why = "this user may not talk to docker's engine", "Its socket is for root and the group docker. Log in anew afterwards."
	case id != "":
		f.Fix = startOf(id)
	case w.Why == "DOCKER_HOST" || w.Why == "DOCKER_CONTEXT":
		f.Fix = "unset " + w.Why
		f.Why += " " + w.Why + " says where it is."
	default:
		f.Fix = "pulley context test " + w.Name
	}
	n.add(f)
}

// sentence is a remark as one.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	text = strings.ToUpper(text[:1]) + text[1:]
	if strings.HasSuffix(text, "?") {
		return text
	}
	return text + "."
}

// vmHosts are what virtual machines call the machine they run on.
var vmHosts = []string{"host.docker.internal", "gateway.docker.internal", "http.docker.internal", "host.containers.internal", "host.lima.internal", "host.orb.internal", "host.rancher-desktop.internal"}

// judgeWiring says whether an engine's pulls come by here.
func (x *exam) judgeWiring(ctx context.Context, n *notes, e wired) {
	level := Info
	if e.pulls {
		level = Warning
	}
	if e.way == wiring.None || len(e.to) == 0 {
		n.add(Finding{
			ID: "engine.unwired", Level: level, What: e.name + " is not pointed at Pulley", Fix: "pulley connect " + e.id,
			Why: "Its pulls go to the registry directly: nothing of what Pulley does helps them.",
		})
		return
	}
	ours := false
	for _, to := range e.to {
		switch at, who := x.whose(ctx, to); who {
		case portPulley:
			ours = true
		case portFree:
			if at != "" {
				x.deadEnd(n, e, to, at)
				return
			}
		default:
		}
	}
	switch {
	case !ours && !x.up && slices.ContainsFunc(e.to, func(to string) bool { return x.toUs(to) }):
		n.info("engine.waits", "%s is pointed at Pulley, which does not run", e.name)
	case !ours:
		n.add(Finding{
			ID: "engine.other", Level: level, What: fmt.Sprintf("%s uses %s, and not Pulley", e.name, strings.Join(shownAll(e.to), ", ")), Fix: "pulley connect " + e.id,
			Why: "A mirror or a proxy of its own was set. Connecting takes a proxy over as a way out.",
		})
	case e.way == wiring.Proxy && x.exempted(e.noProxy):
		n.add(Finding{
			ID: "engine.noproxy", Level: level, What: fmt.Sprintf("%s has Pulley for a proxy, and excepts %s from it", e.name, x.host), Fix: "pulley connect " + e.id,
			Why: "Its NO_PROXY is " + e.noProxy + ": pulls from " + x.reg.Name + " pass by Pulley.",
		})
	default:
		x.proxied = x.proxied || e.way == wiring.Proxy && believesHost(e.id)
		n.ok("engine", "%s is pointed at Pulley, as a %s", e.name, e.way)
	}
}

// believesHost reports whether an engine takes the authorities that it believes from this system's store. The others are in a
// machine of their own, or a container, and were given ours there.
func believesHost(id string) bool {
	kind, _, _ := strings.Cut(id, ":")
	return slices.Contains([]string{"docker", "docker-rootless", "docker-desktop", "orbstack", "containerd", "podman", "cri-o", "buildkit"}, kind)
}

func shownAll(list []string) (out []string) {
	for _, s := range list {
		out = append(out, shown(s))
	}
	return out
}

// toUs reports whether a URL names our port.
func (x *exam) toUs(to string) bool {
	u, err := url.Parse(to)
	if err != nil {
		return false
	}
	hostport := withPort(u.Host, u.Scheme)
	return x.egress.PointsAtUs(hostport) || local(u.Hostname()) && portOf(hostport) == portOf(x.listen)
}

func local(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && (ip.IsLoopback() || ip.IsUnspecified()) || slices.Contains(vmHosts, host)
}

// whose finds out who is where an engine goes; at is "" where that is not on this machine.
func (x *exam) whose(ctx context.Context, to string) (at string, who int) {
	u, err := url.Parse(to)
	if err != nil {
		return "", portOther
	}
	at = "127.0.0.1:" + portOf(withPort(u.Host, u.Scheme))
	switch { // the daemon's step has said how it is
	case x.toUs(to) && (x.up || x.barred()):
		return at, portPulley
	case x.toUs(to):
		return "", portFree
	case !local(u.Hostname()):
		return "", portOther
	}
	return at, x.portOf(ctx, at)
}

// deadEnd: the engine goes where nobody is.
func (x *exam) deadEnd(n *notes, e wired, to, at string) {
	f := Finding{
		ID: "engine.deadport", Level: Warning, What: fmt.Sprintf("%s is pointed at %s, where nothing listens", e.name, shown(to)), Fix: "pulley connect " + e.id,
		Why: "It tries that first and then goes to the registry itself, which costs time.",
	}
	if e.way == wiring.Proxy {
		f.Level = Problem
		f.Why = "That is its proxy: it cannot pull at all."
	}
	if x.up && at != x.listen {
		f.Why += " Pulley listens at " + x.listen + "."
	}
	n.add(f)
}

// exempted reports whether a NO_PROXY keeps the registry's host from the proxy.
func (x *exam) exempted(noProxy string) bool {
	hostport := strings.ToLower(withPort(x.host, x.scheme()))
	host := bareHost(hostport)
	for rule := range strings.SplitSeq(noProxy, ",") {
		rule = strings.ToLower(strings.TrimSpace(rule))
		if name, port, err := net.SplitHostPort(rule); err == nil && port == portOf(hostport) {
			rule = name
		}
		if rule == "*" || rule != "" && (host == rule || strings.HasSuffix(host, "."+strings.TrimPrefix(strings.TrimPrefix(rule, "*"), "."))) {
			return true
		}
	}
	return false
}
