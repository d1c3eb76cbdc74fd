package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pulley/internal/hubtest"
	"pulley/internal/waytest"
)

// company is a network that only a proxy leads out of: nobody else knows the registry's name.
type company struct {
	*patient
	hub   *hubtest.Hub
	proxy *companyProxy
}

// companyProxy is an HTTP proxy that leads to the hub, whatever name it is asked for.
type companyProxy struct {
	addr     string
	to       string
	user     string // "name:password" that it wants
	status   int    // that it answers instead
	requests int
}

func (c *companyProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.requests++
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(c.user))
	switch {
	case r.Method != http.MethodConnect:
		w.WriteHeader(http.StatusBadRequest)
		return
	case c.user != "" && r.Header.Get("Proxy-Authorization") != want:
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	case c.status != 0:
		w.WriteHeader(c.status)
		return
	}
	far, err := net.Dial("tcp", c.to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	near, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = far.Close()
		return
	}
	_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
	go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
	_, _ = io.Copy(near, far)
	_ = near.Close()
}

const companyHost = "registry.company.test"

// newCompany has an image in that registry, and the proxy in the environment.
func newCompany(t *testing.T) *company {
	t.Helper()
	c := &company{hub: &hubtest.Hub{Sites: []*hubtest.Site{{Host: companyHost}}}}
	if err := c.hub.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.hub.Close)
	c.hub.Site(companyHost).Push("app", "1", hubtest.RandomImage(80, 1, 1<<20))
	c.patient = &patient{trip: &trip{t: t, binary: buildPulley(t), origin: c.hub}, engine: newFakeEngine(t), docker: t.TempDir()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.proxy = &companyProxy{to: c.hub.Addr(), addr: l.Addr().String()}
	s := &http.Server{Handler: c.proxy}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return c
}

// begin runs the daemon; what it knows of the registry is its name and whom to trust.
func (c *company) begin(more ...string) {
	c.t.Helper()
	home, err := os.MkdirTemp("", "pulley")
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = os.RemoveAll(home) })
	c.home = home
	text := fmt.Sprintf("listen = \"127.0.0.1:0\"\n[fetch]\nextra_roots = [%q]\n[[registry]]\nname = %q\n%s\n", c.hub.RootsFile(), companyHost, strings.Join(more, "\n"))
	if err := os.WriteFile(filepath.Join(home, "config.toml"), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.patient.begin()
}

// everywhere sets a variable for the person and for the daemon.
func (c *company) everywhere(line string) { c.more, c.daemonEnv = []string{line}, []string{line} }

func leaves(url string) string {
	return fmt.Sprintf("[[egress]]\nname = \"jump\"\nurl = %q\nfor = [%q]\n", url, companyHost)
}

// TestDoctorBlamesTheWayOut: each fault of a proxy, of the environment, the system or the settings, is named.
func TestDoctorBlamesTheWayOut(t *testing.T) {
	dead := func(t *testing.T) string { return waytest.FreeAddr(t) }
	for _, c := range []struct {
		name  string
		sick  func(c *company)
		want  []string
		words []string
	}{
		{"a dead proxy", func(c *company) { c.begin(); c.more = []string{"HTTPS_PROXY=http://" + dead(c.t)} },
			[]string{"proxy.dead"}, []string{"the environment's proxy", "refused", "fix: unset HTTPS_PROXY"}},
		{"a proxy without its password", func(c *company) {
			c.proxy.user = "me:right"
			c.begin()
			c.more = []string{"https_proxy=http://" + c.proxy.addr}
		}, []string{"proxy.password"}, []string{"does not take the name and password", "fix: export https_proxy=http://NAME:PASSWORD@"}},
		{"a proxy with a wrong password", func(c *company) {
			c.proxy.user = "me:right"
			c.begin()
			c.more = []string{"HTTPS_PROXY=http://me:wrong@" + c.proxy.addr}
		}, []string{"proxy.password"}, []string{"407"}},
		{"a proxy that does not go there", func(c *company) {
			c.proxy.status = http.StatusForbidden
			c.begin()
			c.more = []string{"HTTPS_PROXY=http://" + c.proxy.addr}
		}, []string{"proxy.refuses"}, []string{"refuses to go to " + companyHost, "403"}},
		{"NO_PROXY names the registry", func(c *company) {
			c.begin()
			c.more = []string{"HTTPS_PROXY=http://" + c.proxy.addr, "NO_PROXY=localhost,.company.test"}
		}, []string{"proxy.bypassed"}, []string{"NO_PROXY keeps " + companyHost, "fix: unset NO_PROXY no_proxy"}},
		{"a proxy that opens TLS", func(c *company) {
			c.hub.SetFaults(hubtest.Faults{UnknownCA: true})
			c.everywhere("HTTPS_PROXY=http://" + c.proxy.addr)
			c.begin()
		}, []string{"tls.intercepted"}, []string{"Example Corp Root CA", "behind the environment's proxy"}},
		{"a proxy that leads to somebody else", func(c *company) {
			c.hub.SetFaults(hubtest.Faults{WrongName: true})
			c.everywhere("HTTPS_PROXY=http://" + c.proxy.addr)
			c.begin()
		}, []string{"proxy.wrong"}, []string{"somebody-else.example"}},
		{"a proxy that the daemon was started without", func(c *company) {
			c.proxy.user = "me:right"
			c.begin()
			c.more = []string{"HTTPS_PROXY=http://me:right@" + c.proxy.addr}
		}, []string{"proxy.daemon"}, []string{"the daemon does not have the environment's proxy", "fix: pulley egress add proxy http://NAME:PASSWORD@127.0.0.1:"}},
		{"a dead proxy in the system's settings", func(c *company) {
			c.begin()
			c.more = desktop(c.t, dead(c.t))
		}, []string{"proxy.dead"}, []string{"the system's proxy", "fix: gsettings set org.gnome.system.proxy mode none"}},
		{"a dead way out", func(c *company) { c.begin(leaves("http://" + dead(c.t))) },
			[]string{"proxy.dead"}, []string{"egress jump does not work", "fix: pulley egress use jump -"}},
		{"a way out with a wrong password", func(c *company) {
			s := waytest.SOCKS(c.t, "me", "right")
			c.begin(leaves("socks5://me:wrong@" + s.Addr))
		}, []string{"proxy.password"}, []string{"egress jump"}},
		{"a way out that waits for a person", func(c *company) {
			m := waytest.SSHD(c.t, "")
			c.more = only(waytest.NewPerson(c.t, m).Environ(), "HOME", "PATH")
			c.begin(leaves(m.URL()))
		}, []string{"egress.key"}, []string{"nobody has vouched", "fix: pulley egress test jump"}},
		{"no proxy where one is needed", func(c *company) { c.begin() }, []string{"names.unknown"}, []string{"no address of " + companyHost}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newCompany(t)
			c.sick(p)
			p.blames(t, p.doctor(companyHost+"/app:1"), c.want, c.words...)
		})
	}
}

// only has some variables of an environment.
func only(environ []string, names ...string) (out []string) {
	for _, line := range environ {
		for _, name := range names {
			if strings.HasPrefix(line, name+"=") {
				out = append(out, line)
			}
		}
	}
	return out
}

// desktop is a GNOME whose settings have a proxy.
func desktop(t *testing.T, proxy string) []string {
	t.Helper()
	dir := t.TempDir()
	host, port, _ := net.SplitHostPort(proxy)
	script := fmt.Sprintf("#!/bin/sh\ncat <<'END'\norg.gnome.system.proxy mode 'manual'\norg.gnome.system.proxy.https host '%s'\norg.gnome.system.proxy.https port %s\nEND\n", host, port)
	if err := os.WriteFile(filepath.Join(dir, "gsettings"), []byte(script), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	return []string{"XDG_CURRENT_DESKTOP=GNOME", "PATH=" + dir + ":" + os.Getenv("PATH")}
}

// TestDoctorFindsNothingBehindProxies that work.
func TestDoctorFindsNothingBehindProxies(t *testing.T) {
	for name, well := range map[string]func(c *company){
		"the environment's": func(c *company) {
			c.proxy.user = "me:right"
			c.everywhere("HTTPS_PROXY=http://me:right@" + c.proxy.addr)
			c.begin()
		},
		"the system's":   func(c *company) { c.begin(); c.more = desktop(c.t, c.proxy.addr) },
		"an http egress": func(c *company) { c.begin(leaves("http://" + c.proxy.addr)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCompany(t)
			well(c)
			r := c.doctor(companyHost + "/app:1")
			c.blames(t, r, nil)
			if c.proxy.requests == 0 || !strings.Contains(described(r), "which works") {
				t.Errorf("%s", described(r))
			}
		})
	}
	for name, way := range map[string]func(p *patient) string{
		"socks5": func(p *patient) string { return "socks5://" + waytest.SOCKS(p.t, "", "").Addr },
		"http":   func(p *patient) string { return "http://" + waytest.HTTP(p.t, "", "").Addr },
		"ssh": func(p *patient) string {
			m := waytest.SSHD(p.t, "")
			p.more = only(waytest.Knowing(p.t, m).Environ(), "HOME", "PATH")
			return m.URL()
		},
	} {
		t.Run("a real "+name, func(t *testing.T) {
			t.Parallel()
			p := newPatient(t)
			p.setting("[[egress]]\nname = \"jump\"\nurl = %q\nfor = [\"docker.io\"]", way(p))
			p.begin()
			r := p.doctor("alpine")
			p.blames(t, r, nil)
			if len(r.Hosts) == 0 || r.Hosts[0].Way != "egress jump" {
				t.Errorf("%s", described(r))
			}
		})
	}
}
