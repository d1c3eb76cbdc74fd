package registry_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/registry"
)

// tagOf asks for a tag of library/a by GET and says what it stands for and how that
// is marked.
func (r *room) tagOf(tag string) (status int, d digest.Digest, warning, note string) {
	r.t.Helper()
	got := r.mirror("GET", "docker.io/library/a/manifests/"+tag)
	e := r.event(func(e registry.Event) bool { return e.What == "manifest" && e.Reference == tag })
	if got.StatusCode != http.StatusOK {
		return got.StatusCode, "", "", e.Note
	}
	return got.StatusCode, digest.FromBytes(got.body), got.Header.Get("Warning"), e.Note
}

// TestTagsAreTheOrigins: while it can be asked, no mirror is believed about a tag,
// and one that says otherwise is reported.
func TestTagsAreTheOrigins(t *testing.T) {
	for _, style := range styles {
		r := newRoom(t, nil)
		one := r.addMirror("one", style, trusting)
		two := r.addMirror("two", style, trusting)
		r.switchTo("one")
		d := r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
		repository := "library/a"
		if style != hubtest.StyleHost {
			repository = "docker.io/" + repository
		}
		other := one.Push(repository, "1", hubtest.RandomImage(2, 1, 1000))
		two.Push(repository, "1", hubtest.RandomImage(2, 1, 1000))
		for range 3 {
			if status, got, warning, _ := r.tagOf("1"); status != http.StatusOK || got != d || warning != "" {
				t.Fatalf("%s: %d %s, warning %q", style, status, got, warning)
			}
			r.pass(10 * time.Minute)
		}
		if n := one.Count("GET", "/v2/**/manifests/1") + two.Count("", "/v2/**/manifests/1"); n != 0 {
			t.Errorf("%s: %d requests for the tag at mirrors", style, n)
		}
		r.until("the disagreement", func() bool { return len(r.standing("one").Quarrels) == 1 })
		if q := r.standing("one").Quarrels[0]; q.Mirrors != other || q.Origins != d || q.Tag != "1" {
			t.Errorf("%s: %+v", style, q)
		}
		one.Push(repository, "1", hubtest.RandomImage(1, 1, 1000))
		r.pass(2 * time.Hour)
		r.tagOf("1")
		r.until("the agreement", func() bool { return len(r.standing("one").Quarrels) == 0 })
	}
}

// TestMirrorsAboutATag: with the origin away, what counts is the origin's last
// word, two independent https mirrors, or trust_tags, and nothing else.
func TestMirrorsAboutATag(t *testing.T) {
	good, bad := hubtest.RandomImage(1, 1, 1000), hubtest.RandomImage(2, 1, 1000)
	type mirror struct {
		lies, plain, trusted bool
		host                 string // "": one of its own
	}
	lan := []string{"https://a.lan.example", "https://b.lan.example"}
	for name, c := range map[string]struct {
		mirrors []mirror
		want    digest.Digest // "": none
	}{
		"one":                      {[]mirror{{}}, ""},
		"one with trust_tags":      {[]mirror{{trusted: true}}, good.Digest()},
		"one http, trusted":        {[]mirror{{trusted: true, plain: true}}, good.Digest()},
		"two":                      {[]mirror{{}, {}}, good.Digest()},
		"two that differ":          {[]mirror{{}, {lies: true}}, ""},
		"two of three":             {[]mirror{{lies: true}, {}, {}}, good.Digest()},
		"https and http":           {[]mirror{{}, {plain: true}}, ""},
		"two http":                 {[]mirror{{plain: true}, {plain: true}}, ""},
		"two hosts of one domain":  {[]mirror{{host: lan[0]}, {host: lan[1]}}, ""},
		"one and one of a domain":  {[]mirror{{host: lan[0]}, {}}, good.Digest()},
		"twice the same":           {[]mirror{{host: lan[0]}, {host: lan[0] + "/"}}, ""},
		"two http and one of them": {[]mirror{{plain: true, lies: true}, {plain: true, lies: true}, {}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRoom(t, nil)
			r.hub.Push("library/a", "1", good)
			for i, m := range c.mirrors {
				hub := r.addMirror(string(rune('m'+i)), hubtest.StyleHost, func(s *config.Mirror) {
					if s.TrustTags = m.trusted; m.plain {
						plain(s)
					}
				})
				if m.lies {
					hub.Push("library/a", "1", bad)
				}
				if m.host != "" {
					r.rename(string(rune('m'+i)), m.host, hub)
				}
			}
			r.hub.Down()
			for range 2 {
				status, got, warning, note := r.tagOf("1")
				if got != c.want {
					t.Fatalf("%d %s, want %s; note %q", status, got, c.want, note)
				}
				if c.want == "" {
					if status != http.StatusBadGateway {
						t.Errorf("status %d", status)
					}
					continue
				}
				if !strings.Contains(warning, "tag from ") || !strings.Contains(note, "tag from ") {
					t.Errorf("not marked: warning %q, note %q", warning, note)
				}
				if head := r.mirror("HEAD", "docker.io/library/a/manifests/1"); head.StatusCode != http.StatusOK ||
					head.Header.Get("Docker-Content-Digest") != string(c.want) || head.Header.Get("Warning") == "" {
					t.Errorf("HEAD: %d %v", head.StatusCode, head.Header)
				}
			}
			if c.want != "" {
				wantStatus(t, "the whole image", r.pullMirror("docker.io/", "library/a", "1"), http.StatusOK)
			}
			r.idle()
		})
	}
}

// rename gives a mirror another URL, at a hub whose certificate is good for it.
func (r *room) rename(name, url string, hub *hubtest.Hub) {
	r.t.Helper()
	host := strings.Trim(strings.TrimPrefix(url, "https://"), "/")
	named := &hubtest.Hub{Of: hub.Of, Auth: hubtest.Open, RegistryHost: host}
	if err := named.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(named.Close)
	r.settle(func(c *config.Config) {
		c.Addresses = append(c.Addresses, config.Address{Host: host, Use: []string{named.Addr()}})
		reg, _ := c.Registry("docker.io")
		reg.Mirrors = append([]config.Mirror(nil), reg.Mirrors...)
		m, _ := reg.Mirror(name)
		m.URL = url
	})
}

// TestTheOriginIsBack: what mirrors said is asked about again at once, and they are
// held to it.
func TestTheOriginIsBack(t *testing.T) {
	r := newRoom(t, nil)
	one, two := r.addMirror("one", hubtest.StyleHost), r.addMirror("two", hubtest.StyleHost)
	d := r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	lie := one.Push("library/a", "1", hubtest.RandomImage(2, 1, 1000))
	two.Push("library/a", "1", hubtest.RandomImage(2, 1, 1000))
	r.hub.Down()
	if _, got, warning, _ := r.tagOf("1"); got != lie || warning == "" {
		t.Fatalf("away: %s, warning %q", got, warning)
	}
	if err := r.hub.Up(); err != nil {
		t.Fatal(err)
	}
	r.pass(11 * time.Second) // the moment that the origin is left alone
	if _, got, warning, _ := r.tagOf("1"); got != d || warning != "" {
		t.Fatalf("back: %s, want %s; warning %q", got, d, warning)
	}
	for _, name := range []string{"one", "two"} {
		if q := r.standing(name).Quarrels; len(q) != 1 || q[0].Mirrors != lie || q[0].Origins != d {
			t.Errorf("%s: %+v", name, q)
		}
	}
}

// TestTheOriginsLastWord: a tag that the origin named, and whose manifest is not
// here, may come from a mirror; the mirror's own idea of it may not, and never
// replaces what the origin said.
func TestTheOriginsLastWord(t *testing.T) {
	r := newRoom(t, nil)
	one := r.addMirror("one", hubtest.StyleHost)
	img := hubtest.RandomImage(1, 1, 1000)
	d := r.hub.Push("library/a", "1", img)
	wantStatus(t, "HEAD", r.mirror("HEAD", "docker.io/library/a/manifests/1").StatusCode, http.StatusOK)
	one.Push("library/a", "1", hubtest.RandomImage(2, 1, 1000))
	r.hub.Down()
	r.pass(5 * time.Minute)
	if status, got, warning, note := r.tagOf("1"); got != d || warning == "" {
		t.Fatalf("%d %s, want %s; warning %q, note %q", status, got, d, warning, note)
	}
	// Two that agree are believed meanwhile; when they are gone, they still are;
	// when a person takes one out, the origin's word is what is left.
	two := r.addMirror("two", hubtest.StyleHost)
	lie := two.Push("library/a", "1", hubtest.RandomImage(2, 1, 1000))
	r.pass(5 * time.Minute)
	if _, got, _, note := r.tagOf("1"); got != lie {
		t.Fatalf("two agree: %s, note %q", got, note)
	}
	one.Down()
	two.Down()
	r.pass(5 * time.Minute)
	if _, got, warning, note := r.tagOf("1"); got != lie || !strings.Contains(warning, "tag from") {
		t.Fatalf("two agreed: %s, warning %q, note %q", got, warning, note)
	}
	r.settle(func(c *config.Config) {
		reg, _ := c.Registry("docker.io")
		reg.Mirrors = append([]config.Mirror(nil), reg.Mirrors...)
		reg.Mirrors[len(reg.Mirrors)-1].Enabled = false
	})
	r.pass(5 * time.Minute)
	if _, got, warning, note := r.tagOf("1"); got != d || !strings.Contains(warning, "last known tag") {
		t.Fatalf("one is out: %s, want %s; warning %q, note %q", got, d, warning, note)
	}
}

// TestAMirrorsWordOpensNothing: mirrors that name a digest that is here, because
// somebody else may have it, do not get it for anybody.
func TestAMirrorsWordOpensNothing(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{Users: twoUsers()})
	secret := hubtest.RandomImage(3, 1, 1000)
	r.hub.Push("team/app", "1", secret)
	r.hub.SetPrivate("team/app", "alice")
	wantStatus(t, "alice", r.engine("alice", "alice-secret").pull("team/app", "1"), http.StatusOK)
	r.idle()
	one, two := r.addMirror("one", hubtest.StyleHost), r.addMirror("two", hubtest.StyleHost)
	for _, m := range []*hubtest.Hub{one, two} {
		m.Site("").SetTag("library/a", "1", secret.Digest())
		m.SetFaults(hubtest.Faults{Kind: hubtest.Manifest, Method: "HEAD", Status: http.StatusOK, Header: http.Header{
			"Docker-Content-Digest": {string(secret.Digest())}, "Content-Type": {"application/vnd.oci.image.manifest.v1+json"},
		}})
	}
	r.hub.Down()
	if got := r.mirror("GET", "docker.io/library/a/manifests/1"); got.StatusCode == http.StatusOK {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

// TestNoNetworkAtAll: on a train with mirrors switched on, what is held is served,
// and after the first time without a wait.
func TestNoNetworkAtAll(t *testing.T) {
	r := newRoom(t, nil)
	short := 300 * time.Millisecond
	r.wait = registry.Waits{Check: short, Ask: short, Manifest: short, First: short}
	r.restart()
	one, two := r.addMirror("one", hubtest.StyleHost), r.addMirror("two", hubtest.StyleHost)
	r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	wantStatus(t, "cold", r.pullMirror("docker.io/", "library/a", "1"), http.StatusOK)
	r.idle()
	r.pass(time.Hour)
	for _, h := range []*hubtest.Hub{r.hub, one, two} {
		h.SetFaults(hubtest.Faults{Latency: time.Hour})
		h.Reset()
	}
	wantStatus(t, "first", r.pullMirror("docker.io/", "library/a", "1"), http.StatusOK)
	for _, h := range []*hubtest.Hub{r.hub, one, two} {
		h.Reset()
	}
	wantStatus(t, "second", r.pullMirror("docker.io/", "library/a", "1"), http.StatusOK)
	for name, h := range map[string]*hubtest.Hub{"origin": r.hub, "one": one, "two": two} {
		if n := len(h.Requests()); n != 0 {
			t.Errorf("%s was asked %d times more, each time in vain", name, n)
		}
		h.SetFaults()
	}
}

// TestASilentOrigin: with the origin silent a tag comes from mirrors that may be
// believed before a client gives up; with mirrors that may not, the origin is waited
// for all the same.
func TestASilentOriginAndMirrors(t *testing.T) {
	r := newRoom(t, nil)
	r.wait = registry.Waits{Check: 200 * time.Millisecond, Manifest: 1500 * time.Millisecond, Ask: 1500 * time.Millisecond}
	r.restart()
	one := r.addMirror("one", hubtest.StyleHost)
	d := r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.Manifest, Latency: 600 * time.Millisecond})
	if status, got, warning, note := r.tagOf("1"); status != http.StatusOK || got != d || warning != "" {
		t.Errorf("slow: %d %s, warning %q, note %q", status, got, warning, note)
	}
	answered := 0
	for _, q := range r.hub.Requests() {
		if q.Kind == hubtest.Manifest && q.Status == http.StatusOK {
			answered++
		}
	}
	if answered != 1 {
		t.Errorf("asked %d times", answered)
	}
	r.addMirror("two", hubtest.StyleHost)
	r.hub.Push("library/a", "2", hubtest.RandomImage(2, 1, 1000))
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.Manifest, Latency: time.Hour})
	if status, _, warning, note := r.tagOf("2"); status != http.StatusOK || !strings.Contains(warning, "tag from") {
		t.Errorf("silent: %d, warning %q, note %q", status, warning, note)
	}
	r.hub.SetFaults()
	one.SetFaults()
	r.idle()
}
