package pagetest

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

// CLI plays `pulley`: it answers what begins like one of its keys, the longest that fits, and remembers what it was asked.
type CLI struct {
	Answers  map[string]string // JSON
	Errors   map[string]error
	Asked    []string // the arguments; as root with a # before them
	OnFollow func(ctx context.Context, line func(string), args []string) error
}

func (c *CLI) Run(_ context.Context, into any, args ...string) error {
	return c.run(into, strings.Join(args, " "), "")
}

func (c *CLI) AsRoot(_ context.Context, into any, args ...string) error {
	return c.run(into, strings.Join(args, " "), "# ")
}

func (c *CLI) run(into any, line, as string) error {
	c.Asked = append(c.Asked, as+line)
	best := ""
	for key := range c.Answers {
		if strings.HasPrefix(as+line, key) && len(key) > len(best) {
			best = key
		}
	}
	if text := c.Answers[best]; best != "" && text != "" && into != nil {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			return err
		}
	}
	for key, err := range c.Errors {
		if strings.HasPrefix(as+line, key) {
			return err
		}
	}
	if best == "" {
		return errors.New("nobody told me what to say to: " + as + line)
	}
	return nil
}

func (c *CLI) Follow(ctx context.Context, line func(string), args ...string) error {
	c.Asked = append(c.Asked, strings.Join(args, " "))
	return c.OnFollow(ctx, line, args)
}

// Rig is a page in a window. Work waits until it is done by work.
type Rig struct {
	t       *testing.T
	Tool    *CLI
	Daemon  page.Daemon
	Desk    page.Desk
	Window  fyne.Window
	waiting []func(context.Context) func()
	Toasts  []page.Toast
	copied  string
	Visited []page.Name
	Picked  string // by the file dialog
	Now     time.Time
	page    interface {
		Root() fyne.CanvasObject
		Show(model.View, time.Time)
	}
}

var Noon = time.Date(2026, 3, 4, 12, 5, 0, 0, time.UTC)

func New(t *testing.T, size fyne.Size, look theme.Choice, tool *CLI) *Rig {
	t.Helper()
	app := test.NewTempApp(t)
	app.Settings().SetTheme(theme.New(look))
	r := &Rig{t: t, Tool: tool, Now: Noon, Window: test.NewWindow(nil)}
	t.Cleanup(r.Window.Close)
	r.Window.SetPadded(false)
	r.Window.Resize(size)
	r.Desk = page.Desk{
		Daemon: func() page.Daemon { return r.Daemon },
		Tool:   tool, Shares: model.NewShares(), Files: r,
		Work:   func(work func(context.Context) func()) { r.waiting = append(r.waiting, work) },
		Copy:   func(text string) { r.copied = text },
		Toast:  func(toast page.Toast) { r.Toasts = append(r.Toasts, toast) },
		Visit:  func(name page.Name, _ string) { r.Visited = append(r.Visited, name) },
		Window: func() fyne.Window { return r.Window },
		Now:    func() time.Time { return r.Now },
	}
	return r
}

func (r *Rig) Open(_ string, _ []string, then func(string)) { then(r.Picked) }
func (r *Rig) Save(string, string, func(string))            {}
func (r *Rig) Folder(string, func(string))                  {}

// Put shows a page.
func (r *Rig) Put(p interface {
	Root() fyne.CanvasObject
	Show(model.View, time.Time)
}, v model.View,
) {
	r.page = p
	size := r.Window.Canvas().Size()
	r.Window.SetContent(p.Root())
	r.Window.Resize(size)
	p.Show(v, r.Now)
	if guest, ok := p.(page.Guest); ok {
		guest.Enter()
	}
}

// Work does all that waits, and what comes of it.
func (r *Rig) Work() {
	for len(r.waiting) > 0 {
		next := r.waiting[0]
		r.waiting = r.waiting[1:]
		if then := next(r.t.Context()); then != nil {
			then()
		}
	}
}

// All visits what is seen, in the window and over it.
func (r *Rig) All(f func(fyne.CanvasObject)) {
	if top := r.Window.Canvas().Overlays().Top(); top != nil {
		Everything(top, f)
		return
	}
	Everything(r.Window.Canvas().Content(), f)
}

func (r *Rig) Texts() (list []string) {
	r.All(func(o fyne.CanvasObject) {
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

func (r *Rig) Reads(text string) bool {
	return slices.ContainsFunc(r.Texts(), func(said string) bool { return strings.Contains(said, text) })
}

func (r *Rig) Expect(texts ...string) {
	r.t.Helper()
	for _, text := range texts {
		if !r.Reads(text) {
			r.t.Errorf("%q is not to be read: %s", text, strings.Join(r.Texts(), " | "))
		}
	}
}

func (r *Rig) Refuse(texts ...string) {
	r.t.Helper()
	for _, text := range texts {
		if r.Reads(text) {
			r.t.Errorf("%q is to be read", text)
		}
	}
}

// Tap presses the n-th button, link or check with a text, or the icon with a tip, and does what waits.
func (r *Rig) Tap(text string, n ...int) {
	r.t.Helper()
	at := 0
	if len(n) > 0 {
		at = n[0]
	}
	var found []fyne.Tappable
	r.All(func(o fyne.CanvasObject) {
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
		r.t.Fatalf("%q cannot be pressed: %s", text, strings.Join(r.Texts(), " | "))
	}
	found[at].Tapped(&fyne.PointEvent{})
}

// Press taps and does what comes of it.
func (r *Rig) Press(text string, n ...int) {
	r.t.Helper()
	r.Tap(text, n...)
	r.Work()
}

// Entries are the fields to be filled in, from the top.
func (r *Rig) Entries() (list []*part.Entry) {
	r.All(func(o fyne.CanvasObject) {
		if e, ok := o.(*part.Entry); ok {
			list = append(list, e)
		}
	})
	return list
}

func (r *Rig) Asked(line string) {
	r.t.Helper()
	if !slices.Contains(r.Tool.Asked, line) {
		r.t.Errorf("%q was not asked: %s", line, strings.Join(r.Tool.Asked, "\n"))
	}
}

// Shoot keeps a picture where PULLEY_SHEETS says, for whoever wants to look.
func (r *Rig) Shoot(name string) {
	r.t.Helper()
	dir := os.Getenv("PULLEY_SHEETS")
	if dir == "" {
		return
	}
	f, err := os.Create(filepath.Join(dir, name+".png"))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := errors.Join(png.Encode(f, r.Window.Canvas().Capture()), f.Close()); err != nil {
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

func Engines() *CLI {
	return &CLI{Answers: map[string]string{
		"connect": engineList, "context ls": contextList, "context test": reportList, "connect docker --mirror --dry-run": connectPlan,
		"connect podman --mirror --dry-run": `[{"engine":{"id":"podman","name":"Podman","running":true},"way":"mirror","how":{"kind":"none"},"diff":"--- /dev/null\n+++ /home/me/.config/containers/registries.conf.d/pulley.conf\n@@ -0,0 +1,6 @@\n+[[registry]]\n+prefix = \"docker.io\"\n+location = \"docker.io\"\n+[[registry.mirror]]\n+location = \"127.0.0.1:5055\"\n+insecure = true\n"}]`,
		"connect --backups":                 `[{"engine":"docker","path":"/etc/docker/daemon.json","time":"2026-03-04T09:00:00Z","file":"/home/me/.local/state/pulley/backups/2f81","in_use":true},{"engine":"podman","path":"/home/me/.config/containers/registries.conf.d/pulley.conf","time":"2026-02-01T09:00:00Z","absent":true}]`,
	}, Errors: map[string]error{"context test": errors.New("desktop-linux: there is no socket; is the engine running?")}}
}

func Running() model.View {
	return model.View{Phase: model.Running, State: control.State{Enabled: true, Listen: "127.0.0.1:5055", Registries: []control.Registry{
		{Name: "docker.io"}, {Name: "ghcr.io"}, {Name: "quay.io"}, {Name: "gcr.io"}, {Name: "registry.k8s.io"}, {Name: "mcr.microsoft.com"},
	}}}
}

// Each runs f in all looks: light, dark and Chinese, in both sizes of a page.
func Each(t *testing.T, f func(t *testing.T, name string, size fyne.Size, look theme.Choice)) {
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
