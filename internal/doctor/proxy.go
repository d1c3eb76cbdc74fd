package doctor

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"pulley/internal/config"
	"pulley/proxy/egress"
)

// Proxy is one that connections may leave by.
type Proxy struct {
	Name  string `json:"name"` // "environment", "system", or an [[egress]]'s
	URL   string `json:"url"`
	Used  bool   `json:"used"` // for the registry that is looked at
	State string `json:"state"`
	Error string `json:"error,omitempty"`
}

// leaving is one that is examined.
type leaving struct {
	Proxy
	words   string // for people: "the environment's proxy http://…", "egress jump"
	address string // host:port; "" where ssh finds that out
	us      bool
	wanted  bool // by some registry
	ssh     bool
	cause   cause
	err     error
	direct  error // what the registry said without it, for one that does not work
	unsure  bool  // there was no time to find out
}

// proxies looks at each proxy of the environment, the system and the settings, and goes out by the one that the registry
// uses.
func (x *exam) proxies(ctx context.Context, n *notes) {
	hostport := withPort(x.host, x.scheme())
	route := x.egress.Route(ctx, x.reg.Name, x.scheme(), hostport)
	list := x.leavings(route)
	var all sync.WaitGroup
	for _, p := range list {
		all.Go(func() { x.leave(ctx, p, hostport) })
	}
	all.Wait()
	for _, p := range list {
		p.State = string(p.cause)
		if p.err != nil {
			p.Error = oneLine(p.err)
		}
		if p.us {
			p.State = "pulley itself"
		}
		x.report.Proxies = append(x.report.Proxies, p.Proxy)
		x.tell(n, p)
	}
	x.excepted(n, route, hostport)
	x.apart(ctx, n, route, hostport)
	for _, p := range x.egress.Problems() {
		if strings.Contains(p.Way, "script") {
			n.info("proxy.script", "%s is not run: %s", p.Way, p.Text)
		}
	}
	if len(n.out.findings) == 0 {
		switch {
		case route.Name == egress.Direct:
			n.ok("proxy", "%s is reached directly: no proxy is set for it", x.reg.Name)
		default:
			n.ok("proxy", "%s leaves by %s, which works", x.reg.Name, route.Way)
		}
	}
}

// leavings lists them.
func (x *exam) leavings(route egress.Route) (list []*leaving) {
	if r, ok := x.egress.Ambient(x.scheme()); ok {
		list = append(list, &leaving{
			Proxy: Proxy{Name: r.Name, URL: r.Scheme + "://" + r.Proxy, Used: route.Name == r.Name}, words: r.Way, address: r.Proxy,
			us: x.egress.PointsAtUs(r.Proxy), wanted: true,
		})
	}
	for _, e := range x.cfg.Egresses {
		u, err := url.Parse(e.URL)
		if err != nil {
			continue
		}
		p := &leaving{
			Proxy: Proxy{Name: e.Name, URL: shown(e.URL), Used: route.Name == e.Name}, words: "egress " + e.Name,
			wanted: len(e.For) > 0, ssh: u.Scheme == "ssh",
		}
		if !p.ssh {
			p.address = egressAddress(u)
			p.us = x.egress.PointsAtUs(p.address)
		}
		list = append(list, p)
	}
	return list
}

func egressAddress(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "socks5": "1080"}[u.Scheme]
	}
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// withoutTime is kept of the step's for looking at the way without a proxy.
const withoutTime = StepLimit - knockLimit

// leave goes out by one, as far as it is in use, and without it where it does not work.
func (x *exam) leave(step context.Context, p *leaving, hostport string) {
	by, _ := step.Deadline()
	ctx, cancel := context.WithDeadline(step, by.Add(-withoutTime))
	defer cancel()
	p.cause = fine
	if p.us || p.ssh && !p.Used {
		return
	}
	if p.address != "" {
		c, err := x.egress.Dial(ctx, p.address)
		if err != nil {
			p.err, p.cause = err, causeOf(err, bareHost(p.address))
		} else {
			_ = c.Close()
		}
	}
	if p.err == nil && p.Used {
		_, err := x.egress.Test(ctx, p.Name, hostport)
		switch c := causeOf(err, bareHost(hostport)); c {
		case foreign, unknownCA, dated, plain: // it goes there; what it finds there is another matter
		default:
			p.err, p.cause = err, c
		}
	}
	if p.err != nil && p.Used {
		_, p.direct = x.egress.Test(step, egress.Direct, hostport)
		p.unsure = step.Err() != nil
	}
}

// tell says what is wrong with one.
func (x *exam) tell(n *notes, p *leaving) {
	switch {
	case p.us && p.Name != egress.Environment && p.Name != egress.System:
		return // of the loops
	case p.us:
		n.info("proxy.us", "%s is Pulley itself: engines need that setting, and Pulley does without it for its own way out", p.words)
		return
	case p.err == nil:
		return
	case !p.Used:
		level := Warning
		if !p.wanted {
			level = Info
		}
		n.add(Finding{ID: "proxy.dead", Level: level, What: p.words + " does not work: " + oneLine(p.err), Why: "It is not used for " + x.reg.Name + ", but others leave by it or may.", Fix: x.without(p)})
		return
	}
	f := Finding{Level: Problem, Fix: x.without(p)}
	switch p.cause {
	case denied:
		f.ID, f.What = "proxy.password", p.words+" does not take the name and password that it is given"
		f.Why, f.Fix = "It answers 407, or SOCKS' refusal: they are wrong, have ended, or are missing from its URL.", x.relogin(p)
	case balks:
		f.ID, f.What = "proxy.refuses", p.words+" refuses to go to "+x.host
		f.Why = "It works, and does not want that: " + oneLine(p.err) + ". Whoever runs it can allow it."
	case unvouched:
		f.ID, f.What = "egress.key", p.words+" waits: nobody has vouched for the key of its ssh server"
		f.Why, f.Fix = "Compare it with the server's own, and say yes.", "pulley egress test "+p.Name
	default:
		f.ID, f.What = "proxy.dead", p.words+" does not work: "+oneLine(p.err)
		f.Why = "Connections to " + x.reg.Name + " leave by it."
	}
	if name := x.garbled(); p.Name == egress.Environment && name != "" {
		f.ID, f.What = "proxy.url", name+" is no URL"
		f.Why = "Signs such as # / @ : of a user name or a password have to be written as %23 %2F %40 %3A there."
		f.Fix = "export " + name + "=http://NAME:PASSWORD@HOST:PORT"
		n.blame(f)
		return
	}
	switch {
	case p.direct == nil:
		f.Why += " Without it the registry answers."
	case !p.unsure:
		f.Why += " Without it the registry is not reached either."
	}
	if p.Name == egress.Environment {
		f.Why += " A daemon has the environment that it was started with: start it anew afterwards."
	}
	n.blame(f)
}

// garbled is the variable of the environment's proxy where that is no URL, "" if all are.
func (x *exam) garbled() string {
	for _, name := range proxyVariables {
		value := x.getenv(name)
		if !strings.Contains(value, "://") {
			continue // host:port is taken for one
		}
		if _, err := url.Parse(value); err != nil {
			return name
		}
	}
	return ""
}

// without is the command for doing without a proxy.
func (x *exam) without(p *leaving) string {
	switch p.Name {
	case egress.Environment:
		var set []string
		for _, name := range proxyVariables {
			if x.getenv(name) != "" {
				set = append(set, name)
			}
		}
		return "unset " + strings.Join(set, " ")
	case egress.System:
		return proxyOff
	}
	return "pulley egress use " + p.Name + " -"
}

// relogin is the command for giving a proxy another password.
func (x *exam) relogin(p *leaving) string {
	u, err := url.Parse(p.URL)
	if err != nil || p.Name != egress.Environment {
		return "pulley config edit"
	}
	for _, name := range proxyVariables {
		if x.getenv(name) != "" {
			return fmt.Sprintf("export %s=%s://NAME:PASSWORD@%s", name, u.Scheme, u.Host)
		}
	}
	return "pulley config edit"
}

// excepted says that NO_PROXY or the system's exceptions keep the registry from the proxy.
func (x *exam) excepted(n *notes, route egress.Route, hostport string) {
	ambient, has := x.egress.Ambient(x.scheme())
	if !has || !x.cfg.Enabled || route.Name != egress.Direct || x.egress.PointsAtUs(ambient.Proxy) || x.pinned(bareHost(hostport)) {
		return
	}
	n.info("proxy.excepted", "%s goes directly: %s excepts it from %s", x.host, exceptor(ambient), ambient.Way)
}

// apart: the daemon was started in another environment than this program, and lacks the proxy of this one. A service's has none
// of a shell's variables.
func (x *exam) apart(ctx context.Context, n *notes, route egress.Route, hostport string) {
	if x.live == nil || route.Name != egress.Environment || n.out.broken != "" {
		return
	}
	report, err := x.live.TestEgress(ctx, route.Name, hostport)
	if err != nil || report.OK || !strings.Contains(report.Error, "has no proxy for") {
		return
	}
	n.add(Finding{
		ID: "proxy.daemon", Level: Warning, What: "the daemon does not have " + route.Way + ", which this shell has",
		Why: "It goes by the environment that it was started with, a service by none. Where only the proxy leads out, its pulls fail, though all else here works.",
		Fix: "pulley egress add proxy " + route.Scheme + "://NAME:PASSWORD@" + route.Proxy + " --for " + x.reg.Name,
	})
}

func exceptor(r egress.Route) string {
	if r.Name == egress.System {
		return "an exception of the system's settings"
	}
	return "NO_PROXY"
}

func (x *exam) pinned(host string) bool {
	return slices.ContainsFunc(x.cfg.Addresses, func(a config.Address) bool { return strings.EqualFold(a.Host, host) })
}

// bypassed: directly it does not work, and by the proxy that NO_PROXY or the system's exceptions keep it from it would.
func (x *exam) bypassed(ctx context.Context, n *notes, v *visit) bool {
	ambient, has := x.egress.Ambient(v.scheme)
	if !has || v.pinned || x.egress.PointsAtUs(ambient.Proxy) || ambient.Scheme != "http" {
		return false
	}
	c, err := x.egress.Dial(ctx, ambient.Proxy)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	if !goesTo(ctx, c, net.JoinHostPort(v.host, v.port), x.userOf(ambient)) {
		return false
	}
	n.blame(Finding{
		ID: "proxy.bypassed", Level: Problem, Fix: "unset NO_PROXY no_proxy",
		What: fmt.Sprintf("%s keeps %s from %s, and directly it is not reached", exceptor(ambient), v.host, ambient.Way),
		Why:  "The proxy gets there. Take that exception out, and start the daemon anew.",
	})
	return true
}

// userOf is who the environment's proxy is asked as.
func (x *exam) userOf(r egress.Route) *url.Userinfo {
	for _, name := range proxyVariables {
		if u, err := url.Parse(x.getenv(name)); err == nil && u.Host == r.Proxy {
			return u.User
		}
	}
	return nil
}

// goesTo asks a proxy for a connection.
func goesTo(ctx context.Context, c net.Conn, target string, user *url.Userinfo) bool {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target, Header: http.Header{}}
	if user != nil {
		password, _ := user.Password()
		auth := &http.Request{Header: http.Header{}}
		auth.SetBasicAuth(user.Username(), password)
		r.Header.Set("Proxy-Authorization", auth.Header.Get("Authorization"))
	}
	if r.Write(c) != nil {
		return false
	}
	response, err := http.ReadResponse(bufio.NewReader(c), r)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode/100 == 2
}

// behind judges a host that is reached by a proxy, which the proxies' step found to work or not.
func (x *exam) behind(ctx context.Context, n *notes, v *visit, route egress.Route) bool {
	if why := x.done["proxies"].broken; why != "" {
		n.info(n.step+".unexamined", "not examined: %s", why)
		n.stop(why)
		return false
	}
	if v.tried == nil {
		n.ok("way", "%s is reached by %s", v.host, route.Way)
		return true
	}
	leaf := leafOf(v.tried)
	switch causeOf(v.tried, v.host) {
	case foreign:
		n.blame(Finding{
			ID: "proxy.wrong", Level: Problem, Fix: x.without(&leaving{Proxy: Proxy{Name: route.Name}}),
			What: fmt.Sprintf("%s leads to somebody else instead of %s", route.Way, v.host),
			Why:  "There is a certificate for " + ownerOf(leaf) + ": the proxy blocks that name, or its own resolver is poisoned.",
		})
	case unknownCA:
		x.intercepted(n, v.host, leaf, " behind "+route.Way)
	case dated:
		x.outdated(ctx, n, v.host, leaf, func(ctx context.Context) (net.Conn, error) {
			return x.egress.Dial(ctx, net.JoinHostPort(v.host, v.port))
		})
	case plain:
		x.plain(n, v.host)
	case balks:
		n.blame(Finding{ID: "proxy.refuses", Level: Problem, What: route.Way + " refuses to go to " + v.host, Why: "It works for other hosts: " + oneLine(v.tried) + ". Whoever runs it can allow it.", Fix: x.without(&leaving{Proxy: Proxy{Name: route.Name}})})
	case fine, noName, noResolver, refused, reset, silent, unreachable, denied, unvouched, other:
		n.blame(Finding{
			ID: "proxy.fails", Level: Problem, What: v.host + " is not reached by " + route.Way + ": " + oneLine(v.tried),
			Why: "The proxy takes the connection; what is behind it does not answer.", Fix: x.without(&leaving{Proxy: Proxy{Name: route.Name}}),
		})
	}
	return false
}
