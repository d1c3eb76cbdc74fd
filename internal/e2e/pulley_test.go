//go:build e2e

package e2e

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"pulley/internal/hubtest"
)

// rig is a test Hub with a Pulley in front of it, both fresh. Pulley reaches the Hub by the names of the real one.
type rig struct {
	hub     *hubtest.Hub
	mirrors []*hubtest.Hub // m1, m2 …
	addr    string         // host:port of Pulley's port
	home    string
	daemon  *process
}

// alice may log in at every test Hub.
var alice = &login{"alice", "open sesame"}

// settings is what a rig's config.toml says besides where things are.
type settings struct {
	tagTTL  string          // how long Pulley believes a tag
	fetch   string          // further lines of [fetch]
	route   string          // Docker Hub's; "" is auto
	mirrors []hubtest.Style // those that are switched on: m1, m2 …
}

// newRig starts both, with nothing particular. tagTTL is how long Pulley believes a tag.
func newRig(t *testing.T, tagTTL string) *rig {
	t.Helper()
	return newRigWith(t, settings{tagTTL: tagTTL})
}

// newRigWith starts a Hub, its mirrors and a Pulley.
func newRigWith(t *testing.T, s settings) *rig {
	t.Helper()
	r := &rig{hub: &hubtest.Hub{Users: map[string]string{alice.user: alice.password}}}
	if err := r.hub.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.hub.Close)
	for _, style := range s.mirrors {
		r.mirrors = append(r.mirrors, hubtest.MirrorOf(t, r.hub, style))
	}
	dir, err := os.MkdirTemp("/tmp", "e2ep")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r.home = dir
	if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte(r.config(s)), 0o600); err != nil {
		t.Fatal(err)
	}
	r.up(t)
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := runCommand(r.command("log", "--lines", "40"))
			t.Logf("pulley log:\n%s", out)
		}
	})
	return r
}

// config is a config.toml.
func (r *rig) config(s settings) string {
	var text strings.Builder
	fmt.Fprintf(&text, "listen = \"127.0.0.1:0\"\n[cache]\ntag_ttl = %q\n", s.tagTTL)
	fmt.Fprintf(&text, "[fetch]\nextra_roots = [%q]\n%s\n", r.hub.RootsFile(), s.fetch)
	fmt.Fprintf(&text, "[[registry]]\nname = \"docker.io\"\nroute = %q\n", cmp.Or(s.route, "auto"))
	for i, style := range s.mirrors {
		fmt.Fprintf(&text, "[[registry.mirror]]\nname = \"m%d\"\nurl = \"https://%s\"\nstyle = %q\nenabled = true\n",
			i+1, r.mirrors[i].Hosts()[0], style)
	}
	for _, h := range append([]*hubtest.Hub{r.hub}, r.mirrors...) {
		for _, host := range h.Hosts() {
			fmt.Fprintf(&text, "[[address]]\nhost = %q\nuse = [%q]\n", host, h.Addr())
		}
	}
	return text.String()
}

// command runs pulley in a clean environment: no proxy and no certificates of this machine's.
func (r *rig) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), pulleyBin, args...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + r.home, "PULLEY_HOME=" + r.home}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

var hostPort = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)

// up starts the daemon, where it was before if it was, and reads its address from the ready line.
func (r *rig) up(t *testing.T) {
	t.Helper()
	r.upWith(t)
}

// upWith is up with further arguments.
func (r *rig) upWith(t *testing.T, args ...string) {
	t.Helper()
	args = append([]string{"up"}, args...)
	if r.addr != "" {
		args = append(args, "--listen", r.addr)
	}
	cmd := r.command(args...)
	stdout, feed := io.Pipe()
	cmd.Stdout = feed
	r.daemon = startProcess(t, "pulley", cmd)
	lines := make(chan string, 1)
	go func() {
		in := bufio.NewScanner(stdout)
		for in.Scan() {
			if line := in.Text(); strings.HasPrefix(line, "ready ") {
				lines <- line
				break
			}
		}
		_, _ = io.Copy(io.Discard, stdout)
	}()
	t.Cleanup(func() { feed.Close() })
	select {
	case line := <-lines:
		r.addr = hostPort.FindString(line)
	case <-r.daemon.done:
		t.Fatalf("pulley ended before it was ready: %v", r.daemon.err)
	case <-within(t).Done():
		t.Fatal("pulley is not ready")
	}
	if r.addr == "" {
		t.Fatal("the ready line has no address")
	}
}

// kill ends the daemon as a power cut would.
func (r *rig) kill(t *testing.T) {
	t.Helper()
	if err := r.daemon.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-r.daemon.done
}

// wiring is what an engine needs to know to be in a mode.
func (r *rig) wiring(t *testing.T, m mode) wiring {
	t.Helper()
	ca, err := runCommand(r.command("ca", "export"))
	if err != nil {
		t.Fatal(err)
	}
	return wiring{mode: m, addr: r.addr, ca: []byte(ca)}
}

// open starts an engine in a fresh sandbox, so with an empty store.
func (r *rig) open(t *testing.T, e engine, m mode) session {
	t.Helper()
	return e.open(t, newSandbox(t), r.wiring(t, m))
}

// pullNew pulls an image that nobody has asked for, which must go well.
func (r *rig) pullNew(t *testing.T, s session, w wiring, repository string, image hubtest.Image) {
	t.Helper()
	r.hub.Push(repository, "1", image)
	name := w.name(repository, "1")
	if err := s.pull(t, name, nil); err != nil {
		t.Fatalf("%s: %v", repository, err)
	}
	s.check(t, name, image)
}

// blobRequests lists what upstream was asked for of blobs since the record was last reset.
func (r *rig) blobRequests() []string {
	var all []string
	for _, q := range r.hub.Requests() {
		if strings.Contains(q.Path, "/blobs/") && q.Method == http.MethodGet {
			all = append(all, fmt.Sprintf("%s %s%s range=%q %d (%d bytes)", q.Method, q.Host, q.Path, q.Range, q.Status, q.Sent))
		}
	}
	return all
}

// once checks that upstream sent each of an image's blobs exactly once, and the CDN never saw credentials.
func (r *rig) once(t *testing.T, image hubtest.Image) {
	t.Helper()
	sizes := map[string]int64{}
	for _, l := range image.Layers {
		sizes[l.Digest.String()] = l.Content.Size()
	}
	for _, d := range image.Blobs() {
		size, isLayer := sizes[d.String()]
		if !isLayer {
			size = int64(len(image.Config))
		}
		if sent := r.hub.BytesSent(d); sent != size {
			t.Errorf("upstream sent %d bytes of blob %s, want its %d bytes once:\n%s", sent, d, size, strings.Join(r.blobRequests(), "\n"))
		}
	}
	for _, q := range r.hub.Requests() {
		if strings.HasPrefix(q.Host, r.hub.CDNHost) && (q.Authorization != "" || q.Header.Get("Cookie") != "") {
			t.Errorf("%s %s%s carried credentials to the CDN", q.Method, q.Host, q.Path)
		}
	}
}

// none checks that upstream was asked for no blob at all.
func (r *rig) none(t *testing.T) {
	t.Helper()
	if all := r.blobRequests(); len(all) > 0 {
		t.Errorf("upstream was asked for blobs that are cached:\n%s", strings.Join(all, "\n"))
	}
}
