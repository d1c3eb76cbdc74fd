package docker_test

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
	"pulley/ui/page/docker"
	"pulley/ui/page/pagetest"
	"pulley/ui/part"
	"pulley/ui/theme"
)

var pageSize = fyne.NewSize(920, 690)

func dockerPage(t *testing.T, tool *pagetest.CLI) (*pagetest.Rig, *docker.Page) {
	t.Helper()
	r := pagetest.New(t, pageSize, theme.Light, tool)
	d := docker.New(r.Desk)
	r.Put(d, pagetest.Running())
	r.Work()
	return r, d
}

func TestEnginesAreListedAsTheyStand(t *testing.T) {
	r, _ := dockerPage(t, pagetest.Engines())
	r.Expect("Docker Engine", "27.3.1", "Connected by mirror", "Uses http://mirror.corp.example:5000 instead", "Not running · Not connected")
	r.Tool.Answers["connect"] = `[]`
	r.Press("Look again")
	r.Expect("No container engine found")
	r.Refuse("Docker Engine")
}

func TestWhatIsNotThereIsSaid(t *testing.T) {
	tool := pagetest.Engines()
	delete(tool.Answers, "connect")
	delete(tool.Answers, "context ls")
	tool.Errors = map[string]error{"connect": errors.New("what was wired is not known: broken; repair it"), "context ls": errors.New("docker's settings: HOME is not set")}
	r, _ := dockerPage(t, tool)
	r.Expect("what was wired is not known: broken; repair it")
	r = pagetest.New(t, pageSize, theme.Light, nil)
	r.Desk.Tool = nil
	d := docker.New(r.Desk)
	r.Put(d, pagetest.Running())
	r.Work()
	r.Expect("The pulley program is missing")
}

func TestEnginesElsewhereAreAskedOnlyNowAndThen(t *testing.T) {
	r, d := dockerPage(t, pagetest.Engines())
	count := func() (n int) {
		for _, line := range r.Tool.Asked {
			if strings.HasPrefix(line, "context test") {
				n++
			}
		}
		return n
	}
	for range 5 {
		r.Now = r.Now.Add(5 * time.Second)
		d.Show(pagetest.Running(), r.Now)
		r.Work()
	}
	if count() != 1 {
		t.Errorf("asked %d times in 25 s", count())
	}
	r.Now = r.Now.Add(10 * time.Second)
	d.Show(pagetest.Running(), r.Now)
	r.Work()
	if count() != 2 {
		t.Errorf("asked %d times in 35 s", count())
	}
	d.Leave()
	r.Now = r.Now.Add(time.Hour)
	d.Show(pagetest.Running(), r.Now)
	r.Work()
	if count() != 2 {
		t.Error("asked by a page that nobody sees")
	}
}

func TestConnectingShowsWhatItChangesAndThenDoesIt(t *testing.T) {
	tool := pagetest.Engines()
	tool.Answers["# connect docker --mirror --yes"] = `[{"engine":{"id":"docker","name":"Docker Engine","running":true},"way":"mirror","done":true,"proven":true,"proof":"docker pulls hello-world through Pulley (origin)","said":["systemctl restart docker"]}]`
	r, _ := dockerPage(t, tool)
	r.Press("Connect Docker Engine in another way")
	r.Expect("/etc/docker/daemon.json", "+2", "−1", `+   "registry-mirrors": ["http://127.0.0.1:5055", "https://old.example"],`,
		"The engine restarts (systemctl restart docker) and stops 3 running containers.", "only Docker Hub's images come by a mirror")
	if slices.ContainsFunc(tool.Asked, func(line string) bool { return strings.Contains(line, "--yes") }) {
		t.Fatal("something was done already")
	}
	r.Tap("Connect as administrator")
	r.Expect("Connecting Docker Engine…", "Your desktop may ask for your password.")
	r.Work()
	r.Asked("# connect docker --mirror --yes --steps")
	r.Expect("Docker Engine is connected", "A test pull came through Pulley.", "docker pulls hello-world through Pulley (origin)", "systemctl restart docker")
	r.Press("Done")
	r.Expect("Engines")
}

func TestTheOtherWayIsShownBeforeItIsTaken(t *testing.T) {
	tool := pagetest.Engines()
	tool.Answers["connect docker --proxy --dry-run"] = `[{"engine":{"id":"docker","running":true},"way":"proxy","trust":true,"egress":"http://corp:3128","how":{"kind":"restart","text":"systemctl restart docker","stops":0},"diff":"--- /dev/null\n+++ /etc/systemd/system/docker.service.d/pulley.conf\n@@ -0,0 +1 @@\n+[Service]\n","manual":["log out and in again"]}]`
	r, _ := dockerPage(t, tool)
	r.Press("Connect Docker Engine in another way")
	var ways *part.Segments
	r.All(func(o fyne.CanvasObject) {
		if s, ok := o.(*part.Segments); ok {
			ways = s
		}
	})
	ways.Choose(1)
	r.Work()
	r.Expect("While Pulley is not running, the engine cannot pull.", "This system will trust Pulley’s own certificate", "Its proxy http://corp:3128 becomes Pulley’s way out.", "No container stops.", "new file", "Left for you", "log out and in again")
	r.Tap("Connect")
	r.Work()
	r.Asked("connect docker --proxy --yes --steps")
}

func TestAFailureSaysItsNextStep(t *testing.T) {
	tool := pagetest.Engines()
	tool.Errors["# connect docker --mirror --yes"] = errors.New("docker: /etc/docker/daemon.json: broken in line 3; next: repair it by hand")
	r, _ := dockerPage(t, tool)
	r.Press("Connect Docker Engine in another way")
	r.Press("Connect as administrator")
	r.Expect("Not connected", "/etc/docker/daemon.json: broken in line 3", "Next step", "repair it by hand")
	delete(tool.Errors, "# connect docker --mirror --yes")
	tool.Answers["# connect docker --mirror --yes"] = `[{"engine":{"id":"docker","name":"Docker Engine"},"done":true,"error":"docker: pulled hello-world, but not through Pulley: it went to the registry itself; next: pulley doctor"}]`
	tool.Errors["# connect docker"] = errors.New("docker: pulled hello-world, but not through Pulley: it went to the registry itself; next: pulley doctor")
	r.Press("Try again")
	r.Expect("Docker Engine is connected", "The test pull did not come through Pulley", "pulley doctor")
}

func TestWhatOnlyAnAdministratorMaySeeIsAskedFor(t *testing.T) {
	tool := pagetest.Engines()
	tool.Answers["connect containerd --mirror --dry-run"] = `[{"root":true,"error":"containerd: its settings belong to root; run: sudo pulley connect containerd"}]`
	tool.Answers["# connect containerd --mirror --dry-run"] = `[{"engine":{"id":"containerd","name":"containerd"},"way":"mirror","how":{"kind":"none"},"diff":"--- /dev/null\n+++ /etc/containerd/certs.d/docker.io/hosts.toml\n@@ -0,0 +1 @@\n+server = \"x\"\n"}]`
	tool.Errors["connect containerd --mirror --dry-run"] = errors.New("containerd: its settings belong to root; run: sudo pulley connect containerd")
	r, _ := dockerPage(t, tool)
	r.Press("Connect", 2)
	r.Expect("Only an administrator can read this engine’s settings.", "containerd: its settings belong to root")
	r.Press("Look as administrator")
	r.Expect("/etc/containerd/certs.d/docker.io/hosts.toml", "The engine is not running. It picks this up when it starts.", "Connect as administrator")
}

func TestDisconnectingIsShownToo(t *testing.T) {
	tool := pagetest.Engines()
	tool.Answers["disconnect docker --dry-run"] = `[{"engine":{"id":"docker","name":"Docker Engine","running":true},"untrust":true,"how":{"kind":"reload","text":"reload"},"diff":"--- /etc/docker/daemon.json\n+++ /dev/null\n@@ -1 +0,0 @@\n-{}\n"}]`
	tool.Answers["disconnect docker --yes"] = `[{"engine":{"id":"docker","name":"Docker Engine"},"done":true}]`
	r, _ := dockerPage(t, tool)
	r.Press("Disconnect")
	r.Expect("This system stops trusting Pulley’s certificate.", "Nothing is interrupted.", "removed")
	r.Press("Disconnect")
	r.Expect("Docker Engine is disconnected", "All its files are as they were before.")
}

func TestASheetThatIsClosedEndsInAToast(t *testing.T) {
	tool := pagetest.Engines()
	tool.Errors["# connect docker --mirror --yes"] = errors.New("docker: it does not come up; its files are as they were")
	r, _ := dockerPage(t, tool)
	r.Press("Connect Docker Engine in another way")
	r.Tap("Connect as administrator")
	r.Tap("Continue in background")
	r.Work()
	if len(r.Toasts) != 1 || !r.Toasts[0].Bad || !strings.Contains(r.Toasts[0].Text, "it does not come up") {
		t.Errorf("%+v", r.Toasts)
	}
}

func TestASheetThatIsLeftByEscapeEndsInAToastToo(t *testing.T) {
	tool := pagetest.Engines()
	tool.Answers["# connect docker --mirror --yes"] = `[{"engine":{"id":"docker"},"done":true}]`
	r, _ := dockerPage(t, tool)
	r.Press("Connect Docker Engine in another way")
	r.Tap("Connect as administrator")
	overlays := r.Window.Canvas().Overlays()
	top := overlays.Top()
	top.Hide() // as the window does it
	overlays.Remove(top)
	r.Work()
	if len(r.Toasts) != 1 || r.Toasts[0].Bad || r.Toasts[0].Text != "Docker Engine is connected" {
		t.Errorf("%+v", r.Toasts)
	}
}

func TestACommandForATerminalIsShown(t *testing.T) {
	tool := pagetest.Engines()
	tool.Errors["# connect docker --mirror --yes"] = pagetest.TerminalError{}
	r, _ := dockerPage(t, tool)
	r.Press("Connect Docker Engine in another way")
	r.Press("Connect as administrator")
	r.Expect("nobody can be asked", "sudo pulley connect docker")
}

func TestAProblemLeadsToItsEngine(t *testing.T) {
	r := pagetest.New(t, pageSize, theme.Light, pagetest.Engines())
	d := docker.New(r.Desk)
	r.Put(d, pagetest.Running())
	d.Take("podman") // before anything is known
	r.Work()
	r.Expect("Connect Podman")
	r.Press("Cancel")
	d.Take("production")
	r.Expect("tcp://prod.example:2376", "own certificates")
}

func TestUsingAContextIsShownAtOnceAndCanBeUndone(t *testing.T) {
	tool := pagetest.Engines()
	tool.Answers["context use"] = `{"name":"build-1"}`
	r, d := dockerPage(t, tool)
	d.Take("build-1")
	r.Tap("Use")
	r.Expect("In use by docker. It was chosen for docker.")
	r.Work()
	r.Asked("context use build-1")
	if len(r.Toasts) != 1 || r.Toasts[0].Text != "docker now uses build-1" {
		t.Fatalf("%+v", r.Toasts)
	}
	r.Toasts[0].Undo()
	r.Work()
	r.Asked("context use default")
}

func TestAContextThatIsRemovedComesBack(t *testing.T) {
	tool := pagetest.Engines()
	tool.Answers["context rm"] = `[{"name":"production"}]`
	tool.Answers["context undo"] = `{}`
	r, d := dockerPage(t, tool)
	d.Take("production")
	r.Tap("Remove")
	r.Refuse("tcp://prod.example:2376")
	r.Work()
	r.Asked("context rm production")
	r.Toasts[0].Undo()
	r.Work()
	r.Asked("context undo production")
	d.Take("default")
	r.Refuse("Remove", "Edit")
}

func TestTheFormSaysWhatIsWrong(t *testing.T) {
	tool := pagetest.Engines()
	tool.Answers["context create"] = `{}`
	r, _ := dockerPage(t, tool)
	r.Press("New context")
	fields := r.Entries()
	name, host := fields[0], fields[1]
	name.SetText("build-1")
	host.SetText("me@build-2")
	r.Press("Create")
	r.Expect("There is a context of this name already")
	r.Refuse("CA certificate")
	name.SetText("build-2")
	host.SetText("tcp://build-2:2376")
	r.Expect("CA certificate")
	r.Picked = "/pki/ca.pem"
	r.Press("Choose…")
	r.Expect("ca.pem")
	host.OnSubmitted("")
	r.Work()
	r.Asked("context create build-2 tcp://build-2:2376 --ca /pki/ca.pem")
	if r.Toasts[0].Text != "Context build-2 created" {
		t.Errorf("%+v", r.Toasts)
	}
	tool.Answers["context rm"] = `[]`
	r.Toasts[0].Undo()
	r.Work()
	r.Asked("context rm build-2")
}

func TestAMarkIsGivenByWordAndColour(t *testing.T) {
	tool := pagetest.Engines()
	tool.Answers["context update"], tool.Answers["context undo"] = `{}`, `{}`
	r, d := dockerPage(t, tool)
	d.Take("desktop-linux")
	r.Expect("there is no socket", "is the engine running?")
	r.Press("Edit")
	fields := r.Entries()
	fields[len(fields)-1].SetText("laptop")
	r.All(func(o fyne.CanvasObject) {
		if named, ok := o.(interface {
			AccessibilityLabel() string
			fyne.Focusable
		}); ok && named.AccessibilityLabel() == "Green" {
			named.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
		}
	})
	r.Press("Save")
	r.Asked("context update desktop-linux --mark laptop --colour green")
	r.Toasts[0].Undo()
	r.Work()
	r.Asked("context undo desktop-linux")
}

func TestAShareRunsUntilItIsStopped(t *testing.T) {
	tool := pagetest.Engines()
	r, d := dockerPage(t, tool)
	d.Take("build-1")
	tool.OnFollow = func(ctx context.Context, line func(string), _ []string) error {
		line(`{"time":"2026-03-04T12:05:00Z","event":"up","context":"build-1","port":5055}`)
		r.Expect("Sharing with build-1", "On that machine:", "docker pull 127.0.0.1:5055/library/debian")
		r.Refuse("Share")
		r.Tap("Stop sharing", 1)
		<-ctx.Done()
		r.Expect("Ending…")
		return nil
	}
	r.Press("Share")
	r.Expect("Share with build-1", "Let its engine look here first")
	r.Press("Share")
	r.Asked("context share build-1 --json")
	r.Expect("Share")
	r.Refuse("On that machine:", "Sharing with build-1")
	tool.OnFollow = func(context.Context, func(string), []string) error {
		return errors.New("build-1: ssh is not let in; try: ssh ci@build-1")
	}
	r.Press("Share")
	r.Press("Share")
	r.Expect("Sharing ended", "ssh is not let in", "ssh ci@build-1")
	if len(r.Toasts) == 0 || !r.Toasts[0].Bad {
		t.Errorf("%+v", r.Toasts)
	}
	r.Press("Dismiss")
	r.Refuse("Sharing ended")
}

// choices are those of a run before.
type choices map[string]string

func (c choices) Choice(key string) string { return c[key] }
func (c choices) Choose(key, value string) { c[key] = value }

func TestAShareThatEndedWithTheProgramIsOffered(t *testing.T) {
	tool := pagetest.Engines()
	r, d := dockerPage(t, tool)
	r.Desk.Shares.Recall(choices{"docker.shares": `[{"context":"build-1","wire":true}]`})
	r.Expect("Ended with Pulley", "Share again", "Dismiss")
	tool.OnFollow = func(ctx context.Context, line func(string), _ []string) error {
		line(`{"time":"2026-03-04T12:05:00Z","event":"up","context":"build-1","port":5055}`)
		r.Refuse("Ended with Pulley")
		r.Tap("Stop sharing")
		<-ctx.Done()
		return nil
	}
	r.Press("Share again")
	r.Asked("context share build-1 --json --wire")

	r.Desk.Shares.Recall(choices{"docker.shares": `[{"context":"build-1"}]`})
	d.Take("build-1")
	r.Press("Share again", 1)
	r.Asked("context share build-1 --json")
	r.Desk.Shares.Recall(choices{"docker.shares": `[{"context":"build-1"}]`})
	r.Press("Dismiss")
	r.Refuse("Share again")
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
	tool := pagetest.Engines()
	tool.Answers["context egress"] = `{"name":"build-1","ok":false,"host_key":{"host":"build-1.corp.example","type":"ssh-ed25519","fingerprint":"SHA256:abc"}}`
	tool.Errors["context egress"] = errors.New("build-1: its key is not known")
	r, d := dockerPage(t, tool)
	daemon := &exits{}
	r.Daemon = daemon
	d.Take("build-1")
	r.Press("Way out")
	r.Expect("Use build-1 as a way out", "ghcr.io")
	use := func() (b *part.Button) {
		r.All(func(o fyne.CanvasObject) {
			if one, ok := o.(*part.Button); ok && one.Text == "Use" {
				b = one
			}
		})
		return b
	}
	if !use().Disabled() {
		t.Error("a way out for nothing")
	}
	r.Tap("ghcr.io")
	r.Tap("gcr.io")
	r.Press("Use")
	r.Asked("context egress build-1 --for ghcr.io --for gcr.io")
	r.Expect("build-1.corp.example has a key that nobody has vouched for yet.", "SHA256:abc")
	r.Press("Accept the key")
	if len(r.Toasts) != 1 || r.Toasts[0].Text != "build-1 is a way out now" {
		t.Fatalf("%+v", r.Toasts)
	}
	r.Toasts[0].Undo()
	r.Work()
	if got := strings.Join(daemon.did, "; "); got != "accept SHA256:abc of build-1; remove build-1" {
		t.Error(got)
	}
}

func TestAWayOutThatIsThereIsUsed(t *testing.T) {
	r, d := dockerPage(t, pagetest.Engines())
	daemon := &exits{known: []control.Egress{{Name: "build-1", For: []string{"quay.io"}}}, report: control.EgressReport{Error: "build-1: no answer; try: ssh build-1"}}
	r.Daemon = daemon
	d.Take("build-1")
	r.Press("Way out")
	var all *part.Switch
	r.All(func(o fyne.CanvasObject) {
		if s, ok := o.(*part.Switch); ok {
			all = s
		}
	})
	all.Tapped(nil)
	r.Press("Use")
	r.Expect("No way out through build-1", "build-1: no answer", "ssh build-1")
	r.Press("Remove")
	if got := strings.Join(daemon.did, "; "); got != "use build-1 for *; use build-1 for quay.io" {
		t.Error(got)
	}
	r.Daemon = nil
	r.Desk.Daemon = func() page.Daemon { return nil }
}

func TestTheFirstStepsCanBeTakenAgain(t *testing.T) {
	r, _ := dockerPage(t, pagetest.Engines())
	r.Press("Setup guide")
	if !slices.Equal(r.Visited, []string{"first "}) {
		t.Errorf("%q", r.Visited)
	}
}

func TestBackupsAreListed(t *testing.T) {
	r, _ := dockerPage(t, pagetest.Engines())
	r.Press("Backups")
	r.Expect("/etc/docker/daemon.json", "in use", "There was no such file")
	r.Press("Close")
	r.Tool.Answers["connect --backups"] = `[]`
	r.Press("Backups")
	r.Expect("No file has been changed yet.")
}

func TestAllOfTheSheetIsReachedByKeyboard(t *testing.T) {
	r, _ := dockerPage(t, pagetest.Engines())
	r.Press("New context")
	canvas := r.Window.Canvas()
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
