//go:build e2e

package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/internal/hubtest"
)

// skopeo copies from a registry into a directory and back; the directory is its store.
type skopeo struct {
	sandbox *sandbox
	mode    mode
}

func openSkopeo(t *testing.T, s *sandbox, w wiring) session {
	t.Helper()
	wireContainers(t, s, w)
	return &skopeo{s, w.mode}
}

func (k *skopeo) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return k.sandbox.run(t, append([]string{"skopeo"}, args...)...)
}

func (k *skopeo) version(t *testing.T) string {
	t.Helper()
	out, err := k.run(t, "--version")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(strings.TrimSpace(out), "skopeo version ")
}

// store is where skopeo keeps what it pulled under a name.
func (k *skopeo) store(name string) string {
	return "dir:" + k.sandbox.file(strings.NewReplacer("/", "_", ":", "_").Replace(name))
}

func (k *skopeo) pull(t *testing.T, name string, who *login) error {
	t.Helper()
	args := append([]string{"copy", "--quiet"}, insecure(k.mode, "--src-tls-verify=false")...)
	if who != nil {
		args = append(args, "--src-creds", who.user+":"+who.password)
	}
	_, err := k.run(t, append(args, "docker://"+name, k.store(name))...)
	return err
}

func (k *skopeo) push(t *testing.T, from, to string, who *login) error {
	t.Helper()
	args := append([]string{"copy", "--quiet"}, insecure(k.mode, "--dest-tls-verify=false")...)
	if who != nil {
		args = append(args, "--dest-creds", who.user+":"+who.password)
	}
	_, err := k.run(t, append(args, k.store(from), "docker://"+to)...)
	return err
}

// check reads the directory: the manifest as it was served, and a file for each blob.
func (k *skopeo) check(t *testing.T, name string, want hubtest.Image) {
	t.Helper()
	dir := strings.TrimPrefix(k.store(name), "dir:")
	child := own(want)
	manifest, err := os.ReadFile(dir + "/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	if sum := digest.FromBytes(manifest); sum != child.Digest() {
		t.Errorf("manifest %s, want %s", sum, child.Digest())
	}
	checkBlobs(t, dir, child.Blobs()...)
}

func (k *skopeo) sound(t *testing.T, failed string) {
	t.Helper()
	dir := strings.TrimPrefix(k.store(failed), "dir:")
	if _, err := os.Stat(dir + "/manifest.json"); err == nil {
		t.Errorf("%s has a manifest although its copying failed", failed)
	}
	checkFolder(t, dir)
}
