package daemon_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/internal/daemon"
	"pulley/internal/hubtest"
)

// What the machine's owner imports.
const owned = "org/app"

// owner is somebody with a bundle of a private image, and a hub that knows it.
type owner struct {
	hub    *hubtest.Hub
	image  hubtest.Image // for one platform, listed in an index
	index  hubtest.Image
	bundle []byte
}

func newOwner(t *testing.T) *owner {
	t.Helper()
	hub := &hubtest.Hub{Users: map[string]string{"ann": "s3cret"}}
	if err := hub.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hub.Close)
	o := &owner{hub: hub, image: hubtest.RandomImage(60, 2, 300<<10)}
	o.index = hubtest.MultiArch(map[string]hubtest.Image{"linux/amd64": o.image})
	hub.Push(owned, "latest", o.index)
	hub.SetPrivate(owned, "ann")
	from := o.daemon(t, homeOf(t, hub))
	from.pullAsAnn(t, owned)
	var tar bytes.Buffer
	if err := from.Export(t.Context(), control.Export{Images: []string{owned}, Platforms: []string{"linux/amd64"}}, &tar); err != nil {
		t.Fatal(err)
	}
	o.bundle = tar.Bytes()
	return o
}

func homeOf(t *testing.T, hub *hubtest.Hub) config.Places {
	t.Helper()
	places := daemon.PlacesOf(t)
	text := fmt.Sprintf("listen = \"127.0.0.1:0\"\n[fetch]\nextra_roots = [%q]\n", hub.RootsFile()) + addresses(hub)
	if err := os.WriteFile(places.ConfigFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return places
}

func (o *owner) daemon(t *testing.T, places config.Places) *running {
	t.Helper()
	return serve(t, o.hub, daemon.Options{Places: places, Version: "test"}, func(*daemon.Daemon) {})
}

func (r *running) pullAsAnn(t *testing.T, image string) {
	t.Helper()
	p := ask(image)
	p.Credentials = map[string]control.Secret{"docker.io": control.Secret("Basic " + base64.StdEncoding.EncodeToString([]byte("ann:s3cret")))}
	got, err := r.Pull(t.Context(), p, ignore)
	if err != nil || got.Images[0].Error != "" {
		t.Fatalf("%+v %v", got, err)
	}
}

func (r *running) bring(t *testing.T, bundle []byte) {
	t.Helper()
	got, err := r.Import(t.Context(), bytes.NewReader(bundle), func(control.Importing) {})
	if err != nil || len(got.Images) != 1 {
		t.Fatalf("%+v %v", got, err)
	}
}

// intercepted is a client of the intercepted Docker Hub; credentials, if any, are docker login's.
func (r *running) intercepted(t *testing.T, credentials string) func(path string) (int, string) {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(r.places.Home, "ca", "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	proxy := &url.URL{Scheme: "http", Host: r.Address()}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	get := func(to, authorization string) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, to, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header["Accept"] = []string{hubtest.DockerManifestList, ocispec.MediaTypeImageIndex, ocispec.MediaTypeImageManifest}
		if authorization != "" {
			request.Header.Set("Authorization", authorization)
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	const host = "https://registry-1.docker.io"
	basic := ""
	if credentials != "" {
		basic = "Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))
	}
	return func(path string) (int, string) {
		t.Helper()
		status, body := get(host+"/.pulley/token?service=registry.docker.io&scope=repository:"+owned+":pull", basic)
		if status != http.StatusOK {
			return status, body
		}
		var answer struct {
			Token string `json:"token"`
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatal(err)
		}
		return get(host+path, "Bearer "+answer.Token)
	}
}

// paths are what an engine asks for to pull the image, at a door where its repository is called so.
func (o *owner) paths(repository string) []string {
	list := []string{
		"/v2/" + repository + "/manifests/latest",
		"/v2/" + repository + "/manifests/" + o.index.Digest().String(),
		"/v2/" + repository + "/manifests/" + o.image.Digest().String(),
	}
	for _, d := range o.image.Blobs() {
		list = append(list, "/v2/"+repository+"/blobs/"+d.String())
	}
	return list
}

// everywhere asks for all of the image at each door, and is to get all of it, or nothing.
func (o *owner) everywhere(t *testing.T, when string, r *running, open bool) {
	t.Helper()
	hub := r.intercepted(t, "")
	for _, path := range o.paths(owned) {
		if status, body := r.get(t, path); (status == http.StatusOK) != open {
			t.Errorf("%s: %s at the mirror door: %d %.200s", when, path, status, body)
		}
		if status, body := hub(path); (status == http.StatusOK) != open {
			t.Errorf("%s: %s at the intercepted door: %d %.200s", when, path, status, body)
		}
	}
	for _, path := range o.paths("docker.io/" + owned) {
		if status, body := r.get(t, path); (status == http.StatusOK) != open {
			t.Errorf("%s: %s: %d %.200s", when, path, status, body)
		}
	}
}

// Whoever runs the machine imports an image that nobody ever saw to be public: with no network it pulls, until it is removed.
func TestAnImportedImagePullsOffline(t *testing.T) {
	o := newOwner(t)
	o.hub.Down()
	places := homeOf(t, o.hub)
	r := o.daemon(t, places)
	r.bring(t, o.bundle)
	o.everywhere(t, "imported", r, true)
	if got, err := r.Pull(t.Context(), ask(owned), ignore); err != nil || got.Images[0].Error != "" {
		t.Errorf("pulley pull: %+v %v", got, err)
	}
	r.stop()
	r.ended()

	r = o.daemon(t, places)
	o.everywhere(t, "after a restart", r, true)
	if err := o.hub.Up(); err != nil {
		t.Fatal(err)
	}
	if err := r.SetRoute("docker.io", config.RouteOffline); err != nil {
		t.Fatal(err)
	}
	o.everywhere(t, "switched to offline", r, true)
	if err := r.SetRoute("docker.io", config.RouteAuto); err != nil {
		t.Fatal(err)
	}
	r.stop()
	r.ended()

	r = o.daemon(t, places) // which has not heard that the origin was away
	o.everywhere(t, "when the origin can say no", r, false)
	o.hub.Down()
	o.everywhere(t, "after the origin said no", r, true)

	if _, err := r.RemoveImage(owned); err != nil {
		t.Fatal(err)
	}
	if err := o.hub.Up(); err != nil {
		t.Fatal(err)
	}
	r.pullAsAnn(t, owned)
	o.hub.Down()
	o.everywhere(t, "removed, and pulled by somebody with a right", r, false)
}

// An import opens what came in it, and nothing that the cache has of the repository for others.
func TestAnImportOpensNoMoreThanItBrought(t *testing.T) {
	o := newOwner(t)
	other := anImage(70, 100<<10)
	o.hub.Push(owned, "hers", other)
	r := o.daemon(t, homeOf(t, o.hub))
	r.pullAsAnn(t, owned+":hers")
	r.bring(t, o.bundle)
	o.hub.Down()
	o.everywhere(t, "imported", r, true)
	for _, path := range []string{"manifests/hers", "manifests/" + other.Digest().String()} {
		if status, body := r.get(t, "/v2/"+owned+"/"+path); status == http.StatusOK {
			t.Errorf("%s: %d %.200s", path, status, body)
		}
	}
}

// Clients that are not on this machine need a right of their own.
func TestAnImportOpensNothingToTheNetwork(t *testing.T) {
	o := newOwner(t)
	office := startOffice(t, o.hub)
	office.bring(t, o.bundle)
	o.hub.Down()
	for _, path := range append(o.paths(owned), o.paths("docker.io/"+owned)...) {
		if r, body := office.ask(t, path, asAnn()); r.StatusCode == http.StatusOK {
			t.Errorf("%s: %s %.200s", path, r.Status, body)
		}
	}
}

// What pulley pull fetched with a person's login opens to docker with the same login, also when nobody can be asked.
func TestAPrivateImageThatWasPrefetchedPullsOffline(t *testing.T) {
	o := newOwner(t)
	places := homeOf(t, o.hub)
	r := o.daemon(t, places)
	r.pullAsAnn(t, owned)
	r.stop()
	r.ended()
	o.hub.Down()
	r = o.daemon(t, places)
	for who, want := range map[string]int{"ann:s3cret": http.StatusOK, "ann:wrong": http.StatusUnauthorized, "": http.StatusUnauthorized} {
		client := r.intercepted(t, who)
		for _, path := range o.paths(owned) {
			if status, body := client(path); status != want {
				t.Errorf("%q: %s: %d %.200s", who, path, status, body)
			}
		}
	}
	o.everywhere(t, "without the login", r, false)
}
