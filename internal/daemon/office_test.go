package daemon_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/crypto/bcrypt"

	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/internal/daemon"
	"pulley/internal/hubtest"
)

// officeHost is the name by which everybody reaches the office's Pulley.
const officeHost = "cache.office.test"

// office is a Pulley for a whole office, with ann as its user: its clients are never on its own machine.
type office struct {
	*running
	cert string // that it shows, and that others trust
	port string
}

func startOffice(t *testing.T, hub *hubtest.Hub) *office {
	t.Helper()
	places := daemon.PlacesOf(t)
	cert, key := selfSigned(t, places.Home)
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	settings := fmt.Sprintf("listen = \"0.0.0.0:0\"\n[access]\nusers = { ann = %q }\ncert = %q\nkey = %q\n[fetch]\nextra_roots = [%q]\n",
		hash, cert, key, hub.RootsFile()) + addresses(hub)
	if err := os.WriteFile(places.ConfigFile, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	r := serve(t, hub, daemon.Options{Places: places, Version: "test"}, (*daemon.Daemon).FromElsewhere)
	_, port, err := net.SplitHostPort(r.Address())
	if err != nil {
		t.Fatal(err)
	}
	return &office{running: r, cert: cert, port: port}
}

// selfSigned is what openssl req -x509 makes: a certificate that vouches for itself.
func selfSigned(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: officeHost}, DNSNames: []string{officeHost},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "office.crt"), filepath.Join(dir, "office.key")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// desk is somebody's own Pulley, which has the office's for a mirror of Docker Hub and shows it a name and password.
func (o *office) desk(t *testing.T, style, credential string, mirrorSettings ...string) *running {
	t.Helper()
	places := daemon.PlacesOf(t)
	settings := fmt.Sprintf(`listen = "127.0.0.1:0"
[fetch]
extra_roots = [%q, %q]
[[registry]]
name = "docker.io"
route = "office"
  [[registry.mirror]]
  name = "office"
  url = "https://%s"
  style = %q
  auth = "env:OFFICE"
  enabled = true
  %s
[[address]]
host = %q
use = ["127.0.0.1:%s"]
`, o.hub.RootsFile(), o.cert, net.JoinHostPort(officeHost, o.port), style, strings.Join(mirrorSettings, "\n  "), officeHost, o.port) + addresses(o.hub)
	if err := os.WriteFile(places.ConfigFile, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	return serve(t, o.hub, daemon.Options{Places: places, Version: "test", Environ: []string{"OFFICE=" + credential}}, func(*daemon.Daemon) {})
}

// ask asks the office's Pulley over TLS, with further headers.
func (o *office) ask(t *testing.T, path string, header http.Header) (*http.Response, string) {
	t.Helper()
	pool := x509.NewCertPool()
	text, err := os.ReadFile(o.cert)
	if err != nil || !pool.AppendCertsFromPEM(text) {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", "127.0.0.1:"+o.port)
		},
		TLSClientConfig:   &tls.Config{RootCAs: pool},
		DisableKeepAlives: true,
	}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+net.JoinHostPort(officeHost, o.port)+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	request.Header["Accept"] = []string{hubtest.DockerManifestList, ocispec.MediaTypeImageIndex, ocispec.MediaTypeImageManifest}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// digestOf asks with HEAD what a tag stands for.
func (r *running) digestOf(t *testing.T, repository, tag string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodHead, "http://"+r.Address()+"/v2/"+repository+"/manifests/"+tag, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header["Accept"] = []string{ocispec.MediaTypeImageIndex, ocispec.MediaTypeImageManifest}
	response, err := r.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.Header.Get("Docker-Content-Digest")
}

func asAnn() http.Header {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth("ann", "secret")
	return r.Header
}

// warm has the office's Pulley pull an image until all of it comes from its cache.
func (o *office) warm(t *testing.T, repository string, image hubtest.Image) {
	t.Helper()
	for range 1000 {
		before, err := o.Events(10_000)
		if err != nil {
			t.Fatal(err)
		}
		paths := []string{"manifests/latest"}
		for _, l := range image.Layers {
			paths = append(paths, "blobs/"+l.Digest.String())
		}
		for _, path := range paths {
			if r, body := o.ask(t, "/v2/"+repository+"/"+path, asAnn()); r.StatusCode != http.StatusOK {
				t.Fatalf("%s: %s %.200s", path, r.Status, body)
			}
		}
		events := o.logged(t, len(before)+len(paths))[len(before):]
		if !slices.ContainsFunc(events, func(e control.Event) bool { return e.What == "blob" && e.Source != "cache" }) {
			return
		}
	}
	t.Fatal("the blobs never came from the cache")
}

// What one has pulled the other gets, and the registry sends none of it again.
func TestAnOfficeSharesOneCache(t *testing.T) {
	for _, style := range []string{config.StyleNS, config.StylePrefix} {
		t.Run(style, func(t *testing.T) {
			hub := hubtest.Start(t)
			o := startOffice(t, hub)
			image := hubtest.RandomImage(1, 2, 300<<10)
			hub.Push("library/app", "latest", image)
			o.warm(t, "library/app", image)
			hub.Reset()
			desk := o.desk(t, style, "ann:secret")
			// As containerd does: what the tag stands for costs a HEAD, all else goes by digest.
			if got := desk.digestOf(t, "library/app", "latest"); got != image.Digest().String() {
				t.Fatalf("the tag stands for %s", got)
			}
			for _, path := range []string{"manifests/" + image.Digest().String(), "blobs/" + image.Layers[0].Digest.String()} {
				if status, body := desk.get(t, "/v2/library/app/"+path); status != http.StatusOK {
					t.Fatalf("%s: %d %.200s", path, status, body)
				}
				e := desk.logged(t, 2)
				if last := e[len(e)-1]; last.Source != "office" {
					t.Errorf("%s %s came from %q: %s %s", last.What, last.Reference, last.Source, last.Note, last.Err)
				}
			}
			if n := hub.Count("GET", "/v2/**"); n != 0 {
				t.Errorf("upstream was asked for %d things: %+v", n, hub.Requests())
			}
			// As dockerd does: by tag, which is the registry's to say.
			desk.pull(t, "library/app", image)
			for _, l := range image.Layers {
				if n := hub.BytesSent(l.Digest); n != 0 {
					t.Errorf("upstream sent %d bytes of %s", n, l.Digest)
				}
			}
			if got := sum(gather(t, desk)["pulley_fetched_bytes_total"], map[string]string{"place": "office"}); got < 600<<10 {
				t.Errorf("%v bytes came from the office, as metrics say", got)
			}
		})
	}
}

// With no way to the registry the office's word for a tag counts, where a person has said so.
func TestAnOfficeServesWithoutTheRegistry(t *testing.T) {
	hub := hubtest.Start(t)
	o := startOffice(t, hub)
	image := hubtest.RandomImage(1, 2, 300<<10)
	hub.Push("library/app", "latest", image)
	o.warm(t, "library/app", image)
	desk := o.desk(t, config.StyleNS, "ann:secret", "trust_tags = true")
	hub.Down()
	desk.pull(t, "library/app", image)
}

// A password that the office does not take is told in so many words, and no reason for a pull to fail; nor is an office
// that is closed.
func TestAWrongPasswordIsNamedAndThePullWorks(t *testing.T) {
	hub := hubtest.Start(t)
	o := startOffice(t, hub)
	image := hubtest.RandomImage(1, 2, 300<<10)
	hub.Push("library/app", "latest", image)
	hub.Push("library/alpine", "latest", hubtest.RandomImage(2, 1, 1000))
	o.warm(t, "library/app", image) // ann is in: the guesses below, from the same address, do not keep her out
	for credential, want := range map[string]string{"ann:secret": "", "ann:wrong": "401", "bob:secret": "401"} {
		desk := o.desk(t, config.StyleNS, credential)
		report, err := desk.TestMirror(t.Context(), control.MirrorTest{Registry: "docker.io", Name: "office"}, func(control.MirrorTesting) {})
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case want == "" && (report.Error != "" || !report.Reachable):
			t.Errorf("%s: %+v", credential, report)
		case want != "" && (!strings.Contains(report.Error, want) || !strings.Contains(report.Error, `the name and password from auth = "env:OFFICE"`)):
			t.Errorf("%s: %+v", credential, report)
		}
		if strings.Contains(report.Error, "wrong") || strings.Contains(report.Error, "secret") {
			t.Errorf("a password is in %q", report.Error)
		}
		desk.pull(t, "library/app", image)
	}
	desk := o.desk(t, config.StyleNS, "ann:secret")
	o.stop()
	o.ended()
	desk.pull(t, "library/app", image)
	for _, e := range desk.logged(t, 3) {
		if e.Source != "origin" {
			t.Errorf("with the office closed %s came from %q", e.What, e.Source)
		}
	}
}

// Being one of the office's users gives no right to what is private at a registry, cached or not.
func TestAnOfficeServesNoPrivateImages(t *testing.T) {
	hub := &hubtest.Hub{Users: map[string]string{"alice": "hers"}}
	if err := hub.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hub.Close)
	o := startOffice(t, hub)
	image := hubtest.RandomImage(1, 1, 1000)
	hub.Push("alice/app", "latest", image)
	o.warm(t, "alice/app", image)
	hub.SetPrivate("alice/app", "alice")
	layer := image.Layers[0].Digest.String()
	if err := o.SetSetting("cache.tag_ttl", "0s"); err != nil {
		t.Fatal(err)
	}
	private := hubtest.RandomImage(2, 1, 1000)
	hub.Push("alice/secret", "latest", private)
	hub.SetPrivate("alice/secret", "alice")
	for path, want := range map[string]int{
		"/v2/alice/secret/manifests/latest":                                         http.StatusUnauthorized,
		"/v2/alice/secret/manifests/latest?ns=docker.io":                            http.StatusNotFound,
		"/v2/docker.io/alice/secret/manifests/latest":                               http.StatusUnauthorized,
		"/v2/alice/secret/blobs/" + private.Layers[0].Digest.String():               http.StatusUnauthorized,
		"/v2/alice/secret/blobs/" + layer + "?ns=docker.io":                         http.StatusNotFound, // another repository's
		"/v2/alice/secret/manifests/" + private.Digest().String() + "?ns=docker.io": http.StatusNotFound,
	} {
		if r, body := o.ask(t, path, asAnn()); r.StatusCode != want {
			t.Errorf("%s: %s %.200s", path, r.Status, body)
		}
	}
	// alice's own right, next to the office's password, is hers.
	header := http.Header{"Proxy-Authorization": asAnn()["Authorization"], "Authorization": {"Bearer " + tokenOf(t, hub, "alice", "hers", "alice/secret")}}
	if r, body := o.ask(t, "/v2/alice/secret/manifests/latest?ns=docker.io", header); r.StatusCode != http.StatusOK {
		t.Errorf("alice: %s %.200s", r.Status, body)
	}
	if r, body := o.ask(t, "/v2/alice/secret/manifests/latest?ns=docker.io", asAnn()); r.StatusCode != http.StatusNotFound {
		t.Errorf("ann, once it is cached: %s %.200s", r.Status, body)
	}
	desk := o.desk(t, config.StyleNS, "ann:secret")
	before := len(o.logged(t, 0))
	if status, _ := desk.get(t, "/v2/alice/secret/manifests/latest"); status != http.StatusUnauthorized {
		t.Errorf("at a desk: %d", status)
	}
	if events := o.logged(t, 0)[before:]; len(events) != 0 {
		t.Errorf("the office was told of it: %+v", events)
	}
}

// tokenOf asks the registry's own token service.
func tokenOf(t *testing.T, hub *hubtest.Hub, user, password, repository string) string {
	t.Helper()
	client := hub.Client()
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		"https://auth.docker.io/token?service=registry.docker.io&scope=repository:"+repository+":pull", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(user, password)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct{ Token string }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Token == "" {
		t.Fatalf("token: %s, %v", response.Status, err)
	}
	return answer.Token
}

// The settings that docs/team.md shows are ones that Pulley takes.
func TestThePageAboutOfficesShowsSettingsThatWork(t *testing.T) {
	text, err := os.ReadFile("../../docs/team.md")
	if err != nil {
		t.Fatal(err)
	}
	offices, desks := 0, 0
	for _, block := range regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(block[1], "[host.") { // containerd's
			continue
		}
		path := filepath.Join(t.TempDir(), "config.toml")
		if err := os.WriteFile(path, []byte(block[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(path, nil)
		if err != nil {
			t.Errorf("%v\n%s", err, block[1])
			continue
		}
		hub, _ := c.Registry("docker.io")
		if m, has := hub.Mirror("office"); has && m.Enabled && m.Style == config.StyleNS && len(c.Fetch.ExtraRoots) == 1 {
			desks++
		}
		if len(c.Access.Users) == 1 && c.Access.Cert != "" {
			offices++
		}
	}
	if offices != 1 || desks != 1 {
		t.Errorf("%d offices and %d desks", offices, desks)
	}
}
