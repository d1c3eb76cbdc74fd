//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/internal/hubtest"
)

// containerd is driven by ctr. In 1.6, and with --local in 2.x, ctr itself talks to registries; otherwise the daemon does
// (the transfer service), with the daemon's environment.
type containerd struct {
	sandbox *sandbox
	ctr     string
	socket  string
	hosts   string // directory of hosts.toml files
	local   bool   // --local
	config  string // further lines of config.toml
}

func openSystemContainerd(t *testing.T, s *sandbox, w wiring) session {
	t.Helper()
	s.path("/usr/sbin:/usr/bin:/sbin:/bin")
	return openContainerd(t, s, w, "containerd", containerd{ctr: "ctr"})
}

func openNewContainerd(t *testing.T, s *sandbox, w wiring) session {
	t.Helper()
	return openContainerd(t, s, w, engineDir+"/containerd", containerd{ctr: engineDir + "/ctr", local: true})
}

func openTransferContainerd(t *testing.T, s *sandbox, w wiring) session {
	t.Helper()
	return openContainerd(t, s, w, engineDir+"/containerd", containerd{ctr: engineDir + "/ctr"})
}

// openParallelContainerd fetches each layer in chunks of 512 KiB, eight at a time, as containerd does since 2.1 when told
// to (docs/transfer.md there). ctr --local has no flag for it, and neither has dockerd.
func openParallelContainerd(t *testing.T, s *sandbox, w wiring) session {
	t.Helper()
	return openContainerd(t, s, w, engineDir+"/containerd", containerd{ctr: engineDir + "/ctr", config: `
[plugins."io.containerd.transfer.v1.local"]
  max_concurrent_downloads = 8
  concurrent_layer_fetch_buffer = 524288
  config_path = "/etc/containerd/certs.d"
`})
}

func openContainerd(t *testing.T, s *sandbox, w wiring, program string, c containerd) session {
	t.Helper()
	c.sandbox, c.socket, c.hosts = s, s.file("c.sock"), s.file("etc/containerd/certs.d")
	if proxy := w.proxyURL(); proxy != "" {
		s.proxy(proxy)
	}
	switch w.mode {
	case viaHTTP, viaSOCKS:
		// 1.6 reads `ca` inside [host."https://…"]. The server is asked next if that one refuses, and needs it as well.
		s.etc(t, "containerd/pulley.crt", string(w.ca))
		s.etc(t, "containerd/certs.d/docker.io/hosts.toml", `server = "https://registry-1.docker.io"
ca = "/etc/containerd/pulley.crt"
[host."https://registry-1.docker.io"]
  capabilities = ["pull", "resolve", "push"]
  ca = "/etc/containerd/pulley.crt"
`)
	case viaMirror:
		s.etc(t, "containerd/certs.d/docker.io/hosts.toml", fmt.Sprintf(`server = "https://registry-1.docker.io"
[host."http://%s"]
  capabilities = ["pull", "resolve"]
`, w.addr))
	default:
		s.etc(t, "containerd/certs.d/.keep", "")
	}
	// The Kubernetes interface and snapshotters that need other file systems are not wanted here.
	s.etc(t, "containerd/config.toml", `version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing"]
`+c.config)
	p := startProcess(t, "containerd", s.command(context.Background(), program, "--config", "/etc/containerd/config.toml",
		"--root", s.file("data"), "--state", s.file("state"), "--address", c.socket))
	p.wait(t, func() error {
		_, err := c.run(t, "version")
		return err
	})
	return &c
}

func (c *containerd) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return c.sandbox.run(t, append([]string{c.ctr, "--address", c.socket}, args...)...)
}

// images runs ctr images COMMAND with the flags of this engine.
func (c *containerd) images(t *testing.T, command string, who *login, args ...string) error {
	t.Helper()
	all := []string{"images", command, "--hosts-dir", c.hosts}
	if c.local {
		all = append(all, "--local")
	}
	if who != nil {
		all = append(all, "--user", who.user+":"+who.password)
	}
	_, err := c.run(t, append(all, args...)...)
	return err
}

func (c *containerd) version(t *testing.T) string {
	t.Helper()
	out, err := c.run(t, "version")
	if err != nil {
		t.Fatal(err)
	}
	_, server, _ := strings.Cut(out, "Server:")
	_, version, _ := strings.Cut(server, "Version:")
	version, _, _ = strings.Cut(strings.TrimSpace(version), "\n")
	return strings.TrimSpace(version)
}

func (c *containerd) pull(t *testing.T, name string, who *login) error {
	t.Helper()
	return c.images(t, "pull", who, name)
}

func (c *containerd) push(t *testing.T, from, to string, who *login) error {
	t.Helper()
	if _, err := c.run(t, "images", "tag", "--force", from, to); err != nil {
		return err
	}
	return c.images(t, "push", who, to)
}

// check reads the content store on disk: it is a directory of blobs by digest.
func (c *containerd) check(t *testing.T, name string, want hubtest.Image) {
	t.Helper()
	list, err := c.run(t, "images", "ls", "name=="+name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(list, want.Digest().String()) {
		t.Errorf("%s is not %s:\n%s", name, want.Digest(), list)
	}
	checkBlobs(t, c.sandbox.file(contentStore), append(own(want).Blobs(), own(want).Digest())...)
}

// contentStore is below containerd's root.
const contentStore = "data/io.containerd.content.v1.content/blobs/sha256"

func (c *containerd) sound(t *testing.T, failed string) {
	t.Helper()
	list, err := c.run(t, "images", "ls", "-q", "name=="+failed)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(list, failed) {
		t.Errorf("%s is there although its pull failed", failed)
	}
	checkFolder(t, c.sandbox.file(contentStore))
}

// checkFolder expects every file of a folder to hash to its name. Files that cannot be blobs are not looked at.
func checkFolder(t *testing.T, dir string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for _, entry := range list {
		if d := digest.NewDigestFromEncoded(digest.SHA256, entry.Name()); d.Validate() == nil {
			checkBlobs(t, dir, d)
		}
	}
}

// checkBlobs expects blobs as files named by their digests, each hashing to its name.
func checkBlobs(t *testing.T, dir string, blobs ...digest.Digest) {
	t.Helper()
	for _, d := range blobs {
		body, err := os.ReadFile(filepath.Join(dir, d.Encoded()))
		if err != nil {
			t.Error(err)
			continue
		}
		if sum := digest.FromBytes(body); sum != d {
			t.Errorf("blob %s hashes to %s", d, sum)
		}
	}
}
