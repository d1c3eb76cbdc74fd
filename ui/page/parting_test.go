package page_test

import (
	"errors"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/theme"
)

var wiredEngines = []model.Engine{
	{ID: "docker", Name: "Docker Engine", Wired: model.Wired{Way: "mirror", Ours: true}},
	{ID: "podman", Name: "Podman", Wired: model.Wired{Way: "proxy", Ours: true}},
}

// parted is the question as it stands before a person. left counts how often the app may end.
func parted(t *testing.T, look theme.Choice, tool *cli) (r *dockerRig, left *int) {
	t.Helper()
	r, left = newDockerRig(t, fyne.NewSize(1100, 720), look, tool), new(int)
	r.window.SetContent(widget.NewLabel(""))
	r.window.Resize(fyne.NewSize(1100, 720))
	page.AskParting(r.desk, wiredEngines, func() { *left++ })
	r.expect("2 engines on this machine are wired to it", "Docker Engine goes on pulling", "Podman cannot pull")
	return r, left
}

func TestPartingKeepsAsAService(t *testing.T) {
	tool := &cli{answers: map[string]string{"service install": "{}"}, errors: map[string]error{}}
	r, left := parted(t, theme.Light, tool)
	r.shoot("parting-light")
	tool.errors["service install"] = errors.New("no systemd here; next: pulley up")
	r.press("Keep as a service")
	if *left != 0 {
		t.Error("it ended although nothing keeps the daemon")
	}
	r.expect("no systemd here", "Podman cannot pull")
	delete(tool.errors, "service install")
	r.press("Keep as a service")
	if *left != 1 {
		t.Errorf("it may end %d times", *left)
	}
}

func TestPartingUnwires(t *testing.T) {
	tool := &cli{answers: map[string]string{
		"disconnect docker --dry-run": `[{"engine":{"id":"docker"},"root":true}]`,
		"# disconnect docker --yes":   `[{"engine":{"id":"docker"},"done":true}]`,
		"disconnect podman --dry-run": `[{"engine":{"id":"podman"}}]`,
		"disconnect podman --yes":     `[{"engine":{"id":"podman"},"done":true}]`,
	}}
	r, left := parted(t, theme.Dark, tool)
	r.tap("Unwire and quit")
	r.expect("Taking the wiring back")
	r.work()
	r.asked("# disconnect docker --yes")
	r.asked("disconnect podman --yes")
	if *left != 1 {
		t.Errorf("it may end %d times", *left)
	}
}

func TestPartingUnwiresOneAfterTheOther(t *testing.T) {
	tool := &cli{answers: map[string]string{"disconnect docker --dry-run": `[{"engine":{"id":"docker"}}]`}, errors: map[string]error{
		"disconnect docker --yes": errors.New("docker: somebody broke its daemon.json"),
	}}
	r, left := parted(t, theme.Light, tool)
	r.press("Unwire and quit")
	r.expect("Docker Engine: docker: somebody broke its daemon.json")
	if *left != 0 {
		t.Error("it ended with engines that are still wired")
	}
	r.press("Cancel")
	r.refuse("Podman cannot pull")
}

func TestPartingAnyway(t *testing.T) {
	lang.Use("zh-CN")
	t.Cleanup(func() { lang.Use("en") })
	r := newDockerRig(t, fyne.NewSize(900, 600), theme.Dark, &cli{})
	r.window.SetContent(widget.NewLabel(""))
	r.window.Resize(fyne.NewSize(900, 600))
	left := 0
	page.AskParting(r.desk, wiredEngines, func() { left++ })
	r.shoot("parting-zh")
	r.press("仍然退出")
	if left != 1 {
		t.Errorf("it may end %d times", left)
	}
}
