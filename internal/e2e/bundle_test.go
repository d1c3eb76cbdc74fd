//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/internal/hubtest"
)

// carried is an image in a bundle.
type carried struct {
	name  string // in full, as engines say it
	image hubtest.Image
}

// carriage is one image of each format, two of which share layers.
func carriage(t *testing.T) []carried {
	t.Helper()
	index := testImage(t)
	return []carried{
		{"docker.io/library/rootfs:1", index},
		{"docker.io/library/list:1", hubtest.MultiArch(map[string]hubtest.Image{
			"linux/" + runtime.GOARCH: own(index), "linux/s390x": hubtest.RandomImage(65, 1, 1<<10),
		}).Docker()},
		{"docker.io/org/oci:v1", another("oci")},
		{"docker.io/org/docker:v1", another("docker").Docker()},
	}
}

// bundled is a Pulley that has images, and a bundle of them. The file belongs to s.
func bundled(t *testing.T, s *sandbox, images ...carried) (r *rig, path string) {
	t.Helper()
	r = newRig(t, "1h")
	var names []string
	for _, i := range images {
		repository, tag := splitTag(i.name)
		r.hub.Push(strings.TrimPrefix(repository, "docker.io/"), tag, i.image)
		names = append(names, i.name)
	}
	if _, err := runCommand(r.command(append([]string{"pull"}, names...)...)); err != nil {
		t.Fatal(err)
	}
	return r, r.export(t, s, names...)
}

func (r *rig) export(t *testing.T, s *sandbox, args ...string) (path string) {
	t.Helper()
	path = s.file("bundle.tar")
	if _, err := runCommand(r.command(append([]string{"cache", "export", "-o", path}, args...)...)); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestBundleDocker: docker load takes a bundle, old and new.
func TestBundleDocker(t *testing.T) {
	for name, open := range map[string]func(*testing.T, *sandbox, wiring) session{"system": openSystemDockerd, "new": openNewDockerd} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			images := carriage(t)
			r, path := bundled(t, s, images...)
			d := open(t, s, wiring{}).(*dockerd)
			if err := d.load(t, path); err != nil {
				t.Fatal(err)
			}
			for _, i := range images {
				d.checkLoaded(t, r, i.name, i.image, name == "new")
			}
		})
	}
}

// load is docker load.
func (d *dockerd) load(t *testing.T, path string) error {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	req, err := http.NewRequestWithContext(within(t), http.MethodPost, "http://docker/images/load?quiet=1", f)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-tar")
	res, err := d.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("dockerd: load: %s: %s", res.Status, bytes.TrimSpace(answer))
	}
	return progress(answer)
}

// checkLoaded is check for an image that no registry has named: docker knows a
// repository digest of it only if it keeps manifests. It is the small index's
// that stands for Docker's manifest.
func (d *dockerd) checkLoaded(t *testing.T, r *rig, name string, want hubtest.Image, keepsManifests bool) {
	t.Helper()
	var image struct {
		ID          string
		RepoTags    []string
		RepoDigests []string
		RootFS      struct{ Layers []digest.Digest }
	}
	if err := d.get(t, "/images/"+name+"/json", &image); err != nil {
		t.Error(err)
		return
	}
	familiar := strings.TrimPrefix(strings.TrimPrefix(name, "docker.io/"), "library/")
	if !slices.Contains(image.RepoTags, familiar) {
		t.Errorf("%s: tags %v", name, image.RepoTags)
	}
	child := own(want)
	if id := digest.FromBytes(child.Config).String(); !keepsManifests && image.ID != id {
		t.Errorf("%s: image id %s, want %s", name, image.ID, id)
	}
	repository, _ := splitTag(familiar)
	if at := repository + "@" + want.Digest().String(); keepsManifests && want.MediaType != hubtest.DockerManifest && !slices.Contains(image.RepoDigests, at) {
		t.Errorf("%s: repository digests %v, want %s", name, image.RepoDigests, at)
	}
	var diffs []digest.Digest
	for _, l := range child.Layers {
		diffs = append(diffs, l.DiffID)
	}
	if !slices.Equal(image.RootFS.Layers, diffs) {
		t.Errorf("%s: layers %v, want %v", name, image.RootFS.Layers, diffs)
	}
	saved, err := d.call(t, http.MethodGet, "/images/get?names="+name, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkSaved(t, saved, child)
	r.checkTaken(t, d.sandbox, saved, child)
}

// checkTaken imports what an engine saved, and expects that the image's config and layers come out of the cache again.
func (r *rig) checkTaken(t *testing.T, s *sandbox, saved []byte, want hubtest.Image) {
	t.Helper()
	path := s.file("taken.tar")
	if err := os.WriteFile(path, saved, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := runCommand(r.command("cache", "import", "--json", path))
	if err != nil {
		t.Errorf("import of what was saved: %v", err)
		return
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var last struct{ Result struct{ Images []string } }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(last.Result.Images) != 1 {
		t.Fatalf("import of what was saved: %v: %s", err, out)
	}
	back := r.export(t, s, last.Result.Images[0])
	body, err := os.ReadFile(back)
	if err != nil {
		t.Fatal(err)
	}
	checkConfig(t, body, want)
}

// checkConfig expects an image's config in an archive, and nothing in it that is not what its name says.
func checkConfig(t *testing.T, archive []byte, want hubtest.Image) {
	t.Helper()
	var image hubtest.Image // layers may be compressed otherwise by now
	image.Config = want.Config
	checkSaved(t, archive, image)
}

// TestBundleZstd: layers are as the registry has them, and Docker Engine 20.10
// does not know zstd.
func TestBundleZstd(t *testing.T) {
	plain := hubtest.RandomImage(21, 1, 1<<20).WithPlatform("linux/" + runtime.GOARCH)
	tar, err := io.ReadAll(io.NewSectionReader(busyboxLayer(), 0, busyboxLayer().Size()))
	if err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	packed := z.EncodeAll(tar, nil)
	image := plain
	image.Layers = []hubtest.Layer{{Content: hubtest.Bytes(packed), MediaType: ocispec.MediaTypeImageLayerZstd, Digest: digest.FromBytes(packed), DiffID: digest.FromBytes(tar)}}
	image.Config = hubtest.MarshalConfig(image.Platform, []digest.Digest{digest.FromBytes(tar)})
	image.Manifest = []byte(encode(t, ocispec.Manifest{
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(image.Config), Size: int64(len(image.Config))},
		Layers:    []ocispec.Descriptor{{MediaType: ocispec.MediaTypeImageLayerZstd, Digest: digest.FromBytes(packed), Size: int64(len(packed))}},
	}))
	image.Manifest = bytes.Replace(image.Manifest, []byte(`"schemaVersion":0`), []byte(`"schemaVersion":2`), 1)
	const name = "docker.io/library/packed:1"
	for engine, open := range map[string]func(*testing.T, *sandbox, wiring) session{"system": openSystemDockerd, "new": openNewDockerd} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			r, path := bundled(t, s, carried{name, image})
			d := open(t, s, wiring{}).(*dockerd)
			err := d.load(t, path)
			if old := strings.HasPrefix(d.version(t), "20.10."); old != (err != nil) {
				t.Fatalf("%s: %v", d.version(t), err)
			}
			if err != nil {
				d.sound(t, name)
				return
			}
			d.checkLoaded(t, r, name, image, true)
		})
	}
}

// TestBundlePodman: podman load takes a bundle of one image as it is, and of
// several by docker's list.
func TestBundlePodman(t *testing.T) {
	images := carriage(t)
	for _, some := range append([][]carried{images}, []carried{images[0]}, []carried{images[1]}, []carried{images[2]}, []carried{images[3]}) {
		s := newSandbox(t)
		p := openPodman(t, s, wiring{}).(*podman)
		r, path := bundled(t, s, some...)
		if _, err := p.run(t, "load", "--quiet", "--input", path); err != nil {
			t.Error(err)
			continue
		}
		for _, i := range some {
			p.checkLoaded(t, r, i.name, i.image, len(some) == 1)
		}
	}
}

func (p *podman) checkLoaded(t *testing.T, r *rig, name string, want hubtest.Image, keepsManifest bool) {
	t.Helper()
	child := own(want)
	out, err := p.run(t, "image", "inspect", "--format", "{{.Id}} {{.RepoDigests}}", name)
	if err != nil {
		t.Error(err)
		return
	}
	id, digests, _ := strings.Cut(strings.TrimSpace(out), " ")
	if id != digest.FromBytes(child.Config).Encoded() {
		t.Errorf("%s: image id %s, want %s", name, id, digest.FromBytes(child.Config))
	}
	if keepsManifest && !strings.Contains(digests, child.Digest().String()) {
		t.Errorf("%s: digests %s, want %s", name, digests, child.Digest())
	}
	for _, format := range []string{"docker-archive", "oci-archive"} {
		archive := p.sandbox.file("saved.tar")
		_ = os.Remove(archive) // podman does not overwrite
		if _, err := p.run(t, "save", "--quiet", "--format", format, "--output", archive, name); err != nil {
			t.Fatal(err)
		}
		saved, err := os.ReadFile(archive)
		if err != nil {
			t.Fatal(err)
		}
		if format == "docker-archive" {
			checkSaved(t, saved, child)
		}
		r.checkTaken(t, p.sandbox, saved, child)
	}
}

// TestBundleSkopeo: skopeo reads a bundle both ways, and its content is what it
// was.
func TestBundleSkopeo(t *testing.T) {
	images := carriage(t)
	s := newSandbox(t)
	k := openSkopeo(t, s, wiring{}).(*skopeo)
	r, path := bundled(t, s, images...)
	for _, i := range images {
		from := "oci-archive:" + path + ":" + i.name
		raw, err := k.run(t, "inspect", "--raw", from)
		if err != nil {
			t.Error(err)
			continue
		}
		if sum := digest.FromString(raw); i.image.MediaType != hubtest.DockerManifest && sum != i.image.Digest() {
			t.Errorf("%s: %s, want %s", i.name, sum, i.image.Digest())
		}
		if _, err := k.run(t, "copy", "--quiet", from, k.store(i.name)); err != nil {
			t.Error(err)
			continue
		}
		k.check(t, i.name, i.image)
		familiar := strings.TrimPrefix(strings.TrimPrefix(i.name, "docker.io/"), "library/")
		again := "oci:" + s.file("again")
		if _, err := k.run(t, "copy", "--quiet", "docker-archive:"+path+":"+familiar, again+":x"); err != nil {
			t.Error(err)
			continue
		}
		var m ocispec.Image
		config, err := k.run(t, "inspect", "--config", again+":x")
		if err != nil || json.Unmarshal([]byte(config), &m) != nil || len(m.RootFS.DiffIDs) != len(own(i.image).Layers) {
			t.Errorf("%s: %v: %s", i.name, err, config)
		}
		for n, l := range own(i.image).Layers {
			if len(m.RootFS.DiffIDs) > n && m.RootFS.DiffIDs[n] != l.DiffID {
				t.Errorf("%s: layer %d is %s, want %s", i.name, n, m.RootFS.DiffIDs[n], l.DiffID)
			}
		}
	}
	// One image needs no name.
	for _, i := range images {
		path := r.export(t, s, i.name)
		for _, transport := range []string{"oci-archive:", "docker-archive:"} {
			if _, err := k.run(t, "inspect", transport+path); err != nil {
				t.Errorf("%s: %v", i.name, err)
			}
		}
	}
}

// TestBundleContainerd: ctr image import takes a bundle, each image under its
// own name.
func TestBundleContainerd(t *testing.T) {
	for _, e := range engines {
		if !strings.HasPrefix(e.name, "containerd") {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			images := carriage(t)
			_, path := bundled(t, s, images...)
			c := e.open(t, s, wiring{mode: viaName}).(*containerd)
			args := []string{"images", "import"}
			if c.local {
				args = append(args, "--local")
			}
			if _, err := c.run(t, append(args, path)...); err != nil {
				t.Fatal(err)
			}
			for _, i := range images {
				if i.image.MediaType != hubtest.DockerManifest {
					c.check(t, i.name, i.image)
					continue
				}
				list, err := c.run(t, "images", "ls", "name=="+i.name)
				if err != nil || !strings.Contains(list, i.name) {
					t.Errorf("%v: %s", err, list)
				}
				checkBlobs(t, s.file(contentStore), append(i.image.Blobs(), i.image.Digest())...)
			}
		})
	}
}

// TestBundleLiveCache copies from the cache's own directory while other images
// come into it.
func TestBundleLiveCache(t *testing.T) {
	r := newRig(t, "1h")
	image := testImage(t)
	r.hub.Push("library/rootfs", "1", image)
	s := newSandbox(t)
	w := r.wiring(t, viaName)
	k := openSkopeo(t, s, w).(*skopeo)
	if err := k.pull(t, w.name("library/rootfs", "1"), nil); err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		r.hub.Push("library/other", fmt.Sprint(n), simple(uint64(100+n), 3<<20))
	}
	from := "oci:" + filepath.Join(r.home, "cache") + ":docker.io/library/rootfs:1"
	r.daemon.wait(t, func() error {
		_, err := k.run(t, "inspect", "--raw", from)
		return err
	})
	ctx, stop := context.WithCancel(t.Context())
	pulled := make(chan error, 1)
	go func() {
		var err error
		n := 0
		for ; err == nil && ctx.Err() == nil; n++ {
			dir := s.file(fmt.Sprint("other", n))
			_, err = runCommand(s.command(t.Context(), "skopeo", "copy", "--quiet", "--src-tls-verify=false", "docker://"+w.name("library/other", fmt.Sprint(n%20)), "dir:"+dir))
			_ = os.RemoveAll(dir)
		}
		if err == nil && n < 3 {
			err = fmt.Errorf("only %d pulls meanwhile", n)
		}
		pulled <- err
	}()
	for range 10 {
		_ = os.RemoveAll(strings.TrimPrefix(k.store("live/rootfs:1"), "dir:"))
		if _, err := k.run(t, "copy", "--quiet", from, k.store("live/rootfs:1")); err != nil {
			t.Error(err)
			break
		}
		k.check(t, "live/rootfs:1", image)
	}
	stop()
	if err := <-pulled; err != nil {
		t.Error(err)
	}
}
