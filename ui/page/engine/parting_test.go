package engine_test

import (
	"errors"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page/engine"
	"pulley/ui/page/pagetest"
	"pulley/ui/theme"
)

var wiredEngines = []model.Engine{
	{ID: "docker", Name: "Docker Engine", Wired: model.Wired{Way: "mirror", Ours: true}},
	{ID: "podman", Name: "Podman", Wired: model.Wired{Way: "proxy", Ours: true}},
}

// parted is the question as it stands before a person. left counts how often the app may end.
func parted(t *testing.T, look theme.Choice, tool *pagetest.CLI) (r *pagetest.Rig, left *int) {
	t.Helper()
	r, left = pagetest.New(t, fyne.NewSize(1100, 720), look, tool), new(int)
	r.Window.SetContent(widget.NewLabel(""))
	r.Window.Resize(fyne.NewSize(1100, 720))
	engine.AskParting(r.Desk, wiredEngines, func() { *left++ })
	r.Expect("2 engines on this machine are wired to it", "Docker Engine goes on pulling", "Podman cannot pull")
	return r, left
}

func TestPartingKeepsAsAService(t *testing.T) {
	tool := &pagetest.CLI{Answers: map[string]string{"service install": "{}"}, Errors: map[string]error{}}
	r, left := parted(t, theme.Light, tool)
	r.Shoot("parting-light")
	tool.Errors["service install"] = errors.New("no systemd here; next: pulley up")
	r.Press("Keep as a service")
	if *left != 0 {
		t.Error("it ended although nothing keeps the daemon")
	}
	r.Expect("no systemd here", "Podman cannot pull")
	delete(tool.Errors, "service install")
	r.Press("Keep as a service")
	if *left != 1 {
		t.Errorf("it may end %d times", *left)
	}
}

func TestPartingUnwires(t *testing.T) {
	tool := &pagetest.CLI{Answers: map[string]string{
		"disconnect docker --dry-run": `[{"engine":{"id":"docker"},"root":true}]`,
		"# disconnect docker --yes":   `[{"engine":{"id":"docker"},"done":true}]`,
		"disconnect podman --dry-run": `[{"engine":{"id":"podman"}}]`,
		"disconnect podman --yes":     `[{"engine":{"id":"podman"},"done":true}]`,
	}}
	r, left := parted(t, theme.Dark, tool)
	r.Tap("Unwire and quit")
	r.Expect("Taking the wiring back")
	r.Work()
	r.Asked("# disconnect docker --yes")
	r.Asked("disconnect podman --yes")
	if *left != 1 {
		t.Errorf("it may end %d times", *left)
	}
}

func TestPartingUnwiresOneAfterTheOther(t *testing.T) {
	tool := &pagetest.CLI{Answers: map[string]string{"disconnect docker --dry-run": `[{"engine":{"id":"docker"}}]`}, Errors: map[string]error{
		"disconnect docker --yes": errors.New("docker: somebody broke its daemon.json"),
	}}
	r, left := parted(t, theme.Light, tool)
	r.Press("Unwire and quit")
	r.Expect("Docker Engine: docker: somebody broke its daemon.json")
	if *left != 0 {
		t.Error("it ended with engines that are still wired")
	}
	r.Press("Cancel")
	r.Refuse("Podman cannot pull")
}

func TestPartingAnyway(t *testing.T) {
	lang.Use("zh-CN")
	t.Cleanup(func() { lang.Use("en") })
	r := pagetest.New(t, fyne.NewSize(900, 600), theme.Dark, &pagetest.CLI{})
	r.Window.SetContent(widget.NewLabel(""))
	r.Window.Resize(fyne.NewSize(900, 600))
	left := 0
	engine.AskParting(r.Desk, wiredEngines, func() { left++ })
	r.Shoot("parting-zh")
	r.Press("仍然退出")
	if left != 1 {
		t.Errorf("it may end %d times", left)
	}
}
