package mirrors_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/page/mirrors"
	"pulley/ui/page/pagetest"
	"pulley/ui/part"
	"pulley/ui/theme"
)

// daemon is a daemon of one hub with three mirrors. What is not made here is not asked for.
type daemon struct {
	page.Daemon
	list    []control.Source
	refuse  error // of every change
	calls   []string
	reports map[string]control.MirrorReport
	on      func(string) // sees each test as it goes
}

func newDaemon() *daemon {
	at := func(d time.Duration) *time.Time { t := pagetest.Afternoon.Add(d); return &t }
	const hub = "docker.io"
	return &daemon{list: []control.Source{
		{Registry: hub, Name: "near", Place: 2, URL: "https://mirror.example.com", Style: "host", Enabled: true, Usable: true, Proven: true,
			Rate: 11.4 * (1 << 20), FirstByte: 38 * time.Millisecond, Quota: 10 << 30, QuotaUsed: 3<<30 + 200<<20, QuotaSet: "10GiB/month", QuotaEnds: at(27 * 24 * time.Hour)},
		{Registry: hub, Name: "origin", Origin: true, URL: "https://registry-1.docker.io", Enabled: true, Usable: true, Rate: 2.1 * (1 << 20), FirstByte: 240 * time.Millisecond},
		{Registry: hub, Name: "daocloud", Place: 1, URL: "https://docker.m.daocloud.io", Style: "host", Enabled: true, Usable: true, BuiltIn: true, About: "DaoCloud's public mirror",
			Rate: 980 << 10, FirstByte: 96 * time.Millisecond, Limits: "has what is on its allow list",
			Differs: []control.Differs{{Image: "docker.io/library/alpine:latest", Mirror: "sha256:ab12cd34ef567890", Origin: "sha256:98fe76dc54ba3210", At: pagetest.Afternoon.Add(-3 * time.Hour)}}},
		{Registry: hub, Name: "google", Place: 8, URL: "https://mirror.gcr.io", Style: "host", Enabled: true, BuiltIn: true, About: "Google's cache of Docker Hub", Why: "connection reset by peer", Until: at(9 * time.Minute)},
		{Registry: hub, Name: "aliyun", Place: 3, URL: "https://{id}.mirror.aliyuncs.com", Style: "host", BuiltIn: true, About: "Alibaba Cloud's image accelerator", Needs: "the id of an Alibaba Cloud account"},
		{Registry: hub, Name: "ecr-public", Place: 9, URL: "https://public.ecr.aws/docker", Style: "host", BuiltIn: true, About: "Docker's official images in Amazon's public registry"},
		{Registry: hub, Name: "ustc", Place: 4, URL: "https://docker.mirrors.ustc.edu.cn", Style: "host", BuiltIn: true, About: "University of Science and Technology of China", Closed: "2022-08"},
		{Registry: hub, Name: "163", Place: 5, URL: "https://hub-mirror.c.163.com", Style: "host", BuiltIn: true, About: "NetEase", Closed: "2024-06"},
		{Registry: "ghcr.io", Name: "origin", Origin: true, URL: "https://ghcr.io", Enabled: true, Usable: true},
		{Registry: "ghcr.io", Name: "daocloud", Place: 1, URL: "https://m.daocloud.io", Style: "prefix", BuiltIn: true, About: "DaoCloud's public mirror"},
	}}
}

func (d *daemon) called(format string, args ...any) error {
	d.calls = append(d.calls, fmt.Sprintf(format, args...))
	return d.refuse
}

func (d *daemon) Sources(context.Context, string) ([]control.Source, error) {
	return slices.Clone(d.list), nil
}

func (d *daemon) find(registry, name string) *control.Source {
	for i := range d.list {
		if d.list[i].Registry == registry && d.list[i].Name == name {
			return &d.list[i]
		}
	}
	return &control.Source{}
}

func (d *daemon) SwitchMirror(_ context.Context, registry, name string, on bool) error {
	if err := d.called("switch %s %s %v", registry, name, on); err != nil {
		return err
	}
	d.find(registry, name).Enabled = on
	return nil
}

func (d *daemon) OrderMirrors(_ context.Context, registry string, names []string) error {
	if err := d.called("order %s %v", registry, names); err != nil {
		return err
	}
	for i, name := range names {
		d.find(registry, name).Place = i + 1
	}
	return nil
}

func (d *daemon) RemoveMirror(_ context.Context, registry, name string) error {
	if err := d.called("remove %s %s", registry, name); err != nil {
		return err
	}
	d.list = slices.DeleteFunc(d.list, func(s control.Source) bool { return s.Registry == registry && s.Name == name })
	return nil
}

func (d *daemon) AddMirror(_ context.Context, m control.Mirror) error {
	if err := d.called("add %+v", m); err != nil {
		return err
	}
	if s := d.find(m.Registry, m.Name); m.Amend {
		s.URL, s.QuotaSet = m.URL, m.Quota
	} else {
		d.list = append(d.list, control.Source{Registry: m.Registry, Name: m.Name, URL: m.URL, Style: m.Style, Enabled: true, Usable: true, Place: len(d.list),
			TrustTags: m.TrustTags, Private: m.Private})
	}
	return nil
}

func (d *daemon) WatchMirrorTest(ctx context.Context, registry, name string, progress func(control.MirrorTesting)) (control.MirrorReport, error) {
	_ = d.called("test %s %s", registry, name)
	progress(control.MirrorTesting{FirstByte: 30 * time.Millisecond, Bytes: 3 << 20, Size: 8 << 20, Rate: 9 << 20})
	if d.on != nil {
		d.on(name)
	}
	return d.reports[name], ctx.Err()
}

// rig is the page in a window, on a desk whose work is done at once.
type rig struct {
	*pagetest.Person
	daemon *daemon
	page   *mirrors.Page
	view   model.View
	work   []func() // held back while hold is set
	hold   bool
}

func newRig(t *testing.T, language string, size fyne.Size) *rig {
	t.Helper()
	return newRigIn(t, language, theme.Light, size)
}

func newRigIn(t *testing.T, language string, looks theme.Choice, size fyne.Size) *rig {
	t.Helper()
	lang.Use(language)
	t.Cleanup(func() { lang.Use("en") })
	used := func(ago time.Duration) *time.Time { at := pagetest.Afternoon.Add(-ago); return &at }
	routes := []string{"auto", "direct", "offline", "daocloud", "near", "google"}
	r := &rig{Person: pagetest.Sit(t, size, looks), daemon: newDaemon(), view: model.View{Phase: model.Running, State: control.State{Listen: "127.0.0.1:5055", Registries: []control.Registry{
		{Name: "docker.io", Hosts: []string{"registry-1.docker.io", "index.docker.io", "docker.io"}, Route: "auto", Routes: routes, LastUsed: used(4 * time.Minute), Best: "near"},
		{Name: "gcr.io", Hosts: []string{"gcr.io"}, Route: "auto", Routes: routes[:3]},
		{Name: "ghcr.io", Hosts: []string{"ghcr.io"}, Route: "direct", Routes: routes[:3], LastUsed: used(26 * time.Hour)},
		{Name: "registry.k8s.io", Hosts: []string{"registry.k8s.io"}, Route: "auto", Routes: routes[:3]},
		{Name: "quay.io", Hosts: []string{"quay.io"}, Route: "auto", Routes: routes[:3]},
		{Name: "mcr.microsoft.com", Hosts: []string{"mcr.microsoft.com"}, Route: "auto", Routes: routes[:3]},
	}}}}
	r.Now = pagetest.Afternoon
	desk := r.Desk()
	desk.Daemon = func() page.Daemon { return r.daemon }
	desk.Work = func(work func(context.Context) func()) {
		do := func() {
			if then := work(t.Context()); then != nil {
				then()
			}
		}
		if r.hold {
			r.work = append(r.work, do)
			return
		}
		do()
	}
	r.page = mirrors.New(desk)
	r.Face(r.page.Root())
	r.page.Show(r.view, pagetest.Afternoon)
	r.page.Enter()
	r.page.Show(r.view, pagetest.Afternoon)
	r.Laid()
	return r
}

// release does the work that was held back.
func (r *rig) release() {
	r.hold = false
	for len(r.work) > 0 {
		do := r.work[0]
		r.work = r.work[1:]
		do()
	}
}

func mirrorSwitches(r *rig) []*part.Switch { return pagetest.Kind[*part.Switch](r.Person) }

// pick chooses from the menu of a mirror.
func (r *rig) pick(mirror, item string) {
	r.T.Helper()
	r.Labelled(mirror + ",")
	r.Labelled("More for " + mirror).(fyne.Tappable).Tapped(nil)
	for _, o := range r.Window.Canvas().Overlays().List() {
		for _, seen := range pagetest.Seen(o) {
			if tap, ok := seen.(fyne.Tappable); ok && strings.Contains(test.RenderObjectToMarkup(seen), item) && strings.HasSuffix(fmt.Sprintf("%T", seen), "menuItem") {
				tap.Tapped(&fyne.PointEvent{})
				return
			}
		}
	}
	r.T.Fatalf("there is no %q", item)
}
