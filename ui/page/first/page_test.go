package first_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/page/first"
	"pulley/ui/page/pagetest"
	"pulley/ui/part"
	"pulley/ui/theme"
)

func firstRun(t *testing.T, tool *pagetest.CLI) (*pagetest.Rig, *newcomer, *int) {
	t.Helper()
	r := pagetest.New(t, fyne.NewSize(900, 600), theme.Light, tool)
	daemon, done := &newcomer{}, new(int)
	r.Daemon = daemon
	r.Put(first.New(r.Desk, func() { *done++ }), model.View{Phase: model.Running})
	r.Work()
	return r, daemon, done
}

func TestEveryStepCanBeSkipped(t *testing.T) {
	r, daemon, done := firstRun(t, firstTool())
	for range model.FirstSteps {
		r.Press("Skip")
	}
	r.Expect("Skipped", "Do it now")
	r.Refuse("Undo")
	r.Press("Do it now", 1)
	r.Expect("From then on, what it pulls comes through Pulley")
	r.Press("Skip")
	r.Press("Open Pulley")
	if *done != 1 || len(daemon.did) > 0 || slices.ContainsFunc(r.Tool.Asked, func(line string) bool { return strings.Contains(line, "--yes") || line == "ca trust" }) {
		t.Errorf("%d %q %q", *done, daemon.did, r.Tool.Asked)
	}
}

func TestLaterIsAlwaysThere(t *testing.T) {
	r, _, done := firstRun(t, firstTool())
	r.Press("Later")
	if *done != 1 {
		t.Error("nobody was told")
	}
}

func TestTrustIsShownGivenAndTakenBack(t *testing.T) {
	tool := firstTool()
	tool.Answers["ca trust"] = `{"trusted":false,"stores":[{"store":"system","error":"needs root","command":"sudo …"}]}`
	r, _, _ := firstRun(t, tool)
	r.Expect("Firefox (x.default)", "certutil -A -d sql:/home/me/.mozilla/firefox/x.default", "system (update-ca-certificates)", "Added as administrator", "docker.io, ghcr.io, quay.io, gcr.io, registry.k8s.io, mcr.microsoft.com and 2 more")
	tool.Answers["ca trust --dry-run"] = `{"plan":[],"deeds":[]}`
	tool.Errors["ca trust"] = errors.New("system trust store: needs root; run: sudo pulley ca trust")
	tool.Answers["# ca trust --system"] = `{"trusted":true,"stores":[]}`
	r.Press("Trust")
	r.Asked("# ca trust --system")
	r.Expect("Trusted by this system", "Undo")
	tool.Answers["ca untrust"] = `{"trusted":true,"stores":[{"error":"needs root","command":"sudo …"}]}`
	tool.Errors["ca untrust"] = errors.New("system trust store: needs root")
	tool.Answers["# ca untrust"] = `{"trusted":false,"stores":[]}`
	delete(tool.Errors, "ca trust")
	r.Press("Undo")
	r.Asked("# ca untrust")
	r.Expect("Only the proxy way needs this.")
	r.Refuse("Undo")
}

// What the command line says in English is said in the language in force: by its kind.
func TestTrustIsSaidInChinese(t *testing.T) {
	lang.Use("zh-CN")
	t.Cleanup(func() { lang.Use("en") })
	r, _, _ := firstRun(t, firstTool())
	r.Expect("本系统", "以管理员身份添加", "Firefox (x.default)")
	r.Refuse("system (update-ca-certificates)")
}

func TestTrustThatIsRefusedSaysWhatToDo(t *testing.T) {
	tool := firstTool()
	r, _, _ := firstRun(t, tool)
	tool.Answers["ca trust"] = `{"trusted":false,"stores":[{"store":"system","error":"needs root","command":"sudo …"}]}`
	tool.Errors["ca trust"] = errors.New("needs root")
	tool.Answers["# ca trust"] = `{}`
	tool.Errors["# ca trust"] = pagetest.TerminalError{}
	r.Press("Trust")
	r.Expect("nobody can be asked", "sudo pulley connect docker", "Skip", "Try again")
}

func TestAnEngineIsConnectedOnTheWay(t *testing.T) {
	tool := firstTool()
	tool.Answers["connect"] = `[{"id":"podman","name":"Podman","running":true,"wired":{"way":"","ours":false},"ways":["mirror"]}]`
	tool.Answers["connect podman --mirror --yes"] = `[{"engine":{"id":"podman","name":"Podman"},"done":true,"proven":true,"proof":"podman pulls it"}]`
	r, _, _ := firstRun(t, tool)
	r.Press("Skip")
	var next *part.Button
	r.All(func(o fyne.CanvasObject) {
		if b, ok := o.(*part.Button); ok && b.Text == "Continue" {
			next = b
		}
	})
	if next == nil || !next.Disabled() {
		t.Fatal("one can go on as if an engine were connected")
	}
	r.Press("Connect")
	r.Expect("/home/me/.config/containers/registries.conf.d/pulley.conf")
	tool.Answers["connect"] = `[{"id":"podman","name":"Podman","running":true,"wired":{"way":"mirror","ours":true},"ways":["mirror"]}]`
	r.Press("Connect")
	r.Press("Done")
	r.Press("Continue")
	r.Expect("Podman", "Choose mirrors")
	tool.Answers["disconnect podman --dry-run"] = `[{"engine":{"id":"podman"},"diff":"--- /a\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"}]`
	tool.Answers["disconnect podman --yes"] = `[{"engine":{"id":"podman"},"done":true}]`
	r.Press("Undo")
	tool.Answers["connect"] = `[{"id":"podman","name":"Podman","running":true,"wired":{"way":"","ours":false},"ways":["mirror"]}]`
	r.Press("Disconnect")
	r.Press("Done")
	r.Expect("Not connected")
	r.Refuse("Undo")
}

func TestMirrorsAreMeasuredChosenAndTakenBack(t *testing.T) {
	r, daemon, _ := firstRun(t, firstTool())
	r.Press("Skip")
	r.Press("Skip")
	r.Expect("daocloud", "https://docker.1ms.run")
	seen := false
	daemon.at = func(name string) {
		if name == "1ms" {
			r.Expect("measuring…", "9.0 MiB/s", "3.1 MiB/s", "Stop")
			seen = true
		}
	}
	r.Press("Measure")
	if !seen {
		t.Error("not to be seen while it runs")
	}
	r.Expect("fastest", "differs from Hub", "unreachable")
	r.Press("Use selected")
	if !slices.Equal(daemon.did, []string{"docker.io/daocloud on", "docker.io/1ms on"}) {
		t.Errorf("%q", daemon.did)
	}
	r.Expect("daocloud and 1ms")
	r.Press("Undo")
	if !slices.Equal(daemon.did[2:], []string{"docker.io/daocloud off", "docker.io/1ms off"}) {
		t.Errorf("%q", daemon.did)
	}
	daemon.refuses = errors.New("docker.io: PULLEY_… holds it")
	r.Press("Measure again")
	r.Press("Use selected")
	if len(r.Toasts) != 1 || !r.Toasts[0].Bad {
		t.Errorf("%+v", r.Toasts)
	}
	r.Expect("Use selected")
}

func TestMeasuringCanBeStopped(t *testing.T) {
	r, daemon, _ := firstRun(t, firstTool())
	r.Press("Skip")
	r.Press("Skip")
	n := 0
	daemon.at = func(string) {
		if n++; n == 2 {
			r.Tap("Stop")
		}
	}
	r.Press("Measure")
	if n != 2 {
		t.Errorf("%d were measured", n)
	}
	r.Expect("Measure")
	r.Refuse("Use selected")
}

func TestTheProofIsThePathThatWasTaken(t *testing.T) {
	tool := firstTool()
	r, daemon, _ := firstRun(t, tool)
	r.Press("Skip")
	r.Press("Continue") // docker is connected
	r.Press("Skip")
	r.Press("Pull")
	r.Expect("From daocloud, ", "3.0 MiB in ", "From the cache, ", "Pulled by Docker Engine", "docker pulls alpine:latest through Pulley (cache)")
	r.Asked("connect docker --mirror --yes --test docker.io/library/alpine:latest")
	r.Press("Finish")
	r.Expect(" from the cache", "Open Pulley")
	r.Press("Undo", 1)
	if !slices.Contains(daemon.did, "remove docker.io/library/alpine:latest") {
		t.Errorf("%q", daemon.did)
	}
}

func TestWithoutADaemonTheFirstRunWaitsForIt(t *testing.T) {
	r := pagetest.New(t, fyne.NewSize(900, 600), theme.Light, firstTool())
	var daemon page.Daemon
	r.Desk.Daemon = func() page.Daemon { return daemon }
	f := first.New(r.Desk, func() {})
	r.Put(f, model.View{Phase: model.Starting})
	r.Work()
	r.Press("Skip")
	r.Press("Skip")
	r.Expect("Pulley is not running")
	daemon = &newcomer{}
	f.Show(model.View{Phase: model.Running}, r.Now)
	r.Work()
	r.Expect("daocloud", "Measure")
}
