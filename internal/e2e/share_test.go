//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pulley/internal/waytest"
)

// elsewhere is a machine of its own with a dockerd, which an ssh context leads to.
type elsewhere struct {
	sandbox *sandbox
	dockerd *dockerd
	far     *waytest.Machine
	user    user // whose context "far" is
}

// newElsewhere starts both; logins end up in the dockerd's namespaces, where its /etc and its usual socket are.
func newElsewhere(t *testing.T, r *rig) *elsewhere {
	t.Helper()
	s := newSandbox(t)
	s.path("/usr/sbin:/usr/bin:/sbin:/bin")
	s.etc(t, "docker/daemon.json", "{\n  \"labels\": [\"kept=yes\"]\n}")
	socket := s.file("docker.sock")
	p := startProcess(t, "dockerd", s.command(context.Background(), "dockerd",
		"--host", "unix://"+socket, "--host", "unix:///run/docker.sock", "--pidfile", "/run/docker.pid", "--data-root", s.file("data"), "--exec-root", s.file("exec"),
		"--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none"))
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	d := &dockerd{s, &http.Client{Transport: transport}}
	p.wait(t, func() error {
		_, err := d.call(t, http.MethodGet, "/_ping", nil)
		return err
	})
	far := waytest.SSHD(t, fmt.Sprintf("SetEnv PATH=/usr/bin:/bin:/usr/sbin:/sbin\nForceCommand exec nsenter -t %d -m -p /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"\n", listener(t, socket)))
	var docker string
	for _, docker = range dockers(t) {
		break
	}
	u := user{home: waytest.Knowing(t, far).Home, docker: docker, env: []string{"PULLEY_HOME=" + r.home}}
	u.must(t, pulleyBin, "context", "create", "far", far.URL())
	return &elsewhere{s, d, far, u}
}

// listener is the process that listens at a unix socket.
func listener(t *testing.T, socket string) int {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var peer *syscall.Ucred
	if failed := raw.Control(func(fd uintptr) {
		peer, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); failed != nil || err != nil {
		t.Fatal(failed, err)
	}
	return int(peer.Pid)
}

// lent is `pulley context share` that runs.
type lent struct {
	*process
	events chan sharedEvent
}

type sharedEvent struct {
	Event, Error string
	Port         int
	Proved       bool
}

func (e *elsewhere) share(t *testing.T, args ...string) *lent {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), pulleyBin, append([]string{"context", "share", "far", "--json"}, args...)...)
	cmd.Env = append([]string{"PATH=" + filepath.Join(e.user.home, "bin") + ":/usr/bin:/bin", "HOME=" + e.user.home}, e.user.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, feed := io.Pipe()
	cmd.Stdout = feed
	l := &lent{events: make(chan sharedEvent, 100)}
	l.process = startProcess(t, "pulley context share", cmd)
	t.Cleanup(func() { feed.Close() })
	go func() {
		for in := bufio.NewScanner(stdout); in.Scan(); {
			var ev sharedEvent
			if err := json.Unmarshal(in.Bytes(), &ev); err != nil {
				ev = sharedEvent{Event: "broken", Error: in.Text()}
			}
			l.events <- ev
		}
	}()
	return l
}

// await is the next event, but for vain tries.
func (l *lent) await(t *testing.T, want string) sharedEvent {
	t.Helper()
	for {
		select {
		case ev := <-l.events:
			if ev.Event == "retry" && want != "retry" {
				continue
			}
			if ev.Event != want {
				t.Fatalf("want %s: %+v", want, ev)
			}
			return ev
		case <-within(t).Done():
			t.Fatalf("no %s", want)
		case <-l.done:
			select {
			case ev := <-l.events:
				if ev.Event == want {
					return ev
				}
			case <-time.After(time.Second):
			}
			t.Fatalf("want %s, it has ended: %v", want, l.err)
		}
	}
}

// cut ends the ssh that the share has started, as a network does that goes away.
func (l *lent) cut(t *testing.T) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		after := string(text[strings.LastIndexByte(string(text), ')')+1:])
		if fields := strings.Fields(after); fields[1] != strconv.Itoa(l.cmd.Process.Pid) {
			continue
		}
		dir := filepath.Dir(name)
		if line, err := os.ReadFile(filepath.Join(dir, "cmdline")); err != nil || !strings.Contains(string(line), "ControlMaster=yes") {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatal("it has no ssh")
}

// end is Ctrl-C; nothing is left of the port.
func (l *lent) end(t *testing.T, port int) {
	t.Helper()
	if err := l.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-l.done
	if l.err != nil {
		t.Errorf("it ended with %v", l.err)
	}
	awaitClosed(t, port)
}

// awaitClosed waits until nobody listens any more.
func awaitClosed(t *testing.T, port int) {
	t.Helper()
	for ctx := within(t); ; { // sshd sees it a moment later
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if errors.Is(err, syscall.ECONNREFUSED) {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("the port is still open: %v", err)
		}
		if err == nil {
			c.Close()
		}
	}
}

// etc is what is in the machine's /etc/docker: names, modes and contents.
func (e *elsewhere) etc(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	root := e.sandbox.file("etc/docker")
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&all, "%s %v\n", path, info.Mode())
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			fmt.Fprintf(&all, "%q\n", text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// cached has Pulley fetch an image, and forgets that upstream was asked for it.
func (r *rig) cached(t *testing.T, repository string, seed uint64) (pulled func()) {
	t.Helper()
	r.hub.Push(repository, "1", simple(seed, 1<<20))
	if _, err := runCommand(r.command("pull", repository+":1")); err != nil {
		t.Fatal(err)
	}
	r.hub.Reset()
	return func() { t.Helper(); r.none(t) }
}

// An engine elsewhere pulls from this cache through a tunnel, with nothing configured there; the tunnel comes back when the
// link has been cut, and leaves nothing.
func TestShareCache(t *testing.T) {
	r := newRig(t, "1h")
	e := newElsewhere(t, r)
	before := e.etc(t)
	l := e.share(t, "--port", "0")
	up := l.await(t, "up")
	if !up.Proved || up.Port == 0 || up.Error != "" {
		t.Errorf("up: %+v", up)
	}
	pull := func(repository string) {
		t.Helper()
		e.user.must(t, e.user.docker, "--context", "far", "pull", fmt.Sprintf("127.0.0.1:%d/%s:1", up.Port, repository))
	}
	fromCache := r.cached(t, "library/first", 801)
	pull("library/first")
	fromCache()
	l.cut(t)
	if down := l.await(t, "down"); down.Error == "" {
		t.Errorf("down: %+v", down)
	}
	if again := l.await(t, "up"); again.Port != up.Port || !again.Proved {
		t.Errorf("up again: %+v", again)
	}
	fromCache = r.cached(t, "library/second", 802)
	pull("library/second")
	fromCache()
	// A second one is told of the first; one of another person's, who has the port.
	if out, err := e.user.run(t, pulleyBin, "context", "share", "far"); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("far: it is shared with already, by process %d;", l.cmd.Process.Pid)) {
		t.Errorf("a second share: %v: %s", err, out)
	}
	e.user.must(t, pulleyBin, "context", "create", "again", e.far.URL())
	if out, err := e.user.run(t, pulleyBin, "context", "share", "again", "--port", strconv.Itoa(up.Port)); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("again: port %d there is taken", up.Port)) {
		t.Errorf("a port that is taken: %v: %s", err, out)
	}
	l.end(t, up.Port)
	l.await(t, "finished")
	if after := e.etc(t); after != before {
		t.Errorf("it leaves %s, not %s", after, before)
	}
}

// With --wire plain names come from this cache too, for as long as it is shared; daemon.json is as it was after that, byte for
// byte, and dockerd has taken that up.
func TestShareCacheWired(t *testing.T) {
	r := newRig(t, "1h")
	e := newElsewhere(t, r)
	before := e.etc(t)
	l := e.share(t, "--port", "0", "--wire")
	up := l.await(t, "up")
	l.await(t, "wired")
	mirror := fmt.Sprintf("http://127.0.0.1:%d/", up.Port)
	if got := e.mirrors(t); !slices.Equal(got, []string{mirror}) {
		t.Errorf("its mirrors are %q, not %s", got, mirror)
	}
	fromCache := r.cached(t, "library/wired", 803)
	e.user.must(t, e.user.docker, "--context", "far", "pull", "wired:1")
	fromCache()
	l.cut(t)
	l.await(t, "down")
	l.await(t, "up")
	fromCache = r.cached(t, "library/again", 804)
	e.user.must(t, e.user.docker, "--context", "far", "pull", "again:1")
	fromCache()
	l.end(t, up.Port)
	l.await(t, "unwired")
	l.await(t, "finished")
	if after := e.etc(t); after != before {
		t.Errorf("it leaves %s, not %s", after, before)
	}
	if got := e.mirrors(t); len(got) != 0 {
		t.Errorf("dockerd still has mirrors: %q", got)
	}
}

// A share that was killed leaves an engine that goes on without it; the next one puts everything right.
func TestShareKilled(t *testing.T) {
	r := newRig(t, "1h")
	e := newElsewhere(t, r)
	before := e.etc(t)
	l := e.share(t, "--port", "0", "--wire")
	killed := l.await(t, "up")
	l.await(t, "wired")
	if err := l.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-l.done
	awaitClosed(t, killed.Port)
	l = e.share(t, "--port", "0", "--wire")
	up := l.await(t, "up")
	l.await(t, "wired")
	if got := e.mirrors(t); !slices.Contains(got, fmt.Sprintf("http://127.0.0.1:%d/", up.Port)) {
		t.Errorf("its mirrors are %q", got)
	}
	l.end(t, up.Port)
	if after := e.etc(t); after != before {
		t.Errorf("it leaves %s, not %s", after, before)
	}
	if got := e.mirrors(t); len(got) != 0 {
		t.Errorf("dockerd still has mirrors: %q", got)
	}
}

// An engine elsewhere is wired to a Pulley that it reaches, over ssh: shown first, and taken back byte for byte.
func TestConnectElsewhere(t *testing.T) {
	r := newRig(t, "1h")
	e := newElsewhere(t, r)
	before := e.etc(t)
	pulley := func(args ...string) string {
		t.Helper()
		return e.user.must(t, pulleyBin, args...)
	}
	if out := pulley("connect", "--context", "far", "--mirror", "http://"+r.addr, "--dry-run"); !strings.Contains(out, "registry-mirrors") || e.etc(t) != before {
		t.Errorf("the dry run shows %s\nand leaves %s", out, e.etc(t))
	}
	if _, err := e.user.run(t, pulleyBin, "connect", "--context", "far", "--mirror", "http://"+r.addr); err == nil || !strings.Contains(err.Error(), "add --yes") || e.etc(t) != before {
		t.Errorf("with nobody to ask: %v", err)
	}
	pulley("connect", "--context", "far", "--mirror=http://"+r.addr, "--yes")
	fromCache := r.cached(t, "library/office", 805)
	e.user.must(t, e.user.docker, "--context", "far", "pull", "office:1")
	fromCache()
	pulley("disconnect", "--context", "far", "--yes")
	if after := e.etc(t); after != before {
		t.Errorf("it leaves %s, not %s", after, before)
	}
	if got := e.mirrors(t); len(got) != 0 {
		t.Errorf("dockerd still has mirrors: %q", got)
	}
	if _, err := e.user.run(t, pulleyBin, "disconnect", "--context", "far"); err == nil || !strings.Contains(err.Error(), "is not wired by pulley") {
		t.Errorf("a second time: %v", err)
	}
}

// mirrors are those that dockerd uses for Docker Hub.
func (e *elsewhere) mirrors(t *testing.T) []string {
	t.Helper()
	var info struct{ RegistryConfig struct{ Mirrors []string } }
	if err := e.dockerd.get(t, "/info", &info); err != nil {
		t.Fatal(err)
	}
	return info.RegistryConfig.Mirrors
}

// The machine of an ssh context is a way out with one word.
func TestContextIsAWayOut(t *testing.T) {
	r := newRig(t, "1h")
	far := waytest.SSHD(t, "")
	u := user{home: waytest.Knowing(t, far).Home, env: []string{"PULLEY_HOME=" + r.home}}
	u.must(t, pulleyBin, "context", "create", "far", far.URL()+"/var/run/docker.sock")
	out, err := u.run(t, pulleyBin, "context", "egress", "far", "--for", "gcr.io")
	if err == nil { // whose key the daemon's own person does not know
		t.Errorf("a machine nobody has vouched for is used: %s", out)
	}
	list := u.must(t, pulleyBin, "egress", "ls")
	if !strings.Contains(list, far.URL()+" ") || strings.Contains(list, "docker.sock") || !strings.Contains(list, "gcr.io") {
		t.Errorf("the ways out are\n%s", list)
	}
}
