package context

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pulley/internal/waytest"
)

func TestOverSSH(t *testing.T) {
	bin := t.TempDir()
	far := waytest.SSHD(t, "SetEnv PATH="+bin+"\n")
	me := waytest.Knowing(t, far)
	t.Setenv("PATH", filepath.Join(me.Home, "bin")+":"+os.Getenv("PATH"))
	t.Setenv("SSH_AUTH_SOCK", "")
	host := far.URL()
	b := book(t, t.TempDir())
	must(t, b.Create("far", Change{Host: &host}))

	self, err := os.Executable()
	must(t, err)
	docker := filepath.Join(bin, "docker")
	stub := func(script string) {
		must(t, os.WriteFile(docker, []byte("#!/bin/sh\n"+script), 0o700)) //nolint:gosec // a program
	}
	stub("echo permission denied while trying to connect to the docker API at unix:///var/run/docker.sock >&2; exit 1\n")
	if r := b.Test(within(t, time.Minute), "far"); r.Reachable || !strings.Contains(r.Error, "far: this user may not talk to the engine; ") {
		t.Errorf("a user who may not: %+v", r)
	}
	stub(`[ "$*" = "system dial-stdio" ] || exit 9
DIAL=` + listen(t, engine(quick())) + " exec " + self + "\n")
	wantAnswers(t, b.Test(within(t, time.Minute), "far"))
	must(t, os.Remove(docker))
	if r := b.Test(within(t, time.Minute), "far"); r.Reachable || !strings.Contains(r.Error, "there is no docker command for ssh on it") {
		t.Errorf("a machine without docker: %+v", r)
	}
	must(t, os.Remove(me.KnownHosts()))
	if r := b.Test(within(t, time.Minute), "far"); r.Reachable || !strings.Contains(r.Error, "ssh does not know its host key; log in once and compare it: ssh -p ") {
		t.Errorf("an unknown host key: %+v", r)
	}
	// A window that asks for a password or about a key would come up by itself: the tray tests every few minutes.
	asked := filepath.Join(bin, "asked")
	must(t, os.WriteFile(filepath.Join(bin, "askpass"), []byte("#!/bin/sh\necho >"+asked+"\necho yes\n"), 0o700)) //nolint:gosec // a program
	t.Setenv("SSH_ASKPASS", filepath.Join(bin, "askpass"))
	t.Setenv("SSH_ASKPASS_REQUIRE", "force")
	b.Test(within(t, time.Minute), "far")
	if _, err := os.Stat(asked); err == nil {
		t.Error("ssh asks the person")
	}
	me.Trust(far)
	far.NewKeys("ed25519")
	changed := "far: its host key is another than before; find out why, then: ssh-keygen -R '[127.0.0.1]:"
	if r := b.Test(within(t, time.Minute), "far"); r.Reachable || !strings.HasPrefix(r.Error, changed) {
		t.Errorf("another host key: %+v", r)
	}
	must(t, os.Remove(me.KnownHosts()))
	me.Trust(far)
	stub("exec /bin/sleep 600\n")
	start := time.Now()
	if r := b.Test(within(t, 3*time.Second), "far"); r.Reachable || !strings.Contains(r.Error, "no answer in time; try: ssh -p ") {
		t.Errorf("a machine that is silent: %+v", r)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("the limit of 3 s took %v", took)
	}
	far.Kill()
	if r := b.Test(within(t, time.Minute), "far"); r.Reachable || !strings.Contains(r.Error, "nobody listens for ssh there") {
		t.Errorf("no machine: %+v", r)
	}
}

// TestSSHThatEndsBeforeItListens: ssh is quick to find that there is nobody.
func TestSSHThatEndsBeforeItListens(t *testing.T) {
	bin := t.TempDir()
	must(t, os.WriteFile(filepath.Join(bin, "ssh"), []byte("#!/bin/sh\nexec 0<&-\necho 'ssh: connect to host far port 22: Connection refused' >&2\nexit 255\n"), 0o700)) //nolint:gosec // a program
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	b := book(t, t.TempDir())
	host := "ssh://me@far"
	must(t, b.Create("far", Change{Host: &host}))
	for range 20 {
		if r := b.Test(within(t, time.Minute), "far"); !strings.Contains(r.Error, "nobody listens for ssh there") {
			t.Fatalf("%+v", r)
		}
	}
}
