//go:build e2e

package e2e

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pulley/internal/hubtest"
)

// debianPackages are what a Debian 12 has here besides the smallest system: engines, systemd (which runs only where it is
// booted), and what tests look with.
const debianPackages = "ca-certificates,docker.io,iproute2,netavark,procps,skopeo,systemd"

// debianRoot is the folder of a Debian 12, made once and kept beside the engines. Nobody writes there afterwards.
var debianRoot = sync.OnceValues(func() (string, error) {
	cache := filepath.Dir(engineDir)
	sum := sha256.Sum256([]byte(debianPackages))
	root := filepath.Join(cache, fmt.Sprintf("debian-12-%s-%.4x", runtime.GOARCH, sum[:]))
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	temp, err := os.MkdirTemp(cache, "building-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	fmt.Println("making a Debian 12")
	began := time.Now()
	cmd := exec.Command("debootstrap", "--variant=minbase", "--include="+debianPackages, "bookworm", temp)
	cmd.Env = append(os.Environ(), "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C")
	if _, err := runCommand(cmd); err != nil {
		return "", err
	}
	archives, err := filepath.Glob(filepath.Join(temp, "var/cache/apt/archives/*.deb"))
	if err != nil {
		return "", err
	}
	for _, archive := range archives {
		_ = os.Remove(archive)
	}
	if err := os.Chmod(temp, 0o755); err != nil { //nolint:gosec // a machine's root
		return "", err
	}
	if err := os.Rename(temp, root); err != nil {
		return "", err
	}
	fmt.Printf("made in %s\n", time.Since(began).Round(time.Second))
	return root, nil
})

// released are those that packages are built of, the older first.
var released = []string{"0.9.0", "0.9.1"}

// debs is a folder with a package of each version, from this tree, as `make dist` builds it.
var debs = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(filepath.Dir(pulleyBin), "debs")
	for _, version := range released {
		cmd := exec.Command("../../.ci/dist")
		cmd.Env = append(os.Environ(), "ONLY=deb", "VERSION="+version, "OUT="+dir)
		if _, err := runCommand(cmd); err != nil {
			return dir, fmt.Errorf("dist: %w", err)
		}
	}
	return dir, nil
})

// bootDebian is $5, a root folder, with all that is written kept in memory, a cgroup and a network of its own. $6 is what
// becomes of process 1.
const bootDebian = `set -e
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
root=$top/root
mkdir "$root" "$top/upper" "$top/work"
mount -t overlay overlay -o "lowerdir=$5,upperdir=$top/upper,workdir=$top/work" "$root"
for dir in run tmp dev var/lib/docker; do
	mkdir -p "$root/$dir"
	mount -t tmpfs -o mode=755 tmpfs "$root/$dir"
done
chmod 1777 "$root/tmp"
mkdir "$root/dev/shm" "$root/dev/pts" "$root/run/lock"
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
for unit in systemd-udevd.service systemd-udev-trigger.service systemd-timesyncd.service systemd-resolved.service systemd-modules-load.service systemd-sysctl.service \
	dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount dev-mqueue.mount; do
	ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
mkdir "$root/old" "$root/srv/debs"
mount --bind "$2" "$root/srv/debs"
cd "$root"
pivot_root . old
exec env -i container=e2e PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . /bin/sh -c "umount -l /old && rmdir /old && ip link set lo up && echo booted
$6"
`

// What process 1 is. Without systemd it is a shell that does nothing but bury the dead.
const (
	initShell   = "exec 0<&-; while :; do sleep 1000 & wait; done"
	initSystemd = "exec /lib/systemd/systemd --system --unit=basic.target </dev/null >/dev/null 2>&1"
)

// debian is a private Debian 12 with a true dpkg, a dockerd and two people, alone in a network with the Hub, which it reaches
// by its real names and whose authority it trusts as it does everybody's.
type debian struct {
	*booted

	hub    *hubtest.Hub
	docker *dockerd
	images map[string]hubtest.Image
}

// prepareDebian makes of a fresh system one that people use: one's own Pulley is broken and waits where a file should be, one's home
// is not there. Where tests run nobody may be allowed to raise limits.
const prepareDebian = `set -e
useradd --create-home alice && useradd --create-home bob && useradd --no-create-home carol
mkdir -p /home/bob/.config/pulley /home/bob/.config/systemd/user /home/bob/.local/state/pulley /home/bob/.cache/pulley/oci
echo 'listen = "127.0.0.1:5056"' >/home/bob/.config/pulley/config.toml
echo nonsense | tee /home/bob/.local/state/pulley/wiring.json >/home/bob/.cache/pulley/oci/blob
mkfifo /home/bob/.config/systemd/user/pulley.service
chown -R bob:bob /home/bob
sed -i 's/ulimit -/: ulimit -/' /etc/init.d/docker
echo 'DOCKER_OPTS="--iptables=false --ip6tables=false --ip-forward=false --bridge=none"' >/etc/default/docker
mkdir -p /etc/systemd/system/docker.service.d
printf '[Service]\nLimitNOFILE=\nLimitNPROC=\nLimitCORE=\nOOMScoreAdjust=\n' >/etc/systemd/system/docker.service.d/limits.conf
`

func newDebian(t *testing.T, init string, images ...string) *debian {
	t.Helper()
	root, err := debianRoot()
	if err != nil {
		t.Fatal(err)
	}
	packages, err := debs()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "e2ed")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	hub := hubtest.Start(t)
	d := &debian{
		booted: boot(t, dir, syscall.CLONE_NEWNET, bootDebian, packages, root, init),
		hub:    hub, images: (&rig{hub: hub}).stock(t, images...),
	}
	if init == initSystemd {
		d.do("until systemctl is-system-running --wait; do sleep 0.1; done 2>/dev/null")
	}
	d.origin()
	d.write("/usr/local/share/ca-certificates/hub.crt", string(hub.RootsPEM()))
	d.do(prepareDebian + "update-ca-certificates")
	if init == initSystemd {
		d.do("systemctl daemon-reload")
	} else {
		d.write("/etc/fstab", "# cgroup: it is mounted\nnone /sys/fs/cgroup cgroup2 defaults 0 0\n") // docker's script looks there
	}
	t.Cleanup(func() {
		if t.Failed() {
			text, _ := d.try("tail -n 5 /var/log/docker.log; journalctl -n 60 --no-pager -q; tail -n 30 /var/log/pulley/pulley.log")
			t.Logf("its logs:\n%s", text)
		}
	})
	return d
}

// engine starts dockerd.
func (d *debian) engine() {
	d.t.Helper()
	socket := d.inside("/run/docker.sock")
	d.docker = &dockerd{client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}}
	d.do("service docker start")
	d.await("dockerd answers", func() bool {
		_, err := d.docker.call(d.t, http.MethodGet, "/_ping", nil)
		return err == nil
	})
}

// inside is the path of a file, from outside.
func (d *debian) inside(name string) string {
	return fmt.Sprintf("/proc/%d/root%s", d.init.Process.Pid, name)
}

func (d *debian) write(name, text string) {
	d.t.Helper()
	if err := os.WriteFile(d.inside(name), []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// there runs f in the network of the machine. What f opens stays in there.
func (d *debian) there(f func()) {
	d.t.Helper()
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", d.init.Process.Pid))
	if err != nil {
		d.t.Fatal(err)
	}
	defer ns.Close()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this
		err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		d.t.Fatal(err)
	}
}

// origin lets the machine reach the Hub by its real names at its real port.
func (d *debian) origin() {
	t := d.t
	t.Helper()
	var l net.Listener
	var err error
	d.there(func() { l, err = net.Listen("tcp", "127.55.0.1:443") })
	if err != nil {
		t.Fatal(err)
	}
	lead(t, l, d.hub)
	d.write("/etc/hosts", fmt.Sprintf("127.0.0.1 localhost\n127.55.0.1 %s\n", strings.Join(d.hub.Hosts(), " ")))
	d.write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n") // nobody answers there
}

// await polls until something is so, for a minute.
func (d *debian) await(what string, is func() bool) {
	d.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			d.t.Fatalf("never: %s", what)
		}
	}
}

// fetch has dockerd pull an image, and looks at what it got.
func (d *debian) fetch(name string) {
	d.t.Helper()
	if err := d.docker.pull(d.t, "docker.io/library/"+name+":1", nil); err != nil {
		d.t.Fatalf("%s: %v", name, err)
	}
	d.docker.check(d.t, "library/"+name+":1", d.images[name])
}

// knocks asks Pulley's port again and again, on a new connection each time, until stop is called, which tells how often it
// was answered and each time it was not.
func (d *debian) knocks() (stop func() (answered int, failed []string)) {
	ctx, cancel := context.WithCancel(d.t.Context())
	var answered int
	var failed []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.there(func() {
			for ctx.Err() == nil {
				if err := knock(); err != nil {
					failed = append(failed, err.Error())
				} else {
					answered++
				}
			}
		})
	}()
	return func() (int, []string) {
		cancel()
		<-done
		return answered, failed
	}
}

func knock() error {
	conn, err := net.DialTimeout("tcp", "127.0.0.1:5055", 10*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	answer, err := io.ReadAll(conn)
	if err == nil && !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
		err = errors.New(strconv.Quote(string(answer)))
	}
	return err
}
