package settings_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

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

// settingDaemon keeps settings as the real one does, and notes what was asked of it.
type settingDaemon struct {
	page.Daemon
	values map[string]string
	refuse error
	calls  []string
	ways   []control.Egress
	pins   []control.Address
	report control.EgressReport
}

func newSettingDaemon(t *testing.T) *settingDaemon {
	t.Helper()
	d := &settingDaemon{values: map[string]string{}}
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

func (d *settingDaemon) called(format string, args ...any) error {
	d.calls = append(d.calls, fmt.Sprintf(format, args...))
	return d.refuse
}

func (d *settingDaemon) Setting(_ context.Context, key string) (string, error) {
	value, found := d.values[key]
	if !found {
		return "", fmt.Errorf("%s: no such key", key)
	}
	return value, nil
}

func (d *settingDaemon) SetSetting(_ context.Context, key, value string) error {
	if err := d.called("set %s=%s", key, value); err != nil {
		return err
	}
	d.values[key] = value
	return nil
}

func (d *settingDaemon) Egresses(context.Context) ([]control.Egress, error) {
	return slices.Clone(d.ways), nil
}

func (d *settingDaemon) AddEgress(_ context.Context, e control.Egress) error {
	if err := d.called("add %s %s %v", e.Name, e.URL, e.For); err != nil {
		return err
	}
	d.ways = append(d.ways, e)
	return nil
}

func (d *settingDaemon) RemoveEgress(_ context.Context, name string) error {
	if err := d.called("remove %s", name); err != nil {
		return err
	}
	d.ways = slices.DeleteFunc(d.ways, func(e control.Egress) bool { return e.Name == name })
	return nil
}

func (d *settingDaemon) UseEgress(_ context.Context, name string, registries []string) error {
	return d.called("use %s %v", name, registries)
}

func (d *settingDaemon) TestEgress(_ context.Context, name, target string) (control.EgressReport, error) {
	return d.report, d.called("test %s %s", name, target)
}

func (d *settingDaemon) AcceptKey(_ context.Context, name, fingerprint string) error {
	d.ways[0].HostKey = nil
	return d.called("accept %s %s", name, fingerprint)
}

func (d *settingDaemon) Addresses(context.Context) ([]control.Address, error) {
	return slices.Clone(d.pins), nil
}

func (d *settingDaemon) SetAddress(_ context.Context, a control.Address) error {
	if err := d.called("address %s %v", a.Host, a.Use); err != nil {
		return err
	}
	d.pins = append(d.pins, a)
	return nil
}

func (d *settingDaemon) RemoveAddress(_ context.Context, host string) error {
	d.pins = slices.DeleteFunc(d.pins, func(a control.Address) bool { return a.Host == host })
	return d.called("forget %s", host)
}

func (d *settingDaemon) RotateCA(context.Context) error { return d.called("rotate") }

// settingLogin starts at login, or refuses to.
type settingLogin struct {
	on     bool
	refuse error
}

func (l *settingLogin) Enabled() (bool, error) { return l.on, nil }
func (l *settingLogin) Set(on bool) error {
	if l.refuse == nil {
		l.on = on
	}
	return l.refuse
}

type settingRig struct {
	*pagetest.Person
	daemon *settingDaemon
	tool   *pagetest.CLI
	login  *settingLogin
	page   *settings.Page
	view   model.View
}

func newSettingRig(t *testing.T, language string, looks theme.Choice, size fyne.Size, prepare func(*settingRig)) *settingRig {
	t.Helper()
	lang.Use(language)
	t.Cleanup(func() { lang.Use("en") })
	r := &settingRig{Person: pagetest.Sit(t, size, looks), daemon: newSettingDaemon(t), login: &settingLogin{on: true}, tool: &pagetest.CLI{Errors: map[string]error{}, Answers: map[string]string{
		"ca show":        `[{"subject":"Pulley local CA","permitted":["registry-1.docker.io","auth.docker.io","ghcr.io","gcr.io","registry.k8s.io","quay.io"],"not_after":"2028-05-04T00:00:00Z","sha256":"9f2a41c07be35d16a8e4f3b27c905d1e6a4b8c2f7e1d3059b6a4c8e2f0d17a35","trusted_by":["system (update-ca-certificates)"]}]`,
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

func newSettings(t *testing.T, prepare func(*settingRig)) *settingRig {
	t.Helper()
	return newSettingRig(t, "en", theme.Light, pagetest.Size, prepare)
}

// typing is what a line to type into can.
type typing interface {
	fyne.CanvasObject
	fyne.Focusable
	SetText(string)
	Disabled() bool
}

// entryOf finds the line that shows a text.
func (r *settingRig) entryOf(t *testing.T, text string) typing {
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

func (r *settingRig) last() string { return r.daemon.calls[len(r.daemon.calls)-1] }

func TestSettingIsTypedAndWritten(t *testing.T) {
	r := newSettings(t, nil)
	e := r.entryOf(t, "16MiB")
	r.Window.Canvas().Focus(e)
	e.SetText("lots")
	if seen := r.Said(); !strings.Contains(seen, "A size, as 20GiB") {
		t.Errorf("what is wrong is not said:\n%s", seen)
	}
	e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if len(r.daemon.calls) != 0 {
		t.Errorf("it was written: %v", r.daemon.calls)
	}
	r.page.Show(r.view, pagetest.Afternoon) // what is typed stays
	e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if seen := r.Said(); strings.Contains(seen, "A size, as 20GiB") || r.entryOf(t, "16MiB") != e {
		t.Errorf("escape does not take it back:\n%s", seen)
	}
	e.SetText("32MiB")
	e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if r.last() != "set fetch.range_min=32MiB" {
		t.Errorf("%v", r.daemon.calls)
	}
	e.SetText("64MiB")
	r.Window.Canvas().Unfocus() // leaving it means it, too
	if r.last() != "set fetch.range_min=64MiB" {
		t.Errorf("%v", r.daemon.calls)
	}
}

func TestRefusedSettingFallsBackWithTheReason(t *testing.T) {
	r := newSettings(t, nil)
	r.daemon.refuse = errors.New("listen: 0.0.0.0:5055 can be reached from other machines, and nothing says who may")
	e := r.entryOf(t, "127.0.0.1:5055")
	e.SetText("0.0.0.0:5055")
	e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if seen := r.Said(); !strings.Contains(seen, "Stays as it was: listen: 0.0.0.0:5055 can be reached") {
		t.Errorf("the reason is not said:\n%s", seen)
	}
	if r.entryOf(t, "127.0.0.1:5055") != e {
		t.Error("it does not fall back")
	}
	r.daemon.refuse = nil
	e.SetText("127.0.0.1:6000")
	e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if seen := r.Said(); !strings.Contains(seen, "In force from the next start of Pulley; until then it is 127.0.0.1:5055") || strings.Contains(seen, "Stays as it was") {
		t.Errorf("what follows is not said:\n%s", seen)
	}
}

func TestSettingSwitchFallsBack(t *testing.T) {
	r := newSettings(t, nil)
	r.daemon.refuse = errors.New("the file is read-only")
	s := r.Labelled("Notifications").(*part.Switch)
	test.Tap(s)
	if !s.On() || r.last() != "set tray.notify=false" || !strings.Contains(r.Said(), "read-only") {
		t.Errorf("%v %v\n%s", s.On(), r.daemon.calls, r.Said())
	}
}

func TestEnvironmentHoldsASetting(t *testing.T) {
	r := newSettings(t, func(r *settingRig) {
		r.view.State.Held = map[string]string{"listen": "PULLEY_LISTEN", "tray.notify": "PULLEY_TRAY_NOTIFY", "tray.theme": "PULLEY_TRAY_THEME"}
	})
	if seen := r.Said(); !strings.Contains(seen, "Held by PULLEY_LISTEN") {
		t.Errorf("%s", seen)
	}
	if !r.entryOf(t, "127.0.0.1:5055").Disabled() {
		t.Error("it can be typed into")
	}
	test.Tap(r.Labelled("Notifications").(*part.Switch))
	segments := pagetest.Kind[*part.Segments](r.Person)
	segments[1].Choose(2)
	if len(r.daemon.calls) != 0 || segments[1].Chosen() != 0 {
		t.Errorf("%v, theme %d", r.daemon.calls, segments[1].Chosen())
	}
	segments[0].Choose(2)
	if r.last() != "set tray.language=zh-CN" {
		t.Errorf("%v", r.daemon.calls)
	}
}

func TestSizeOfTheCacheBySlider(t *testing.T) {
	r := newSettings(t, nil)
	slider := pagetest.Kind[*widget.Slider](r.Person)[0]
	if want := len(model.SizeSteps(222<<30)) - 1; int(slider.Max) != want {
		t.Errorf("it goes to %v, want %d", slider.Max, want)
	}
	slider.SetValue(slider.Max)
	if r.last() != "set cache.max_size=200GiB" {
		t.Errorf("%v", r.daemon.calls)
	}
	r.entryOf(t, "200GiB").SetText("33GiB")
	r.entryOf(t, "33GiB").TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if r.last() != "set cache.max_size=33GiB" || model.SizeSteps(222 << 30)[int(slider.Value)] != 30<<30 {
		t.Errorf("%v, slider %v", r.daemon.calls, slider.Value)
	}
}

func TestAccessIsShownOffLoopback(t *testing.T) {
	if seen := newSettings(t, nil).Said(); strings.Contains(seen, "Who may come in") {
		t.Error("it is in the way on loopback")
	}
	r := newSettings(t, func(r *settingRig) {
		r.daemon.values["listen"], r.view.State.Users = "0.0.0.0:5055", []string{"ann", "bob"}
	})
	if seen := r.Said(); !strings.Contains(seen, "Who may come in") || !strings.Contains(seen, "ann, bob") {
		t.Errorf("%s", seen)
	}
}

func TestSettingsAreSearched(t *testing.T) {
	r := newSettings(t, nil)
	r.page.Seek()
	search := r.Window.Canvas().Focused().(*part.Search)
	search.SetText("dns https")
	if seen := r.Said(); !strings.Contains(seen, "DNS over HTTPS") || strings.Contains(seen, "Notifications") || strings.Contains(seen, "Split from") {
		t.Errorf("%s", seen)
	}
	search.SetText("xyzzy")
	if seen := r.Said(); !strings.Contains(seen, "No setting is called so") {
		t.Errorf("%s", seen)
	}
	r.page.Take("cache.tag_ttl")
	if seen := r.Said(); !strings.Contains(seen, "Notifications") || search.Text != "" {
		t.Errorf("who is led somewhere sees all of it: %s", seen)
	}
}

func TestSettingsLeadToThings(t *testing.T) {
	r := newSettings(t, nil)
	driver := fyne.CurrentApp().Driver()
	at := func(text string) float32 {
		for _, one := range pagetest.Kind[*part.Text](r.Person) {
			if one.Words() == text {
				return driver.AbsolutePositionForObject(one).Y
			}
		}
		return -1e6
	}
	for thing, text := range map[string]string{"fetch.max_rate": "Speed limit", "egress": "jump", "jump": "jump", "auth.docker.io": "auth.docker.io", "/home/ann/.cache/pulley": "Tags are fresh for"} {
		r.page.Take("general")
		r.page.Take(thing)
		if y := at(text); y < 50 || y > pagetest.Size.Height-30 {
			t.Errorf("%s: %s is at %v", thing, text, y)
		}
	}
}

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

func (r *settingRig) tap(t *testing.T, tip string) {
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
func (r *settingRig) choose(t *testing.T, text string) {
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
	r.Toasts[0].Undo()
	if r.last() != "address auth.docker.io [34.193.147.40 52.5.246.212]" || !strings.Contains(r.Said(), "34.193.147.40") {
		t.Errorf("%v", r.daemon.calls)
	}
}

func TestTrustAsAdministratorWhereNeeded(t *testing.T) {
	r := newSettings(t, func(r *settingRig) {
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
	r.Tap("Renew its keys")
	if r.last() != "rotate" {
		t.Errorf("%v", r.daemon.calls)
	}
}

// A daemon that comes later is asked again, without the page being left.
func TestAuthorityIsAskedForAgain(t *testing.T) {
	r := newSettings(t, func(r *settingRig) { r.tool.Errors["ca show"] = errors.New("pulley is not running") })
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
