package settings_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/page/pagetest"
	"pulley/ui/page/settings"
	"pulley/ui/part"
	"pulley/ui/theme"
)

// daemon keeps settings as the real one does, and notes what was asked of it.
type daemon struct {
	page.Daemon
	values map[string]string
	refuse error
	calls  []string
	ways   []control.Egress
	pins   []control.Address
	report control.EgressReport
}

func newDaemon(t *testing.T) *daemon {
	t.Helper()
	d := &daemon{values: map[string]string{}}
	for _, s := range model.SettingDefs {
		value, err := config.Default().Get(s.Key)
		if err != nil {
			t.Fatal(err)
		}
		d.values[s.Key] = value
	}
	d.ways = []control.Egress{
		{Name: "jump", URL: "ssh://root@203.0.113.7", For: []string{"gcr.io", "registry.k8s.io"}, HostKey: &control.HostKey{Host: "203.0.113.7:22", Type: "ssh-ed25519", Fingerprint: "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDdGPlv6a3kLkQ1"}},
		{Name: "office", URL: "http://proxy.office.example:3128", For: []string{"*"}, Except: []string{"ghcr.io"}},
	}
	d.pins = []control.Address{{Host: "auth.docker.io", Use: []string{"34.193.147.40", "52.5.246.212"}, Bad: []string{"52.5.246.212"}}}
	return d
}

func (d *daemon) called(format string, args ...any) error {
	d.calls = append(d.calls, fmt.Sprintf(format, args...))
	return d.refuse
}

func (d *daemon) Setting(_ context.Context, key string) (string, error) {
	value, found := d.values[key]
	if !found {
		return "", fmt.Errorf("%s: no such key", key)
	}
	return value, nil
}

func (d *daemon) SetSetting(_ context.Context, key, value string) error {
	if err := d.called("set %s=%s", key, value); err != nil {
		return err
	}
	d.values[key] = value
	return nil
}

func (d *daemon) Egresses(context.Context) ([]control.Egress, error) {
	return slices.Clone(d.ways), nil
}

func (d *daemon) AddEgress(_ context.Context, e control.Egress) error {
	if err := d.called("add %s %s %v", e.Name, e.URL, e.For); err != nil {
		return err
	}
	d.ways = append(d.ways, e)
	return nil
}

func (d *daemon) RemoveEgress(_ context.Context, name string) error {
	if err := d.called("remove %s", name); err != nil {
		return err
	}
	d.ways = slices.DeleteFunc(d.ways, func(e control.Egress) bool { return e.Name == name })
	return nil
}

func (d *daemon) UseEgress(_ context.Context, name string, registries []string) error {
	return d.called("use %s %v", name, registries)
}

func (d *daemon) TestEgress(_ context.Context, name, target string) (control.EgressReport, error) {
	return d.report, d.called("test %s %s", name, target)
}

func (d *daemon) AcceptKey(_ context.Context, name, fingerprint string) error {
	d.ways[0].HostKey = nil
	return d.called("accept %s %s", name, fingerprint)
}

func (d *daemon) Addresses(context.Context) ([]control.Address, error) {
	return slices.Clone(d.pins), nil
}

func (d *daemon) SetAddress(_ context.Context, a control.Address) error {
	if err := d.called("address %s %v", a.Host, a.Use); err != nil {
		return err
	}
	d.pins = append(d.pins, a)
	return nil
}

func (d *daemon) RemoveAddress(_ context.Context, host string) error {
	d.pins = slices.DeleteFunc(d.pins, func(a control.Address) bool { return a.Host == host })
	return d.called("forget %s", host)
}

func (d *daemon) RotateCA(context.Context) error { return d.called("rotate") }

// login starts at login, or refuses to.
type login struct {
	on     bool
	refuse error
}

func (l *login) Enabled() (bool, error) { return l.on, nil }

func (l *login) Set(on bool) error {
	if l.refuse == nil {
		l.on = on
	}
	return l.refuse
}

type rig struct {
	*pagetest.Person
	daemon *daemon
	tool   *pagetest.CLI
	login  *login
	page   *settings.Page
	view   model.View
}

func newRig(t *testing.T, language string, looks theme.Choice, size fyne.Size, prepare func(*rig)) *rig {
	t.Helper()
	lang.Use(language)
	t.Cleanup(func() { lang.Use("en") })
	r := &rig{Person: pagetest.Sit(t, size, looks), daemon: newDaemon(t), login: &login{on: true}, tool: &pagetest.CLI{Errors: map[string]error{}, Answers: map[string]string{
		"ca show":        `[{"subject":"Pulley local CA","permitted":["registry-1.docker.io","auth.docker.io","ghcr.io","gcr.io","registry.k8s.io","quay.io"],"not_after":"2028-05-04T00:00:00Z","sha256":"9f2a41c07be35d16a8e4f3b27c905d1e6a4b8c2f7e1d3059b6a4c8e2f0d17a35","trusted_in":[{"store":"system (update-ca-certificates)","kind":"system"}]}]`,
		"service status": `{"kind":"systemd user service","installed":true,"running":true,"since":"2026-05-04T08:20:00Z","log":"journalctl --user -u pulley","detail":"runs"}`,
	}}}
	r.view = model.View{Phase: model.Running, State: control.State{Listen: "127.0.0.1:5055", ConfigFile: "/home/ann/.config/pulley/config.toml",
		Cache: control.Cache{Dir: "/home/ann/.cache/pulley", Size: 12 << 30, Free: 210 << 30, MaxSize: 20 << 30}}}
	if prepare != nil {
		prepare(r)
	}
	r.Now = pagetest.Afternoon
	desk := r.Desk()
	desk.Daemon, desk.Tool = func() page.Daemon { return r.daemon }, r.tool
	r.page = settings.New(desk)
	r.page.Login = r.login
	r.Face(r.page.Root())
	r.page.Show(r.view, pagetest.Afternoon)
	r.page.Enter()
	r.page.Show(r.view, pagetest.Afternoon)
	r.Laid()
	r.Laid()
	return r
}

func newSettings(t *testing.T, prepare func(*rig)) *rig {
	t.Helper()
	return newRig(t, "en", theme.Light, pagetest.Size, prepare)
}

// typing is what a line to type into can.
type typing interface {
	fyne.CanvasObject
	fyne.Focusable
	SetText(string)
	Disabled() bool
}

// entryOf finds the line that shows a text.
func (r *rig) entryOf(t *testing.T, text string) typing {
	t.Helper()
	for _, o := range r.Laid() {
		if e, ok := o.(typing); ok {
			if strings.Contains(test.RenderObjectToMarkup(o), ">"+text+"<") {
				return e
			}
		}
	}
	t.Fatalf("no line shows %q", text)
	return nil
}

func (r *rig) last() string { return r.daemon.calls[len(r.daemon.calls)-1] }

func (r *rig) tap(t *testing.T, tip string) {
	t.Helper()
	for _, b := range pagetest.Kind[*part.IconButton](r.Person) {
		if b.Tip() == tip {
			test.Tap(b)
			return
		}
	}
	t.Fatalf("no button %q", tip)
}

// choose picks an entry of the menu that is open.
func (r *rig) choose(t *testing.T, text string) {
	t.Helper()
	for _, o := range r.Window.Canvas().Overlays().List() {
		for _, item := range pagetest.Seen(o) {
			if tap, ok := item.(fyne.Tappable); ok && strings.HasSuffix(fmt.Sprintf("%T", item), "menuItem") && strings.Contains(test.RenderObjectToMarkup(item), text) {
				tap.Tapped(&fyne.PointEvent{})
				return
			}
		}
	}
	t.Fatalf("no entry %q", text)
}
