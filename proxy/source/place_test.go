package source_test

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/source"
	"pulley/proxy/token"
)

// The same blob and tag come from mirrors of every style, over https and http,
// with tokens of their own and without.
func TestEveryStyle(t *testing.T) {
	hub := &hubtest.Hub{}
	w := newTown(t, hub)
	data := blobOf(100_000)
	d := hub.AddBlob(repo, data)
	img := hubtest.RandomImage(1, 1, 100)
	hub.Push(repo, "latest", img)
	for _, style := range []hubtest.Style{hubtest.StyleHost, hubtest.StylePrefix, hubtest.StyleNS} {
		for _, auth := range []hubtest.Scheme{hubtest.Open, hubtest.Bearer, hubtest.Basic} {
			m := &hubtest.Hub{Of: hub, Style: style, Auth: auth, Users: map[string]string{"ann": "s3cret"}}
			if err := m.Start(); err != nil {
				t.Fatal(err)
			}
			for _, url := range []string{m.URL(), m.PlainURL()} {
				c := mirrorOf(m, "near", style)
				c.URL = url
				if auth == hubtest.Basic {
					c.Auth, w.env["NEAR"] = "env:NEAR", "ann:s3cret"
				}
				w.change(func(r *config.Registry) { r.Mirrors = []config.Mirror{c} })
				p := w.place("near")
				got, err := read(t, p.Blob(source.Want{Repository: repo, Digest: d.String(), Public: true, As: source.Client(basic("bob", "x"))}), 500, 90_000)
				if err != nil || !bytes.Equal(got, data[500:90_000]) {
					t.Errorf("%s %v %s: %d bytes, %v", style, auth, url, len(got), err)
				}
				resp, err := p.Do(t.Context(), source.Req{Method: http.MethodHead, Path: "/v2/" + repo + "/manifests/latest", Public: true})
				if err != nil || resp.Header.Get("Docker-Content-Digest") != img.Digest().String() {
					t.Errorf("%s %v %s: %v, %v", style, auth, url, resp, err)
				} else {
					_ = resp.Body.Close()
				}
			}
			m.Close()
		}
	}
	if n := len(hub.Requests()); n > 0 {
		t.Errorf("the origin was asked %d times", n)
	}
}

// A path in a mirror's URL is a prefix of its repositories.
func TestPathOfAMirror(t *testing.T) {
	s := newShop(t, serve(blobOf(10)))
	for style, want := range map[string]string{
		config.StyleHost:   "/v2/docker/library/debian/blobs/sha256:0",
		config.StylePrefix: "/v2/docker/docker.io/library/debian/blobs/sha256:0",
		config.StyleNS:     "/v2/docker/library/debian/blobs/sha256:0?ns=docker.io",
	} {
		m := s.mirror("ecr", style)
		m.URL += "/docker/"
		w := newTown(t, &hubtest.Hub{}, m)
		if _, err := read(t, w.place("ecr").Blob(source.Want{Repository: "library/debian", Digest: "sha256:0", Public: true}), 0, -1); err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		if got := s.seen[len(s.seen)-1].URL.RequestURI(); got != want {
			t.Errorf("%s: %s, want %s", style, got, want)
		}
		s.mu.Unlock()
	}
}

// A mirror that hands the registry's challenge on is answered with a token of the
// registry's own service, which is asked for nobody in particular; one that has
// credentials of its own may not have them sent there.
func TestChallengeHandedOn(t *testing.T) {
	var given []string
	s := newShop(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
			w.Header().Set("WWW-Authenticate", `Bearer realm="https://auth.docker.io/token",service="registry.docker.io"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		given = append(given, r.Header.Get("Authorization"))
		serve(blobOf(10))(w, r)
	})
	hub := &hubtest.Hub{}
	w := newTown(t, hub, s.mirror("worker", config.StyleHost))
	hub.Push("library/debian", "latest", hubtest.RandomImage(1, 1, 100))
	want := source.Want{Repository: "library/debian", Digest: "sha256:0", Public: true, As: source.Client(basic("alice", "secret"))}
	if _, err := read(t, w.place("worker").Blob(want), 0, -1); err != nil || len(given) != 1 {
		t.Fatalf("%v, %d answered", err, len(given))
	}
	for _, r := range hub.Requests() {
		if r.Authorization != "" {
			t.Errorf("%s %s with %s", r.Method, r.Path, r.Authorization)
		}
	}
	w.env["LOGIN"] = "me:pass"
	unpinned := *w.cfg.Load() // what an [[address]] names is trusted by the person
	unpinned.Addresses = nil
	w.cfg.Store(&unpinned)
	w.change(func(r *config.Registry) { r.Mirrors[0].Auth = "env:LOGIN" })
	var refused *token.RealmError
	if _, err := read(t, w.place("worker").Blob(want), 0, -1); !errors.As(err, &refused) {
		t.Errorf("a mirror's own password for another's token service: %v", err)
	}
}

// What a mirror is called in other registries than Docker's, and for hosts of a
// "*.domain".
func TestNamesOfRegistries(t *testing.T) {
	s := newShop(t, serve(blobOf(10)))
	w := newTown(t, &hubtest.Hub{})
	for _, c := range []struct {
		name, hosts, host, style, want string
	}{
		{"ghcr.io", "ghcr.io", "ghcr.io", "prefix", "/v2/ghcr.io/a/blobs/sha256:0"},
		{"work", "reg.example.com other.example.com", "other.example.com", "prefix", "/v2/reg.example.com/a/blobs/sha256:0"},
		{"work", "*.ecr.example.com", "one.ecr.example.com", "ns", "/v2/a/blobs/sha256:0?ns=one.ecr.example.com"},
		{"work", "*.ecr.example.com", "one.ecr.example.com", "host", ""}, // which of them would it be
		{"work", "*.ecr.example.com", "", "host", ""},
	} {
		reg := &config.Registry{Name: c.name + "-x", Hosts: strings.Fields(c.hosts), Route: "auto", Mirrors: []config.Mirror{s.mirror("m", c.style)}}
		if c.name == "ghcr.io" {
			reg.Name = c.name
			w.cfg.Load().Registries = nil
		}
		before := s.count()
		for _, p := range w.PlacesAt(reg, c.host) {
			if p.Origin() {
				continue
			}
			if _, err := read(t, p.Blob(source.Want{Repository: "a", Digest: "sha256:0", Public: true}), 0, -1); err != nil {
				t.Fatal(err)
			}
		}
		got := ""
		if s.count() > before {
			got = s.seen[before].URL.RequestURI()
		}
		if got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// The settings may become others at any moment, also while the places are put together.
func TestRouteThatIsSwitchedMeanwhile(t *testing.T) {
	m := &hubtest.Hub{}
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	w := newTown(t, &hubtest.Hub{}, mirrorOf(m, "near", hubtest.StyleHost))
	on := w.cfg.Load()
	reg, _ := on.Registry("docker.io")
	reg.Route = "near"
	w.change(func(r *config.Registry) { r.Route, r.Mirrors[0].Enabled = config.RouteAuto, false })
	off := w.cfg.Load()
	for switched := range 12 {
		asked := 0
		w.opts.Settings = func() *config.Config {
			if asked++; asked <= switched {
				return off
			}
			return on
		}
		set := source.NewSet(w.opts)
		asked = 0
		if list := set.Places(reg); len(list) == 0 || !list[len(list)-1].Origin() && !list[0].Origin() {
			t.Errorf("switched on after %d looks: %d places", switched, len(list))
		}
	}
}

func TestRoutes(t *testing.T) {
	s := newShop(t, serve(blobOf(10)))
	off := s.mirror("off", "host")
	off.Enabled = false
	w := newTown(t, &hubtest.Hub{}, s.mirror("one", "host"), s.mirror("two", "host"), off,
		config.Mirror{Name: "lacks", URL: "https://{id}.example.com", Style: "host", Enabled: true})
	origin, one := w.place("origin"), w.place("one")
	for route, want := range map[string]string{
		"auto": "origin one two", "direct": "origin", "offline": "", "two": "two origin one", "off": "origin one two", "lacks": "origin one two",
	} {
		changed := w.Changed()
		w.change(func(r *config.Registry) { r.Route = route })
		if got := w.names(); got != want {
			t.Errorf("%s: %q, want %q", route, got, want)
		}
		if route != "auto" {
			select {
			case <-changed:
			default:
				t.Errorf("%s: nobody is told", route)
			}
		}
		for _, p := range w.Places(w.reg()) {
			wantTier := 0
			if route == "two" && p.Name() != "two" {
				wantTier = 1
			}
			if p.Tier() != wantTier {
				t.Errorf("%s: %s is in tier %d", route, p.Name(), p.Tier())
			}
		}
	}
	w.change(func(r *config.Registry) { r.Route = "auto" })
	if w.place("origin") != origin || w.place("one") != one {
		t.Error("the same place is another one after switching to and fro")
	}
	changed := w.Changed()
	cfg := *w.cfg.Load()
	cfg.Tray.Theme = "dark"
	w.cfg.Store(&cfg)
	w.Update()
	select {
	case <-changed:
		t.Error("a change of the tray's is one of places")
	default:
	}
	w.change(func(r *config.Registry) { r.Mirrors[0].URL += "/elsewhere" })
	if w.place("one") == one || w.place("origin") != origin {
		t.Error("another URL is another place, and the origin the same")
	}
}

// The settings' order decides where a mirror is named and fails, and where nothing is known of any; else the measure does.
func TestOrder(t *testing.T) {
	s := newShop(t, serve(blobOf(10)))
	w := newTown(t, &hubtest.Hub{}, s.mirror("two", "host"), s.mirror("three", "host"), s.mirror("one", "host"))
	w.change(func(r *config.Registry) { r.Order = []string{"two", "three"} })
	if got := w.names(); got != "origin two three one" {
		t.Errorf("auto, nothing known: %s", got)
	}
	w.change(func(r *config.Registry) { r.Route = "one" })
	if got := w.Best(w.reg()); got != "origin" {
		t.Errorf("the best is %s whatever the route, not %s", "origin", got)
	}
	if got := w.names(); got != "one two three origin" {
		t.Errorf("after one: %s", got)
	}
	for name, tier := range map[string]int{"one": 0, "two": 1, "three": 2, "origin": 3} {
		if got := w.place(name).Tier(); got != tier {
			t.Errorf("%s is in tier %d, want %d", name, got, tier)
		}
	}
	changed := w.Changed()
	w.change(func(r *config.Registry) { r.Order = []string{"three"} })
	select {
	case <-changed:
	default:
		t.Error("nobody is told of another order")
	}
	if got, tier := w.names(), w.place("two").Tier(); got != "one three origin two" || tier != w.place("origin").Tier() {
		t.Errorf("who is in no order: %s, tier %d", got, tier)
	}
}

// A retired registry is asked where it is answered, and credentials for it go
// nowhere else.
func TestAnsweredByAnother(t *testing.T) {
	hub := &hubtest.Hub{Sites: []*hubtest.Site{{Host: "registry.k8s.io", Auth: hubtest.Open}}}
	w := newTown(t, hub)
	data := blobOf(1000)
	d := hub.Site("registry.k8s.io").AddBlob("pause", data)
	reg, _ := w.cfg.Load().Registry("k8s.gcr.io")
	p := w.Places(reg)[0]
	got, err := read(t, p.Blob(source.Want{Repository: "pause", Digest: d.String(), As: source.Client(basic("ann", "s3cret"))}), 0, -1)
	if err != nil || !bytes.Equal(got, data) || p.Host() != "registry.k8s.io" {
		t.Errorf("%d bytes, %v from %s", len(got), err, p.Host())
	}
	resp, err := w.At(reg, "k8s.gcr.io").Do(t.Context(), source.Req{Method: "GET", Path: "/v2/", Auth: source.Client("Bearer s3cret")})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	for _, q := range hub.Requests() {
		if q.Authorization != "" || q.Host != "registry.k8s.io" {
			t.Errorf("%s got %q", q.Host, q.Authorization)
		}
	}
}

// Mirrors are read from, and by plain paths.
func TestWhatMirrorsAreNotAsked(t *testing.T) {
	s := newShop(t, serve(blobOf(10)))
	w := newTown(t, &hubtest.Hub{}, s.mirror("m", "host"))
	p := w.place("m")
	for _, r := range []source.Req{
		{Method: "POST", Path: "/v2/a/blobs/uploads/"}, {Method: "PUT", Path: "/v2/a/manifests/1"}, {Method: "DELETE", Path: "/v2/a/manifests/1"},
		{Method: "GET", Path: "/v2/a/blobs/uploads/x"}, {Method: "GET", Path: "/v2/_catalog"}, {Method: "GET", Path: "/v2/"}, {Method: "GET", Path: "/token"},
		{Method: "GET", Path: "/v2/a/../b/manifests/1"}, {Method: "GET", Path: "/v2/a%2fb/manifests/1"}, {Method: "GET", Path: "/v2/A/manifests/1"},
		{Method: "GET", Path: "/v2//manifests/1"}, {Method: "GET", Path: "/v2/a/manifests/1", Body: strings.NewReader("x"), ContentLength: 1},
	} {
		r.Public = true
		_, err := p.Do(t.Context(), r)
		var u *source.UnusableError
		if !errors.As(err, &u) {
			t.Errorf("%s %s: %v", r.Method, r.Path, err)
		}
	}
	if s.count() > 0 {
		t.Errorf("%d requests", s.count())
	}
	if p.Connections() == 0 {
		t.Error("it is held against the mirror")
	}
}

func TestParseImage(t *testing.T) {
	cfg := config.Default()
	const sum = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for in, want := range map[string]string{
		"debian":                              "docker.io library/debian latest ",
		"docker.io/debian:12":                 "docker.io library/debian 12 ",
		"index.docker.io/org/app":             "docker.io org/app latest ",
		"registry-1.docker.io/library/debian": "docker.io library/debian latest ",
		"ghcr.io/org/app@" + sum:              "ghcr.io org/app  " + sum,
		"ghcr.io/org/app:1@" + sum:            "ghcr.io org/app  " + sum,
		"localhost:5000/a":                    " a latest ",
	} {
		i, err := source.ParseImage(cfg, in)
		name := ""
		if i.Registry != nil {
			name = i.Registry.Name
		}
		if got := name + " " + i.Repository + " " + i.Tag + " " + i.Digest.String(); err != nil || got != want {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "Debian", "a@sha256:0", "https://ghcr.io/a", "a b"} {
		if i, err := source.ParseImage(cfg, in); err == nil {
			t.Errorf("%q is %+v", in, i)
		}
	}
}
