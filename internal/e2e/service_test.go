//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
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

	"pulley/internal/waytest"
)

// booted is a private machine that stays: /etc is a copy, /run, /opt and the changing parts of /var are empty. Its process 1
// is a shell that does nothing but bury the dead, or systemd.
type booted struct {
	t    *testing.T
	dir  string
	init *exec.Cmd
}

const bootShell = `set -e
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

// bootSystemd is the same with a root of its own, as systemd wants one, a /dev with what PrivateDevices= takes over, and a
// cgroup of its own, in which nobody else is. Of this machine's units none is wanted.
const bootSystemd = `set -e
if [ -z "$IN" ]; then
	mount --make-rprivate /
	mkdir "$1/cgroup" "$1/top"
	mount -t cgroup2 cgroup2 "$1/cgroup"
	mkdir "$1/cgroup/$3"
	echo 0 >"$1/cgroup/$3/cgroup.procs"
	IN=1 exec unshare --cgroup /bin/sh -c "$4" sh "$@"
fi
mount -t tmpfs tmpfs "$1/top"
top=$1/top
mkdir "$top/root" "$top/upper" "$top/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$top/upper,workdir=$top/work" "$top/root"
root=$top/root
mount --bind "$1/etc" "$root/etc"
for dir in run opt tmp var/tmp var/lib var/cache var/log dev home; do mount -t tmpfs -o mode=755 tmpfs "$root/$dir"; done
chmod 1777 "$root/tmp" "$root/var/tmp"
mkdir "$root/opt/bin" "$root/dev/shm" "$root/dev/pts"
cp "$2" "$root/opt/bin/pulley"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for node in null zero full random urandom tty; do
	: >"$root/dev/$node"
	mount --bind "/dev/$node" "$root/dev/$node"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
: >"$root/etc/fstab"
rm -rf "$root"/etc/systemd/system "$root"/etc/systemd/user
mkdir -p "$root/etc/systemd/system/multi-user.target.wants" "$root/etc/systemd/user"
ln -s /dev/null "$root/etc/systemd/system/multi-user.target.wants/other.service"
for unit in systemd-udevd systemd-udev-trigger systemd-timesyncd systemd-resolved systemd-modules-load systemd-sysctl; do
	ln -s /dev/null "$root/etc/systemd/system/$unit.service"
done
for unit in dev-hugepages sys-kernel-debug sys-kernel-tracing sys-kernel-config sys-fs-fuse-connections dev-mqueue; do
	ln -s /dev/null "$root/etc/systemd/system/$unit.mount"
done
cd "$root"
mkdir opt/old
pivot_root . opt/old
exec env -i container=e2e PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . /bin/sh -c '
umount -l /opt/old && rmdir /opt/old && echo booted
exec /lib/systemd/systemd --system --unit=basic.target </dev/null >/dev/null 2>&1'
`

// newBooted boots one. What it is given is a file for /etc and its content, by turns.
func newBooted(t *testing.T, script string, etc ...string) *booted {
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
	return boot(t, dir, 0, script, pulleyBin)
}

// boot runs the script that a machine begins with: $1 is the machine's folder, $2 what it is given, $3 the name of its cgroup, $4
// the script itself, then more. It prints "booted". Flags are of further namespaces.
func boot(t *testing.T, dir string, flags uintptr, script, given string, more ...string) *booted {
	t.Helper()
	group := filepath.Base(dir)
	b := &booted{t: t, dir: dir, init: exec.Command("/bin/sh", append([]string{"-c", script, "sh", dir, given, group, script}, more...)...)}
	b.init.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | flags, Pdeathsig: syscall.SIGKILL}
	b.init.Stderr = os.Stderr
	stdout, err := b.init.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := startCommand(b.init); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = b.init.Process.Kill()
		_ = b.init.Wait()
		// Its cgroup is the only thing that does not end with it.
		_ = exec.Command("unshare", "-m", "/bin/sh", "-c", `mount -t cgroup2 cgroup2 /mnt && find "/mnt/$1" -depth -type d -exec rmdir {} +`, "sh", group).Run()
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.t.Context()), 2*time.Minute) // also when the test is over
	defer cancel()
	cmd := exec.CommandContext(ctx, "nsenter", "-t", strconv.Itoa(b.init.Process.Pid), "-m", "-p", "-n", "-C", "-r", "-w", "/bin/sh", "-c", script)
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
		log, _ := b.try("cat /var/log/pulley/pulley.log || journalctl -n 40 --no-pager")
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
	return b.do(`cd / && find etc run opt var/lib var/cache var/log \( -name 'passwd-' -o -name 'group-' -o -name 'shadow-' -o -name 'gshadow-' -o -name 'subuid-' -o -name 'subgid-' -o -name .pwd.lock -o -name lastlog -o -name faillog -o -path run/log -o -path run/systemd \) -prune -o \( -type d -printf '%p %m %u %g\n' \) -o \( -type l -printf '%p -> %l\n' \) -o \( -type f -printf '%p %m %u %g ' -exec sh -c 'sha256sum <"$1"' sh {} \; \) | sort`)
}

// asWritten takes out of the settings, which were somebody's before, what was set since.
const asWritten = `cd /etc/pulley && sed -i '/max_size/d; /^\[cache\]$/d; /^$/d' config.toml && chmod 644 config.toml && rm -f config.toml.bak`

// TestServiceSysV is the system's service on a machine without systemd: the init script, run for real.
func TestServiceSysV(t *testing.T) {
	t.Parallel()
	listen := waytest.FreeAddr(t)
	b := newBooted(t, bootShell, "pulley/config.toml", fmt.Sprintf("listen = %q # ours\n", listen))
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
	b.do("! find /run/pulley /var/lib/pulley /var/cache/pulley /var/log/pulley ! -user pulley | grep .") // nothing was done there as root
	b.do("setpriv --reuid nobody --regid nogroup --groups pulley env HOME=/nonexistent pulley status")
	if out, code := b.try("setpriv --reuid nobody --regid nogroup --clear-groups env HOME=/nonexistent pulley status"); code == 0 {
		t.Errorf("somebody outside the group was answered: %s", out)
	}
	b.do("pulley config set cache.max_size 5GiB && grep -q 5GiB /etc/pulley/config.toml")
	b.do("/etc/init.d/pulley status")
	// Neither who may ask it nor who may not is told that it is broken because its files are not theirs to read.
	for groups, want := range map[string]string{"--groups pulley": "settings.denied", "--clear-groups": "daemon.denied"} {
		out, _ := b.try("setpriv --reuid nobody --regid nogroup " + groups + " env HOME=/nonexistent pulley doctor --json")
		if !strings.Contains(out, `"id": "`+want+`"`) || strings.Contains(out, "settings.broken") || strings.Contains(out, "daemon.version") || strings.Contains(out, "trust.store") {
			t.Errorf("%s: %s", groups, out)
		}
	}

	t.Log("the daemon crashes: it is started again")
	b.do("kill -KILL " + strconv.Itoa(s.PID))
	s = b.until("started again", func(now serviceStatus) bool { return now.PID != 0 && now.PID != s.PID })

	t.Log("a new daemon takes over")
	b.do("cp /opt/bin/pulley /opt/bin/new && mv /opt/bin/new /opt/bin/pulley")
	b.do("/etc/init.d/pulley force-reload")
	s = b.until("taken over", func(now serviceStatus) bool { return now.PID != 0 && now.PID != s.PID })

	t.Log("everything of it crashes")
	b.do("kill -KILL $(cat /run/pulley.pid) " + strconv.Itoa(s.PID))
	if out, code := b.try("for i in $(seq 100); do /etc/init.d/pulley status || exit; sleep 0.1; done"); code != 1 {
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
	// The number that a dead one left is by now that of a person's own pulley: that is nobody's to stop.
	b.do("mkdir /opt/own && cp /bin/sleep /opt/own/pulley && setpriv --reuid nobody --clear-groups /opt/own/pulley 1000 >/dev/null 2>&1 & echo $! >/run/pulley.pid; until [ \"$(cat /proc/$!/comm)\" = pulley ]; do sleep 0.1; done")
	if out, code := b.try("/etc/init.d/pulley status"); code != 1 {
		t.Errorf("a pid file of before is 1 (LSB), not %d: %s", code, out)
	}
	b.do("/etc/init.d/pulley stop && pkill -KILL -x -u nobody pulley && rm -r /opt/own")
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
	b.do(asWritten)
	if after := b.files(); after != before {
		t.Errorf("left behind (-) or gone (+):\n%s", difference(after, before))
	}
	if out, _ := b.try("pgrep -x pulley"); out != "" {
		t.Errorf("processes left: %s", out)
	}
}

// TestServiceSystemd is the services, the system's and a person's, on a machine that systemd really runs.
func TestServiceSystemd(t *testing.T) {
	t.Parallel()
	listen := waytest.FreeAddr(t)
	b := newBooted(t, bootSystemd, "pulley/config.toml", fmt.Sprintf("listen = %q # ours\n", listen))
	b.do("until systemctl is-system-running --wait; do sleep 0.1; done 2>/dev/null")
	before := b.files()

	s := b.service("install")
	if s.Kind != "systemd" || !s.Running || s.PID == 0 || s.Unit != "/etc/systemd/system/pulley.service" {
		t.Fatalf("installed: %+v", s)
	}
	if again := b.service("install"); again.PID != s.PID {
		t.Errorf("the second installation replaced the daemon: %+v, %+v", s, again)
	}
	if got, want := b.do("systemctl is-enabled pulley; stat -c '%a %U %G' /run/pulley /run/pulley/control.sock /var/lib/pulley /var/cache/pulley; stat -c %U /proc/"+strconv.Itoa(s.PID)),
		"enabled\n750 pulley pulley\n660 pulley pulley\n750 pulley pulley\n750 pulley pulley\npulley\n"; got != want {
		t.Errorf("owners and modes:\n%swant:\n%s", got, want)
	}
	b.do("pulley status && pulley config set cache.max_size 5GiB && grep -q 5GiB /etc/pulley/config.toml")
	b.do("journalctl -u pulley -o cat --no-pager | grep -q '^ready '")
	b.do("pulley ca export | cmp - /var/lib/pulley/ca/ca.crt") // root's commands find the service's

	t.Log("the daemon crashes: systemd starts it again")
	b.do("kill -KILL " + strconv.Itoa(s.PID))
	s = b.until("started again", func(now serviceStatus) bool { return now.PID != 0 && now.PID != s.PID })

	t.Log("a new daemon takes over, and is the unit's main process")
	for range 5 {
		b.do("cp /opt/bin/pulley /opt/bin/new && mv /opt/bin/new /opt/bin/pulley")
		now := b.service("start")
		if now.PID == s.PID || !now.Running {
			t.Errorf("not renewed: %+v, %+v", s, now)
		}
		s = now
	}
	if got, want := b.do("systemctl show pulley -p MainPID -p NRestarts -p ActiveState | sort"), fmt.Sprintf("ActiveState=active\nMainPID=%d\nNRestarts=1\n", s.PID); got != want {
		t.Errorf("after the hand-over:\n%swant:\n%s", got, want)
	}

	t.Log("a daemon that cannot start says why")
	b.do("pulley service stop --system && cp /etc/pulley/config.toml /opt/keep && echo 'nonsense = 1' >/etc/pulley/config.toml")
	if out, code := b.try("pulley service start --system"); code != 1 || !strings.Contains(out, "nonsense") || strings.Count(out, "\n") != 1 {
		t.Errorf("status %d: %s", code, out)
	}
	b.do("cp /opt/keep /etc/pulley/config.toml && rm /opt/keep && pulley service start --system")

	b.service("uninstall")
	b.service("uninstall") // once more is no error
	b.do(asWritten)
	if after := b.files(); after != before {
		t.Errorf("left behind (-) or gone (+):\n%s", difference(after, before))
	}

	t.Log("the authority that the system trusts goes with its service")
	b.service("install")
	b.do("pulley ca trust --system && ls /usr/local/share/ca-certificates | grep -q ^pulley-")
	b.service("uninstall")
	b.do("! ls -l /usr/local/share/ca-certificates /etc/ssl/certs | grep pulley-")

	b.own(listen)
}

// own is a person's service, under the person's own manager.
func (b *booted) own(listen string) {
	t := b.t
	t.Helper()
	b.do(`useradd --uid 2345 --create-home me && install -d /run/user && install -d -m 700 -o me /run/user/2345 &&
systemd-run --quiet --unit=own-manager --uid=me -p Delegate=yes --setenv=HOME=/home/me --setenv=XDG_RUNTIME_DIR=/run/user/2345 /lib/systemd/systemd --user --unit=basic.target &&
until [ -S /run/user/2345/systemd/private ]; do sleep 0.1; done`)
	as := func(command string) string {
		return "setpriv --reuid me --regid me --init-groups env HOME=/home/me USER=me " + command
	}
	b.do(as("sh -c 'umask 077; mkdir -p ~/.config/pulley; echo \"listen = \\\"" + listen + "\\\"\" >~/.config/pulley/config.toml'"))
	if out, code := b.try(as("env XDG_RUNTIME_DIR=/nowhere pulley service install")); code != 1 || !strings.Contains(out, "loginctl enable-linger me") || strings.Count(out, "\n") != 1 {
		t.Errorf("without a session, status %d: %s", code, out)
	}
	var s serviceStatus
	ask := func(verb string) {
		t.Helper()
		out := b.do(as("pulley service "+verb+" --json") + " 2>/dev/null")
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			t.Fatalf("%s: %v\n%s", verb, err, out)
		}
	}
	ask("install")
	if s.Kind != "systemd-user" || !s.Running || s.PID == 0 || s.Unit != "/home/me/.config/systemd/user/pulley.service" {
		t.Fatalf("installed: %+v", s)
	}
	b.do(as("pulley status")) // also where XDG_RUNTIME_DIR is not known
	first := s.PID
	b.do("cp /opt/bin/pulley /opt/bin/new && mv /opt/bin/new /opt/bin/pulley")
	ask("start")
	if s.PID == first || !s.Running {
		t.Errorf("not renewed: %d, %+v", first, s)
	}
	ask("stop")
	if s.Running {
		t.Errorf("stopped: %+v", s)
	}
	ask("start")
	ask("uninstall")
	if s.Installed || s.Running {
		t.Errorf("uninstalled: %+v", s)
	}
	if left := b.do("find /home/me -path '*systemd*'"); left != "" {
		t.Errorf("left behind: %s", left)
	}
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
