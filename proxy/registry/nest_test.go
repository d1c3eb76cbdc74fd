package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache"
	"pulley/internal/hubtest"
	"pulley/proxy/registry"
)

// laughs is an index of indexes of indexes, each of which lists the next one many
// times: few bytes that stand for many images.
func laughs(img hubtest.Image, deep, many int) hubtest.Image {
	for range deep {
		idx := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
		for range many {
			idx.Manifests = append(idx.Manifests, ocispec.Descriptor{MediaType: img.MediaType, Digest: img.Digest(), Size: int64(len(img.Manifest))})
		}
		body, err := json.Marshal(idx)
		if err != nil {
			panic(err) // plain structs
		}
		img = hubtest.Image{MediaType: ocispec.MediaTypeImageIndex, Manifest: body, Children: []hubtest.Image{img}}
	}
	return img
}

// A registry that publishes indexes that multiply keeps nobody busy: each of them is
// fetched and looked at once, in a pull of all platforms and when a blob is healed.
func TestIndexesThatMultiply(t *testing.T) {
	r := newRoom(t, nil)
	img := hubtest.RandomImage(1, 2, 1000)
	r.hub.Push("library/a", "1", laughs(img, 3, 2000))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, err := r.handler.Pull(ctx, registry.Pull{Image: r.image("a:1"), All: true}, nil)
	if err != nil || got.Blobs != 4+3 { // three indexes, a manifest, a config and two layers
		t.Errorf("%+v, %v", got, err)
	}
	if n := r.hub.Count("GET", "/v2/**/manifests/*"); n > 5 {
		t.Errorf("%d manifests were fetched", n)
	}
	done := make(chan error, 1)
	go func() {
		done <- r.handler.Fetch(ctx, cache.Name{Registry: "docker.io", Repository: "library/a"}, digest.FromString("none of it"), nil)
	}()
	var told *registry.PullError
	select {
	case err := <-done:
		if !errors.As(err, &told) {
			t.Errorf("%v", err)
		}
	case <-ctx.Done():
		t.Fatal("it does not end")
	}
}
