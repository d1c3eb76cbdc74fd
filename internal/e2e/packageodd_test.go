//go:build e2e

package e2e

import (
	"net"
	"strings"
	"testing"
	"time"

	"pulley/internal/hubtest"
)

// imageMade is a root folder that is filled on a machine with systemd, which is not the one inside.
const imageMade = "an image is made"

// TestPackageOddly is what else happens to packages. Whatever does, dpkg is never stuck, and in the end all is as before. Where
// the name says so dockerd runs.
func TestPackageOddly(t *testing.T) {
	const connect = "pulley connect docker --yes --no-test"
	install := "dpkg -i " + deb(released[0])
	for name, test := range map[string]func(t *testing.T, d *debian){
		"dockerd pulls": func(t *testing.T, d *debian) {
			d.do(install + " && " + connect)
			big := hubtest.RandomImage(78, 3, 8<<20).WithPlatform("linux/" + d.images["one"].Platform.Architecture)
			d.images["big"] = big
			d.hub.Push("library/big", "1", big)
			d.hub.SetFaults(hubtest.Faults{Total: 256 << 10})
			pulled := make(chan error, 1)
			go func() { pulled <- d.docker.pull(t, "docker.io/library/big:1", nil) }()
			d.await("the pull is under way", func() bool { return d.hub.BytesSent(big.Layers[0].Digest) > 128<<10 })
			began := time.Now()
			d.do("dpkg -P pulley")
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("the removal took %s", took)
			}
			d.hub.SetFaults()
			d.do("service docker stop") // it would go on by itself, but first try five times where Pulley was
			<-pulled
			d.engine()
			d.fetch("one")
			d.fetch("big")
		},
		"unpacked, and then a newer one": func(_ *testing.T, d *debian) {
			d.do("dpkg --unpack " + deb(released[0]))
			d.do("dpkg -i " + deb(released[1]) + " && pulley status")
		},
		"unpacked, and removed": func(_ *testing.T, d *debian) {
			d.do("dpkg --unpack " + deb(released[0]) + " && dpkg -P pulley")
		},
		"configured a second time": func(t *testing.T, d *debian) {
			d.do(install)
			pid := d.service("status").PID
			d.do("dpkg-reconfigure pulley || /var/lib/dpkg/info/pulley.postinst configure " + released[0])
			if now := d.service("status").PID; now != pid {
				t.Errorf("the daemon was replaced for nothing: %d, %d", pid, now)
			}
		},
		"an older one": func(t *testing.T, d *debian) {
			d.do("dpkg -i " + deb(released[1]))
			stop := d.knocks()
			d.do("dpkg -i " + deb(released[0]))
			if answered, failed := stop(); len(failed) > 0 || answered < 10 {
				t.Errorf("%d answers, failed: %v", answered, failed)
			}
			if v := d.state().Version; v != released[0] {
				t.Errorf("version %s runs", v)
			}
		},
		"uninstalled on purpose": func(_ *testing.T, d *debian) {
			d.do(install + " && pulley service uninstall --system")
			d.do("dpkg -i " + deb(released[1]) + " && ! pulley status && [ ! -e /etc/init.d/pulley ]")
			d.do("dpkg -r pulley && " + install + " && pulley status") // but one that was removed in between is new
		},
		"the port is somebody else's": func(t *testing.T, d *debian) {
			var l net.Listener
			var err error
			d.there(func() { l, err = net.Listen("tcp", "127.0.0.1:5055") })
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if out := d.do(install); !strings.Contains(out, "once that is mended: sudo pulley service install --system") || !strings.Contains(out, "5055") {
				t.Errorf("it says:\n%s", out)
			}
		},
		"dockerd is stopped": func(_ *testing.T, d *debian) {
			d.do(install + " && pulley connect docker --proxy --yes --no-test && service docker stop && dpkg -P pulley")
			d.engine()
			d.fetch("one")
		},
		"dockerd is connected and the settings are broken": func(t *testing.T, d *debian) {
			d.do(install + " && " + connect + " && echo 'nonsense = 1' >/etc/pulley/config.toml")
			if out := d.do("dpkg -i " + deb(released[1])); !strings.Contains(out, "the old one goes on") || !strings.Contains(out, "nonsense") {
				t.Errorf("it says:\n%s", out)
			}
			if v := d.state().Version; v != released[0] {
				t.Errorf("version %s runs", v)
			}
			d.fetch("one")
		},
		"the cache is a disk of its own": func(t *testing.T, d *debian) {
			d.do(install + " && mount -t tmpfs -o uid=pulley,gid=pulley,mode=750 tmpfs /var/cache/pulley")
			if out := d.do("dpkg -P pulley"); !strings.Contains(out, "sudo rm -r /var/cache/pulley") {
				t.Errorf("it says:\n%s", out)
			}
			d.do("umount /var/cache/pulley && rm -r /var/cache/pulley")
		},
		"nothing may be started": func(_ *testing.T, d *debian) {
			d.do("printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d")
			d.do(install + " && ! pulley status && [ -x /etc/init.d/pulley ] && rm /usr/sbin/policy-rc.d")
		},
		imageMade: func(t *testing.T, d *debian) {
			began := time.Now()
			if out := d.do(install); !strings.Contains(out, "it starts with the next boot") || time.Since(began) > 20*time.Second {
				t.Errorf("after %s it says:\n%s", time.Since(began), out)
			}
			d.do("[ -L /etc/systemd/system/multi-user.target.wants/pulley.service ] && dpkg -i " + deb(released[1]) + " && dpkg -r pulley && " + install)
		},
		"there is no init": func(t *testing.T, d *debian) {
			d.do("mv /etc/init.d /etc/no.d")
			if out := d.do(install); !strings.Contains(out, "once that is mended: sudo pulley service install --system") {
				t.Errorf("it says:\n%s", out)
			}
			d.do("pulley version && dpkg -P pulley && mv /etc/no.d /etc/init.d")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			init := initShell
			if name == imageMade {
				init = "echo systemd >/proc/self/comm; " + initShell
			}
			d := newDebian(t, init, "one")
			if strings.HasPrefix(name, "dockerd") {
				d.engine()
			}
			before := d.all()
			test(t, d)
			d.do("dpkg -P pulley && [ -z \"$(dpkg --audit)\" ] && ! dpkg -s pulley")
			d.compare(before, nil)
			if out, _ := d.try("pgrep -a pulley"); out != "" {
				t.Errorf("processes left: %s", out)
			}
		})
	}
}
