package page_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"

	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
)

func firstRun(t *testing.T, tool *cli) (*dockerRig, *newcomer, *int) {
	t.Helper()
	r := newDockerRig(t, fyne.NewSize(900, 600), theme.Light, tool)
	daemon, done := &newcomer{}, new(int)
	r.daemon = daemon
	r.put(page.NewFirst(r.desk, func() { *done++ }), model.View{Phase: model.Running})
	r.work()
	return r, daemon, done
}

func TestEveryStepCanBeSkipped(t *testing.T) {
	r, daemon, done := firstRun(t, firstTool())
	for range model.FirstSteps {
		r.press("Skip")
	}
	r.expect("Skipped", "Do it now")
	r.refuse("Undo")
	r.press("Do it now", 1)
	r.expect("From then on, what it pulls comes through Pulley")
	r.press("Skip")
	r.press("Open Pulley")
	if *done != 1 || len(daemon.did) > 0 || slices.ContainsFunc(r.tool.asked, func(line string) bool { return strings.Contains(line, "--yes") || line == "ca trust" }) {
		t.Errorf("%d %q %q", *done, daemon.did, r.tool.asked)
	}
}

func TestLaterIsAlwaysThere(t *testing.T) {
	r, _, done := firstRun(t, firstTool())
	r.press("Later")
	if *done != 1 {
		t.Error("nobody was told")
	}
}

func TestTrustIsShownGivenAndTakenBack(t *testing.T) {
	tool := firstTool()
	tool.answers["ca trust"] = `{"trusted":false,"stores":[{"store":"system","error":"needs root","command":"sudo …"}]}`
	r, _, _ := firstRun(t, tool)
	r.expect("Firefox (NSS)", "add the certificate to ~/.mozilla/firefox/x.default", "system (update-ca-certificates)", "Added as administrator", "docker.io, ghcr.io, quay.io, gcr.io, registry.k8s.io, mcr.microsoft.com and 2 more")
	tool.answers["ca trust --dry-run"] = `{"plan":[]}`
	tool.errors["ca trust"] = errors.New("system trust store: needs root; run: sudo pulley ca trust")
	tool.answers["# ca trust --system"] = `{"trusted":true,"stores":[]}`
	r.press("Trust")
	r.asked("# ca trust --system")
	r.expect("Trusted by this system", "Undo")
	tool.answers["ca untrust"] = `{"trusted":true,"stores":[{"error":"needs root","command":"sudo …"}]}`
	tool.errors["ca untrust"] = errors.New("system trust store: needs root")
	tool.answers["# ca untrust"] = `{"trusted":false,"stores":[]}`
	delete(tool.errors, "ca trust")
	r.press("Undo")
	r.asked("# ca untrust")
	r.expect("Only the proxy way needs this.")
	r.refuse("Undo")
}

func TestTrustThatIsRefusedSaysWhatToDo(t *testing.T) {
	tool := firstTool()
	r, _, _ := firstRun(t, tool)
	tool.answers["ca trust"] = `{"trusted":false,"stores":[{"store":"system","error":"needs root","command":"sudo …"}]}`
	tool.errors["ca trust"] = errors.New("needs root")
	tool.answers["# ca trust"] = `{}`
	tool.errors["# ca trust"] = terminalError{}
	r.press("Trust")
	r.expect("nobody can be asked", "sudo pulley connect docker", "Skip", "Try again")
}

func TestAnEngineIsConnectedOnTheWay(t *testing.T) {
	tool := firstTool()
	tool.answers["connect"] = `[{"id":"podman","name":"Podman","running":true,"wired":{"way":"","ours":false},"ways":["mirror"]}]`
	tool.answers["connect podman --mirror --yes"] = `[{"engine":{"id":"podman","name":"Podman"},"done":true,"proven":true,"proof":"podman pulls it"}]`
	r, _, _ := firstRun(t, tool)
	r.press("Skip")
	var next *part.Button
	r.all(func(o fyne.CanvasObject) {
		if b, ok := o.(*part.Button); ok && b.Text == "Continue" {
			next = b
		}
	})
	if next == nil || !next.Disabled() {
		t.Fatal("one can go on as if an engine were connected")
	}
	r.press("Connect")
	r.expect("/home/me/.config/containers/registries.conf.d/pulley.conf")
	tool.answers["connect"] = `[{"id":"podman","name":"Podman","running":true,"wired":{"way":"mirror","ours":true},"ways":["mirror"]}]`
	r.press("Connect")
	r.press("Done")
	r.press("Continue")
	r.expect("Podman", "Choose mirrors")
	tool.answers["disconnect podman --dry-run"] = `[{"engine":{"id":"podman"},"diff":"--- /a\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"}]`
	tool.answers["disconnect podman --yes"] = `[{"engine":{"id":"podman"},"done":true}]`
	r.press("Undo")
	tool.answers["connect"] = `[{"id":"podman","name":"Podman","running":true,"wired":{"way":"","ours":false},"ways":["mirror"]}]`
	r.press("Disconnect")
	r.press("Done")
	r.expect("Not connected")
	r.refuse("Undo")
}

func TestMirrorsAreMeasuredChosenAndTakenBack(t *testing.T) {
	r, daemon, _ := firstRun(t, firstTool())
	r.press("Skip")
	r.press("Skip")
	r.expect("daocloud", "https://docker.1ms.run")
	seen := false
	daemon.at = func(name string) {
		if name == "1ms" {
			r.expect("measuring…", "9.0 MiB/s", "3.1 MiB/s", "Stop")
			seen = true
		}
	}
	r.press("Measure")
	if !seen {
		t.Error("not to be seen while it runs")
	}
	r.expect("fastest", "differs from Hub", "unreachable")
	r.press("Use selected")
	if !slices.Equal(daemon.did, []string{"docker.io/daocloud on", "docker.io/1ms on"}) {
		t.Errorf("%q", daemon.did)
	}
	r.expect("daocloud and 1ms")
	r.press("Undo")
	if !slices.Equal(daemon.did[2:], []string{"docker.io/daocloud off", "docker.io/1ms off"}) {
		t.Errorf("%q", daemon.did)
	}
	daemon.refuses = errors.New("docker.io: PULLEY_… holds it")
	r.press("Measure again")
	r.press("Use selected")
	if len(r.toasts) != 1 || !r.toasts[0].Bad {
		t.Errorf("%+v", r.toasts)
	}
	r.expect("Use selected")
}

func TestMeasuringCanBeStopped(t *testing.T) {
	r, daemon, _ := firstRun(t, firstTool())
	r.press("Skip")
	r.press("Skip")
	n := 0
	daemon.at = func(string) {
		if n++; n == 2 {
			r.tap("Stop")
		}
	}
	r.press("Measure")
	if n != 2 {
		t.Errorf("%d were measured", n)
	}
	r.expect("Measure")
	r.refuse("Use selected")
}

func TestTheProofIsThePathThatWasTaken(t *testing.T) {
	tool := firstTool()
	r, daemon, _ := firstRun(t, tool)
	r.press("Skip")
	r.press("Continue") // docker is connected
	r.press("Skip")
	r.press("Pull")
	r.expect("From daocloud, ", "3.0 MiB in ", "From the cache, ", "Pulled by Docker Engine", "docker pulls alpine:latest through Pulley (cache)")
	r.asked("connect docker --mirror --yes --test docker.io/library/alpine:latest")
	r.press("Finish")
	r.expect(" from the cache", "Open Pulley")
	r.press("Undo", 1)
	if !slices.Contains(daemon.did, "remove docker.io/library/alpine:latest") {
		t.Errorf("%q", daemon.did)
	}
}

func TestWithoutADaemonTheFirstRunWaitsForIt(t *testing.T) {
	r := newDockerRig(t, fyne.NewSize(900, 600), theme.Light, firstTool())
	var daemon page.Daemon
	r.desk.Daemon = func() page.Daemon { return daemon }
	f := page.NewFirst(r.desk, func() {})
	r.put(f, model.View{Phase: model.Starting})
	r.work()
	r.press("Skip")
	r.press("Skip")
	r.expect("Pulley is not running")
	daemon = &newcomer{}
	f.Show(model.View{Phase: model.Running}, r.now)
	r.work()
	r.expect("daocloud", "Measure")
}
