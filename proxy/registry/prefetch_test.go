package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache"
	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/registry"
	"pulley/proxy/source"
)

// prefetch is what a person does with `pulley pull`.
func (r *room) prefetch(image string, change ...func(*registry.Pull)) (registry.PullResult, error) {
	r.t.Helper()
	p := registry.Pull{Image: r.image(image)}
	for _, c := range change {
		c(&p)
	}
	return r.handler.Pull(context.Background(), p, nil)
}

func (r *room) image(name string) source.Image {
	r.t.Helper()
	i, err := source.ParseImage(r.settings(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	return i
}

func (r *room) mustPrefetch(image string, change ...func(*registry.Pull)) registry.PullResult {
	r.t.Helper()
	got, err := r.prefetch(image, change...)
	if err != nil {
		r.t.Fatalf("pull %s: %v", image, err)
	}
	return got
}

func own() string { return "linux/" + runtime.GOARCH }

// other is a platform that nothing of this machine's runs on.
const other = "linux/s390x"

func on(platforms ...string) func(*registry.Pull) {
	return func(p *registry.Pull) {
		for _, s := range platforms {
			part := strings.Split(s, "/")
			one := ocispec.Platform{OS: part[0], Architecture: part[1]}
			if len(part) > 2 {
				one.Variant = part[2]
			}
			p.Platforms = append(p.Platforms, one)
		}
	}
}

func fresh(p *registry.Pull) { p.Fresh = true }

func all(p *registry.Pull) { p.All = true }

// What was prefetched pulls without a network, through every door.
func TestPrefetchedPullsWithoutANetwork(t *testing.T) {
	r := newRoom(t, nil)
	mine, others := hubtest.RandomImage(1, 3, 200<<10), hubtest.RandomImage(2, 2, 100<<10)
	img := hubtest.MultiArch(map[string]hubtest.Image{own(): mine, other: others})
	d := r.hub.Push("library/debian", "12", img)
	got := r.mustPrefetch("debian:12")
	if got.Digest != d || got.Unchecked || got.Note != "" || got.Blobs != 2+4 || got.Fetched != got.Size || len(got.Platforms) != 1 || got.Sources["origin"] != got.Size {
		t.Errorf("%+v", got)
	}
	for _, b := range others.Blobs() {
		if r.hub.Count("GET", "/v2/library/debian/blobs/"+string(b)) != 0 {
			t.Error("a part of another platform was fetched")
		}
	}
	r.hub.Down()
	r.restart()
	pull := func(ask func(method, path string, header ...string) answer) int {
		status := ask("HEAD", "library/debian/manifests/12").StatusCode
		if status == http.StatusOK {
			status = ask("GET", "library/debian/manifests/"+string(d)).StatusCode
		}
		if status == http.StatusOK {
			status = pullManifest(t, "library/debian", mine.Digest(), ask)
		}
		return status
	}
	e := r.engine("", "")
	e.login("library/debian")
	wantStatus(t, "intercepted", pull(e.ask), http.StatusOK)
	wantStatus(t, "mirror", pull(r.mirror), http.StatusOK)

	again := r.mustPrefetch("debian:12")
	if again.Unchecked || again.Fetched != 0 || again.Size != got.Size {
		t.Errorf("again: %+v", again)
	}
	r.pass(time.Hour)
	if again := r.mustPrefetch("debian:12"); !again.Unchecked || !has(again.Note, "last known tag") {
		t.Errorf("not checked, and does not say so: %+v", again)
	}
	r.route("docker.io", config.RouteOffline)
	if again := r.mustPrefetch("debian:12", fresh); !again.Unchecked || !has(again.Note, "offline") {
		t.Errorf("offline: %+v", again)
	}
	if _, err := r.prefetch("debian:13"); err == nil || !has(err.Error(), "try: pulley route docker.io auto") {
		t.Errorf("offline, and not here: %v", err)
	}
}

// A tag is asked for anew after its time, or at once if a person says so; what is
// here already is not fetched again.
func TestPrefetchFresh(t *testing.T) {
	r := newRoom(t, nil)
	first := r.hub.Push("library/a", "1", hubtest.RandomImage(1, 2, 1000).WithPlatform(own()))
	r.mustPrefetch("a:1")
	second := r.hub.Push("library/a", "1", hubtest.RandomImage(2, 2, 1000).WithPlatform(own()))
	if got := r.mustPrefetch("a:1"); got.Digest != first || got.Fetched != 0 {
		t.Errorf("within the tag's time: %+v", got)
	}
	got := r.mustPrefetch("a:1", fresh)
	if got.Digest != second || got.Fetched != got.Size {
		t.Errorf("fresh: %+v", got)
	}
	r.hub.Reset()
	r.pass(time.Hour)
	if got := r.mustPrefetch("a:1"); got.Digest != second || got.Fetched != 0 || r.hub.Count("GET", "/v2/**/manifests/*") != 0 {
		t.Errorf("nothing new: %+v", got)
	}
}

// Platforms are matched as containerd does it.
func TestPrefetchPlatforms(t *testing.T) {
	images := map[string]hubtest.Image{}
	for i, p := range []string{"linux/amd64", "linux/arm64", "linux/arm/v6", "linux/arm/v7", other} {
		images[p] = hubtest.RandomImage(uint64(i), 1, 1000).WithPlatform(p)
	}
	index := hubtest.MultiArch(images)
	for _, c := range []struct {
		ask, want []string
	}{
		{[]string{"linux/arm64/v8"}, []string{"linux/arm64"}},
		{[]string{"linux/arm/v7"}, []string{"linux/arm/v7"}},
		{[]string{"linux/arm"}, []string{"linux/arm/v7"}},
		{[]string{"linux/arm/v6"}, []string{"linux/arm/v6"}},
		{[]string{"linux/amd64/v3"}, []string{"linux/amd64"}},
		{[]string{other, "linux/amd64", "linux/amd64"}, []string{other, "linux/amd64"}},
		{nil, []string{own()}},
	} {
		r := newRoom(t, nil)
		r.hub.Push("library/a", "1", index)
		got := r.mustPrefetch("a:1", on(c.ask...))
		for name, img := range images {
			wanted := slices.Contains(c.want, name)
			for _, d := range img.Blobs() {
				if b, err := r.cache.Get(d); (err == nil) != wanted {
					t.Errorf("%v: of %s here: %v", c.ask, name, err == nil)
				} else if err == nil {
					_ = b.Close()
				}
			}
		}
		if len(got.Platforms) != len(c.want) {
			t.Errorf("%v: %v", c.ask, got.Platforms)
		}
	}
	r := newRoom(t, nil)
	r.hub.Push("library/a", "1", index)
	_, err := r.prefetch("a:1", on("linux/riscv64"))
	var none *registry.PlatformError
	if !errors.As(err, &none) || !has(err.Error(), "docker.io/library/a:1: there is nothing for linux/riscv64") || !has(err.Error(), "linux/amd64, linux/arm") {
		t.Errorf("%v", err)
	}
	if n := r.hub.Count("GET", "/v2/**/blobs/*"); n != 0 {
		t.Errorf("%d blobs were fetched for nothing", n)
	}
	r.hub.Push("library/b", "1", images[other].WithPlatform(other))
	if _, err := r.prefetch("b:1", on("linux/amd64")); !errors.As(err, &none) || !slices.Equal(none.Have, []string{other}) {
		t.Errorf("an image of one platform: %v", err)
	}
	if got := r.mustPrefetch("b:1"); !has(got.Note, other) || len(got.Platforms) != 1 {
		t.Errorf("an image of one platform, none asked for: %+v", got)
	}
}

// Everything of an index comes, attestations too; what is not a registry's to give
// does not.
func TestPrefetchAll(t *testing.T) {
	r := newRoom(t, nil)
	mine, others := hubtest.RandomImage(1, 2, 1000), hubtest.RandomImage(2, 2, 1000)
	index := hubtest.MultiArch(map[string]hubtest.Image{own(): mine, other: others})
	attestation := hubtest.RandomImage(3, 1, 500)
	index = withChild(t, index, attestation, ocispec.Platform{OS: "unknown", Architecture: "unknown"})
	r.hub.Push("library/a", "1", index)
	got := r.mustPrefetch("a:1", all)
	if len(got.Platforms) != 2 {
		t.Errorf("%v", got.Platforms)
	}
	for _, d := range index.Blobs() {
		if b, err := r.cache.Get(d); err != nil {
			t.Error(err)
		} else {
			_ = b.Close()
		}
	}

	foreign := withForeign(t, hubtest.RandomImage(4, 1, 1000).WithPlatform(own()))
	r.hub.Push("library/win", "1", foreign)
	r.mustPrefetch("win:1")
	if n := r.hub.Count("GET", "/v2/library/win/blobs/*"); n != 2 {
		t.Errorf("%d blobs of an image with a foreign layer were asked for, want config and layer", n)
	}
}

func withChild(t *testing.T, index, child hubtest.Image, p ocispec.Platform) hubtest.Image {
	t.Helper()
	var m ocispec.Index
	if err := json.Unmarshal(index.Manifest, &m); err != nil {
		t.Fatal(err)
	}
	m.Manifests = append(m.Manifests, ocispec.Descriptor{MediaType: child.MediaType, Digest: child.Digest(), Size: int64(len(child.Manifest)), Platform: &p})
	index.Children = append(index.Children, child)
	index.Manifest = marshal(t, m)
	return index
}

func withForeign(t *testing.T, img hubtest.Image) hubtest.Image {
	t.Helper()
	var m ocispec.Manifest
	if err := json.Unmarshal(img.Manifest, &m); err != nil {
		t.Fatal(err)
	}
	m.Layers = append(m.Layers, ocispec.Descriptor{
		MediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", Digest: digest.FromString("elsewhere"), Size: 9,
		URLs: []string{"https://elsewhere.example/layer"},
	})
	img.Manifest = marshal(t, m)
	return img
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// watched is what a pull told of its progress.
type watched struct {
	mu   sync.Mutex
	list []registry.PullProgress
	in   bool
}

func (w *watched) progress(t *testing.T) func(registry.PullProgress) {
	return func(p registry.PullProgress) {
		w.mu.Lock()
		if w.in {
			t.Error("told by two at once")
		}
		w.in = true
		w.list = append(w.list, p)
		w.mu.Unlock()
		defer func() { w.mu.Lock(); w.in = false; w.mu.Unlock() }()
	}
}

func (w *watched) last(d digest.Digest) (p registry.PullProgress, times int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.list {
		if one.Digest == d {
			p, times = one, times+1
		}
	}
	return p, times
}

// Everything that is to come is told of, and how each part of it ended; what was
// here is told as such and not read.
func TestPrefetchProgress(t *testing.T) {
	r := newRoom(t, nil)
	shared := hubtest.RandomImage(1, 2, 300<<10).WithPlatform(own())
	r.hub.Push("library/a", "1", shared)
	var w watched
	begun := time.Now()
	if _, err := r.handler.Pull(t.Context(), registry.Pull{Image: r.image("a:1")}, w.progress(t)); err != nil {
		t.Fatal(err)
	}
	for _, d := range shared.Blobs() {
		if _, times := w.last(d); times > 2+int(time.Since(begun)/(100*time.Millisecond)) {
			t.Errorf("told of %s %d times in %v", d, times, time.Since(begun))
		}
	}
	kinds := map[string]int{}
	for _, d := range append(shared.Blobs(), shared.Digest()) {
		p, _ := w.last(d)
		kinds[p.What]++
		if !p.Done || p.Cached || p.Have != p.Size || p.Size <= 0 || p.Source != "origin" || p.Image != "docker.io/library/a:1" || p.Err != "" {
			t.Errorf("%+v", p)
		}
	}
	if kinds["manifest"] != 1 || kinds["config"] != 1 || kinds["layer"] != 2 {
		t.Errorf("%v", kinds)
	}
	var again watched
	r.hub.Reset()
	if _, err := r.handler.Pull(t.Context(), registry.Pull{Image: r.image("a:1")}, again.progress(t)); err != nil {
		t.Fatal(err)
	}
	for _, d := range append(shared.Blobs(), shared.Digest()) {
		if p, _ := again.last(d); !p.Done || !p.Cached || p.Source != "cache" || p.Have != p.Size {
			t.Errorf("again: %+v", p)
		}
	}
	if n := len(r.hub.Requests()); n != 0 {
		t.Errorf("%d requests for what was here", n)
	}
}

// Whoever gives up leaves what came, and a next pull goes on at the byte; a client
// that pulls at the same time shares the download.
func TestPrefetchGivenUpGoesOnAtTheByte(t *testing.T) {
	r := newRoom(t, nil)
	r.set(func(c *config.Config) { c.Fetch.Finish = config.FinishNever })
	img := hubtest.RandomImage(1, 1, 8<<20).WithPlatform(own())
	r.hub.Push("library/a", "1", img)
	layer := img.Layers[0].Digest
	r.hub.SetFaults(hubtest.Faults{Digest: layer, Stall: new(int64(4 << 20))})
	ctx, cancel := context.WithCancelCause(context.Background())
	var w watched
	enough := func(p registry.PullProgress) {
		w.progress(t)(p)
		if p.Digest == layer && p.Have >= 3<<20 {
			cancel(errEnough)
		}
	}
	if _, err := r.handler.Pull(ctx, registry.Pull{Image: r.image("a:1")}, enough); !errors.Is(err, errEnough) {
		t.Fatalf("given up: %v", err)
	}
	r.idle()
	e := r.event(func(e registry.Event) bool { return e.Door == "pull" && e.Digest == layer })
	if e.Cause != registry.CauseLeft || e.FromNet < 3<<20 {
		t.Errorf("%+v", e)
	}
	r.hub.SetFaults()
	r.hub.Reset()
	if got := r.mustPrefetch("a:1"); got.Sources["origin"] > 6<<20 {
		t.Errorf("fetched again from the beginning: %+v", got)
	}
	if got := r.event(func(e registry.Event) bool { return e.Door == "pull" && e.Digest == layer }); got.Source != "origin" || got.Status != http.StatusOK || got.FromNet > 6<<20 {
		t.Errorf("%+v", got)
	}
}

var errEnough = errors.New("enough")

// One download serves both.
func TestPrefetchAndClientShare(t *testing.T) {
	r := newRoom(t, nil)
	img := hubtest.RandomImage(1, 3, 2<<20).WithPlatform(own())
	r.hub.Push("library/a", "1", img)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if _, err := r.prefetch("a:1"); err != nil {
				t.Error(err)
			}
		})
	}
	wantStatus(t, "client", r.engine("", "").pull("library/a", "1"), http.StatusOK)
	wg.Wait()
	r.idle()
	for _, d := range img.Blobs() {
		if n := r.hub.Count("GET", "/v2/library/a/blobs/"+string(d)); n != 1 {
			t.Errorf("%s was fetched %d times", d, n)
		}
	}
	if places, all := r.traffic(); places["origin"] != all {
		t.Errorf("%v of %d", places, all)
	}
}

// What went bad on the disk is brought back, blob or manifest, if everybody may
// have it.
func TestFetchBringsBack(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{Users: map[string]string{"alice": "secret"}})
	img := hubtest.RandomImage(1, 2, 300<<10)
	index := hubtest.MultiArch(map[string]hubtest.Image{own(): img})
	r.hub.Push("library/a", "1", index)
	r.mustPrefetch("a:1")
	n := cache.Name{Registry: "docker.io", Repository: "library/a"}
	for what, d := range map[string]digest.Digest{"index": index.Digest(), "manifest": img.Digest(), "config": digest.FromBytes(img.Config), "layer": img.Layers[0].Digest} {
		if err := r.cache.Delete(d); err != nil {
			t.Fatal(err)
		}
		var w watched
		if err := r.handler.Fetch(t.Context(), n, d, w.progress(t)); err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if b, err := r.cache.Get(d); err != nil {
			t.Errorf("%s: %v", what, err)
		} else {
			_ = b.Close()
		}
		if p, _ := w.last(d); !p.Done || p.Cached {
			t.Errorf("%s: %+v", what, p)
		}
	}
	wantStatus(t, "afterwards", r.engine("", "").pull("library/a", "1"), http.StatusOK)

	private := hubtest.RandomImage(2, 1, 1000).WithPlatform(own())
	r.hub.Push("alice/app", "1", private)
	r.hub.SetPrivate("alice/app", "alice")
	r.mustPrefetch("alice/app:1", func(p *registry.Pull) { p.Authorization = basic("alice", "secret") })
	layer := private.Layers[0].Digest
	if err := r.cache.Delete(layer); err != nil {
		t.Fatal(err)
	}
	err := r.handler.Fetch(t.Context(), cache.Name{Registry: "docker.io", Repository: "alice/app"}, layer, nil)
	if !errors.Is(err, registry.ErrCredentials) || !has(err.Error(), "pulley pull docker.io/alice/app:1") {
		t.Errorf("private: %v", err)
	}
	wantStatus(t, "alice", r.engine("alice", "secret").pull("alice/app", "1"), http.StatusOK)
}

// A download that somebody began who was told a wrong size is begun anew.
func TestPrefetchOverAWrongSize(t *testing.T) {
	r := newRoom(t, nil)
	img := hubtest.RandomImage(1, 1, 300<<10)
	r.hub.Push("library/debian", "12", img)
	layer := img.Layers[0]
	f, first, err := r.cache.Join(layer.Digest)
	if err != nil || !first {
		t.Fatal(err)
	}
	reader, err := f.Reader(context.Background(), 0, -1, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.SetSize(layer.Content.Size() + 6); err != nil {
		t.Fatal(err)
	}
	claim, err := f.Claim(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(claim, io.NewSectionReader(layer.Content, 0, 100<<10)); err != nil {
		t.Fatal(err)
	}
	claim.Release()
	f.Fail(nil)
	_ = reader.Close()
	r.mustPrefetch("debian:12")
}
