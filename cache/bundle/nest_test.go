package bundle_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache"
	"pulley/cache/bundle"
	"pulley/internal/hubtest"
)

// laughs are indexes, each of which lists the next one many times: few bytes that
// stand for many^deep images. The last one lists leaf.
func laughs(leaf ocispec.Descriptor, deep, many int) (bodies [][]byte, top ocispec.Descriptor) {
	for range deep {
		idx := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
		for range many {
			idx.Manifests = append(idx.Manifests, leaf)
		}
		body, err := json.Marshal(idx)
		if err != nil {
			panic(err) // plain structs
		}
		bodies = append(bodies, body)
		leaf = ocispec.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: digest.FromBytes(body), Size: int64(len(body))}
	}
	return bodies, leaf
}

// soon runs f, which must come to an end by itself.
func soon(t *testing.T, what string, f func(context.Context)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		t.Fatal(what + " does not end")
	}
}

// A few hundred kilobytes of indexes within indexes, each naming the next a thousand
// times, are looked at once each: taken in, shown, planned and written.
func TestIndexesThatMultiply(t *testing.T) {
	for name, on := range map[string]string{"for this platform": here, "for no platform": ""} {
		img := small(1, here)
		leaf := ocispec.Descriptor{MediaType: img.MediaType, Digest: img.Digest(), Size: int64(len(img.Manifest))}
		if on == "" { // nothing of it can be had: every path is tried
			leaf.Digest = digest.FromString("nothing")
		} else {
			p := platform(on)
			leaf.Platform = &p
		}
		bodies, top := laughs(leaf, 4, 1000)
		all := files{{name: "oci-layout", body: []byte(`{"imageLayoutVersion":"1.0.0"}`)}}
		top.Annotations = map[string]string{ocispec.AnnotationRefName: "docker.io/library/debian:laughs"}
		all = append(all, file{name: "index.json", body: encode(t, ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: []ocispec.Descriptor{top}})})
		for i := len(bodies) - 1; i >= 0; i-- {
			all = append(all, file{name: "blobs/sha256/" + digest.FromBytes(bodies[i]).Encoded(), body: bodies[i]})
		}
		if on != "" {
			for _, b := range append([][]byte{img.Manifest, img.Config}, layersOf(t, img)...) {
				all = append(all, file{name: "blobs/sha256/" + digest.FromBytes(b).Encoded(), body: b})
			}
		}
		c := open(t)
		soon(t, "import "+name, func(ctx context.Context) {
			list, err := bundle.Import(ctx, bytes.NewReader(all.tar(t)), c, nil)
			var bad *bundle.InvalidError
			if on != "" && (err != nil || len(list) != 1) || on == "" && !errors.As(err, &bad) {
				t.Errorf("%s: %v %v", name, list, err)
			}
		})
		if on == "" {
			continue
		}
		n := cache.Name{Registry: "docker.io", Repository: "library/debian"}
		soon(t, "images "+name, func(context.Context) {
			if images, err := c.Images(); err != nil || len(images) != 1 {
				t.Errorf("%v %v", images, err)
			}
		})
		image := cache.Image{Name: n, Digest: top.Digest, MediaType: top.MediaType, Tags: []string{"laughs"}}
		soon(t, "export "+name, func(ctx context.Context) {
			for _, o := range []bundle.Options{{}, {All: true}} {
				_ = bundle.Missing(c, []cache.Image{image}, o)
				b, err := bundle.New(c, []cache.Image{image}, o)
				if err != nil {
					t.Log(err) // an index within an index says no platform: that it is refused is as good
					continue
				}
				var buf bytes.Buffer
				if err := b.Write(ctx, &buf); err != nil || buf.Len() > 4<<20 {
					t.Errorf("%v: %d bytes", err, buf.Len())
				}
				b.Close()
			}
		})
	}
}

func layersOf(t *testing.T, img hubtest.Image) (out [][]byte) {
	for _, l := range img.Layers {
		out = append(out, bytesOf(t, l.Content))
	}
	return out
}
