//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"pulley/internal/hubtest"
)

// served is a sandbox with an init: dockerd is started and stopped by Debian's own init script, and pulley works beside it.
type served struct {
	*dockerd

	rig    *rig
	init   *process
	images map[string]hubtest.Image
}

// dockerds are Debian's and the newest.
var dockerds = map[string]func(s *sandbox) (program, path string){
	"system": func(*sandbox) (string, string) { return "/usr/sbin/dockerd", "/usr/sbin:/usr/bin:/sbin:/bin" },
	"new": func(*sandbox) (string, string) {
		return engineDir + "/dockerd", engineDir + ":/usr/sbin:/usr/bin:/sbin:/bin"
	},
}

// serve starts a dockerd with these settings and further flags. program replaces dockerd, if it is not "".
func serve(t *testing.T, version, program, settings, flags string, images ...string) *served {
	t.Helper()
	r := newRig(t, "1ms")
	s := newSandbox(t)
	v := &served{rig: r, images: r.stock(t, images...), dockerd: &dockerd{sandbox: s}}
	r.origin(t, s)
	dockerd, path := dockerds[version](s)
	s.path(path)
	if err := os.RemoveAll(s.file("etc/ssl")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ssl", "ca-certificates.conf"} {
		copyEtc(t, name, s.file("etc/"+name))
	}
	s.etc(t, "ca-certificates/update.d/README", "hooks\n") // but none of this machine's
	s.etc(t, "fstab", "")
	// Where tests run nobody may be allowed to raise limits.
	s.etc(t, "init.d/docker", strings.ReplaceAll(read(t, "/etc/init.d/docker"), "ulimit -", ": ulimit -"))
	if err := os.Chmod(s.file("etc/init.d/docker"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i, root := range strings.SplitAfter(string(r.hub.RootsPEM()), "-----END CERTIFICATE-----\n") {
		if strings.TrimSpace(root) != "" {
			s.write(t, fmt.Sprintf("share/ca-certificates/hub%d.crt", i), root, 0o644)
		}
	}
	if program != "" {
		s.write(t, "dockerd", strings.ReplaceAll(program, "DOCKERD", dockerd), 0o755)
		dockerd = s.file("dockerd")
	}
	s.etc(t, "default/docker", fmt.Sprintf("# how dockerd is started here\nPATH=%s\nDOCKERD=%s\nDOCKER_LOGFILE=%s\nDOCKER_OPTS=\"--data-root %s --exec-root %s "+
		"--iptables=false --ip6tables=false --ip-forward=false --bridge=none %s\"\n", path, dockerd, s.file("dockerd.log"), s.file("data"), s.file("exec"), flags))
	if settings != "" {
		s.etc(t, "docker/daemon.json", settings)
	}
	v.init = startProcess(t, "init", s.command(context.Background(), "/bin/sh", "-c",
		"set -e; mount --bind share /usr/local/share; update-ca-certificates --fresh >/dev/null; /etc/init.d/docker start; touch started; while :; do sleep 1; done"))
	socket := fmt.Sprintf("/proc/%d/root/run/docker.sock", v.init.cmd.Process.Pid)
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	v.client = &http.Client{Transport: transport}
	t.Cleanup(func() {
		_, _ = v.inside(t, "/etc/init.d/docker", "stop")
		if t.Failed() {
			text, _ := os.ReadFile(s.file("dockerd.log"))
			t.Logf("dockerd printed:\n%s", tail(string(text), 40))
		}
	})
	v.init.wait(t, func() error {
		_, err := os.Stat(s.file("started"))
		return errors.Join(err, v.answers(t))
	})
	return v
}

func (v *served) answers(t *testing.T) error {
	_, err := v.call(t, http.MethodGet, "/_ping", nil)
	return err
}

// inside runs a command in the namespaces of the sandbox that runs, not in others of the same kind.
func (v *served) inside(t *testing.T, args ...string) (string, error) {
	t.Helper()
	enter := []string{"-t", fmt.Sprint(v.init.cmd.Process.Pid), "-m", "-p", "--wd=" + v.sandbox.dir, "--"}
	cmd := exec.CommandContext(context.WithoutCancel(within(t)), "/usr/bin/nsenter", append(enter, args...)...)
	cmd.Env = v.sandbox.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := runCommand(cmd)
	if err != nil {
		return out, fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	return out, nil
}

func (v *served) pulley(t *testing.T, args ...string) string {
	t.Helper()
	return v.rig.pulleyIn(t, v.inside, args...)
}

// refused runs a command of pulley's that has to fail, and returns what it says.
func (v *served) refused(t *testing.T, args ...string) string {
	t.Helper()
	out, err := v.inside(t, append([]string{"env", "PULLEY_HOME=" + v.rig.home, pulleyBin}, args...)...)
	if err == nil {
		t.Fatalf("pulley %s: no error:\n%s", strings.Join(args, " "), out)
	}
	return err.Error()
}

// files are all that connect may change.
func (v *served) files(t *testing.T) snapshot {
	t.Helper()
	return takeSnapshot(t, v.sandbox.file("etc"), v.sandbox.file("home"), v.sandbox.file("share"))
}

func (v *served) pid(t *testing.T) string {
	t.Helper()
	out, err := v.inside(t, "cat", "/run/docker.pid")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// fetch has the engine pull an image, and looks at what it got and which way that came.
func (v *served) fetch(t *testing.T, name string, through bool) {
	t.Helper()
	if err := v.pull(t, "docker.io/library/"+name+":1", nil); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	v.check(t, "library/"+name+":1", v.images[name])
	if v.rig.daemon.cmd.ProcessState != nil { // it was stopped, and is only now asked what it saw
		v.rig.up(t)
	}
	v.rig.went(t, name, through)
}

// oddSettings are a person's.
const oddSettings = "{\r\n\t\"debug\" : false,\r\n\t\"registry-mirrors\": [ ],\r\n\t\"max-concurrent-downloads\":2\r\n}"

// TestConnectDockerdByMirror: `pulley connect docker` with a real dockerd is a line in daemon.json and a SIGHUP; pulls go
// through Pulley, with Pulley gone to the origin; after `pulley disconnect` every file is as it was.
func TestConnectDockerdByMirror(t *testing.T) {
	for version := range dockerds {
		for name, settings := range map[string]string{"no settings": "", "odd settings": oddSettings} {
			t.Run(version+", "+name, func(t *testing.T) {
				t.Parallel()
				v := serve(t, version, "", settings, "", "through", "fallback", "without")
				before, pid := v.files(t), v.pid(t)
				if dry := v.pulley(t, "connect", "docker", "--dry-run"); !strings.Contains(dry, "+++ /etc/docker/daemon.json") || !strings.Contains(dry, "http://"+v.rig.addr) {
					t.Errorf("the dry run does not show what would be done:\n%s", dry)
				}
				before.same(t, v.files(t))

				t.Log(v.pulley(t, "connect", "docker"))
				if changed := before.changed(v.files(t)); len(changed) != 1 || changed[0] != v.sandbox.file("etc/docker/daemon.json") {
					t.Errorf("changed were %v, want daemon.json alone", changed)
				}
				v.fetch(t, "through", true)
				if out := v.pulley(t, "connect", "docker"); !strings.Contains(out, "already") || !strings.Contains(out, "✓") {
					t.Errorf("connected a second time:\n%s", out)
				}
				if backups := v.pulley(t, "connect", "--backups"); !strings.Contains(backups, "/etc/docker/daemon.json") {
					t.Errorf("backups:\n%s", backups)
				}
				v.rig.daemon.stop()
				v.fetch(t, "fallback", false)

				t.Log(v.pulley(t, "disconnect", "docker"))
				before.same(t, v.files(t))
				v.fetch(t, "without", false)
				if now := v.pid(t); now != pid {
					t.Errorf("dockerd was restarted: %s, was %s", now, pid)
				}
			})
		}
	}
}

// TestConnectDockerdByProxy: a restart and the local authority in the system's store, and all of it back.
func TestConnectDockerdByProxy(t *testing.T) {
	for version := range dockerds {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			v := serve(t, version, "", "{\"debug\": false}\n", "", "through", "without")
			before, pid := v.files(t), v.pid(t)
			if said := v.refused(t, "connect", "docker", "--proxy"); !strings.Contains(said, "--yes") || !strings.Contains(said, "stops no container") {
				t.Errorf("it restarts without asking: %s", said)
			}
			before.same(t, v.files(t))

			t.Log(v.pulley(t, "connect", "docker", "--proxy", "--yes"))
			v.fetch(t, "through", true)
			if v.pid(t) == pid {
				t.Error("dockerd was not restarted")
			}
			settings := "etc/docker/daemon.json"
			if version == "system" { // which does not know the setting yet
				settings = "etc/default/docker"
			}
			if text, err := os.ReadFile(v.sandbox.file(settings)); err != nil || !strings.Contains(string(text), v.rig.addr) || !strings.Contains(string(text), ".cluster.local") {
				t.Errorf("%s, %v", text, err)
			}

			// Somebody edits it in between: that stays.
			edited := strings.Replace(read(t, v.sandbox.file("etc/docker/daemon.json")), "\"debug\": false", "\"debug\": false, \"max-concurrent-downloads\": 2", 1)
			v.sandbox.etc(t, "docker/daemon.json", edited)
			t.Log(v.pulley(t, "disconnect", "docker", "--yes"))
			after := v.files(t)
			if got := read(t, v.sandbox.file("etc/docker/daemon.json")); got != "{\"debug\": false, \"max-concurrent-downloads\": 2}\n" {
				t.Errorf("what was edited is %q", got)
			}
			delete(before, v.sandbox.file("etc/docker/daemon.json"))
			delete(after, v.sandbox.file("etc/docker/daemon.json"))
			before.same(t, after)
			v.fetch(t, "without", false)
		})
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What dockerd would not start with is refused before anything is touched.
func TestConnectDockerdRefuses(t *testing.T) {
	for version := range dockerds {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			v := serve(t, version, "", "", "--registry-mirror=https://other.test", "without")
			before := v.files(t)
			if said := v.refused(t, "connect", "docker"); !strings.Contains(said, "--registry-mirror is given in the command line") {
				t.Error(said)
			}
			before.same(t, v.files(t))

			// Settings that were broken while it runs, too.
			v.sandbox.etc(t, "docker/daemon.json", "{\n  \"debug\": true, // mine\n}\n")
			before = v.files(t)
			if said := v.refused(t, "connect", "docker", "--proxy", "--yes"); !strings.Contains(said, "/etc/docker/daemon.json: line 2") {
				t.Error(said)
			}
			before.same(t, v.files(t))
			v.fetch(t, "without", false)
		})
	}
}

// An engine that does not come up again gets everything back, and does.
func TestConnectDockerdPutsBack(t *testing.T) {
	t.Parallel()
	v := serve(t, "system", "#!/bin/sh\n[ -z \"$HTTPS_PROXY\" ] || exit 1\nexec DOCKERD \"$@\"\n", "", "", "without")
	before := v.files(t)
	if said := v.refused(t, "connect", "docker", "--proxy", "--yes"); !strings.Contains(said, "it is not up after 30s") || !strings.Contains(said, "everything was put back") {
		t.Error(said)
	}
	before.same(t, v.files(t))
	if err := v.answers(t); err != nil {
		t.Fatal(err)
	}
	v.fetch(t, "without", false)
}

// A connect that is killed while the engine is down leaves it to the next call to put that right.
func TestConnectDockerdKilled(t *testing.T) {
	t.Parallel()
	v := serve(t, "system", "#!/bin/sh\n[ -z \"$HTTPS_PROXY\" ] || exit 1\nexec DOCKERD \"$@\"\n", "", "", "without")
	before := v.files(t)
	if out, err := v.inside(t, "/bin/sh", "-c", `PULLEY_HOME=$1 $2 connect docker --proxy --yes >killed 2>&1 &
		while ! grep -q "docker: /etc/init.d/docker restart" killed || [ -e /run/docker.pid ]; do sleep 0.1; done
		kill -9 $!`, "sh", v.rig.home, pulleyBin); err != nil {
		t.Fatalf("%s, %v", out, err)
	}
	if len(before.changed(v.files(t))) == 0 || v.answers(t) == nil {
		t.Fatal("it was not killed in the middle")
	}
	if listed := v.pulley(t, "connect"); !strings.Contains(listed, "connecting was ended in the middle") {
		t.Errorf("nobody says so:\n%s", listed)
	}
	t.Log(v.pulley(t, "disconnect", "docker", "--yes"))
	before.same(t, v.files(t))
	v.fetch(t, "without", false)
}
