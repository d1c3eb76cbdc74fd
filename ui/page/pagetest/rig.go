package pagetest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"

	"pulley/internal/control"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/theme"
)

// CLI plays `pulley`: it answers what begins like one of its keys, the longest that fits, and remembers what it was asked.
type CLI struct {
	Answers  map[string]string // JSON
	Errors   map[string]error
	Asked    []string          // the arguments; as root with a # before them
	OnLine   func(line string) // hears each line of progress after it was handed over
	OnFollow func(ctx context.Context, line func(string), args []string) error
}

// Run implements page.Tool.
func (c *CLI) Run(_ context.Context, into any, args ...string) error {
	return c.run(into, strings.Join(args, " "), "")
}

// AsRoot implements page.Tool.
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
	text := c.Answers[best]
	if each, ok := into.(func([]byte)); ok && text != "" {
		into = nil
		c.lines(text, each)
	}
	if best != "" && text != "" && into != nil {
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

// lines hands over an answer as `--steps` has it: the last line is the result, in as many lines as the answer likes.
func (c *CLI) lines(text string, each func([]byte)) {
	for strings.HasPrefix(text, `{"progress"`) {
		line, rest, _ := strings.Cut(text, "\n")
		each([]byte(line))
		if c.OnLine != nil {
			c.OnLine(line)
		}
		text = rest
	}
	if text != "" {
		each([]byte(`{"result":` + strings.ReplaceAll(text, "\n", " ") + `}`))
	}
}

// Follow implements page.Tool.
func (c *CLI) Follow(ctx context.Context, line func(string), args ...string) error {
	c.Asked = append(c.Asked, strings.Join(args, " "))
	return c.OnFollow(ctx, line, args)
}

// TerminalError is what the tool fails with where only a terminal can ask for a password.
type TerminalError struct{}

func (TerminalError) Error() string {
	return "nobody can be asked; in a terminal: sudo pulley connect docker"
}

// Command is what does it there.
func (TerminalError) Command() string { return "sudo pulley connect docker" }

// Rig is a page in a window. What it has done beside the UI goroutine waits until Work is called.
type Rig struct {
	*Person
	Tool    *CLI
	Daemon  page.Daemon
	Desk    page.Desk
	waiting []func(context.Context) func()
}

// New makes one with an empty window.
func New(t *testing.T, size fyne.Size, look theme.Choice, tool *CLI) *Rig {
	t.Helper()
	r := &Rig{Person: Sit(t, size, look), Tool: tool}
	r.Desk = r.Person.Desk()
	r.Desk.Tool, r.Desk.Shares = tool, model.NewShares()
	r.Desk.Daemon = func() page.Daemon { return r.Daemon }
	r.Desk.Work = func(work func(context.Context) func()) { r.waiting = append(r.waiting, work) }
	return r
}

// Put shows a page.
func (r *Rig) Put(p page.Page, v model.View) {
	r.Face(p.Root())
	p.Show(v, r.Now)
	if guest, ok := p.(page.Guest); ok {
		guest.Enter()
	}
}

// Work does all that waits, and what comes of it.
func (r *Rig) Work() {
	for len(r.waiting) > 0 {
		r.Once()
	}
}

// Once does the first of what waits, for work that looks on while other work goes on.
func (r *Rig) Once() {
	next := r.waiting[0]
	r.waiting = r.waiting[1:]
	if then := next(r.T.Context()); then != nil {
		then()
	}
}

// Press taps and does what comes of it.
func (r *Rig) Press(text string, n ...int) {
	r.T.Helper()
	r.Tap(text, n...)
	r.Work()
}

// Asked fails the test if the tool was not asked for a line.
func (r *Rig) Asked(line string) {
	r.T.Helper()
	if !slices.Contains(r.Tool.Asked, line) {
		r.T.Errorf("%q was not asked: %s", line, strings.Join(r.Tool.Asked, "\n"))
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

// Engines is a tool on a machine with four engines and as many contexts.
func Engines() *CLI {
	return &CLI{Answers: map[string]string{
		"connect": engineList, "context ls": contextList, "context test": reportList, "connect docker --mirror --dry-run": connectPlan,
		"connect podman --mirror --dry-run": `[{"engine":{"id":"podman","name":"Podman","running":true},"way":"mirror","how":{"kind":"none"},"diff":"--- /dev/null\n+++ /home/me/.config/containers/registries.conf.d/pulley.conf\n@@ -0,0 +1,6 @@\n+[[registry]]\n+prefix = \"docker.io\"\n+location = \"docker.io\"\n+[[registry.mirror]]\n+location = \"127.0.0.1:5055\"\n+insecure = true\n"}]`,
		"connect --backups":                 `[{"engine":"docker","path":"/etc/docker/daemon.json","time":"2026-03-04T09:00:00Z","file":"/home/me/.local/state/pulley/backups/2f81","in_use":true},{"engine":"podman","path":"/home/me/.config/containers/registries.conf.d/pulley.conf","time":"2026-02-01T09:00:00Z","absent":true}]`,
	}, Errors: map[string]error{"context test": errors.New("desktop-linux: there is no socket; is the engine running?")}}
}

// Running is what is known of a daemon that runs.
func Running() model.View {
	return model.View{Phase: model.Running, State: control.State{Enabled: true, Listen: "127.0.0.1:5055", Registries: []control.Registry{
		{Name: "docker.io"}, {Name: "ghcr.io"}, {Name: "quay.io"}, {Name: "gcr.io"}, {Name: "registry.k8s.io"}, {Name: "mcr.microsoft.com"},
	}}}
}
