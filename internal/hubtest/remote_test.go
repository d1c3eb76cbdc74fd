package hubtest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"pulley/internal/hubtest"
)

// start starts a hub with the settings of h.
func start(t *testing.T, h *hubtest.Hub) *hubtest.Hub {
	t.Helper()
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// client follows no redirects and keeps no connections past the test.
func client(t *testing.T, h *hubtest.Hub) *http.Client {
	t.Helper()
	tr := h.Transport()
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport:     tr,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func options(t *testing.T, h *hubtest.Hub, auth authn.Authenticator) []remote.Option {
	t.Helper()
	tr := h.Transport()
	t.Cleanup(tr.CloseIdleConnections)
	return []remote.Option{remote.WithTransport(tr), remote.WithAuth(auth), remote.WithContext(t.Context())}
}

func ref(t *testing.T, s string) name.Reference {
	t.Helper()
	r, err := name.ParseReference(s, name.WithDefaultRegistry("registry-1.docker.io"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// pull fetches all of an image and verifies every digest and diff id.
func pull(t *testing.T, h *hubtest.Hub, image string, auth authn.Authenticator) error {
	t.Helper()
	img, err := remote.Image(ref(t, image), options(t, h, auth)...)
	if err != nil {
		return err
	}
	return verify(img)
}

// verify reads all of an image; the client's readers compare digests, we the diff ids.
func verify(img v1.Image) error {
	cfg, err := img.ConfigFile()
	if err != nil {
		return err
	}
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for i, l := range layers {
		rc, err := l.Uncompressed()
		if err != nil {
			return err
		}
		sum := sha256.New()
		_, err = io.Copy(sum, rc)
		if err = errors.Join(err, rc.Close()); err != nil {
			return err
		}
		if got := hex.EncodeToString(sum.Sum(nil)); got != cfg.RootFS.DiffIDs[i].Hex {
			return fmt.Errorf("layer %d has diff id %s, the config says %s", i, got, cfg.RootFS.DiffIDs[i])
		}
	}
	return nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestPullAnonymously(t *testing.T) {
	h := hubtest.Start(t)
	img := hubtest.RandomImage(1, 3, 200_000)
	d := h.Push("library/alpine", "latest", img)
	must(t, pull(t, h, "registry-1.docker.io/library/alpine:latest", authn.Anonymous))

	got, err := remote.Head(ref(t, "registry-1.docker.io/library/alpine:latest"), options(t, h, authn.Anonymous)...)
	must(t, err)
	if got.Digest.String() != d.String() {
		t.Errorf("HEAD says %s, want %s", got.Digest, d)
	}
	for _, l := range img.Layers {
		if got := h.Ranges(l.Digest); !got.Once(l.Content.Size()) {
			t.Errorf("layer %s was sent as %v, want each of %d bytes once", l.Digest, got, l.Content.Size())
		}
	}
	for _, r := range h.Requests() {
		if r.Kind == hubtest.CDN && (r.Authorization != "" || r.Host != "production.cloudflare.docker.com") {
			t.Errorf("request to the CDN: %+v", r)
		}
		if !r.TLS || r.Conn == 0 || r.UserAgent == "" || r.Status == 0 {
			t.Errorf("incomplete record: %+v", r)
		}
	}
	if n := h.Count("GET", "auth.docker.io/token"); n == 0 {
		t.Error("no token was asked for")
	}
}

func TestPushAndPullBack(t *testing.T) {
	h := start(t, &hubtest.Hub{Users: map[string]string{"alice": "secret"}})
	alice := &authn.Basic{Username: "alice", Password: "secret"}
	img, err := random.Image(100_000, 3)
	must(t, err)
	must(t, remote.Write(ref(t, "registry-1.docker.io/alice/app:1"), img, options(t, h, alice)...))
	must(t, pull(t, h, "registry-1.docker.io/alice/app:1", authn.Anonymous))

	idx := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{
		Platform: &v1.Platform{OS: "linux", Architecture: "arm64"},
	}})
	must(t, remote.WriteIndex(ref(t, "registry-1.docker.io/alice/app:multi"), idx, options(t, h, alice)...))
	tags, err := remote.List(ref(t, "registry-1.docker.io/alice/app:1").Context(), options(t, h, authn.Anonymous)...)
	must(t, err)
	if !slices.Equal(tags, []string{"1", "multi"}) {
		t.Errorf("tags %q", tags)
	}
	must(t, remote.Delete(ref(t, "registry-1.docker.io/alice/app:1"), options(t, h, alice)...))
	if tags := h.Site("").Tags("alice/app"); !slices.Equal(tags, []string{"multi"}) {
		t.Errorf("tags after DELETE %q", tags)
	}

	if err := remote.Write(ref(t, "registry-1.docker.io/alice/app:2"), img, options(t, h, authn.Anonymous)...); err == nil {
		t.Error("anybody may push")
	}
	wrong := &authn.Basic{Username: "alice", Password: "guess"}
	if err := pull(t, h, "registry-1.docker.io/alice/app:multi", wrong); err == nil {
		t.Error("a wrong password may pull")
	}
}

func TestPrivate(t *testing.T) {
	h := start(t, &hubtest.Hub{Users: map[string]string{"alice": "a", "bob": "b"}})
	h.Push("alice/app", "1", hubtest.RandomImage(2, 1, 1000))
	h.SetPrivate("alice/app", "alice")
	const image = "registry-1.docker.io/alice/app:1"
	must(t, pull(t, h, image, &authn.Basic{Username: "alice", Password: "a"}))
	for _, other := range []authn.Authenticator{authn.Anonymous, &authn.Basic{Username: "bob", Password: "b"}} {
		if err := pull(t, h, image, other); err == nil {
			t.Errorf("%v pulled a private image", other)
		}
	}
	h.SetPublic("alice/app")
	must(t, pull(t, h, image, authn.Anonymous))
}

func TestSites(t *testing.T) {
	h := start(t, &hubtest.Hub{
		Users: map[string]string{"alice": "a"},
		Sites: []*hubtest.Site{
			{Host: "ghcr.io", NoReferrers: true, NoPostToken: true},
			{Host: "basic.example", Auth: hubtest.Basic},
			{Host: "open.example", Auth: hubtest.Open},
		},
	})
	alice := &authn.Basic{Username: "alice", Password: "a"}
	img, err := random.Image(1000, 2)
	must(t, err)
	for _, host := range []string{"ghcr.io", "basic.example", "open.example"} {
		must(t, remote.Write(ref(t, host+"/o/app:1"), img, options(t, h, alice)...))
		must(t, pull(t, h, host+"/o/app:1", alice))
		h.Site(host).Push("o/pushed", "1", hubtest.RandomImage(3, 1, 100))
		must(t, pull(t, h, host+"/o/pushed:1", alice))
	}
	if h.Count("GET", "ghcr.io/token") == 0 || h.Count("", "basic.example/token") > 0 {
		t.Error("token services were mixed up")
	}
	if err := pull(t, h, "registry-1.docker.io/o/app:1", alice); err == nil {
		t.Error("registries share repositories")
	}
	if err := pull(t, h, "basic.example/o/app:1", authn.Anonymous); err == nil {
		t.Error("basic.example lets anybody in")
	}
}

// By address a client finds everything on that address, over both ports.
func TestByAddress(t *testing.T) {
	h := hubtest.Start(t)
	h.Push("library/alpine", "latest", hubtest.RandomImage(4, 2, 1000))
	must(t, pull(t, h, h.Addr()+"/library/alpine", authn.Anonymous))

	r, err := name.ParseReference(h.PlainAddr()+"/library/alpine", name.Insecure)
	must(t, err)
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	img, err := remote.Image(r, remote.WithTransport(tr), remote.WithContext(t.Context()))
	must(t, err)
	must(t, verify(img))
	for _, r := range h.Requests() {
		if r.Host == h.PlainAddr() && r.TLS {
			t.Error("TLS on the plain port")
		}
	}
}

func TestMultiArch(t *testing.T) {
	h := hubtest.Start(t)
	idx := hubtest.MultiArch(map[string]hubtest.Image{
		"linux/amd64": hubtest.RandomImage(5, 1, 1000), "linux/arm64": hubtest.RandomImage(6, 2, 1000),
	})
	for tag, img := range map[string]hubtest.Image{"oci": idx, "docker": idx.Docker()} {
		h.Push("library/multi", tag, img)
		got, err := remote.Index(ref(t, "registry-1.docker.io/library/multi:"+tag), options(t, h, authn.Anonymous)...)
		must(t, err)
		m, err := got.IndexManifest()
		must(t, err)
		for _, child := range m.Manifests {
			img, err := got.Image(child.Digest)
			must(t, err)
			must(t, verify(img))
		}
	}
	c := client(t, h)
	token := fetchToken(t, c, "library/multi")
	for _, one := range []struct{ accept, want string }{
		{"application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.manifest.v1+json"},
		{"application/vnd.oci.image.index.v1+json, text/plain", "application/vnd.oci.image.index.v1+json"},
		{"*/*", "application/vnd.oci.image.index.v1+json"},
		{"", "application/vnd.oci.image.manifest.v1+json"},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			res := do(t, c, method, "https://registry-1.docker.io/v2/library/multi/manifests/oci", token, "Accept", one.accept)
			if got := res.Header.Get("Content-Type"); got != one.want || res.StatusCode != 200 {
				t.Errorf("%s Accept %q: %s %s, want %s", method, one.accept, res.Status, got, one.want)
			}
		}
	}
}

func fetchToken(t *testing.T, c *http.Client, repo string) string {
	t.Helper()
	res := do(t, c, "GET", "https://auth.docker.io/token?service=registry.docker.io&scope=repository:"+repo+":pull", "")
	return decode[struct{ Token string }](t, res.body).Token
}

// answer is a response whose body was read.
type answer struct {
	*http.Response
	body []byte
	err  error // of reading the body
}

func do(t *testing.T, c *http.Client, method, url, token string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	must(t, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.Do(req)
	must(t, err)
	defer res.Body.Close()
	a := answer{Response: res}
	a.body, a.err = io.ReadAll(res.Body)
	return a
}
