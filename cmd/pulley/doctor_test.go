//go:build !darwin

// macOS answers at 127.0.0.1 alone of 127.0.0.0/8.

package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pulley/internal/doctor"
	"pulley/internal/hubtest"
)

// patient is a daemon before a Docker Hub, an engine that is pointed at it, and the person who asks the doctor.
type patient struct {
	*trip
	engine *fakeEngine
	docker string // docker's configuration
	more   []string
	ahead  atomic.Int64 // how far the hub's clock is, in nanoseconds
}

// fakeEngine answers as dockerd does to what a test of a context asks.
type fakeEngine struct {
	socket string
	info   atomic.Value // a map
}

func newFakeEngine(t *testing.T) *fakeEngine {
	t.Helper()
	dir, err := os.MkdirTemp("", "eng") // short: a socket's path may not be long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	e := &fakeEngine{socket: filepath.Join(dir, "s")}
	e.set(nil)
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", "1.50")
		w.Header().Set("Ostype", "linux")
	})
	mux.HandleFunc("GET /v1.50/info", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(e.info.Load())
	})
	mux.HandleFunc("GET /v1.50/system/df", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{}`)) })
	l, err := net.Listen("unix", e.socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}}
	s.Start()
	t.Cleanup(s.Close)
	return e
}

// set is what the engine says of itself, besides what it always does.
func (e *fakeEngine) set(more map[string]any) {
	info := map[string]any{"ServerVersion": "28.2.2", "OSType": "linux", "Architecture": "x86_64"}
	for k, v := range more {
		info[k] = v
	}
	e.info.Store(info)
}

// mirrors points it somewhere.
func (e *fakeEngine) mirrors(urls ...string) {
	e.set(map[string]any{"RegistryConfig": map[string]any{"Mirrors": urls}})
}

// newPatient has a small public image in the hub; nothing runs yet.
func newPatient(t *testing.T) *patient {
	t.Helper()
	p := &patient{engine: newFakeEngine(t), docker: t.TempDir()}
	p.trip = newTripAt(t, func() time.Time { return time.Now().Add(time.Duration(p.ahead.Load())) })
	p.origin.Push("library/alpine", "latest", hubtest.RandomImage(70, 1, 2<<20))
	return p
}

// admitted is one whose daemon runs and whose engine is pointed at it.
func admitted(t *testing.T) *patient {
	t.Helper()
	p := newPatient(t)
	p.begin()
	return p
}

func (p *patient) begin() {
	p.t.Helper()
	p.start()
	p.engine.mirrors("http://" + p.address + "/")
}

// environ is the person's, without what this machine's has.
func (p *patient) environ() []string {
	env := slices.DeleteFunc(os.Environ(), func(line string) bool {
		name, _, _ := strings.Cut(line, "=")
		return strings.HasSuffix(strings.ToUpper(name), "_PROXY") || strings.HasPrefix(name, "DOCKER_") || strings.HasPrefix(name, "PULLEY_")
	})
	return append(append(env, "PULLEY_HOME="+p.home, "DOCKER_CONFIG="+p.docker, "DOCKER_HOST=unix://"+p.engine.socket), p.more...)
}

// doctor is what it says, for programs, of this engine: whoever runs the test may have others.
func (p *patient) doctor(args ...string) *doctor.Report {
	p.t.Helper()
	return p.doctorOf(append(args, "--engine", "default")...)
}

// doctorOf is what it says of any engine.
func (p *patient) doctorOf(args ...string) *doctor.Report {
	p.t.Helper()
	out, said, status := p.command(append([]string{"doctor", "--json"}, args...)...)
	var r doctor.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		p.t.Fatalf("doctor: status %d: %v: %s%s", status, err, out, said)
	}
	if want := btoi(r.Problems > 0); status != want && !slices.Contains(args, "--fix") {
		p.t.Errorf("status %d with %d problems", status, r.Problems)
	}
	return &r
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// command runs a command as that person.
func (p *patient) command(args ...string) (stdout, stderr string, status int) {
	cmd := exec.Command(p.binary, args...)
	cmd.Env = p.environ()
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// troubles are the IDs of what is blamed.
func troubles(r *doctor.Report) (ids []string) {
	for _, f := range r.Findings {
		if f.Level == doctor.Warning || f.Level == doctor.Problem {
			ids = append(ids, f.ID)
		}
	}
	return ids
}

func described(r *doctor.Report) string {
	var lines []string
	for _, f := range r.Findings {
		lines = append(lines, fmt.Sprintf("%-8s %-22s %s\n    %s\n    fix: %s", f.Level, f.ID, f.What, f.Why, f.Fix))
	}
	for _, h := range r.Hosts {
		lines = append(lines, fmt.Sprintf("%+v", h))
	}
	return strings.Join(lines, "\n")
}

// blames wants exactly these causes and nothing beside them, and words in what is said of them.
func (p *patient) blames(t *testing.T, r *doctor.Report, want []string, words ...string) {
	t.Helper()
	if got := troubles(r); !slices.Equal(got, want) {
		t.Errorf("blamed %v, want %v:\n%s", got, want, described(r))
		return
	}
	text := ""
	for _, f := range r.Findings {
		if f.Level == doctor.Warning || f.Level == doctor.Problem {
			text += f.What + "\n" + f.Why + "\nfix: " + f.Fix + "\n"
		}
	}
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("nothing of %q is said:\n%s", word, text)
		}
	}
	if d := time.Duration(r.TookWhole); d > doctor.Limit+time.Second {
		t.Errorf("it took %v", d)
	}
}

// TestDoctorBlamesTheHub: each fault of a registry, its token service or its storage is named as the cause, and nothing that
// follows from it is blamed beside it.
func TestDoctorBlamesTheHub(t *testing.T) {
	p := newPatient(t)
	hub := p.origin
	hub.SetUser("alice", "open sesame")
	hub.Push("library/secret", "1", hubtest.RandomImage(71, 1, 1<<20))
	hub.SetPrivate("library/secret", "alice")
	hub.Push("library/mainframe", "1", hubtest.MultiArch(map[string]hubtest.Image{"linux/s390x": hubtest.RandomImage(72, 1, 1<<20), "linux/ppc64le": hubtest.RandomImage(73, 1, 1<<20)}))
	p.begin()
	registry, auth, cdn := hub.RegistryHost, hub.AuthHost, hub.CDNHost
	on := func(rules ...hubtest.Faults) func() { return func() { hub.SetFaults(rules...) } }
	for _, c := range []struct {
		name  string
		wrong func()
		image string
		want  string
		words []string
	}{
		{"nobody listens", func() { hub.Down() }, "", "address.refused", []string{registry + " refuses connections"}},
		{"connections are reset at the name", on(hubtest.Faults{Host: registry, ResetHandshake: true}), "", "address.reset", []string{registry + " are broken off", "filters"}},
		{"silence", on(hubtest.Faults{Silent: true}), "", "address.timeout", []string{registry + " does not answer"}},
		{"one address of three is dead", on(hubtest.Faults{Host: registry, Addr: "127.0.0.2", ResetHandshake: true}), "", "address.some", []string{"1 of 3", "127.0.0.2", "pulley address set " + registry + " 127.0.0.1:"}},
		{"pinned to somebody else's", on(hubtest.Faults{Host: registry, WrongName: true}), "", "address.pin", []string{"[[address]]", "somebody-else.example", "pulley address rm " + registry}},
		{"a company opens TLS", on(hubtest.Faults{Host: registry, UnknownCA: true}), "", "tls.intercepted", []string{"Example Corp Root CA", "extra_roots"}},
		{"the certificate has ended", on(hubtest.Faults{Host: registry, Expired: true}), "", "tls.expired", []string{"ended on"}},
		{"the clock here is wrong", func() { p.ahead.Store(int64(40 * 24 * time.Hour)); hub.SetFaults(hubtest.Faults{NotYet: true}) }, "", "clock", []string{"40 days behind", "ntp"}},
		{"the clock is a little wrong", func() { p.ahead.Store(int64(-9 * time.Minute)) }, "", "clock", []string{"9 minutes ahead"}},
		{"the registry is ill", on(hubtest.Faults{Kind: hubtest.Ping, Status: 503}), "", "registry.down", []string{"answers 503"}},
		{"a sign-in page", on(hubtest.Faults{Host: registry, Status: 403, Body: "<html>Welcome to our hotel", Header: http.Header{"Content-Type": {"text/html"}}}), "", "registry.portal", []string{"no registry", "guest"}},
		{"tokens from a stranger", func() { hub.Site("").SetRealm("https://evil.example/token") }, "", "token.realm", []string{"evil.example"}},
		{"the token service is blocked", on(hubtest.Faults{Host: auth, ResetHandshake: true}), "", "address.reset", []string{auth + " are broken off"}},
		{"the token service is somebody else's", on(hubtest.Faults{Host: auth, WrongName: true}), "", "address.pin", []string{auth}},
		{"the token service is ill", on(hubtest.Faults{Kind: hubtest.Token, Status: 500}), "", "token.down", []string{auth + " answers 500"}},
		{"misspelt", nil, "alpnie", "manifest.missing", []string{"does not exist", "fix: docker pull alpine"}},
		{"no such tag", nil, "alpine:latset", "manifest.tag", []string{"has no tag latset", "fix: docker pull alpine:latest"}},
		{"private", nil, "library/secret:1", "manifest.denied", []string{"private", "fix: docker login docker.io"}},
		{"another platform", nil, "library/mainframe:1", "manifest.platform", []string{"linux/amd64", "linux/ppc64le, linux/s390x"}},
		{"the registry is ill about manifests", on(hubtest.Faults{Kind: hubtest.Manifest, Status: 502}), "", "registry.down", []string{"502"}},
		{"too many requests", on(func() hubtest.Faults { f := hubtest.Abuse("77"); f.Kind = hubtest.Manifest; return f }()), "", "limit.abuse", []string{"not the pull limit", "left alone until"}},
		{"the pull limit, by its words", on(hubtest.PullLimit("", "3600")), "", "limit.used", []string{"used up", "left again at", "docker login"}},
		{"the storage is blocked", on(hubtest.Faults{Host: cdn, ResetHandshake: true}), "", "address.reset", []string{cdn, "Layers of docker.io come from there"}},
		{"the storage does not answer", on(hubtest.Faults{Host: cdn, Silent: true}), "", "address.timeout", []string{cdn}},
		{"the signed address is refused", on(hubtest.Faults{Kind: hubtest.CDN, Status: 403}), "", "blob.signed", []string{cdn, "403"}},
		{"the storage is ill", on(hubtest.Faults{Kind: hubtest.CDN, Status: 500}), "", "blob.refused", []string{cdn, "500"}},
		{"slow", on(hubtest.Faults{Kind: hubtest.CDN, Total: 200 << 10}), "", "blob.slow", []string{"sends layers at 0.", "pulley mirror on"}},
		{"a layer stalls", on(hubtest.Faults{Kind: hubtest.CDN, Stall: hubtest.At(0)}), "", "blob.stalled", []string{cdn}},
		{"a layer is cut", on(hubtest.Faults{Kind: hubtest.CDN, Cut: hubtest.At(300000)}), "", "blob.cut", []string{"after 300000 bytes"}},
		{"a layer is changed on the way", on(hubtest.Faults{Kind: hubtest.CDN, WrongByte: hubtest.At(5000)}), "", "blob.wrong", []string{"not what its digest says"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				hub.SetFaults()
				hub.Site("").SetRealm("")
				p.ahead.Store(0)
				if err := hub.Up(); err != nil {
					t.Fatal(err)
				}
			}()
			if c.wrong != nil {
				c.wrong()
			}
			var args []string
			if c.image != "" {
				args = append(args, c.image)
			}
			p.blames(t, p.doctor(args...), []string{c.want}, c.words...)
		})
	}
	t.Run("and nothing is wrong any more", func(t *testing.T) { p.blames(t, p.doctor(), nil) })
}

// TestDoctorCountsPulls: what is left of the limit is said, and the last pull is not spent on finding out.
func TestDoctorCountsPulls(t *testing.T) {
	p := admitted(t)
	p.origin.SetRateLimit(100)
	r := p.doctor()
	p.blames(t, r, nil)
	if !strings.Contains(described(r), "99 of 100 pulls are left at docker.io in 6 hours") {
		t.Errorf("%s", described(r))
	}
	p.origin.SetRateLimit(3)
	p.blames(t, p.doctor(), []string{"limit.low"}, "2 of 3 pulls are left")
	p.doctor()
	p.doctor()
	p.origin.Reset()
	p.blames(t, p.doctor(), []string{"limit.used"}, "0 of 3 pulls left in 6 hours", "within 6 hours", "docker login")
	if n := p.origin.Count("GET", "/v2/*/**"); n != 0 {
		t.Errorf("%d pulls were tried with none left", n)
	}
}

// distrust is a client of the proxy door that does not believe our certificate.
func (p *patient) distrust() {
	p.t.Helper()
	way := &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: p.address}),
		TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12},
	}
	defer way.CloseIdleConnections()
	request, err := http.NewRequest(http.MethodGet, "https://registry-1.docker.io/v2/", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if response, err := way.RoundTrip(request); err == nil {
		_ = response.Body.Close()
		p.t.Fatal("it was believed")
	}
}
