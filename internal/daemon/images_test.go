package daemon_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/internal/hubtest"
)

func anImage(seed uint64, layer int64) hubtest.Image {
	return hubtest.MultiArch(map[string]hubtest.Image{"linux/amd64": hubtest.RandomImage(seed, 1, layer)})
}

func ask(image string) control.Pull {
	return control.Pull{Images: []control.PullImage{{Image: image, Platforms: []string{"linux/amd64"}}}}
}

func ignore(control.Pulling) {}

// The state counts images as they are now.
func TestStateCountsImages(t *testing.T) {
	r := start(t, nil)
	image := anImage(1, 100<<10)
	r.hub.Push("library/app", "1", image)
	r.hub.Push("library/app", "2", image)
	r.until(t, "at first", func(s control.State) bool { return s.Cache.Images == 0 && s.Cache.Free > 0 })
	for _, name := range []string{"app:1", r.Address() + "/library/app:2"} {
		pulled, err := r.Pull(t.Context(), ask(name), ignore)
		if err != nil || pulled.Images[0].Error != "" || pulled.Images[0].Digest != image.Digest().String() {
			t.Fatalf("%s: %+v, %v", name, pulled, err)
		}
	}
	r.until(t, "one image under two tags", func(s control.State) bool { return s.Cache.Images == 1 && s.Cache.Pinned == 0 })
	if i, err := r.PinImage("127.0.0.1"+r.Address()[strings.LastIndex(r.Address(), ":"):]+"/docker.io/library/app:1", true); err != nil || !i.Pinned || len(i.Tags) != 2 {
		t.Errorf("PinImage: %+v, %v", i, err)
	}
	r.until(t, "pinned", func(s control.State) bool { return s.Cache.Pinned == 1 && s.Cache.PinnedSize >= 100<<10 })
	layer := image.Children[0].Layers[0]
	r.get(t, "/v2/library/app/manifests/1")
	r.get(t, "/v2/library/app/blobs/"+layer.Digest.String())
	r.until(t, "served", func(s control.State) bool { return s.Cache.Saved >= layer.Content.Size() })
	for _, tag := range []string{"1", "2"} {
		if _, err := r.RemoveImage("app:" + tag); err != nil {
			t.Error(err)
		}
	}
	r.until(t, "at last", func(s control.State) bool { return s.Cache.Images == 0 && s.Cache.Pinned == 0 && s.Cache.Saved == 0 })
}

// Whoever stops a pull stops it at once, and the next one goes on.
func TestPullThatIsStopped(t *testing.T) {
	r := start(t, nil)
	image := anImage(2, 3<<20)
	r.hub.Push("library/app", "1", image)
	layer := image.Children[0].Layers[0]
	r.hub.SetFaults(hubtest.Faults{Digest: layer.Digest, Stall: hubtest.At(2 << 20)})
	ctx, stop := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	_, err := r.Pull(ctx, ask("app:1"), func(p control.Pulling) {
		if p.What == "layer" && p.Have >= 1<<20 {
			stop(gone)
		}
	})
	if !errors.Is(err, gone) {
		t.Errorf("stopped: %v", err)
	}
	r.hub.SetFaults()
	pulled, err := r.Pull(t.Context(), ask("app:1"), ignore)
	if err != nil || pulled.Images[0].Error != "" {
		t.Errorf("again: %+v, %v", pulled, err)
	}
	if i, err := r.Images(); err != nil || len(i) != 1 || !i[0].Complete {
		t.Errorf("%+v, %v", i, err)
	}
}

// Without a cache there is nothing to pull into, and that is what is said.
func TestPullWithoutACache(t *testing.T) {
	r := start(t, func(p config.Places) {
		if err := os.WriteFile(p.CacheDir, []byte("a file where a folder should be"), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := r.Pull(t.Context(), ask("app:1"), ignore); err == nil || !strings.Contains(err.Error(), r.places.CacheDir) {
		t.Errorf("%v", err)
	}
	if _, err := r.PinImage("app:1", true); err == nil || !strings.Contains(err.Error(), r.places.CacheDir) {
		t.Errorf("%v", err)
	}
	if _, err := r.GC(t.Context(), control.GC{}); err == nil {
		t.Error("nothing to make room in, and no error")
	}
}
