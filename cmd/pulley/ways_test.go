package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pulley/internal/control"
	"pulley/internal/hubtest"
	"pulley/internal/waytest"
)

// trip is a daemon as a person runs it, before an origin of three addresses and two mirrors.
type trip struct {
	t            *testing.T
	binary, home string
	origin       *hubtest.Hub
	mirrors      []*hubtest.Hub
	env          []string
	daemon       *exec.Cmd
	address      string
	image        hubtest.Image
	repository   string
	settings     string // further ones
	withMirrors  bool
}

func newTrip(t *testing.T, binary string) *trip {
	t.Helper()
	p := &trip{t: t, binary: binary, home: t.TempDir(), origin: &hubtest.Hub{Also: []string{"127.0.0.2", "127.0.0.3"}}, repository: "library/trip"}
	p.mirrors = []*hubtest.Hub{
		{Of: p.origin, Style: hubtest.StyleHost, Auth: hubtest.Open}, {Of: p.origin, Style: hubtest.StyleHost, Auth: hubtest.Open},
	}
	for _, h := range append([]*hubtest.Hub{p.origin}, p.mirrors...) {
		if err := h.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(h.Close)
	}
	p.image = hubtest.RandomImage(7, 1, 8<<20)
	p.origin.Push(p.repository, "latest", p.image)
	return p
}

// start runs the daemon.
func (p *trip) start() {
	p.t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "listen = \"127.0.0.1:0\"\n[fetch]\nextra_roots = [%q]\nrange_min = \"1MiB\"\n%s", p.origin.RootsFile(), p.settings)
	fmt.Fprintln(&text, "[[registry]]\nname = \"docker.io\"")
	if p.withMirrors {
		for i, h := range p.mirrors {
			fmt.Fprintf(&text, "[[registry.mirror]]\nname = \"m%d\"\nurl = \"https://%s\"\nenabled = true\n", i, h.Hosts()[0])
			for _, host := range h.Hosts() {
				fmt.Fprintf(&text, "[[address]]\nhost = %q\nuse = [%q]\n", host, h.Addr())
			}
		}
	}
	for _, host := range p.origin.Hosts() {
		fmt.Fprintf(&text, "[[address]]\nhost = %q\nuse = [%s]\n", host, `"`+strings.Join(p.origin.Addrs(), `", "`)+`"`)
	}
	if err := os.WriteFile(filepath.Join(p.home, "config.toml"), []byte(text.String()), 0o600); err != nil {
		p.t.Fatal(err)
	}
	for _, line := range p.env {
		key, value, _ := strings.Cut(line, "=")
		p.t.Setenv(key, value)
	}
	p.daemon, p.address = killableDaemon(p.t, p.binary, p.home)
	p.t.Cleanup(func() { stopDaemon(p.daemon) })
}

// pull is the whole image by tag, as a client that asks once and has no second try. during is called when a byte of the
// layer has come.
func (p *trip) pull(during func()) {
	p.t.Helper()
	base := "http://" + p.address + "/v2/" + p.repository
	response, err := http.Get(base + "/manifests/latest")
	if err != nil {
		p.t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil || response.StatusCode != http.StatusOK {
		p.t.Fatalf("manifest: %s %v: %s", response.Status, err, body)
	}
	layer := p.image.Layers[0]
	if response, err = http.Get(base + "/blobs/" + layer.Digest.String()); err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	hash := sha256.New()
	if _, err = io.CopyN(hash, response.Body, 1); err == nil {
		during()
		_, err = io.Copy(hash, response.Body)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); err != nil || got != layer.Digest.Encoded() {
		p.t.Fatalf("blob: %s, sha256 %s, %v\n%s", response.Status, got, err, p.log())
	}
}

// log is what `pulley log` says.
func (p *trip) log() string {
	p.t.Helper()
	cmd := exec.Command(p.binary, "log")
	cmd.Env = append(os.Environ(), "PULLEY_HOME="+p.home)
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("pulley log: %v\n%s", err, out)
	}
	return string(out)
}

func (p *trip) logSays(patterns ...string) {
	p.t.Helper()
	text := p.log()
	for _, pattern := range patterns {
		if !regexp.MustCompile(pattern).MatchString(text) {
			p.t.Errorf("the log does not say %q:\n%s", pattern, text)
		}
	}
}

// TestPullsGoAnotherWay: whatever is broken between here and the registry, a pull goes another way where there is one, and
// the log says which.
func TestPullsGoAnotherWay(t *testing.T) {
	binary := buildPulley(t)
	for _, c := range []struct {
		name    string
		mirrors bool
		broken  func(p *trip)
		log     []string
	}{
		{"the origin is gone", true, func(p *trip) { p.origin.Down() }, []string{`manifest.* from m\d.*; tag from m\d and m\d: `, `blob .* from m\d`}},
		{"the mirrors are gone", true, func(p *trip) { p.mirrors[0].Down(); p.mirrors[1].Down() }, []string{`manifest.* from origin .*by direct 127\.0\.0\.1`, `blob .* from origin`}},
		{"the token service is reset", true, func(p *trip) {
			p.origin.SetFaults(hubtest.Faults{Host: p.origin.AuthHost, ResetHandshake: true})
		}, []string{`tag from m\d and m\d: .*auth\.docker\.io`, `blob .* from m\d`}},
		{"an address is reset at connect", false, func(p *trip) {
			p.origin.SetFaults(hubtest.Faults{Addr: "127.0.0.1", Refuse: true})
		}, []string{`from origin .*by direct 127\.0\.0\.2`}},
		{"an address is reset in the handshake", false, func(p *trip) {
			p.origin.SetFaults(hubtest.Faults{Addr: "127.0.0.1", ResetHandshake: true})
		}, []string{`from origin .*by direct 127\.0\.0\.2`}},
		{"an address is reset after the request", false, func(p *trip) {
			p.origin.SetFaults(hubtest.Faults{Addr: "127.0.0.1", Reset: true})
		}, []string{`from origin .*by direct 127\.0\.0\.2`, `direct 127\.0\.0\.1:\d+: read`}},
		{"two addresses are somebody else's", false, func(p *trip) {
			p.origin.SetFaults(hubtest.Faults{Addr: "127.0.0.1", WrongCert: true}, hubtest.Faults{Addr: "127.0.0.2", WrongName: true})
		}, []string{`from origin .*by direct 127\.0\.0\.3`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newTrip(t, binary)
			p.withMirrors = c.mirrors
			p.start()
			c.broken(p)
			p.pull(func() {})
			p.logSays(c.log...)
		})
	}
}

// TestPlacesAreRememberedOverARestart: how fast a place is need not be found out anew.
func TestPlacesAreRememberedOverARestart(t *testing.T) {
	p := newTrip(t, buildPulley(t))
	p.start()
	p.pull(func() {})
	_ = p.daemon.Process.Signal(os.Interrupt)
	if err := p.daemon.Wait(); err != nil {
		t.Fatal(err)
	}
	p.start()
	cmd := exec.Command(p.binary, "mirror", "ls", "docker.io", "--json")
	cmd.Env = append(os.Environ(), "PULLEY_HOME="+p.home)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []control.Source
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !slices.ContainsFunc(list, func(s control.Source) bool { return s.Rate > 0 && s.FirstByte > 0 }) {
		t.Errorf("nothing is remembered of any place: %s", out)
	}
}

// TestWayOutKilledInTheMiddle: each kind of way out, with real servers, dies in the middle of a blob and comes back; the
// client of that blob does not notice.
func TestWayOutKilledInTheMiddle(t *testing.T) {
	binary := buildPulley(t)
	for name, way := range map[string]func(t *testing.T, p *trip) (url string, kill, start func()){
		"socks5": func(t *testing.T, _ *trip) (string, func(), func()) {
			s := waytest.SOCKS(t, "", "")
			return "socks5://" + s.Addr, s.Kill, s.Start
		},
		"http": func(t *testing.T, _ *trip) (string, func(), func()) {
			s := waytest.HTTP(t, "", "")
			return "http://" + s.Addr, s.Kill, s.Start
		},
		"ssh": func(t *testing.T, p *trip) (string, func(), func()) {
			m := waytest.SSHD(t, "")
			person := waytest.NewPerson(t, m)
			p.env = person.Environ()
			return m.URL(), m.Kill, m.Start
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newTrip(t, binary)
			url, kill, start := way(t, p)
			p.settings = fmt.Sprintf("[[egress]]\nname = \"jump\"\nurl = %q\nfor = [\"docker.io\"]\n", url)
			p.start()
			p.vouch()
			p.origin.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Total: 4 << 20})
			p.pull(func() { kill(); start() })
			p.logSays(`manifest.* by egress jump`, `blob .* by egress jump`)
		})
	}
}

// vouch accepts the key of the way out, where it has one, as a person does who compares it.
func (p *trip) vouch() {
	p.t.Helper()
	run := func(args ...string) (string, error) {
		cmd := exec.Command(p.binary, args...)
		cmd.Env = append(os.Environ(), "PULLEY_HOME="+p.home)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		err := cmd.Run()
		return stderr.String(), err
	}
	said, err := run("egress", "test", "jump")
	if err == nil {
		return
	}
	offer := regexp.MustCompile(`if that is its key: pulley (egress test jump --accept SHA256:\S+)`).FindStringSubmatch(said)
	if offer == nil {
		p.t.Fatalf("egress test: %v: %s", err, said)
	}
	if said, err = run(strings.Fields(offer[1])...); err != nil {
		p.t.Fatalf("after accepting the key: %v: %s", err, said)
	}
}
