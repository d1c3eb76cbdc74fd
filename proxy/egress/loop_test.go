//go:build linux

package egress_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/internal/waytest"
	"pulley/proxy/egress"
	"pulley/proxy/egress/ssh"
	"pulley/proxy/egress/system"
)

// door is a proxy as ours is: what it is asked for goes out through an Egress.
type door struct {
	*httpProxy
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{httpProxy: &httpProxy{}}
	d.Server = httptest.NewServer(d)
	t.Cleanup(d.Close)
	return d
}

func (d *door) addr() string { return d.Listener.Addr().String() }

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	d.asked = append(d.asked, r.RequestURI)
	d.mu.Unlock()
	far, err := d.dial(r.Context(), "tcp", r.RequestURI)
	if err != nil {
		http.Error(w, "pulley: "+err.Error(), http.StatusBadGateway)
		return
	}
	defer func() { _ = far.Close() }()
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	_, _ = io.Copy(c, far)
}

// A proxy that was told to go through us is found out by one probe, named, and
// passed by; one that was not is used.
func TestLoopThroughAProxy(t *testing.T) {
	live := waytest.Echo(t, "127.0.0.1:0", "live")
	d := newDoor(t)
	back, away := waytest.HTTP(t, "", "", "Upstream http "+d.addr()), waytest.HTTP(t, "", "")
	now := time.Now()
	options := func(proxy string) egress.Options {
		return egress.Options{
			Environ: []string{"HTTPS_PROXY=http://" + proxy}, Self: func() []string { return []string{d.addr()} },
			Resolver: names{"far.example": {"127.0.0.1"}}, Now: func() time.Time { return now },
		}
	}
	e := newRig(t, options(back.Addr))
	d.dial = e.DialContext
	for range 3 {
		c, err := e.DialContext(t.Context(), "tcp", "far.example:"+portOf(live))
		if got := hello(t, c, err); got != "live" {
			t.Error(got)
		}
	}
	if n := len(strings.Fields(d.requests())); n != 1 {
		t.Errorf("%d requests came back: %s", n, d.requests())
	}
	if list := e.Problems(); len(list) != 1 || list[0].Kind != egress.Loops || !strings.Contains(list[0].Way, back.Addr) || !strings.Contains(list[0].Text, "back to pulley") {
		t.Errorf("problems: %+v", list)
	}
	if n := strings.Count(e.log.String(), "back to pulley"); n != 1 {
		t.Errorf("said %d times: %s", n, e.log)
	}
	if _, err := e.Test(t.Context(), egress.Environment, "far.example"); err == nil || !strings.Contains(err.Error(), "pulley itself") {
		t.Errorf("its test: %v", err)
	}
	// The proxy itself connects to an address without us, and is no loop then.
	e = newRig(t, options(away.Addr), pins("far.example", live))
	d.dial, d.asked = e.DialContext, nil
	ctx, trail := egress.WithTrail(t.Context())
	e.NetworkChanged()
	c, err := e.DialContext(ctx, "tcp", "far.example:443")
	if got := hello(t, c, err); got != "live" || d.requests() != "" || len(e.Problems()) != 0 {
		t.Errorf("%s by %q; %q came back; %v", got, trail.Way(), d.requests(), e.Problems())
	}
}

// A proxy is probed once, and not at all where nothing could come back.
func TestNoProbeWithoutNeed(t *testing.T) {
	live := waytest.Echo(t, "127.0.0.1:0", "live")
	p := newProxy(t, live, false)
	for self, want := range map[string]int{"127.0.0.1:1": 1, "": 0} {
		p.asked = nil
		e := newRig(t, egress.Options{Environ: []string{"HTTPS_PROXY=" + p.URL}, Self: func() []string {
			if self == "" {
				return nil
			}
			return []string{self}
		}})
		for range 3 {
			c, err := e.DialContext(t.Context(), "tcp", "far.example:443")
			if got := hello(t, c, err); got != "live" {
				t.Error(got)
			}
		}
		if n := strings.Count(p.requests(), ".invalid:443"); n != want {
			t.Errorf("listening on %q: %d probes, %s", self, n, p.requests())
		}
	}
}

// Test says what a way is worth, with times, and what is wrong with it.
func TestTest(t *testing.T) {
	socks, web := waytest.SOCKS(t, "", ""), waytest.HTTP(t, "", "")
	m := waytest.SSHD(t, "")
	p := waytest.NewPerson(t, m)
	h := newHub(t)
	e := newRig(t, egress.Options{Environ: p.Environ()}, trusting(h), pins(hubHost, h.Addr()), func(c *config.Config) {
		c.Enabled = false // a test is one whatever is switched
		c.Egresses = []config.Egress{
			{Name: "socks", URL: "socks5://" + socks.Addr}, {Name: "web", URL: "http://" + web.Addr}, {Name: "jump", URL: m.URL()},
			{Name: "gone", URL: "http://me:s3cret@" + waytest.FreeAddr(t)}, {Name: "odd", URL: "gopher://x"},
		}
	})
	_, err := e.Test(t.Context(), "jump", "")
	var unknown *ssh.HostKeyError
	if !errors.As(err, &unknown) {
		t.Fatalf("got %v", err)
	}
	if err := e.Accept("jump", unknown.Fingerprint); err != nil {
		t.Fatal(err)
	}
	for name, way := range map[string]string{"direct": "direct 127.0.0.1:" + portOf(h.Addr()), "socks": "egress socks", "web": "egress web", "jump": "egress jump"} {
		r, err := e.Test(t.Context(), name, "")
		if err != nil || r.Way != way || r.Status != 401 || r.Connected <= 0 || r.Secured <= r.Connected || r.FirstByte <= r.Secured {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	for _, name := range []string{"gone", "odd", "nobody", "environment"} {
		if r, err := e.Test(t.Context(), name, ""); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	if list := e.Problems(); len(list) != 1 || list[0].Kind != egress.Unusable || list[0].Way != "egress odd" {
		t.Errorf("problems: %+v", list)
	}
	h.SetFaults(hubtest.Faults{Reset: true})
	if r, err := e.Test(t.Context(), "socks", ""); err == nil || r.Connected <= 0 {
		t.Errorf("a hub that resets: %+v, %v", r, err)
	}
}

// The system's proxy is the way out where the environment names none, and is
// followed when it changes.
func TestSystemProxy(t *testing.T) {
	live := waytest.Echo(t, "127.0.0.1:0", "live")
	one, two := newProxy(t, live, false), newProxy(t, live, false)
	now, read := time.Now(), make(chan system.Settings, 8)
	read <- system.Settings{HTTPS: one.URL, Except: []string{"direct.example"}, Local: true}
	o := egress.Options{
		Resolver: names{"direct.example": {"127.0.0.1"}, "box": {"127.0.0.1"}}, Now: func() time.Time { return now },
		System: func(context.Context) (system.Settings, error) { return <-read, nil },
	}
	e := newRig(t, o)
	get := func(addr string) string {
		ctx, trail := egress.WithTrail(t.Context())
		c, err := e.DialContext(ctx, "tcp", addr)
		if got := hello(t, c, err); got != "live" {
			t.Errorf("%s: %s", addr, got)
		}
		return trail.Way()
	}
	if way := get("far.example:443"); way != "the system's proxy "+one.URL {
		t.Errorf("went %q", way)
	}
	for _, addr := range []string{"direct.example:" + portOf(live), "box:" + portOf(live)} {
		if way := get(addr); way != "direct 127.0.0.1" {
			t.Errorf("%s went %q", addr, way)
		}
	}
	now = now.Add(time.Minute)
	read <- system.Settings{HTTPS: two.URL}
	for get("far.example:443") != "the system's proxy "+two.URL { // it is read beside the first connection
		now = now.Add(time.Minute)
		read <- system.Settings{HTTPS: two.URL}
	}
	// The environment goes first.
	o.Environ = []string{"HTTPS_PROXY=" + one.URL}
	o.System = func(context.Context) (system.Settings, error) {
		return system.Settings{HTTPS: two.URL, Script: "http://wpad/"}, nil
	}
	e = newRig(t, o)
	if way := get("far.example:443"); way != "the environment's proxy "+one.URL {
		t.Errorf("went %q", way)
	}
	o.Environ, o.System = nil, func(context.Context) (system.Settings, error) { return system.Settings{Script: "http://wpad/"}, nil }
	if list := newRig(t, o).Problems(); len(list) != 1 || list[0].Kind != egress.Script || !strings.Contains(list[0].Text, "script") {
		t.Errorf("problems: %+v", list)
	}
}
