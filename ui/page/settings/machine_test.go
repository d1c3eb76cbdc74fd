package settings_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"pulley/internal/control"
	"pulley/ui/page/pagetest"
	"pulley/ui/part"
)

func TestLoginFallsBack(t *testing.T) {
	r := newSettings(t, nil)
	s := r.Labelled("Start at login").(*part.Switch)
	if !s.On() {
		t.Error("it is on")
	}
	r.login.refuse = errors.New("start at login: no room on the disk")
	test.Tap(s)
	if !s.On() || !strings.Contains(r.Said(), "no room on the disk") {
		t.Errorf("%v\n%s", s.On(), r.Said())
	}
	r.login.refuse = nil
	test.Tap(s)
	if s.On() || r.login.on {
		t.Error("it cannot be switched off")
	}
}

func TestWaysOut(t *testing.T) {
	r := newSettings(t, nil)
	seenText := r.Said()
	for _, want := range []string{"ssh://root@203.0.113.7 · gcr.io, registry.k8s.io", "for everything but ghcr.io", "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDdGPlv6a3kLkQ1"} {
		if !strings.Contains(seenText, want) {
			t.Errorf("%q is not in:\n%s", want, seenText)
		}
	}
	r.daemon.report = control.EgressReport{OK: true, Target: "registry-1.docker.io:443", Connect: 40 * time.Millisecond, Answer: 120 * time.Millisecond}
	r.Tap("Accept the key")
	if !slices.Equal(r.daemon.calls, []string{"accept jump SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDdGPlv6a3kLkQ1", "test jump "}) {
		t.Errorf("%v", r.daemon.calls)
	}
	if seen := r.Said(); !strings.Contains(seen, "registry-1.docker.io:443 reached: connected in 40 ms") {
		t.Errorf("%s", seen)
	}
	r.tap(t, "Add a way out")
	typed := pagetest.Kind[typing](r.Person)
	find := func(n int) typing { return typed[slices.Index(typed, r.Window.Canvas().Focused().(typing))+n] }
	name, address, whom := find(0), find(1), find(2)
	name.SetText("away")
	address.SetText("proxy:3128")
	if seen := r.Said(); !strings.Contains(seen, "The address begins with http://") || !r.Button("Add").Disabled() {
		t.Errorf("%s", seen)
	}
	address.SetText("socks5://proxy:1080")
	whom.SetText("ghcr.io, quay.io")
	r.Tap("Add")
	if r.last() != "add away socks5://proxy:1080 [ghcr.io quay.io]" || !strings.Contains(r.Said(), "socks5://proxy:1080 · ghcr.io, quay.io") {
		t.Errorf("%v\n%s", r.daemon.calls, r.Said())
	}
	r.tap(t, "More for away")
	r.choose(t, "Remove away")
	if strings.Contains(r.Said(), "socks5://proxy") || r.last() != "add away socks5://proxy:1080 [ghcr.io quay.io]" {
		t.Errorf("%v", r.daemon.calls)
	}
	r.Toasts[len(r.Toasts)-1].Undo()
	if !strings.Contains(r.Said(), "socks5://proxy") {
		t.Error("undo brings it not back")
	}
	r.tap(t, "More for away")
	r.choose(t, "Remove away")
	r.Toasts[len(r.Toasts)-1].Done()
	if r.last() != "remove away" || strings.Contains(r.Said(), "socks5://proxy") {
		t.Errorf("%v", r.daemon.calls)
	}
}

func TestAddressesOfHosts(t *testing.T) {
	r := newSettings(t, nil)
	if seen := r.Said(); !strings.Contains(seen, "34.193.147.40, 52.5.246.212") || !strings.Contains(seen, "Failed lately: 52.5.246.212") {
		t.Errorf("%s", seen)
	}
	r.tap(t, "Remove the addresses of auth.docker.io")
	if r.last() != "forget auth.docker.io" || strings.Contains(r.Said(), "34.193.147.40") {
		t.Errorf("%v", r.daemon.calls)
	}
	add := r.Labelled("Give a host addresses").(fyne.Focusable)
	r.Window.Canvas().Focus(add)
	add.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	typed := r.Window.Canvas().Focused().(*part.Input)
	typed.SetText("not a host!")
	if seen := r.Said(); !strings.Contains(seen, "The name of a host") || typed.Text != "not a host!" {
		t.Errorf("%s", seen)
	}
	if !r.page.Escape() || r.page.Escape() || r.Window.Canvas().Focused() != add {
		t.Errorf("the form is left for %T", r.Window.Canvas().Focused())
	}
	r.Toasts[0].Undo()
	if r.last() != "address auth.docker.io [34.193.147.40 52.5.246.212]" || !strings.Contains(r.Said(), "34.193.147.40") {
		t.Errorf("%v", r.daemon.calls)
	}
}

func TestTrustAsAdministratorWhereNeeded(t *testing.T) {
	r := newSettings(t, func(r *rig) {
		r.tool.Answers["ca trust"] = `{"trusted":false,"stores":[{"store":"system","done":false,"command":"sudo pulley ca trust","error":"permission denied"}]}`
		r.tool.Errors["ca trust"] = errors.New("ca: system: permission denied")
		r.tool.Answers["# ca trust"] = `{"trusted":true}`
	})
	if seen := r.Said(); !strings.Contains(seen, "9F2A 41C0") || !strings.Contains(seen, "system (update-ca-certificates)") || !strings.Contains(seen, "until 4 May 2028") {
		t.Errorf("%s", seen)
	}
	r.Tap("Trust it")
	if !slices.Contains(r.tool.Asked, "# ca trust") || len(r.Toasts) != 1 || r.Toasts[0].Bad {
		t.Errorf("%v %+v", r.tool.Asked, r.Toasts)
	}
	r.tool.Errors["# ca trust"] = errors.New("the administrator's dialog was closed")
	r.Tap("Trust it")
	if !strings.Contains(r.Said(), "dialog was closed") {
		t.Errorf("%s", r.Said())
	}
	delete(r.tool.Errors, "# ca trust")
	r.tool.Answers["ca untrust"] = `{"trusted":false}`
	r.Tap("Trust it no more")
	asked := len(r.tool.Asked)
	if undo := r.Toasts[len(r.Toasts)-1].Undo; undo == nil {
		t.Error("it cannot be undone")
	} else if undo(); !slices.Contains(r.tool.Asked[asked:], "# ca trust") {
		t.Errorf("undo: %q", r.tool.Asked[asked:])
	}
	r.Tap("Renew its keys")
	if r.last() != "rotate" {
		t.Errorf("%v", r.daemon.calls)
	}
}

// A daemon that comes later is asked again, without the page being left.
func TestAuthorityIsAskedForAgain(t *testing.T) {
	r := newSettings(t, func(r *rig) { r.tool.Errors["ca show"] = errors.New("pulley is not running") })
	if seen := r.Said(); !strings.Contains(seen, "pulley is not running") {
		t.Errorf("%s", seen)
	}
	delete(r.tool.Errors, "ca show")
	r.page.Show(r.view, pagetest.Afternoon.Add(time.Minute))
	if seen := r.Said(); !strings.Contains(seen, "9F2A 41C0") || strings.Contains(seen, "pulley is not running") {
		t.Errorf("%s", seen)
	}
}

func TestServiceIsStopped(t *testing.T) {
	r := newSettings(t, nil)
	r.tool.Answers["service stop"] = `{"kind":"systemd user service","installed":true,"running":false}`
	r.Tap("Stop")
	if seen := r.Said(); !strings.Contains(seen, "stopped") {
		t.Errorf("%s", seen)
	}
	r.tool.Answers["service uninstall"], r.tool.Answers["service install"] = `{"kind":"systemd user service"}`, `{"kind":"systemd user service","installed":true}`
	r.Tap("Uninstall")
	if seen := r.Said(); !strings.Contains(seen, "not installed") || r.Toasts[0].Undo == nil {
		t.Fatalf("%+v: %s", r.Toasts, seen)
	}
	r.Toasts[0].Undo()
	if seen := r.Said(); !strings.Contains(seen, "stopped") {
		t.Errorf("undo: %s", seen)
	}
	r.tool.Errors["service start"] = errors.New("service: systemd is not there")
	r.Tap("Start")
	if seen := r.Said(); !strings.Contains(seen, "systemd is not there") {
		t.Errorf("%s", seen)
	}
}

func TestDiagnosisIsCopied(t *testing.T) {
	r := newSettings(t, nil)
	r.tool.Answers["doctor"], r.tool.Errors["doctor"] = `{"problems":1}`, errors.New("doctor: 1 problem")
	r.Tap("Copy diagnosis")
	if r.Copied != `{"problems":1}` || len(r.Toasts) != 1 {
		t.Errorf("%v %+v", r.Copied, r.Toasts)
	}
	r.tool.Answers["doctor"], r.tool.Errors["doctor"] = "", errors.New("pulley is not to be found")
	r.Tap("Copy diagnosis")
	if !strings.Contains(r.Said(), "not to be found") {
		t.Errorf("%s", r.Said())
	}
}
