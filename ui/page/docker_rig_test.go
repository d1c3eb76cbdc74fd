package page_test

import (
	"context"
	"encoding/json"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
)

// cli plays `pulley`: it answers what begins like one of its keys, the longest that fits, and remembers what it was asked.
type cli struct {
	answers map[string]string // JSON
	errors  map[string]error
	asked   []string // the arguments; as root with a # before them
	follow  func(ctx context.Context, line func(string), args []string) error
}

func (c *cli) Run(_ context.Context, into any, args ...string) error {
	return c.run(into, strings.Join(args, " "), "")
}

func (c *cli) AsRoot(_ context.Context, into any, args ...string) error {
	return c.run(into, strings.Join(args, " "), "# ")
}

func (c *cli) run(into any, line, as string) error {
	c.asked = append(c.asked, as+line)
	best := ""
	for key := range c.answers {
		if strings.HasPrefix(as+line, key) && len(key) > len(best) {
			best = key
		}
	}
	if text := c.answers[best]; best != "" && text != "" && into != nil {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			return err
		}
	}
	for key, err := range c.errors {
		if strings.HasPrefix(as+line, key) {
			return err
		}
	}
	if best == "" {
		return errors.New("nobody told me what to say to: " + as + line)
	}
	return nil
}

func (c *cli) Follow(ctx context.Context, line func(string), args ...string) error {
	c.asked = append(c.asked, strings.Join(args, " "))
	return c.follow(ctx, line, args)
}

// dockerRig is a page in a window. Work waits until it is done by work.
type dockerRig struct {
	t       *testing.T
	tool    *cli
	daemon  page.Daemon
	desk    page.Desk
	window  fyne.Window
	waiting []func(context.Context) func()
	toasts  []page.Toast
	copied  string
	visited []page.Name
	picked  string // by the file dialog
	now     time.Time
	page    interface {
		Root() fyne.CanvasObject
		Show(model.View, time.Time)
	}
}

var dockerNoon = time.Date(2026, 3, 4, 12, 5, 0, 0, time.UTC)

func newDockerRig(t *testing.T, size fyne.Size, look theme.Choice, tool *cli) *dockerRig {
	t.Helper()
	app := test.NewTempApp(t)
	app.Settings().SetTheme(theme.New(look))
	r := &dockerRig{t: t, tool: tool, now: dockerNoon, window: test.NewWindow(nil)}
	t.Cleanup(r.window.Close)
	r.window.SetPadded(false)
	r.window.Resize(size)
	r.desk = page.Desk{
		Daemon: func() page.Daemon { return r.daemon },
		Tool:   tool, Shares: model.NewShares(), Files: r,
		Work:   func(work func(context.Context) func()) { r.waiting = append(r.waiting, work) },
		Copy:   func(text string) { r.copied = text },
		Toast:  func(toast page.Toast) { r.toasts = append(r.toasts, toast) },
		Visit:  func(name page.Name, _ string) { r.visited = append(r.visited, name) },
		Window: func() fyne.Window { return r.window },
		Now:    func() time.Time { return r.now },
	}
	return r
}

func (r *dockerRig) Open(_ string, _ []string, then func(string)) { then(r.picked) }
func (r *dockerRig) Save(string, string, func(string))            {}
func (r *dockerRig) Folder(string, func(string))                  {}

// put shows a page.
func (r *dockerRig) put(p interface {
	Root() fyne.CanvasObject
	Show(model.View, time.Time)
}, v model.View,
) {
	r.page = p
	size := r.window.Canvas().Size()
	r.window.SetContent(p.Root())
	r.window.Resize(size)
	p.Show(v, r.now)
	if guest, ok := p.(page.Guest); ok {
		guest.Enter()
	}
}

// work does all that waits, and what comes of it.
func (r *dockerRig) work() {
	for len(r.waiting) > 0 {
		next := r.waiting[0]
		r.waiting = r.waiting[1:]
		if then := next(r.t.Context()); then != nil {
			then()
		}
	}
}

// all visits what is seen, in the window and over it.
func (r *dockerRig) all(f func(fyne.CanvasObject)) {
	if top := r.window.Canvas().Overlays().Top(); top != nil {
		everything(top, f)
		return
	}
	everything(r.window.Canvas().Content(), f)
}

func (r *dockerRig) texts() (list []string) {
	r.all(func(o fyne.CanvasObject) {
		switch o := o.(type) {
		case *part.Text:
			list = append(list, o.Words())
		case *widget.Label:
			list = append(list, o.Text)
		case *part.Button:
			list = append(list, o.Text)
		case *widget.Check:
			list = append(list, o.Text)
		case *widget.RichText:
			list = append(list, o.String())
		case interface{ AccessibilityLabel() string }:
			list = append(list, o.AccessibilityLabel())
		}
	})
	return list
}

func (r *dockerRig) reads(text string) bool {
	return slices.ContainsFunc(r.texts(), func(said string) bool { return strings.Contains(said, text) })
}

func (r *dockerRig) expect(texts ...string) {
	r.t.Helper()
	for _, text := range texts {
		if !r.reads(text) {
			r.t.Errorf("%q is not to be read: %s", text, strings.Join(r.texts(), " | "))
		}
	}
}

func (r *dockerRig) refuse(texts ...string) {
	r.t.Helper()
	for _, text := range texts {
		if r.reads(text) {
			r.t.Errorf("%q is to be read", text)
		}
	}
}

// tap presses the n-th button, link or check with a text, or the icon with a tip, and does what waits.
func (r *dockerRig) tap(text string, n ...int) {
	r.t.Helper()
	at := 0
	if len(n) > 0 {
		at = n[0]
	}
	var found []fyne.Tappable
	r.all(func(o fyne.CanvasObject) {
		switch o := o.(type) {
		case *part.Button:
			if o.Text == text && !o.Disabled() {
				found = append(found, o)
			}
		case *part.Link:
			if o.Words() == text {
				found = append(found, o)
			}
		case *part.IconButton:
			if o.Tip() == text && !o.Disabled() {
				found = append(found, o)
			}
		case *widget.Check:
			if o.Text == text {
				found = append(found, o)
			}
		}
	})
	if at >= len(found) {
		r.t.Fatalf("%q cannot be pressed: %s", text, strings.Join(r.texts(), " | "))
	}
	found[at].Tapped(&fyne.PointEvent{})
}

// press taps and does what comes of it.
func (r *dockerRig) press(text string, n ...int) {
	r.t.Helper()
	r.tap(text, n...)
	r.work()
}

// entries are the fields to be filled in, from the top.
func (r *dockerRig) entries() (list []*part.Entry) {
	r.all(func(o fyne.CanvasObject) {
		if e, ok := o.(*part.Entry); ok {
			list = append(list, e)
		}
	})
	return list
}

func (r *dockerRig) asked(line string) {
	r.t.Helper()
	if !slices.Contains(r.tool.asked, line) {
		r.t.Errorf("%q was not asked: %s", line, strings.Join(r.tool.asked, "\n"))
	}
}

// shoot keeps a picture where PULLEY_SHEETS says, for whoever wants to look.
func (r *dockerRig) shoot(name string) {
	r.t.Helper()
	dir := os.Getenv("PULLEY_SHEETS")
	if dir == "" {
		return
	}
	f, err := os.Create(filepath.Join(dir, name+".png"))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := errors.Join(png.Encode(f, r.window.Canvas().Capture()), f.Close()); err != nil {
		r.t.Fatal(err)
	}
}

const engineList = `[
 {"id":"docker","name":"Docker Engine","version":"27.3.1","running":true,"wired":{"way":"mirror","to":["http://127.0.0.1:5055"],"where":["/etc/docker/daemon.json"],"ours":true},"ways":["mirror","proxy"]},
 {"id":"podman","name":"Podman","version":"5.2.2","running":true,"wired":{"way":"","ours":false},"ways":["mirror"]},
 {"id":"kind:dev","name":"kind cluster dev","version":"1.7.18","running":true,"wired":{"way":"other","to":["http://mirror.corp.example:5000"],"ours":false},"ways":["mirror","proxy"]},
 {"id":"containerd","name":"containerd","version":"1.7.22","running":false,"wired":{"way":"","ours":false},"ways":["mirror","proxy"]}]`

const contextList = `[
 {"name":"build-1","kind":"remote","host":"ssh://ci@build-1.corp.example","description":"the big one","mark":{"mark":"build farm","colour":"blue"},"cures":[{"what":"share","command":"pulley context share build-1"}]},
 {"name":"default","kind":"local","host":"unix:///var/run/docker.sock","wins":true,"why":"currentContext"},
 {"name":"desktop-linux","kind":"local","host":"unix:///home/me/.docker/desktop/docker.sock"},
 {"name":"production","kind":"remote","host":"tcp://prod.example:2376","tls":true,"mark":{"mark":"production","colour":"red"}}]`

const reportList = `[
 {"name":"build-1","reachable":true,"engine":"27.3.1","system":"linux/x86_64","latency_ns":23000000,"images":412,"running":31,"disk_bytes":214748364800,"mirrors":["http://127.0.0.1:5055"]},
 {"name":"default","reachable":true,"engine":"27.3.1","system":"linux/x86_64","latency_ns":800000,"images":58,"running":6,"disk_bytes":32212254720},
 {"name":"desktop-linux","reachable":false,"error":"desktop-linux: there is no socket; is the engine running?","disk_bytes":-1},
 {"name":"production","reachable":true,"engine":"26.1.4","system":"linux/x86_64","latency_ns":340000000,"images":23,"running":14,"disk_bytes":-1}]`

const connectPlan = `[{"engine":{"id":"docker","name":"Docker Engine","version":"27.3.1","running":true,"ways":["mirror","proxy"],"wired":{"way":"","ours":false}},"way":"mirror","root":true,
 "how":{"kind":"restart","text":"systemctl restart docker","stops":3},"warn":["only Docker Hub's images come by a mirror; those of other registries are pulled by their name behind Pulley's address, 127.0.0.1:5055/ghcr.io/…"],
 "diff":"--- /etc/docker/daemon.json\n+++ /etc/docker/daemon.json\n@@ -1,5 +1,6 @@\n {\n   \"log-driver\": \"json-file\",\n-  \"registry-mirrors\": [\"https://old.example\"],\n+  \"registry-mirrors\": [\"http://127.0.0.1:5055\", \"https://old.example\"],\n+  \"max-concurrent-downloads\": 6,\n   \"storage-driver\": \"overlay2\"\n }\n"}]`

func dockerTool() *cli {
	return &cli{answers: map[string]string{
		"connect": engineList, "context ls": contextList, "context test": reportList, "connect docker --mirror --dry-run": connectPlan,
		"connect podman --mirror --dry-run": `[{"engine":{"id":"podman","name":"Podman","running":true},"way":"mirror","how":{"kind":"none"},"diff":"--- /dev/null\n+++ /home/me/.config/containers/registries.conf.d/pulley.conf\n@@ -0,0 +1,6 @@\n+[[registry]]\n+prefix = \"docker.io\"\n+location = \"docker.io\"\n+[[registry.mirror]]\n+location = \"127.0.0.1:5055\"\n+insecure = true\n"}]`,
		"connect --backups":                 `[{"engine":"docker","path":"/etc/docker/daemon.json","time":"2026-03-04T09:00:00Z","file":"/home/me/.local/state/pulley/backups/2f81","in_use":true},{"engine":"podman","path":"/home/me/.config/containers/registries.conf.d/pulley.conf","time":"2026-02-01T09:00:00Z","absent":true}]`,
	}, errors: map[string]error{"context test": errors.New("desktop-linux: there is no socket; is the engine running?")}}
}

func runningView() model.View {
	return model.View{Phase: model.Running, State: control.State{Enabled: true, Listen: "127.0.0.1:5055", Registries: []control.Registry{
		{Name: "docker.io"}, {Name: "ghcr.io"}, {Name: "quay.io"}, {Name: "gcr.io"}, {Name: "registry.k8s.io"}, {Name: "mcr.microsoft.com"},
	}}}
}

// each runs f in all looks: light, dark and Chinese, in both sizes of a page.
func each(t *testing.T, f func(t *testing.T, name string, size fyne.Size, look theme.Choice)) {
	for _, l := range []struct {
		name, language string
		look           theme.Choice
	}{{"light", "en", theme.Light}, {"dark", "en", theme.Dark}, {"zh", "zh-CN", theme.Light}} {
		for _, s := range []struct {
			name string
			size fyne.Size
		}{{"wide", fyne.NewSize(920, 690)}, {"narrow", fyne.NewSize(710, 560)}} {
			t.Run(l.name+"-"+s.name, func(t *testing.T) {
				lang.Use(l.language)
				defer lang.Use("en")
				f(t, l.name+"-"+s.name, s.size, l.look)
			})
		}
	}
}
