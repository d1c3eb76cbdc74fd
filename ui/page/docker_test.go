package page_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"pulley/internal/control"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
)

var pageSize = fyne.NewSize(920, 690)

func dockerPage(t *testing.T, tool *cli) (*dockerRig, *page.Docker) {
	t.Helper()
	r := newDockerRig(t, pageSize, theme.Light, tool)
	d := page.NewDocker(r.desk)
	r.put(d, runningView())
	r.work()
	return r, d
}

func TestEnginesAreListedAsTheyStand(t *testing.T) {
	r, _ := dockerPage(t, dockerTool())
	r.expect("Docker Engine", "27.3.1", "Connected by mirror", "Uses http://mirror.corp.example:5000 instead", "Not running · Not connected")
	r.tool.answers["connect"] = `[]`
	r.press("Look again")
	r.expect("No container engine found")
	r.refuse("Docker Engine")
}

func TestWhatIsNotThereIsSaid(t *testing.T) {
	tool := dockerTool()
	delete(tool.answers, "connect")
	delete(tool.answers, "context ls")
	tool.errors = map[string]error{"connect": errors.New("what was wired is not known: broken; repair it"), "context ls": errors.New("docker's settings: HOME is not set")}
	r, _ := dockerPage(t, tool)
	r.expect("what was wired is not known: broken; repair it")
	r = newDockerRig(t, pageSize, theme.Light, nil)
	r.desk.Tool = nil
	d := page.NewDocker(r.desk)
	r.put(d, runningView())
	r.work()
	r.expect("The pulley program is missing")
}

func TestEnginesElsewhereAreAskedOnlyNowAndThen(t *testing.T) {
	r, d := dockerPage(t, dockerTool())
	count := func() (n int) {
		for _, line := range r.tool.asked {
			if strings.HasPrefix(line, "context test") {
				n++
			}
		}
		return n
	}
	for range 5 {
		r.now = r.now.Add(5 * time.Second)
		d.Show(runningView(), r.now)
		r.work()
	}
	if count() != 1 {
		t.Errorf("asked %d times in 25 s", count())
	}
	r.now = r.now.Add(10 * time.Second)
	d.Show(runningView(), r.now)
	r.work()
	if count() != 2 {
		t.Errorf("asked %d times in 35 s", count())
	}
	d.Leave()
	r.now = r.now.Add(time.Hour)
	d.Show(runningView(), r.now)
	r.work()
	if count() != 2 {
		t.Error("asked by a page that nobody sees")
	}
}

func TestConnectingShowsWhatItChangesAndThenDoesIt(t *testing.T) {
	tool := dockerTool()
	tool.answers["# connect docker --mirror --yes"] = `[{"engine":{"id":"docker","name":"Docker Engine","running":true},"way":"mirror","done":true,"proven":true,"proof":"docker pulls hello-world through Pulley (origin)","said":["systemctl restart docker"]}]`
	r, _ := dockerPage(t, tool)
	r.press("Connect in another way")
	r.expect("/etc/docker/daemon.json", "+2", "−1", `+   "registry-mirrors": ["http://127.0.0.1:5055", "https://old.example"],`,
		"The engine restarts (systemctl restart docker) and stops 3 running containers.", "only Docker Hub's images come by a mirror")
	if slices.ContainsFunc(tool.asked, func(line string) bool { return strings.Contains(line, "--yes") }) {
		t.Fatal("something was done already")
	}
	r.tap("Connect as administrator")
	r.expect("Connecting Docker Engine…", "Your desktop may ask for your password.")
	r.work()
	r.asked("# connect docker --mirror --yes")
	r.expect("Docker Engine is connected", "A test pull came through Pulley.", "docker pulls hello-world through Pulley (origin)", "systemctl restart docker")
	r.press("Done")
	r.expect("Engines")
}

func TestTheOtherWayIsShownBeforeItIsTaken(t *testing.T) {
	tool := dockerTool()
	tool.answers["connect docker --proxy --dry-run"] = `[{"engine":{"id":"docker","running":true},"way":"proxy","trust":true,"egress":"http://corp:3128","how":{"kind":"restart","text":"systemctl restart docker","stops":0},"diff":"--- /dev/null\n+++ /etc/systemd/system/docker.service.d/pulley.conf\n@@ -0,0 +1 @@\n+[Service]\n","manual":["log out and in again"]}]`
	r, _ := dockerPage(t, tool)
	r.press("Connect in another way")
	var ways *part.Segments
	r.all(func(o fyne.CanvasObject) {
		if s, ok := o.(*part.Segments); ok {
			ways = s
		}
	})
	ways.Choose(1)
	r.work()
	r.expect("While Pulley is not running, the engine cannot pull.", "This system will trust Pulley’s own certificate", "Its proxy http://corp:3128 becomes Pulley’s way out.", "No container stops.", "new file", "Left for you", "log out and in again")
	r.tap("Connect")
	r.work()
	r.asked("connect docker --proxy --yes")
}

func TestAFailureSaysItsNextStep(t *testing.T) {
	tool := dockerTool()
	tool.errors["# connect docker --mirror --yes"] = errors.New("docker: /etc/docker/daemon.json: broken in line 3; next: repair it by hand")
	r, _ := dockerPage(t, tool)
	r.press("Connect in another way")
	r.press("Connect as administrator")
	r.expect("Not connected", "/etc/docker/daemon.json: broken in line 3", "Next step", "repair it by hand")
	delete(tool.errors, "# connect docker --mirror --yes")
	tool.answers["# connect docker --mirror --yes"] = `[{"engine":{"id":"docker","name":"Docker Engine"},"done":true,"error":"docker: pulled hello-world, but not through Pulley: it went to the registry itself; next: pulley doctor"}]`
	tool.errors["# connect docker"] = errors.New("docker: pulled hello-world, but not through Pulley: it went to the registry itself; next: pulley doctor")
	r.press("Try again")
	r.expect("Docker Engine is connected", "The test pull did not come through Pulley", "pulley doctor")
}

func TestWhatOnlyAnAdministratorMaySeeIsAskedFor(t *testing.T) {
	tool := dockerTool()
	tool.answers["connect containerd --mirror --dry-run"] = `[{"root":true,"error":"containerd: its settings belong to root; run: sudo pulley connect containerd"}]`
	tool.answers["# connect containerd --mirror --dry-run"] = `[{"engine":{"id":"containerd","name":"containerd"},"way":"mirror","how":{"kind":"none"},"diff":"--- /dev/null\n+++ /etc/containerd/certs.d/docker.io/hosts.toml\n@@ -0,0 +1 @@\n+server = \"x\"\n"}]`
	tool.errors["connect containerd --mirror --dry-run"] = errors.New("containerd: its settings belong to root; run: sudo pulley connect containerd")
	r, _ := dockerPage(t, tool)
	r.press("Connect", 2)
	r.expect("Only an administrator can read this engine’s settings.", "containerd: its settings belong to root")
	r.press("Look as administrator")
	r.expect("/etc/containerd/certs.d/docker.io/hosts.toml", "The engine is not running. It picks this up when it starts.", "Connect as administrator")
}

func TestDisconnectingIsShownToo(t *testing.T) {
	tool := dockerTool()
	tool.answers["disconnect docker --dry-run"] = `[{"engine":{"id":"docker","name":"Docker Engine","running":true},"untrust":true,"how":{"kind":"reload","text":"reload"},"diff":"--- /etc/docker/daemon.json\n+++ /dev/null\n@@ -1 +0,0 @@\n-{}\n"}]`
	tool.answers["disconnect docker --yes"] = `[{"engine":{"id":"docker","name":"Docker Engine"},"done":true}]`
	r, _ := dockerPage(t, tool)
	r.press("Disconnect")
	r.expect("This system stops trusting Pulley’s certificate.", "Nothing is interrupted.", "removed")
	r.press("Disconnect")
	r.expect("Docker Engine is disconnected", "All its files are as they were before.")
}

func TestASheetThatIsClosedEndsInAToast(t *testing.T) {
	tool := dockerTool()
	tool.errors["# connect docker --mirror --yes"] = errors.New("docker: it does not come up; its files are as they were")
	r, _ := dockerPage(t, tool)
	r.press("Connect in another way")
	r.tap("Connect as administrator")
	r.tap("Continue in background")
	r.work()
	if len(r.toasts) != 1 || !r.toasts[0].Bad || !strings.Contains(r.toasts[0].Text, "it does not come up") {
		t.Errorf("%+v", r.toasts)
	}
}

func TestASheetThatIsLeftByEscapeEndsInAToastToo(t *testing.T) {
	tool := dockerTool()
	tool.answers["# connect docker --mirror --yes"] = `[{"engine":{"id":"docker"},"done":true}]`
	r, _ := dockerPage(t, tool)
	r.press("Connect in another way")
	r.tap("Connect as administrator")
	overlays := r.window.Canvas().Overlays()
	top := overlays.Top()
	top.Hide() // as the window does it
	overlays.Remove(top)
	r.work()
	if len(r.toasts) != 1 || r.toasts[0].Bad || r.toasts[0].Text != "Docker Engine is connected" {
		t.Errorf("%+v", r.toasts)
	}
}

func TestACommandForATerminalIsShown(t *testing.T) {
	tool := dockerTool()
	tool.errors["# connect docker --mirror --yes"] = terminalError{}
	r, _ := dockerPage(t, tool)
	r.press("Connect in another way")
	r.press("Connect as administrator")
	r.expect("nobody can be asked", "sudo pulley connect docker")
}

type terminalError struct{}

func (terminalError) Error() string {
	return "nobody can be asked; in a terminal: sudo pulley connect docker"
}
func (terminalError) Command() string { return "sudo pulley connect docker" }

func TestAProblemLeadsToItsEngine(t *testing.T) {
	r := newDockerRig(t, pageSize, theme.Light, dockerTool())
	d := page.NewDocker(r.desk)
	r.put(d, runningView())
	d.Take("podman") // before anything is known
	r.work()
	r.expect("Connect Podman")
	r.press("Cancel")
	d.Take("production")
	r.expect("tcp://prod.example:2376", "own certificates")
}

func TestUsingAContextIsShownAtOnceAndCanBeUndone(t *testing.T) {
	tool := dockerTool()
	tool.answers["context use"] = `{"name":"build-1"}`
	r, d := dockerPage(t, tool)
	d.Take("build-1")
	r.tap("Use")
	r.expect("In use by docker. It was chosen for docker.")
	r.work()
	r.asked("context use build-1")
	if len(r.toasts) != 1 || r.toasts[0].Text != "docker now uses build-1" {
		t.Fatalf("%+v", r.toasts)
	}
	r.toasts[0].Undo()
	r.work()
	r.asked("context use default")
}

func TestAContextThatIsRemovedComesBack(t *testing.T) {
	tool := dockerTool()
	tool.answers["context rm"] = `[{"name":"production","file":"/state/contexts/a b.dockercontext"}]`
	tool.answers["context import"] = `{}`
	r, d := dockerPage(t, tool)
	d.Take("production")
	r.tap("Remove")
	r.refuse("tcp://prod.example:2376")
	r.work()
	r.asked("context rm production")
	r.toasts[0].Undo()
	r.work()
	r.asked("context import production /state/contexts/a b.dockercontext")
	d.Take("default")
	r.refuse("Remove", "Edit")
}

func TestTheFormSaysWhatIsWrong(t *testing.T) {
	tool := dockerTool()
	tool.answers["context create"] = `{}`
	r, _ := dockerPage(t, tool)
	r.press("New context")
	fields := r.entries()
	name, host := fields[0], fields[1]
	name.SetText("build-1")
	host.SetText("me@build-2")
	r.press("Create")
	r.expect("There is a context of this name already")
	r.refuse("CA certificate")
	name.SetText("build-2")
	host.SetText("tcp://build-2:2376")
	r.expect("CA certificate")
	r.picked = "/pki/ca.pem"
	r.press("Choose…")
	r.expect("ca.pem")
	host.OnSubmitted("")
	r.work()
	r.asked("context create build-2 tcp://build-2:2376 --ca /pki/ca.pem")
	if r.toasts[0].Text != "Context build-2 created" {
		t.Errorf("%+v", r.toasts)
	}
	tool.answers["context rm"] = `[]`
	r.toasts[0].Undo()
	r.work()
	r.asked("context rm build-2")
}

func TestAMarkIsGivenByWordAndColour(t *testing.T) {
	tool := dockerTool()
	tool.answers["context update"] = `{}`
	r, d := dockerPage(t, tool)
	d.Take("desktop-linux")
	r.expect("there is no socket", "is the engine running?")
	r.press("Edit")
	fields := r.entries()
	fields[len(fields)-1].SetText("laptop")
	r.all(func(o fyne.CanvasObject) {
		if named, ok := o.(interface {
			AccessibilityLabel() string
			fyne.Focusable
		}); ok && named.AccessibilityLabel() == "Green" {
			named.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
		}
	})
	r.press("Save")
	r.asked("context update desktop-linux --mark laptop --colour green")
	r.toasts[0].Undo()
	r.work()
	r.asked("context update desktop-linux --mark ")
}

func TestAShareRunsUntilItIsStopped(t *testing.T) {
	tool := dockerTool()
	r, d := dockerPage(t, tool)
	d.Take("build-1")
	tool.follow = func(ctx context.Context, line func(string), _ []string) error {
		line(`{"time":"2026-03-04T12:05:00Z","event":"up","context":"build-1","port":5055}`)
		r.expect("Sharing with build-1", "On that machine:", "docker pull 127.0.0.1:5055/library/debian")
		r.refuse("Share")
		r.tap("Stop sharing", 1)
		<-ctx.Done()
		r.expect("Ending…")
		return nil
	}
	r.press("Share")
	r.expect("Share with build-1", "Let its engine look here first")
	r.press("Share")
	r.asked("context share build-1 --json")
	r.expect("Share")
	r.refuse("On that machine:", "Sharing with build-1")
	tool.follow = func(context.Context, func(string), []string) error {
		return errors.New("build-1: ssh is not let in; try: ssh ci@build-1")
	}
	r.press("Share")
	r.press("Share")
	r.expect("Sharing ended", "ssh is not let in", "ssh ci@build-1")
	if len(r.toasts) == 0 || !r.toasts[0].Bad {
		t.Errorf("%+v", r.toasts)
	}
	r.press("Dismiss")
	r.refuse("Sharing ended")
}

// exits is a daemon with ways out.
type exits struct {
	page.Daemon
	known  []control.Egress
	did    []string
	report control.EgressReport
}

func (d *exits) Egresses(context.Context) ([]control.Egress, error) { return d.known, nil }

func (d *exits) UseEgress(_ context.Context, name string, registries []string) error {
	d.did = append(d.did, "use "+name+" for "+strings.Join(registries, ","))
	return nil
}

func (d *exits) RemoveEgress(_ context.Context, name string) error {
	d.did = append(d.did, "remove "+name)
	return nil
}

func (d *exits) TestEgress(context.Context, string, string) (control.EgressReport, error) {
	return d.report, nil
}

func (d *exits) AcceptKey(_ context.Context, name, fingerprint string) error {
	d.did = append(d.did, "accept "+fingerprint+" of "+name)
	d.report = control.EgressReport{OK: true}
	return nil
}

func TestAContextBecomesAWayOut(t *testing.T) {
	tool := dockerTool()
	tool.answers["context egress"] = `{"name":"build-1","ok":false,"host_key":{"host":"build-1.corp.example","type":"ssh-ed25519","fingerprint":"SHA256:abc"}}`
	tool.errors["context egress"] = errors.New("build-1: its key is not known")
	r, d := dockerPage(t, tool)
	daemon := &exits{}
	r.daemon = daemon
	d.Take("build-1")
	r.press("Way out")
	r.expect("Use build-1 as a way out", "ghcr.io")
	r.tap("ghcr.io")
	r.tap("gcr.io")
	r.press("Use")
	r.asked("context egress build-1 --for ghcr.io --for gcr.io")
	r.expect("build-1.corp.example has a key that nobody has vouched for yet.", "SHA256:abc")
	r.press("Accept the key")
	if len(r.toasts) != 1 || r.toasts[0].Text != "build-1 is a way out now" {
		t.Fatalf("%+v", r.toasts)
	}
	r.toasts[0].Undo()
	r.work()
	if got := strings.Join(daemon.did, "; "); got != "accept SHA256:abc of build-1; remove build-1" {
		t.Error(got)
	}
}

func TestAWayOutThatIsThereIsUsed(t *testing.T) {
	r, d := dockerPage(t, dockerTool())
	daemon := &exits{known: []control.Egress{{Name: "build-1", For: []string{"quay.io"}}}, report: control.EgressReport{Error: "build-1: no answer; try: ssh build-1"}}
	r.daemon = daemon
	d.Take("build-1")
	r.press("Way out")
	var all *part.Switch
	r.all(func(o fyne.CanvasObject) {
		if s, ok := o.(*part.Switch); ok {
			all = s
		}
	})
	all.Tapped(nil)
	r.press("Use")
	r.expect("No way out through build-1", "build-1: no answer", "ssh build-1")
	r.press("Remove")
	if got := strings.Join(daemon.did, "; "); got != "use build-1 for *; use build-1 for quay.io" {
		t.Error(got)
	}
	r.daemon = nil
	r.desk.Daemon = func() page.Daemon { return nil }
}

func TestTheFirstStepsCanBeTakenAgain(t *testing.T) {
	r, _ := dockerPage(t, dockerTool())
	r.press("Setup guide")
	if !slices.Equal(r.visited, []page.Name{page.FirstPage}) {
		t.Errorf("%q", r.visited)
	}
}

func TestBackupsAreListed(t *testing.T) {
	r, _ := dockerPage(t, dockerTool())
	r.press("Backups")
	r.expect("/etc/docker/daemon.json", "in use", "There was no such file")
	r.press("Close")
	r.tool.answers["connect --backups"] = `[]`
	r.press("Backups")
	r.expect("No file has been changed yet.")
}

func TestAllOfTheSheetIsReachedByKeyboard(t *testing.T) {
	r, _ := dockerPage(t, dockerTool())
	r.press("New context")
	canvas := r.window.Canvas()
	seen := map[fyne.Focusable]bool{}
	texts := map[string]bool{}
	for range 40 {
		canvas.FocusNext()
		f := canvas.Focused()
		if f == nil || seen[f] {
			break
		}
		seen[f] = true
		if b, ok := f.(*part.Button); ok {
			texts[b.Text] = true
		}
	}
	if !texts["Create"] || !texts["Cancel"] || len(seen) < 12 {
		t.Errorf("%d things, %v", len(seen), texts)
	}
}
