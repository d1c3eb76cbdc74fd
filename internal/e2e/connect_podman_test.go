//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestConnectPodman: `pulley connect podman` with a real Podman and Skopeo: pulls go through Pulley, with Pulley gone to the
// origin, and after `pulley disconnect` every file is as it was.
func TestConnectPodman(t *testing.T) {
	for _, own := range []bool{false, true} {
		name := "the machine's settings"
		if own {
			name = "a person's registries.conf"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			connectPodman(t, own)
		})
	}
}

func connectPodman(t *testing.T, own bool) {
	t.Helper()
	r := newRig(t, "1ms")
	images := r.stock(t, "through", "inspected", "fallback", "short", "without")
	s := newSandbox(t)
	r.origin(t, s)
	s.etc(t, "containers/storage.conf", fmt.Sprintf("[storage]\ndriver = \"overlay\"\nrunroot = %q\ngraphroot = %q\n", s.file("state"), s.file("data")))
	s.etc(t, "containers/containers.conf", "[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n")
	s.etc(t, "containers/registries.conf.d/shortnames.conf", "[aliases]\n  \"inspected\" = \"docker.io/library/inspected\"\n")
	s.etc(t, "containers/registries.conf", "# the distribution's\n")
	if own {
		s.write(t, "home/.config/containers/registries.conf", "# mine: see containers-registries.conf(5)\nunqualified-search-registries = [\"quay.io\"] # not the Hub\n", 0o644)
	}
	if _, err := s.run(t, "podman", "images"); err != nil { // it leaves things of its own in /etc when it is first run
		t.Fatal(err)
	}
	before := takeSnapshot(t, s.file("etc"), s.file("home"))
	pull := func(name string) {
		t.Helper()
		if _, err := s.run(t, "podman", "pull", "--quiet", name); err != nil {
			t.Fatal(err)
		}
	}
	check := func(name string) {
		t.Helper()
		out, err := s.run(t, "podman", "image", "inspect", "--format", "{{.Digest}}", "docker.io/library/"+name+":1")
		if err != nil || strings.TrimSpace(out) != images[name].Digest().String() {
			t.Errorf("%s is %s (%v), want %s", name, out, err, images[name].Digest())
		}
	}

	dry := r.pulleyIn(t, s.run, "connect", "podman", "--dry-run")
	if !strings.Contains(dry, "900-pulley.conf") || !strings.Contains(dry, r.addr+"/docker.io") {
		t.Errorf("the dry run does not show what would be done:\n%s", dry)
	}
	before.same(t, takeSnapshot(t, s.file("etc"), s.file("home")))

	t.Log(r.pulleyIn(t, s.run, "connect", "podman", "--yes"))
	changed := before.changed(takeSnapshot(t, s.file("etc"), s.file("home")))
	want := s.file("etc/containers/registries.conf.d/900-pulley.conf")
	if own {
		want = s.file("home/.config/containers/registries.conf.d/900-pulley.conf")
	}
	if len(changed) != 1 || changed[0] != want {
		t.Errorf("changed were %v, want %s alone", changed, want)
	}
	pull("docker.io/library/through:1")
	check("through")
	r.went(t, "through", true)
	if _, err := s.run(t, "skopeo", "copy", "--quiet", "docker://docker.io/library/inspected:1", "dir:"+s.file("tmp/inspected")); err != nil {
		t.Fatal(err)
	}
	checkBlobs(t, s.file("tmp/inspected"), images["inspected"].Blobs()...)
	r.went(t, "inspected", true)

	r.daemon.stop()
	pull("docker.io/library/fallback:1")
	check("fallback")
	r.up(t)
	r.went(t, "fallback", false)

	// Connected anew with a search order, which is the machine's or the person's own again afterwards.
	t.Log(r.pulleyIn(t, s.run, "connect", "podman", "--yes", "--search", "docker.io"))
	pull("short:1")
	check("short")
	r.went(t, "short", true)

	t.Log(r.pulleyIn(t, s.run, "disconnect", "podman", "--yes"))
	before.same(t, takeSnapshot(t, s.file("etc"), s.file("home")))
	pull("docker.io/library/without:1")
	check("without")
	r.went(t, "without", false)
}
