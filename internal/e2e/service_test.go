//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// booted is a private machine that stays: /etc is a copy, /run, /opt and the changing parts of /var are empty, and process 1
// is a shell that does nothing but bury the dead.
type booted struct {
	t    *testing.T
	dir  string
	init *exec.Cmd
}

const boot = `set -e
mount --make-rprivate /
mount --bind "$1/etc" /etc
for dir in /run /opt /var/lib /var/cache /var/log; do mount -t tmpfs -o mode=755 tmpfs "$dir"; done
mount -t proc proc /proc
mkdir /opt/bin
cp "$2" /opt/bin/pulley
echo booted
exec 0<&-
while :; do sleep 1000 & wait; done
`

// newBooted boots one. What it is given is a file for /etc and its content, by turns.
func newBooted(t *testing.T, etc ...string) *booted {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "e2es")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", "/etc", dir+"/etc").CombinedOutput(); err != nil {
		t.Fatalf("cp /etc: %v: %s", err, out)
	}
	for name, content := range pairs(etc) {
		path := filepath.Join(dir, "etc", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b := &booted{t: t, dir: dir, init: exec.Command("/bin/sh", "-c", boot, "sh", dir, pulleyBin)}
	b.init.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	b.init.Stderr = os.Stderr
	stdout, err := b.init.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.init.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = b.init.Process.Kill()
		_ = b.init.Wait()
	})
	line := make([]byte, len("booted\n"))
	if _, err := stdout.Read(line); err != nil || string(line) != "booted\n" {
		t.Fatalf("it did not boot: %q: %v", line, err)
	}
	return b
}

func pairs(list []string) func(func(string, string) bool) {
	return func(yield func(string, string) bool) {
		for pair := range slices.Chunk(list, 2) {
			if !yield(pair[0], pair[1]) {
				return
			}
		}
	}
}

// try runs a command line there and returns what it printed and its exit status.
func (b *booted) try(script string) (string, int) {
	b.t.Helper()
	cmd := exec.CommandContext(within(b.t), "nsenter", "-t", strconv.Itoa(b.init.Process.Pid), "-m", "-p", "--wd=/", "/bin/sh", "-c", script)
	cmd.Env = []string{"PATH=/opt/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// do runs a command line that must succeed.
func (b *booted) do(script string) string {
	b.t.Helper()
	out, code := b.try(script)
	if code != 0 {
		log, _ := b.try("cat /var/log/pulley/pulley.log")
		b.t.Fatalf("%s: status %d\n%s\nlog:\n%s", script, code, out, log)
	}
	return out
}

// serviceStatus is the JSON of `pulley service`.
type serviceStatus struct {
	Kind               string
	Installed, Running bool
	PID                int
	Unit, Detail       string
}

func (b *booted) service(args string) (s serviceStatus) {
	b.t.Helper()
	out := b.do("pulley service " + args + " --system --json 2>/dev/null")
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		b.t.Fatalf("pulley service %s: %v\n%s", args, err, out)
	}
	return s
}

// until polls until the service is as wanted.
func (b *booted) until(what string, is func(serviceStatus) bool) serviceStatus {
	b.t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		s := b.service("status")
		if is(s) {
			return s
		}
		select {
		case <-tick.C:
		case <-deadline:
			b.t.Fatalf("never: %s; last: %+v", what, s)
		}
	}
}

// files are all that an installation could have left: names, modes, owners and content. Backups that the system's own tools
// for users make are theirs.
func (b *booted) files() string {
	return b.do(`cd / && find etc run opt var/lib var/cache var/log \( -name 'passwd-' -o -name 'group-' -o -name 'shadow-' -o -name 'gshadow-' -o -name 'subuid-' -o -name 'subgid-' -o -name .pwd.lock -o -name lastlog -o -name faillog \) -prune -o \( -type d -printf '%p %m %u %g\n' \) -o \( -type l -printf '%p -> %l\n' \) -o \( -type f -printf '%p %m %u %g ' -exec sh -c 'sha256sum <"$1"' sh {} \; \) | sort`)
}

// TestServiceSysV is the system's service on a machine without systemd: the init script, run for real.
func TestServiceSysV(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	b := newBooted(t, "pulley/config.toml", fmt.Sprintf("listen = \"127.0.0.1:%d\" # ours\n", port))
	before := b.files()

	if s := b.service("status"); s.Kind != "sysv" || s.Installed {
		t.Fatalf("before: %+v", s)
	}
	if out, code := b.try("pulley service install"); code != 1 || !strings.Contains(out, "@reboot '/opt/bin/pulley' service run") || strings.Count(out, "\n") != 1 {
		t.Errorf("a person's own service, status %d: %s", code, out)
	}
	if out, code := b.try("setpriv --reuid nobody --clear-groups pulley service install --system"); code != 1 || !strings.Contains(out, "sudo") {
		t.Errorf("not root, status %d: %s", code, out)
	}

	s := b.service("install")
	if !s.Running || s.PID == 0 || s.Unit != "/etc/init.d/pulley" {
		t.Fatalf("installed: %+v", s)
	}
	if again := b.service("install"); again.PID != s.PID {
		t.Errorf("the second installation replaced the daemon: %+v, %+v", s, again)
	}
	if !regexp.MustCompile(`S\d\dpulley`).MatchString(b.do("ls /etc/rc2.d")) || !regexp.MustCompile(`K\d\dpulley`).MatchString(b.do("ls /etc/rc6.d")) {
		t.Error("it is not registered for the next boot")
	}
	if got, want := b.do("stat -c '%a %U %G' /run/pulley /run/pulley/control.sock /var/lib/pulley /var/cache/pulley; stat -c %U /proc/"+strconv.Itoa(s.PID)),
		"750 pulley pulley\n660 pulley pulley\n750 pulley pulley\n750 pulley pulley\npulley\n"; got != want {
		t.Errorf("owners and modes:\n%swant:\n%s", got, want)
	}
	b.do("pulley status")
	b.do("setpriv --reuid nobody --regid nogroup --groups pulley env HOME=/nonexistent pulley status")
	if out, code := b.try("setpriv --reuid nobody --regid nogroup --clear-groups env HOME=/nonexistent pulley status"); code == 0 {
		t.Errorf("somebody outside the group was answered: %s", out)
	}
	b.do("pulley config set cache.max_size 5GiB && grep -q 5GiB /etc/pulley/config.toml")
	b.do("/etc/init.d/pulley status")

	t.Log("the daemon crashes: it is started again")
	b.do("kill -KILL " + strconv.Itoa(s.PID))
	s = b.until("started again", func(now serviceStatus) bool { return now.PID != 0 && now.PID != s.PID })

	t.Log("a new daemon takes over")
	b.do("cp /opt/bin/pulley /opt/bin/new && mv /opt/bin/new /opt/bin/pulley")
	b.do("/etc/init.d/pulley force-reload")
	s = b.until("taken over", func(now serviceStatus) bool { return now.PID != 0 && now.PID != s.PID })

	t.Log("everything of it crashes")
	b.do("kill -KILL $(cat /run/pulley.pid) " + strconv.Itoa(s.PID))
	if out, code := b.try("/etc/init.d/pulley status"); code != 1 {
		t.Errorf("dead with its pid file left is 1 (LSB), not %d: %s", code, out)
	}
	if now := b.service("status"); now.Running || !strings.Contains(now.Detail, "dead") {
		t.Errorf("dead: %+v", now)
	}
	if s = b.service("start"); !s.Running || s.PID == 0 {
		t.Errorf("started: %+v", s)
	}

	t.Log("stop, start, restart")
	if s = b.service("stop"); s.Running {
		t.Errorf("stopped: %+v", s)
	}
	if out, code := b.try("/etc/init.d/pulley status"); code != 3 {
		t.Errorf("stopped is 3 (LSB), not %d: %s", code, out)
	}
	b.do("/etc/init.d/pulley stop") // once more is no error
	b.do("/etc/init.d/pulley start && /etc/init.d/pulley start && /etc/init.d/pulley restart")
	if s = b.service("status"); !s.Running || s.PID == 0 {
		t.Errorf("restarted: %+v", s)
	}

	t.Log("a daemon that cannot start says why")
	b.do("pulley service stop --system && cp /etc/pulley/config.toml /opt/keep && echo 'nonsense = 1' >/etc/pulley/config.toml")
	if out, code := b.try("pulley service start --system"); code != 1 || !strings.Contains(out, "nonsense") || strings.Count(out, "\n") != 1 {
		t.Errorf("status %d: %s", code, out)
	}
	b.do("cp /opt/keep /etc/pulley/config.toml && rm /opt/keep && pulley service start --system")

	if s = b.service("uninstall"); s.Installed || s.Running {
		t.Errorf("uninstalled: %+v", s)
	}
	b.service("uninstall") // once more is no error
	// The settings were somebody's before, and hold what was set since.
	b.do("sed -i '/max_size/d; /^\\[cache\\]$/d; /^$/d' /etc/pulley/config.toml; rm -f /etc/pulley/config.toml.bak")
	if after := b.files(); after != before {
		t.Errorf("left behind (-) or gone (+):\n%s", difference(after, before))
	}
	if out, _ := b.try("pgrep -x pulley"); out != "" {
		t.Errorf("processes left: %s", out)
	}
}

// freePort is one that nobody listens at now.
func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// difference lists the lines that only one of two sorted texts has.
func difference(a, b string) string {
	var out strings.Builder
	one, other := strings.Split(a, "\n"), strings.Split(b, "\n")
	for _, line := range one {
		if !slices.Contains(other, line) {
			fmt.Fprintln(&out, "-", line)
		}
	}
	for _, line := range other {
		if !slices.Contains(one, line) {
			fmt.Fprintln(&out, "+", line)
		}
	}
	return out.String()
}
