//go:build e2e

package e2e

import (
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pulley/internal/hubtest"
)

// TestConnectContainerd: `pulley connect containerd` on a real one, old and new, with settings of somebody's: pulls go
// through Pulley, with Pulley gone to the origin, and after `pulley disconnect` every file is as it was.
func TestConnectContainerd(t *testing.T) {
	for _, e := range []struct{ name, dir, version string }{
		{"containerd (system)", "/usr/bin:/usr/sbin:/sbin:/bin", "1."},
		{"containerd (new)", "", "2."},
	} {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			if e.dir != "" {
				s.path(e.dir)
			}
			connectContainerd(t, s, e.version)
		})
	}
}

// containerdSettings is a config.toml with what a person might have in it. The Kubernetes interface is there and knows no
// hosts.toml yet.
const containerdSettings = `# ours: ask ops before you change this
version = 2
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing", "io.containerd.nri.v1.nri"]

[plugins."io.containerd.grpc.v1.cri"] # kubernetes
  sandbox_image = "registry.k8s.io/pause:3.9"
`

func connectContainerd(t *testing.T, s *sandbox, version string) {
	t.Helper()
	r := newRig(t, "1ms")
	images := r.stock(t, "through", "fallback", "again", "without")
	r.origin(t, s)
	s.etc(t, "containerd/config.toml", containerdSettings)
	s.etc(t, "containerd/certs.d/quay.io/hosts.toml", "# somebody's\nserver = \"https://quay.io\"\n\n[host.\"https://quay.corp\"] # first\n  skip_verify = true\n")
	s.etc(t, "containerd/certs.d/docker.io/hosts.toml", "server = \"https://registry-1.docker.io\"")

	c := startContainerd(t, s) // which makes folders of its own in /etc
	before := takeSnapshot(t, s.file("etc"), s.file("home"))
	if got := c.version(t); !strings.HasPrefix(strings.TrimPrefix(got, "v"), version) {
		t.Fatalf("this is containerd %s, want %s", got, version)
	}
	dry := r.pulleyIn(t, c.inside, "connect", "containerd", "--dry-run")
	if !strings.Contains(dry, "hosts.toml") || !strings.Contains(dry, "+[host.\"http://"+r.addr+"\"]") {
		t.Errorf("the dry run does not show what would be done:\n%s", dry)
	}
	before.same(t, takeSnapshot(t, s.file("etc"), s.file("home")))

	t.Log(r.pulleyIn(t, c.inside, "connect", "containerd", "--yes"))
	changed := before.changed(takeSnapshot(t, s.file("etc")))
	for _, want := range []string{"docker.io/hosts.toml", "ghcr.io/hosts.toml", "quay.io/hosts.toml"} {
		if !slices.ContainsFunc(changed, func(name string) bool { return strings.HasSuffix(name, want) }) {
			t.Errorf("%s is not among what was changed: %v", want, changed)
		}
	}
	wired := slices.Contains(changed, s.file("etc/containerd/config.toml"))
	if wired != strings.HasPrefix(version, "1.") {
		t.Errorf("config.toml was changed: %t", wired)
	}
	c.stop() // what was changed has to let it start
	c = startContainerd(t, s)
	if out, err := c.run(t, "plugins", "ls", "id==cri"); err != nil || version == "1." && !strings.Contains(out, " ok") {
		t.Errorf("its Kubernetes interface: %v\n%s", err, out)
	}

	c.pullWired(t, "through", images)
	r.went(t, "through", true)
	r.daemon.stop()
	c.pullWired(t, "fallback", images)
	r.up(t)
	r.went(t, "fallback", false)
	c.pullWired(t, "again", images)
	r.went(t, "again", true)

	t.Log(r.pulleyIn(t, c.inside, "disconnect", "containerd", "--yes"))
	before.same(t, takeSnapshot(t, s.file("etc"), s.file("home")))
	c.pullWired(t, "without", images)
	r.went(t, "without", false)
}

// wiredContainerd is a containerd at its usual place.
type wiredContainerd struct {
	containerd
	process *process
}

func startContainerd(t *testing.T, s *sandbox) *wiredContainerd {
	t.Helper()
	c := &wiredContainerd{containerd: containerd{sandbox: s, ctr: "ctr", socket: "/run/containerd/containerd.sock", hosts: "/etc/containerd/certs.d"}}
	c.process = startProcess(t, "containerd", s.command(context.Background(), "containerd",
		"--root", s.file("data"), "--state", s.file("state")))
	c.process.wait(t, func() error {
		_, err := c.run(t, "version")
		return err
	})
	return c
}

func (c *wiredContainerd) stop() { c.process.stop() }

// inside runs a program where containerd runs, so that both see the same /run and /etc.
func (c *wiredContainerd) inside(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := c.sandbox.command(within(t))
	cmd.Path, cmd.SysProcAttr.Cloneflags = "/usr/bin/nsenter", 0
	cmd.Args = append([]string{"nsenter", "--mount", "--pid", "--target", strconv.Itoa(c.process.cmd.Process.Pid), "--"}, args...)
	return runCommand(cmd)
}

func (c *wiredContainerd) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return c.inside(t, append([]string{c.ctr, "--address", c.socket}, args...)...)
}

func (c *wiredContainerd) version(t *testing.T) string {
	t.Helper()
	out, err := c.run(t, "version")
	if err != nil {
		t.Fatal(err)
	}
	_, server, _ := strings.Cut(out, "Server:")
	_, version, _ := strings.Cut(server, "Version:")
	return strings.Fields(version)[0]
}

// pullWired pulls one of the rig's images as everybody does, and compares what is there afterwards.
func (c *wiredContainerd) pullWired(t *testing.T, name string, images map[string]hubtest.Image) {
	t.Helper()
	if _, err := c.run(t, "images", "pull", "--hosts-dir", c.hosts, "docker.io/library/"+name+":1"); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	want := images[name]
	checkBlobs(t, filepath.Join(c.sandbox.dir, contentStore), append(want.Blobs(), want.Digest())...)
}
