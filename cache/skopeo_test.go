//go:build e2e

package cache_test

import (
	"os/exec"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// TestSkopeoReadsTheCache runs the real skopeo on a cache in use, with images of
// both formats, several registries, an index with one platform there, and a
// download in flight.
func TestSkopeoReadsTheCache(t *testing.T) {
	c := open(t, cache.Options{})
	docker := randomImage(t)
	oci := mutate.ConfigMediaType(mutate.MediaType(randomImage(t), types.OCIManifestSchema1), types.OCIConfigJSON)
	setTag(t, c, debian, "docker", putImage(t, c, docker, false))
	setTag(t, c, cache.Name{Registry: "localhost:5000", Repository: "a/b"}, "oci", putImage(t, c, oci, false))
	setTag(t, c, debian, "latest", putManifest(t, c, multiArch(t, docker, randomImage(t), randomImage(t))))
	loose := putImage(t, c, randomImage(t), false)
	if err := c.Link(debian, loose, ""); err != nil {
		t.Fatal(err)
	}
	f := join(t, c, digest.FromString("in flight"))
	reader(t, f, 0, -1, true)
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"docker.io/library/debian:docker", "localhost:5000/a/b:oci", "docker.io/library/debian:latest", "docker.io/library/debian@" + string(loose)} {
		ref := "oci:" + c.Dir() + ":" + name
		for _, args := range [][]string{{"inspect", ref}, {"inspect", "--raw", ref}, {"copy", ref, "dir:" + t.TempDir()}, {"copy", ref, "oci:" + t.TempDir() + ":x"}} {
			if out, err := exec.CommandContext(t.Context(), "skopeo", append([]string{"--override-arch", "amd64", "--override-os", "linux"}, args...)...).CombinedOutput(); err != nil {
				t.Errorf("skopeo %q: %v\n%s", args, err, out)
			}
		}
	}
	f.Fail(nil)
}
