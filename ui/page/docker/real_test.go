package docker_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"fyne.io/fyne/v2"

	"pulley/internal/desktop/tool"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/page/docker"
	"pulley/ui/page/pagetest"
	"pulley/ui/theme"
)

var _ page.Tool = (*tool.Tool)(nil)

// realTool is the real program, at home in a folder of its own, with a dockerd that only says its version.
func realTool(t *testing.T) *tool.Tool {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "pulley")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "pulley/cmd/pulley")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "dockerd"), []byte("#!/bin/sh\necho Docker version 27.3.1, build 297e128\n"), 0o755); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	return &tool.Tool{Program: program, Environ: []string{"HOME=" + dir, "PULLEY_HOME=" + dir + "/home", "DOCKER_CONFIG=" + dir + "/docker", "PATH=" + bin + ":/usr/bin:/bin"}}
}

func TestTheRealProgramIsUnderstood(t *testing.T) {
	real := realTool(t)
	var engines []model.Engine
	if err := real.Run(t.Context(), &engines, "connect"); err != nil {
		t.Fatal(err)
	}
	for _, e := range engines {
		if e.ID != "docker" {
			continue
		}
		var plans []model.Wiring
		err := real.Run(t.Context(), &plans, "connect", e.ID, "--mirror", "--dry-run")
		if err != nil || len(plans) != 1 || len(model.ParseDiff(plans[0].Diff)) == 0 || plans[0].Engine.Name != e.Name || plans[0].Way != model.ByMirror || plans[0].Idle() {
			t.Errorf("%+v, %v", plans, err)
		}
	}
	var backups []model.Backup
	if err := real.Run(t.Context(), &backups, "connect", "--backups"); err != nil || len(backups) != 0 {
		t.Errorf("%v %v", backups, err)
	}
	onThePage(t, real, engines)
	contexts := func() *model.Contexts {
		var list []model.Context
		if err := real.Run(t.Context(), &list, "context", "ls"); err != nil {
			t.Fatal(err)
		}
		c := model.NewContexts()
		c.Set(list)
		return c
	}
	form := model.ContextForm{Name: "build-1", Host: "me@build-1.invalid", Description: "the big one", Mark: "build farm", Colour: "blue"}
	if err := real.Run(t.Context(), nil, form.Create()...); err != nil {
		t.Fatal(err)
	}
	if got, ok := contexts().Get("build-1"); !ok || got.Host != "ssh://me@build-1.invalid" || got.Mark == nil || *got.Mark != (model.Mark{Word: "build farm", Colour: "blue"}) || !got.SSH() || len(got.Cures) == 0 {
		t.Errorf("%+v", got)
	}
	if now, ok := contexts().InForce(); !ok || now.Name != model.DefaultContext || now.Why == "" {
		t.Errorf("%+v", now)
	}
	changed := form
	changed.Mark, changed.Host = "", "unix://"+filepath.Join(t.TempDir(), "docker.sock")
	was, _ := contexts().Get("build-1")
	if err := real.Run(t.Context(), nil, changed.Update(was)...); err != nil {
		t.Fatal(err)
	}
	var reports []model.ContextReport
	if err := real.Run(t.Context(), &reports, "context", "test", "--timeout", "5s", "build-1"); err == nil || len(reports) != 1 || reports[0].Reachable || reports[0].Error == "" {
		t.Errorf("%+v, %v", reports, err)
	}
	if err := real.Run(t.Context(), nil, "context", "rm", "build-1"); err != nil {
		t.Fatal(err)
	}
	if err := real.Run(t.Context(), nil, "context", "undo", "build-1"); err != nil {
		t.Fatal(err)
	}
	if got, ok := contexts().Get("build-1"); !ok || got.Mark != nil || got.Description != "the big one" {
		t.Errorf("%+v", got)
	}
}

// onThePage shows the page with what the real program says.
func onThePage(t *testing.T, real *tool.Tool, engines []model.Engine) {
	t.Helper()
	r := pagetest.New(t, fyne.NewSize(900, 700), theme.Light, nil)
	r.Desk.Tool = real
	r.Put(docker.New(r.Desk), pagetest.Running())
	r.Work()
	for _, e := range engines {
		r.Expect(e.Name)
	}
	r.Expect("Contexts")
}
