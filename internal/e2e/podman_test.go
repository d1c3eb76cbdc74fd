//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/internal/hubtest"
)

// podman has no daemon: each command runs in the sandbox, on the sandbox's storage.
type podman struct {
	sandbox *sandbox
	mode    mode
}

func openPodman(t *testing.T, s *sandbox, w wiring) session {
	t.Helper()
	wireContainers(t, s, w)
	return &podman{s, w.mode}
}

// wireContainers is what podman and skopeo share: the environment's proxy, and the files of containers/image.
func wireContainers(t *testing.T, s *sandbox, w wiring) {
	t.Helper()
	if proxy := w.proxyURL(); proxy != "" {
		s.proxy(proxy)
	}
	switch w.mode {
	case viaHTTP:
		s.trust(t, w.ca)
	case viaSOCKS:
		s.etc(t, "containers/certs.d/docker.io/pulley.crt", string(w.ca))
		s.etc(t, "containers/certs.d/registry-1.docker.io/pulley.crt", string(w.ca))
	case viaMirror:
		s.etc(t, "containers/registries.conf", fmt.Sprintf(`unqualified-search-registries = ["docker.io"]
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "%s"
insecure = true
`, w.addr))
	default:
	}
}

// insecure is the flag that makes a client accept plain HTTP, needed where the name is our own address.
func insecure(m mode, flag string) []string {
	if m == viaName {
		return []string{flag}
	}
	return nil
}

func (p *podman) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	all := []string{"podman", "--root", p.sandbox.file("data"), "--runroot", p.sandbox.file("state"), "--cgroup-manager", "cgroupfs", "--events-backend", "none"}
	return p.sandbox.run(t, append(all, args...)...)
}

func (p *podman) version(t *testing.T) string {
	t.Helper()
	out, err := p.run(t, "--version")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(strings.TrimSpace(out), "podman version ")
}

func (p *podman) pull(t *testing.T, name string, who *login) error {
	t.Helper()
	return p.transfer(t, "pull", who, name)
}

func (p *podman) push(t *testing.T, from, to string, who *login) error {
	t.Helper()
	return p.transfer(t, "push", who, from, to)
}

func (p *podman) transfer(t *testing.T, command string, who *login, names ...string) error {
	t.Helper()
	args := append([]string{command, "--quiet"}, insecure(p.mode, "--tls-verify=false")...)
	if who != nil {
		args = append(args, "--creds", who.user+":"+who.password)
	}
	_, err := p.run(t, append(args, names...)...)
	return err
}

func (p *podman) check(t *testing.T, name string, want hubtest.Image) {
	t.Helper()
	out, err := p.run(t, "image", "inspect", name)
	if err != nil {
		t.Fatal(err)
	}
	var images []struct {
		ID          string `json:"Id"`
		RepoDigests []string
	}
	if err := json.Unmarshal([]byte(out), &images); err != nil || len(images) != 1 {
		t.Fatalf("podman image inspect: %v: %s", err, out)
	}
	child := own(want)
	if id := digest.FromBytes(child.Config).Encoded(); images[0].ID != id {
		t.Errorf("image id %s, want %s", images[0].ID, id)
	}
	if all := strings.Join(images[0].RepoDigests, " "); !strings.Contains(all, want.Digest().String()) {
		t.Errorf("repository digests %s, want %s", all, want.Digest())
	}
	archive := p.sandbox.file("saved.tar")
	_ = os.Remove(archive) // podman does not overwrite
	if _, err := p.run(t, "save", "--quiet", "--format", "docker-archive", "--output", archive, name); err != nil {
		t.Fatal(err)
	}
	saved, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	checkSaved(t, saved, child)
}

func (p *podman) sound(t *testing.T, failed string) {
	t.Helper()
	out, err := p.run(t, "images", "--quiet", "--filter", "reference="+failed)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(out) != "" {
		t.Errorf("%s is there although its pull failed", failed)
	}
}
