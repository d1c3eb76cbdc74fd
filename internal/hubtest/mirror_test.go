package hubtest_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"

	"pulley/internal/hubtest"
)

// asked is how each style wants a path of a registry to be asked for.
var asked = map[hubtest.Style]func(registry, path string) string{
	hubtest.StyleHost:   func(_, path string) string { return "/v2/" + path },
	hubtest.StylePrefix: func(registry, path string) string { return "/v2/" + registry + "/" + path },
	hubtest.StyleNS:     func(registry, path string) string { return "/v2/" + path + "?ns=" + registry },
}

func origin(t *testing.T) *hubtest.Hub {
	t.Helper()
	return start(t, &hubtest.Hub{
		Users: map[string]string{"alice": "a"},
		Sites: []*hubtest.Site{{Host: "ghcr.io"}},
	})
}

// What is public at the origin is at every mirror, in its style alone, over both schemes, and counted there.
func TestMirrors(t *testing.T) {
	hub := origin(t)
	img := hubtest.RandomImage(1, 2, 100_000)
	hub.Push("library/alpine", "latest", img)
	for style, ask := range asked {
		m := hubtest.MirrorOf(t, hub, style)
		big := hubtest.Random(9, 1<<40) // a terabyte costs a mirror nothing
		hub.Site("").AddContentAs("library/alpine", img.Digest(), big)
		layer := hub.AddBlob("later/one", []byte("put there when the mirror ran"))
		c := client(t, m)
		for _, base := range []string{m.URL(), m.PlainURL(), "https://" + m.RegistryHost} {
			get := func(path string, header ...string) answer {
				t.Helper()
				return do(t, c, "GET", base+path, "", header...)
			}
			if base == m.PlainURL() {
				tr := &http.Transport{}
				t.Cleanup(tr.CloseIdleConnections)
				c = &http.Client{Transport: tr}
			} else {
				c = client(t, m)
			}
			a := get(ask("docker.io", "library/alpine/manifests/latest"))
			if a.StatusCode != 200 || !bytes.Equal(a.body, img.Manifest) {
				t.Errorf("%s %s: manifest: %s", style, base, a.Status)
			}
			for _, l := range img.Layers {
				a := get(ask("docker.io", "library/alpine/blobs/"+l.Digest.String()))
				if a.StatusCode != 200 || int64(len(a.body)) != l.Content.Size() || hubtest.DigestOf(hubtest.Bytes(a.body)) != l.Digest {
					t.Errorf("%s %s: layer: %s, %d bytes", style, base, a.Status, len(a.body))
				}
			}
			if a := get(ask("registry-1.docker.io", "later/one/blobs/"+layer.String())); a.StatusCode != 200 {
				t.Errorf("%s %s: a blob put there later: %s", style, base, a.Status)
			}
			want := make([]byte, 10)
			_, err := big.ReadAt(want, 1<<39)
			must(t, err)
			if a := get(ask("docker.io", "library/alpine/blobs/"+img.Digest().String()), "Range", "bytes=549755813888-549755813897"); !bytes.Equal(a.body, want) {
				t.Errorf("%s %s: in the middle of a terabyte: %s %x", style, base, a.Status, a.body)
			}
			if a := get(ask("docker.io", "library/alpine/tags/list")); !strings.Contains(string(a.body), `["latest"]`) {
				t.Errorf("%s %s: tags: %s", style, base, a.body)
			}
			for other, ask := range asked {
				path := ask("docker.io", "library/alpine/manifests/latest")
				if a := get(path); other != style && a.StatusCode != 404 && !(style == hubtest.StyleHost && other == hubtest.StyleNS) {
					t.Errorf("a mirror of style %s answers %s to %s", style, a.Status, path)
				}
			}
			if a := get(ask("quay.io", "library/alpine/manifests/latest")); style != hubtest.StyleHost && a.StatusCode != 404 {
				t.Errorf("%s: of a registry it does not mirror: %s", style, a.Status)
			}
		}
		if got := m.Ranges(img.Layers[0].Digest).Total(); got != 3*img.Layers[0].Content.Size() {
			t.Errorf("%s: %d bytes recorded", style, got)
		}
	}
	if n := len(hub.Requests()); n > 0 {
		t.Errorf("the mirrors asked the origin %d times", n)
	}
}

// One shared host gives several registries, and keeps them apart.
func TestMirrorOfSeveralRegistries(t *testing.T) {
	hub := origin(t)
	one, two := hubtest.RandomImage(1, 1, 10), hubtest.RandomImage(2, 1, 10)
	hub.Push("org/app", "1", one)
	hub.Site("ghcr.io").Push("org/app", "1", two)
	for _, style := range []hubtest.Style{hubtest.StylePrefix, hubtest.StyleNS} {
		m := hubtest.MirrorOf(t, hub, style)
		for registry, want := range map[string]hubtest.Image{"docker.io": one, "ghcr.io": two} {
			if a := do(t, client(t, m), "GET", m.URL()+asked[style](registry, "org/app/manifests/1"), ""); !bytes.Equal(a.body, want.Manifest) {
				t.Errorf("%s %s: %s %s", style, registry, a.Status, a.body)
			}
		}
	}
}

// Private repositories are at no mirror, whoever asks, and from when they are private.
func TestMirrorsArePublic(t *testing.T) {
	hub := origin(t)
	hub.Push("alice/app", "1", hubtest.RandomImage(1, 1, 10))
	for style, ask := range asked {
		m := start(t, &hubtest.Hub{Of: hub, Style: style, Auth: hubtest.Basic, Users: map[string]string{"alice": "a"}})
		get := func() int {
			t.Helper()
			return do(t, client(t, m), "GET", m.URL()+ask("docker.io", "alice/app/manifests/1"), "", "Authorization", "Basic YWxpY2U6YQ==").StatusCode
		}
		if got := get(); got != 200 {
			t.Errorf("%s: %d", style, got)
		}
		hub.SetPrivate("alice/app", "alice")
		if got := get(); got != 404 {
			t.Errorf("%s: private, and yet %d", style, got)
		}
		hub.SetPublic("alice/app")
	}
}

// A mirror with tokens, a CDN and a limit of its own, named as the person would.
func TestMirrorWithSettings(t *testing.T) {
	hub := origin(t)
	img := hubtest.RandomImage(1, 1, 1000)
	hub.Push("library/alpine", "latest", img)
	for style, ask := range asked {
		m := start(t, &hubtest.Hub{Of: hub, Style: style, RegistryHost: "m.daocloud.example", CDNHost: "cdn.daocloud.example", RateLimit: 100})
		if got := m.Hosts(); !slices.Equal(got, []string{"m.daocloud.example", "cdn.daocloud.example"}) {
			t.Errorf("hosts %q", got)
		}
		c := client(t, m)
		at := "https://m.daocloud.example" + ask("docker.io", "library/alpine/manifests/latest")
		a := do(t, c, "GET", at, "")
		scope := map[bool]string{true: "docker.io/library/alpine", false: "library/alpine"}[style == hubtest.StylePrefix]
		if want := `Bearer realm="https://m.daocloud.example/token",service="m.daocloud.example",scope="repository:` + scope + `:pull"`; a.Header.Get("WWW-Authenticate") != want {
			t.Fatalf("%s: challenge %q, want %q", style, a.Header.Get("WWW-Authenticate"), want)
		}
		a = do(t, c, "GET", "https://m.daocloud.example/token?scope=repository:"+scope+":pull", "")
		token := decode[struct{ Token string }](t, a.body).Token
		if a := do(t, c, "GET", at, token); !bytes.Equal(a.body, img.Manifest) || a.Header.Get("ratelimit-remaining") != "99;w=21600" {
			t.Errorf("%s: %s %v", style, a.Status, a.Header)
		}
		a = do(t, c, "GET", "https://m.daocloud.example"+ask("docker.io", "library/alpine/blobs/"+img.Layers[0].Digest.String()), token)
		if to := a.Header.Get("Location"); !strings.HasPrefix(to, "https://cdn.daocloud.example/") {
			t.Errorf("%s: redirect to %q", style, to)
		} else if a := do(t, c, "GET", to, ""); int64(len(a.body)) != img.Layers[0].Content.Size() {
			t.Errorf("%s: CDN: %s %s", style, a.Status, a.body)
		}
		if a := do(t, c, "GET", "https://m.daocloud.example/token?scope=repository:nobody/has:pull", ""); bytes.Contains(a.body, []byte("nobody")) {
			t.Errorf("%s: a token for what the origin does not have", style)
		}
		m.Close()
	}
}

// A mirror's tag disagrees, one of its blobs lies; the rest, and the origin, stay as they are.
func TestMirrorsOwnWord(t *testing.T) {
	hub := origin(t)
	img, other := hubtest.RandomImage(1, 1, 1000), hubtest.RandomImage(2, 1, 1000)
	hub.Push("library/alpine", "latest", img)
	hub.Push("library/alpine", "3.20", img)
	for style, ask := range asked {
		m := hubtest.MirrorOf(t, hub, style)
		repo := "docker.io/library/alpine"
		if style == hubtest.StyleHost {
			repo = "library/alpine"
		}
		get := func(path string) answer {
			t.Helper()
			return do(t, client(t, m), "GET", m.URL()+ask("docker.io", "library/alpine/"+path), "")
		}
		m.Push(repo, "latest", other)
		m.Site("").SetTag(repo, "old", img.Digest())
		m.Site("").AddContentAs(repo, img.Layers[0].Digest, hubtest.Bytes([]byte("a lie")))
		for tag, want := range map[string]hubtest.Image{"latest": other, "3.20": img, "old": img} {
			if a := get("manifests/" + tag); !bytes.Equal(a.body, want.Manifest) || a.Header.Get("Docker-Content-Digest") != want.Digest().String() {
				t.Errorf("%s %s: %s %s", style, tag, a.Status, a.body)
			}
		}
		if a := get("blobs/" + img.Layers[0].Digest.String()); string(a.body) != "a lie" {
			t.Errorf("%s: %s", style, a.Status)
		}
		if a := get("tags/list"); !strings.Contains(string(a.body), `["3.20","latest","old"]`) {
			t.Errorf("%s: %s", style, a.body)
		}
	}
	must(t, pull(t, hub, "registry-1.docker.io/library/alpine:latest", authn.Anonymous))
}

func TestMirrorsTakeNoPushes(t *testing.T) {
	hub := origin(t)
	m := hubtest.MirrorOf(t, hub, hubtest.StyleHost)
	for method, path := range map[string]string{"POST": "/v2/a/b/blobs/uploads/", "PUT": "/v2/a/b/manifests/1", "DELETE": "/v2/a/b/manifests/1"} {
		if a := do(t, client(t, m), method, m.URL()+path, ""); a.StatusCode != 405 {
			t.Errorf("%s %s: %s", method, path, a.Status)
		}
	}
	if n := m.Count("POST", "/v2/**"); n != 1 {
		t.Errorf("%d recorded", n)
	}
	if err := (&hubtest.Hub{Of: &hubtest.Hub{}}).Start(); err == nil {
		t.Error("a mirror of a hub that does not run")
	}
}
