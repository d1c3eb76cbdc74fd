//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pulley/internal/waytest"
)

// user has a home with docker's settings, and works with one docker command and with pulley.
type user struct {
	home   string
	docker string
	env    []string // besides what every user has
}

// run runs a command of the user's to its end.
func (u user) run(t *testing.T, program string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(within(t), program, args...)
	cmd.Dir = u.home
	cmd.Env = append([]string{"PATH=" + filepath.Join(u.home, "bin") + ":/usr/bin:/bin", "HOME=" + u.home, "PULLEY_HOME=" + filepath.Join(u.home, "pulley")}, u.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return runCommand(cmd)
}

// must runs a command that has to succeed, and returns what it prints without the last newline.
func (u user) must(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := u.run(t, program, args...)
	if err != nil {
		t.Fatalf("%s %s: %v", filepath.Base(program), strings.Join(args, " "), err)
	}
	return strings.TrimSpace(out)
}

// dockers are the docker commands of this machine, each version once.
func dockers(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, dir := range []string{"/usr/bin", "/usr/local/bin"} {
		path := filepath.Join(dir, "docker")
		out, err := exec.CommandContext(within(t), path, "--version").Output()
		if err != nil {
			continue
		}
		found[strings.TrimSuffix(strings.Fields(string(out))[2], ",")] = path
	}
	if len(found) == 0 {
		t.Fatal("there is no docker command; see: make e2e")
	}
	return found
}

// seen is a context as `pulley context ls --json` has it.
type seen struct {
	Name, Kind, Host, Description string
	TLS, Wins                     bool
	Why                           string
	Mark                          *struct{ Mark, Colour string }
}

func (u user) contexts(t *testing.T) map[string]seen {
	t.Helper()
	var list []seen
	if err := json.Unmarshal([]byte(u.must(t, pulleyBin, "context", "ls", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	byName := map[string]seen{}
	for _, s := range list {
		byName[s.Name] = s
	}
	return byName
}

// What pulley writes docker reads, and the other way round; each leaves alone what the other one has put there.
func TestContextsAreDockersOwn(t *testing.T) {
	for version, docker := range dockers(t) {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			u := user{home: t.TempDir(), docker: docker}
			pems := filepath.Join(u.home, "pems")
			if err := os.Mkdir(pems, 0o700); err != nil {
				t.Fatal(err)
			}
			ca, cert, key := filepath.Join(pems, "ca"), filepath.Join(pems, "cert"), filepath.Join(pems, "key")
			u.must(t, "/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=e2e", "-days", "1", "-keyout", key, "-out", cert)
			u.must(t, "/bin/cp", cert, ca)

			u.must(t, pulleyBin, "context", "create", "ours", "tcp://far.test:2376", "--ca", ca, "--cert", cert, "--key", key, "--description", "made by pulley", "--mark", "production", "--colour", "purple")
			u.must(t, docker, "context", "create", "theirs", "--description", "made by docker", "--docker", "host=tcp://far.test:2376,ca="+ca+",cert="+cert+",key="+key)
			format := "{{.Name}}|{{.Description}}|{{.DockerEndpoint}}"
			lines := strings.Split(u.must(t, docker, "context", "ls", "--format", format), "\n")
			for _, want := range []string{"ours|made by pulley|tcp://far.test:2376", "theirs|made by docker|tcp://far.test:2376"} {
				if !slices.Contains(lines, want) {
					t.Errorf("docker lists %q, not %q", lines, want)
				}
			}
			inspect := "{{.Endpoints.docker.Host}} {{.TLSMaterial.docker}}"
			if ours, theirs := u.must(t, docker, "context", "inspect", "-f", inspect, "ours"), u.must(t, docker, "context", "inspect", "-f", inspect, "theirs"); ours != theirs {
				t.Errorf("docker sees %s and %s", ours, theirs)
			}
			if s := u.contexts(t)["theirs"]; s.Host != "tcp://far.test:2376" || !s.TLS || s.Description != "made by docker" || s.Kind != "remote" || s.Mark != nil {
				t.Errorf("pulley sees %+v", s)
			}

			// A mark outlives what docker does to a context.
			u.must(t, docker, "context", "update", "ours", "--description", "changed by docker")
			u.must(t, docker, "context", "export", "ours", filepath.Join(u.home, "a"))
			u.must(t, pulleyBin, "context", "import", "again", filepath.Join(u.home, "a"))
			u.must(t, pulleyBin, "context", "export", "again", filepath.Join(u.home, "b"))
			u.must(t, docker, "context", "import", "thrice", filepath.Join(u.home, "b"))
			u.must(t, docker, "context", "create", "copy", "--from", "thrice")
			for _, name := range []string{"ours", "again", "thrice", "copy"} {
				if s := u.contexts(t)[name]; s.Mark == nil || s.Mark.Mark != "production" || s.Mark.Colour != "purple" || s.Description != "changed by docker" || !s.TLS {
					t.Errorf("%s is %+v", name, s)
				}
			}

			u.wins(t, "ours", "theirs")
			u.must(t, pulleyBin, "context", "rm", "ours", "--force")
			if left := u.must(t, docker, "context", "ls", "-q"); slices.Contains(strings.Fields(left), "ours") {
				t.Errorf("docker still lists ours: %s", left)
			}
			if now := u.must(t, docker, "context", "inspect", "-f", "{{.Name}}"); now != "default" {
				t.Errorf("docker uses %s", now)
			}
		})
	}
}

// wins has docker and pulley agree on which context is used, whoever chose it and whatever the environment says. In the end
// it is ours.
func (u user) wins(t *testing.T, ours, theirs string) {
	t.Helper()
	agree := func(want, why string, env ...string) {
		t.Helper()
		u := user{home: u.home, docker: u.docker, env: env}
		if got := u.must(t, u.docker, "context", "inspect", "-f", "{{.Name}}"); got != want {
			t.Errorf("%v: docker uses %s, not %s", env, got, want)
		}
		for name, s := range u.contexts(t) {
			if s.Wins != (name == want) || s.Wins && s.Why != why {
				t.Errorf("%v: pulley says of %s: %v %q; want %s because of %s", env, name, s.Wins, s.Why, want, why)
			}
		}
	}
	agree("default", "nothing else is set")
	u.must(t, u.docker, "context", "use", theirs)
	agree(theirs, "currentContext")
	u.must(t, pulleyBin, "context", "use", "default")
	agree("default", "nothing else is set")
	u.must(t, pulleyBin, "context", "use", ours)
	agree(ours, "currentContext")
	agree(theirs, "DOCKER_CONTEXT", "DOCKER_CONTEXT="+theirs)
	agree("default", "DOCKER_HOST", "DOCKER_HOST=tcp://127.0.0.1:1", "DOCKER_CONTEXT="+theirs)
}

// A context over a real sshd leads to a real dockerd: pulley makes it and chooses it, and then docker works there.
func TestContextOverSSH(t *testing.T) {
	s := newSandbox(t)
	d := openSystemDockerd(t, s, wiring{mode: viaName}).(*dockerd)
	far := waytest.SSHD(t, "SetEnv PATH=/usr/bin:/bin DOCKER_HOST=unix://"+s.file("docker.sock")+"\n")
	for version, docker := range dockers(t) {
		t.Run(version, func(t *testing.T) {
			u := user{home: waytest.Knowing(t, far).Home, docker: docker}
			u.must(t, pulleyBin, "context", "create", "far", far.URL(), "--mark", "production")
			u.must(t, pulleyBin, "context", "use", "far")
			if out := u.must(t, docker, "ps", "--format", "{{.ID}}"); out != "" {
				t.Errorf("docker ps has %q", out)
			}
			if got, want := u.must(t, docker, "version", "--format", "{{.Server.Version}}"), d.version(t); got != want {
				t.Errorf("docker talks to %s, not %s", got, want)
			}
			var reports []struct {
				Reachable bool
				Engine    string
				Images    int
				Disk      int64 `json:"disk_bytes"`
			}
			if err := json.Unmarshal([]byte(u.must(t, pulleyBin, "context", "test", "--json")), &reports); err != nil {
				t.Fatal(err)
			}
			if r := reports[0]; !r.Reachable || r.Engine != d.version(t) || r.Images != 0 || r.Disk != 0 {
				t.Errorf("pulley reports %+v", r)
			}
		})
	}
}
