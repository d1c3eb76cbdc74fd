package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"go.uber.org/goleak"

	"pulley/internal/bitrot"
	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/internal/daemon"
	"pulley/internal/hubtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a daemon over a test Hub.
type running struct {
	*daemon.Daemon
	hub    *hubtest.Hub
	places config.Places
	client *http.Client
	stop   func() // asks it to end
	ended  func() // waits until it has
}

// start runs a daemon in a home that prepare may furnish first.
func start(t *testing.T, prepare func(config.Places)) *running {
	t.Helper()
	return startWith(t, func(o *daemon.Options) {
		if prepare != nil {
			prepare(o.Places)
		}
	})
}

// startWith runs one with other options.
func startWith(t *testing.T, change func(*daemon.Options)) *running {
	t.Helper()
	hub := hubtest.Start(t)
	places := daemon.PlacesOf(t)
	text := fmt.Sprintf("listen = \"127.0.0.1:0\"\n[fetch]\nextra_roots = [%q]\n", hub.RootsFile()) + addresses(hub)
	if err := os.WriteFile(places.ConfigFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := daemon.Options{Places: places, Version: "test"}
	change(&o)
	return serve(t, hub, o, func(*daemon.Daemon) {})
}

// addresses are the settings by which a daemon finds a hub.
func addresses(hub *hubtest.Hub) (text string) {
	for _, host := range hub.Hosts() {
		text += fmt.Sprintf("[[address]]\nhost = %q\nuse = [%q]\n", host, hub.Addr())
	}
	return text
}

// serve runs a daemon until the test ends; change may do something to it before.
func serve(t *testing.T, hub *hubtest.Hub, o daemon.Options, change func(*daemon.Daemon)) *running {
	t.Helper()
	d, err := daemon.New(o)
	if err != nil {
		t.Fatal(err)
	}
	change(d)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	r := &running{Daemon: d, hub: hub, places: o.Places, client: &http.Client{Transport: &http.Transport{}}, stop: stop}
	r.ended = sync.OnceFunc(func() {
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(func() {
		r.client.CloseIdleConnections()
		stop()
		r.ended()
	})
	return r
}

func (r *running) get(t *testing.T, path string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.Address()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header["Accept"] = []string{hubtest.DockerManifestList, ocispec.MediaTypeImageIndex, ocispec.MediaTypeImageManifest} // as engines do
	response, err := r.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	return response.StatusCode, string(body)
}

// pull gets an image's manifest and every blob over the mirror door.
func (r *running) pull(t *testing.T, repository string, image hubtest.Image) {
	t.Helper()
	if status, body := r.get(t, "/v2/"+repository+"/manifests/latest"); status != http.StatusOK || body != string(image.Manifest) {
		t.Fatalf("manifest: %d %.200s", status, body)
	}
	for _, layer := range image.Layers {
		want := make([]byte, layer.Content.Size())
		if _, err := layer.Content.ReadAt(want, 0); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if status, body := r.get(t, "/v2/"+repository+"/blobs/"+layer.Digest.String()); status != http.StatusOK || body != string(want) {
			t.Fatalf("blob: %d, %d bytes", status, len(body))
		}
	}
}

// logged waits until n requests are in the log: a client has its last byte a moment before.
func (r *running) logged(t *testing.T, n int) []control.Event {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		changed := r.Changed()
		events, err := r.Events(10_000)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) >= n {
			return events
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%d requests in the log, want %d", len(events), n)
		}
	}
}

// settled pulls until everything comes from the cache: a client has its last byte before the blob is synced and in place.
func (r *running) settled(t *testing.T, repository string, image hubtest.Image) {
	t.Helper()
	for range 1000 {
		before, err := r.Events(10_000)
		if err != nil {
			t.Fatal(err)
		}
		r.pull(t, repository, image)
		events := r.logged(t, len(before)+1+len(image.Layers))[len(before):]
		if !slices.ContainsFunc(events, func(e control.Event) bool { return e.What == "blob" && e.Source != "cache" }) {
			return
		}
	}
	t.Fatal("the blobs never came from the cache")
}

func TestPullsAreCountedAndLogged(t *testing.T) {
	r := start(t, nil)
	image := hubtest.RandomImage(1, 2, 200<<10)
	r.hub.Push("library/app", "latest", image)
	r.pull(t, "library/app", image)
	events := r.logged(t, 3)
	if len(events) != 3 {
		t.Fatalf("%d events", len(events))
	}
	for i, e := range events {
		if e.Source != "origin" || e.Status != http.StatusOK || e.Repository != "library/app" || e.FromNet != e.Bytes {
			t.Errorf("request %d: %+v", i, e)
		}
	}
	r.settled(t, "library/app", image)
	s := r.State()
	if today := s.Traffic.Today; today.Requests < 6 || today.FromNet == 0 || today.FromCache < today.FromNet/2 {
		t.Errorf("traffic %+v", s.Traffic)
	}
	for _, registry := range s.Registries {
		if (registry.LastUsed != nil) != (registry.Name == "docker.io") {
			t.Errorf("%s: last used %v", registry.Name, registry.LastUsed)
		}
	}
	images, err := r.Images()
	if err != nil || len(images) != 1 || images[0].Name() != "docker.io/library/app:latest" || images[0].Digest != image.Digest().String() {
		t.Errorf("images %+v, %v", images, err)
	}
	if len(s.Problems) != 0 {
		t.Errorf("problems %+v", s.Problems)
	}
}

// A cache that cannot be used is a problem that is told, and no reason for a pull to fail.
func TestBrokenCachePassesThrough(t *testing.T) {
	r := start(t, func(p config.Places) {
		if err := os.WriteFile(p.CacheDir, []byte("a file where a folder should be"), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	image := hubtest.RandomImage(2, 2, 200<<10)
	r.hub.Push("library/app", "latest", image)
	r.pull(t, "library/app", image)
	r.pull(t, "library/app", image)
	problems := r.State().Problems
	if len(problems) != 1 || problems[0].Kind != control.ProblemCache || !strings.Contains(problems[0].Text, r.places.CacheDir) {
		t.Errorf("problems %+v", problems)
	}
	if text, err := os.ReadFile(r.places.CacheDir); err != nil || string(text) != "a file where a folder should be" {
		t.Errorf("what was there is not as it was: %q, %v", text, err)
	}
}

// A blob damaged on disk is fetched again, and the log says so.
func TestDamagedBlobIsHealedAndReported(t *testing.T) {
	r := start(t, nil)
	image := hubtest.RandomImage(3, 1, 300<<10)
	r.hub.Push("library/app", "latest", image)
	r.settled(t, "library/app", image)
	path := filepath.Join(r.places.CacheDir, "blobs", "sha256", image.Layers[0].Digest.Encoded())
	bitrot.Flip(t, path, 1000, false)
	before := len(r.logged(t, 2))
	r.pull(t, "library/app", image)
	events := r.logged(t, before+2)
	if note := events[len(events)-1].Note; !strings.Contains(note, "fetched again") {
		t.Errorf("the log does not tell: %q", note)
	}
}

func TestOffLeavesEnginesToThemselves(t *testing.T) {
	r := start(t, nil)
	image := hubtest.RandomImage(4, 1, 1000)
	r.hub.Push("library/app", "latest", image)
	if err := r.SetEnabled(false); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"/v2/library/app/manifests/latest":              http.StatusNotFound,
		"/v2/library/app/manifests/latest?ns=docker.io": http.StatusNotFound,
		"/v2/docker.io/library/app/manifests/latest":    http.StatusOK,
	} {
		if status, _ := r.get(t, path); status != want {
			t.Errorf("off: GET %s: %d, want %d", path, status, want)
		}
	}
	if images, err := r.Images(); err != nil || len(images) != 0 {
		t.Errorf("off, and something was cached: %+v, %v", images, err)
	}
	if err := r.SetEnabled(true); err != nil {
		t.Fatal(err)
	}
	r.pull(t, "library/app", image)
}

func TestRouteOfflineDialsNobody(t *testing.T) {
	r := start(t, nil)
	image := hubtest.RandomImage(5, 1, 1000)
	r.hub.Push("library/app", "latest", image)
	r.hub.Push("library/other", "latest", image)
	r.pull(t, "library/app", image)
	if err := r.SetRoute("docker.io", "offline"); err != nil {
		t.Fatal(err)
	}
	r.hub.Reset()
	r.pull(t, "library/app", image)
	if status, _ := r.get(t, "/v2/library/other/manifests/latest"); status != http.StatusNotFound {
		t.Errorf("what is not cached: %d", status)
	}
	if asked := r.hub.Requests(); len(asked) != 0 {
		t.Errorf("offline, and upstream was asked: %+v", asked)
	}
}

// What runs when the daemon is asked to end is finished, and logged.
func TestEndingFinishesWhatRuns(t *testing.T) {
	r := start(t, nil)
	image := hubtest.RandomImage(6, 1, 3<<20)
	r.hub.Push("library/app", "latest", image)
	layer := image.Layers[0]
	r.hub.SetFaults(hubtest.Faults{Stall: hubtest.At(1 << 20), Digest: layer.Digest})
	r.get(t, "/v2/library/app/manifests/latest")
	response, err := r.client.Get("http://" + r.Address() + "/v2/library/app/blobs/" + layer.Digest.String())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	first := make([]byte, 1<<10)
	if _, err := io.ReadFull(response.Body, first); err != nil {
		t.Fatal(err)
	}
	r.stop()
	for { // until it takes no more
		conn, err := net.Dial("tcp", r.Address())
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	r.hub.SetFaults()
	rest, err := io.ReadAll(response.Body)
	if err != nil || digest.FromBytes(slices.Concat(first, rest)) != layer.Digest {
		t.Errorf("%d of %d bytes: %v", len(first)+len(rest), layer.Content.Size(), err)
	}
	r.client.CloseIdleConnections()
	r.ended()
	log, err := os.ReadFile(filepath.Join(r.places.LogDir, "requests.log"))
	if err != nil || !strings.Contains(string(log), layer.Digest.String()) {
		t.Errorf("not in the log: %v\n%s", err, log)
	}
}

// A pause whose end cannot be kept would be one without an end.
func TestPauseThatCannotBeKeptIsNone(t *testing.T) {
	r := start(t, func(p config.Places) {
		if err := os.MkdirAll(filepath.Join(p.StateDir, "pause.json"), 0o700); err != nil {
			t.Fatal(err)
		}
	})
	if err := r.Pause(time.Hour); err == nil {
		t.Error("no error")
	}
	if s := r.State(); !s.Enabled || s.PausedUntil != nil {
		t.Errorf("enabled %v, paused until %v", s.Enabled, s.PausedUntil)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick, enough := time.NewTicker(5*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-enough:
			t.Fatal("in vain: " + what)
		}
	}
}
