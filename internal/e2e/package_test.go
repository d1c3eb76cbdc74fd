//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pulley/internal/control"
	"pulley/internal/hubtest"
)

// TestPackage is the life of the package on a Debian 12, with either init: installed, in use by a real dockerd and by a person's
// skopeo, replaced by a newer one in the middle of a pull, removed, installed again and purged. Then all is as before.
func TestPackage(t *testing.T) {
	for name, on := range map[string]struct{ init, install, connect string }{
		"SysV":    {initShell, "apt-get install -y", "pulley connect docker --yes"},
		"systemd": {initSystemd, "dpkg -i", "pulley connect docker --proxy --yes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDebian(t, on.init, "before", "through", "after", "without", "again")
			d.engine()
			big := hubtest.RandomImage(77, 3, 8<<20).WithPlatform("linux/" + d.images["before"].Platform.Architecture)
			d.hub.Push("library/big", "1", big)
			d.fetch("before")
			before := d.all()

			t.Log("install")
			d.do(on.install + " " + deb(released[0]))
			if s := d.service("status"); !s.Running || s.PID == 0 || d.do(fmt.Sprintf("stat -c %%U /proc/%d", s.PID)) != "pulley\n" {
				t.Fatalf("installed: %+v", s)
			}
			if text := d.do("pulley status"); !strings.HasPrefix(text, "pulley     on at 127.0.0.1:5055\n") {
				t.Errorf("pulley status:\n%s", text)
			}
			if s := d.state(); s.Version != released[0] {
				t.Errorf("version %s runs", s.Version)
			}
			d.do("pulley config set cache.max_size 5GiB && usermod -aG pulley alice")

			t.Log("connect and pull")
			t.Log(d.do(on.connect))
			d.do(asAlice + "pulley connect podman --yes")
			d.do(asAlice + "XDG_DATA_HOME=/tmp/data skopeo copy -q docker://docker.io/library/before:1 dir:/tmp/before")
			d.fetch("through")
			if s := d.state(); s.Traffic.Ever.FromNet == 0 {
				t.Errorf("nothing went through Pulley: %+v", s.Traffic)
			}
			d.cached("through")

			t.Log("upgrade in the middle of a pull")
			d.hub.Reset()
			d.hub.SetFaults(hubtest.Faults{Total: 256 << 10})
			pulled := make(chan error, 1)
			go func() { pulled <- d.docker.pull(t, "docker.io/library/big:1", nil) }()
			d.await("the pull is under way", func() bool { return d.hub.BytesSent(big.Layers[0].Digest) > 128<<10 })
			stop := d.knocks()
			d.do("dpkg -i " + deb(released[1]))
			answered, failed := stop()
			if len(failed) > 0 || answered < 10 {
				t.Errorf("%d answers during the upgrade, failed: %v", answered, failed)
			}
			s := d.state()
			if s.Version != released[1] {
				t.Errorf("version %s runs", s.Version)
			}
			select {
			case err := <-pulled:
				t.Errorf("the pull did not last over the upgrade: %v", err)
			default:
			}
			d.hub.SetFaults()
			select {
			case err := <-pulled:
				if err != nil {
					t.Fatalf("the pull that was under way: %v", err)
				}
			case <-time.After(2 * time.Minute):
				t.Fatal("the pull that was under way never ended")
			}
			d.docker.check(t, "library/big:1", big)
			for i, l := range big.Layers {
				if sent := d.hub.BytesSent(l.Digest); sent != l.Content.Size() {
					t.Errorf("layer %d: the Hub sent %d bytes of %d", i, sent, l.Content.Size())
				}
			}
			d.await("the old daemon has ended", func() bool { return d.do("pgrep -xc pulley") == d.do("pgrep -c -f 'pulley (up|service run)'") })
			d.do("grep -q 5GiB /etc/pulley/config.toml")
			d.cached("through")
			d.fetch("after")

			t.Log("remove")
			t.Log(d.do("apt-get remove -y pulley"))
			d.compare(before, leftByRemove)
			d.do("[ -z \"$(dpkg --audit)\" ]")
			d.do("grep -q 5GiB /etc/pulley/config.toml && [ -n \"$(find /var/cache/pulley -type f)\" ] && id pulley")
			d.fetch("without")

			t.Log("install again and purge")
			d.do(on.install + " " + deb(released[1]))
			d.do("pulley status && pulley config get cache.max_size | grep -q 5GiB")
			d.do("apt-get purge -y pulley")
			d.compare(before, nil)
			d.do("[ -z \"$(dpkg --audit)\" ]")
			d.fetch("again")
		})
	}
}

// asAlice is what makes a command line hers.
const asAlice = "setpriv --reuid alice --regid alice --init-groups env HOME=/home/alice USER=alice "

// deb is the package of a version, on the machine.
func deb(version string) string { return "/srv/debs/pulley_" + version + "_*.deb" }

// state is what the daemon says of itself.
func (d *debian) state() (s control.State) {
	d.t.Helper()
	if out := d.do("pulley status --json"); json.Unmarshal([]byte(out), &s) != nil {
		d.t.Fatal(out)
	}
	return s
}

// cached has dockerd pull an image anew, of which the Hub must not be asked for a blob.
func (d *debian) cached(name string) {
	d.t.Helper()
	d.docker.remove(d.t, "library/"+name+":1")
	d.hub.Reset()
	d.fetch(name)
	if n := d.hub.Count("GET", "/v2/library/"+name+"/blobs/*"); n > 0 {
		d.t.Errorf("the Hub was asked for %d blobs of %s, which is cached", n, name)
	}
}
