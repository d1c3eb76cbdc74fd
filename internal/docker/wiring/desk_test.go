package wiring

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"pulley/internal/docker/machine"
)

// screen is a person's computer that a golden file describes. Its files lie below in/, those inside of virtual machines below
// in/guest/NAME/. Section os has the system and, in further lines, variables; exec has programs and their answers, a line each:
// "args => answer"; api has sockets where Docker answers: "socket product version containers".
type screen struct {
	t       *testing.T
	dir     string
	local   *machine.Local
	answers map[string]string
	apis    map[string][]string
	ran     []string // programs that changed something
}

func newScreen(t *testing.T, a *txtar.Archive) *screen {
	t.Helper()
	d := &screen{t: t, dir: t.TempDir(), answers: map[string]string{}, apis: map[string][]string{}}
	facts := &machine.Facts{Arch: "arm64", User: "me", UID: 501}
	environ := []string{}
	for _, f := range a.Files {
		lines := strings.Split(strings.TrimRight(string(f.Data), "\n"), "\n")
		switch name, in := strings.CutPrefix(f.Name, "in/"); {
		case in:
			d.put(name, f.Data)
		case f.Name == "os":
			facts.OS, environ = lines[0], append(environ, lines[1:]...)
		case f.Name == "exec":
			for _, line := range lines {
				args, answer, _ := strings.Cut(line, " => ")
				d.answers[args] += strings.ReplaceAll(answer, `\n`, "\n") + "\n"
			}
		case f.Name == "api":
			for _, line := range lines {
				w := strings.SplitN(line, "|", 5)
				d.apis[w[0]] = w[1:]
			}
		}
	}
	facts.Home = map[string]string{machine.Darwin: "/Users/me", machine.Windows: `C:\Users\me`, machine.Linux: "/home/me"}[facts.OS]
	d.local = &machine.Local{Dir: d.dir, As: facts, Environ: environ, Exec: d.exec, Connect: d.dial}
	return d
}

func (d *screen) put(name string, data []byte) {
	d.t.Helper()
	file := filepath.Join(d.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// dial is a socket at which Docker answers.
func (d *screen) dial(_ context.Context, network, address string) (net.Conn, error) {
	api, ok := d.apis[network+"://"+strings.ReplaceAll(address, `\`, "/")]
	if !ok {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	mux := http.NewServeMux()
	answer := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Api-Version", "1.47")
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
		}
	}
	version := fmt.Sprintf(`{"Platform":{"Name":%q},"Version":%q,"ApiVersion":"1.47","MinAPIVersion":"1.24"}`, api[0], api[1])
	mux.HandleFunc("/_ping", answer("OK"))
	mux.HandleFunc("/{v}/version", answer(version))
	mux.HandleFunc("/version", answer(version))
	mux.HandleFunc("/{v}/info", answer(fmt.Sprintf(`{"ContainersRunning":%s,"RegistryConfig":{"Mirrors":[%s]}}`, api[2], strings.Join(api[3:], ""))))
	l := &oneConn{conn: make(chan net.Conn, 1)}
	l.conn <- theirs
	server := &http.Server{Handler: mux}
	go func() { _ = server.Serve(l) }()
	d.t.Cleanup(func() { _ = server.Close() })
	return ours, nil
}

// oneConn is a listener with one connection.
type oneConn struct{ conn chan net.Conn }

func (l *oneConn) Accept() (net.Conn, error) {
	c, ok := <-l.conn
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (l *oneConn) Close() error   { close(l.conn); return nil }
func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{} }

// guests are the programs that run others in a virtual machine, and its name here.
var guests = []struct{ prefix, name string }{
	{"podman machine ssh podman-machine-default sudo", "podman"},
	{"rdctl shell sudo", "rancher"},
	{"rdctl shell", "rancher"},
	{"colima ssh --profile default -- sudo", "colima"},
	{"limactl shell --workdir / docker sudo", "docker"},
	{"limactl shell --workdir / docker", "docker"},
	{"limactl shell --workdir / default sudo", "default"},
	{"limactl shell --workdir / default", "default"},
	{"wsl.exe --distribution Ubuntu --user root --exec", "Ubuntu"},
}

func (d *screen) exec(_ context.Context, c machine.Command) ([]byte, error) {
	line := strings.Join(c.Args, " ")
	if answer, ok := d.answers[line]; ok {
		return []byte(answer), nil
	}
	if args, ok := strings.CutPrefix(line, "orb config "); ok {
		return d.orb(strings.Fields(args))
	}
	for _, g := range guests {
		if args, ok := strings.CutPrefix(line, g.prefix+" "); ok {
			return d.inside(g.name, strings.Fields(args), c.Stdin)
		}
	}
	return nil, &exec.Error{Name: c.Args[0], Err: exec.ErrNotFound}
}

func (d *screen) orb(args []string) ([]byte, error) {
	file := filepath.Join(d.dir, "guest/orb", args[1])
	if args[0] == "set" {
		d.ran = append(d.ran, "orb config "+strings.Join(args, " "))
		return nil, os.WriteFile(file, []byte(args[2]+"\n"), 0o644)
	}
	return os.ReadFile(file)
}

// inside does what the few programs do that are needed in a virtual machine.
func (d *screen) inside(name string, args []string, stdin []byte) ([]byte, error) {
	english := []string{"env", "LC_ALL=C"}
	if slices.Equal(args[:min(2, len(args))], english) {
		args = args[2:]
	} else if slices.Contains([]string{"cat", "tee", "ls"}, args[0]) {
		d.t.Errorf("%v speaks the language of its system", args)
	}
	if !slices.Contains([]string{"cat", "tee", "ls", "mkdir", "rm", "rmdir"}, args[0]) {
		return nil, &exec.Error{Name: args[0], Err: exec.ErrNotFound}
	}
	file := filepath.Join(d.dir, "guest", name, args[len(args)-1])
	program := exec.Command(args[0], append(slices.Clone(args[1:len(args)-1]), file)...)
	program.Stdin = strings.NewReader(string(stdin))
	var stderr strings.Builder
	program.Stderr = &stderr
	out, err := program.Output()
	if err != nil {
		return out, &machine.ExitError{Program: args[0], Status: 1, Stderr: stderr.String()}
	}
	return out, nil
}

func (d *screen) files() map[string]string {
	d.t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(d.dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		rel, _ := filepath.Rel(d.dir, name)
		all[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return all
}

// carry does what a plan says about files, and has the files as they are after their time on disk.
func (d *screen) carry(p *Plan) []File {
	d.t.Helper()
	for _, f := range p.Files {
		on := f.On(d.local)
		read, err := on.ReadFile(f.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			d.t.Fatal(err)
		}
		after, err := f.Edit.Apply(read.Data)
		if err != nil {
			d.t.Fatalf("%s: %v", f.Path, err)
		}
		if _, err := on.WriteFile(f.Path, after, f.Mode); err != nil {
			d.t.Fatal(err)
		}
	}
	data, err := json.Marshal(p.Files)
	if err != nil {
		d.t.Fatal(err)
	}
	var back []File
	if err := json.Unmarshal(data, &back); err != nil {
		d.t.Fatal(err)
	}
	return back
}

// revert takes it out again. made are the paths, as given, of files that were not there.
func (d *screen) revert(files []File, made map[string]bool) {
	d.t.Helper()
	for _, f := range slices.Backward(files) {
		on := f.On(d.local)
		read, err := on.ReadFile(f.Path)
		if err != nil {
			d.t.Fatal(err)
		}
		after, err := f.Edit.Revert(read.Data)
		if err != nil {
			d.t.Fatal(err)
		}
		if made[f.Path] && len(strings.TrimSpace(string(after))) == 0 {
			err = on.Remove(f.Path)
		} else {
			_, err = on.WriteFile(f.Path, after, f.Mode)
		}
		if err != nil {
			d.t.Fatal(err)
		}
	}
}

var deskKinds = []Kind{desktop{}, orbstack{}, rancher{}, colima{}, lima{}, podmanMachine{}, wsl{}}

func (d *screen) find(id string) (Kind, Engine) {
	d.t.Helper()
	for _, k := range deskKinds {
		for _, e := range k.Find(d.t.Context(), d.local) {
			if e.ID == id {
				return k, e
			}
		}
	}
	d.t.Fatalf("%s is not found", id)
	return nil, Engine{}
}

// TestDesk plans what the section "connect" of every golden file says, does it, and takes it back: before, after, before.
// Sections since/ are what somebody made of a file in between; then back/ is what it has to be in the end.
func TestDesk(t *testing.T) {
	names, err := filepath.Glob("testdata/desk/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) { deskGolden(t, name) })
	}
}

func deskGolden(t *testing.T, name string) {
	t.Helper()
	a, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	d := newScreen(t, a)
	before := d.files()
	engine, options := request(t, a)
	got := &txtar.Archive{Comment: a.Comment}
	since, back := map[string]string{}, map[string]string{}
	for _, f := range a.Files {
		if at, ok := strings.CutPrefix(f.Name, "since/"); ok {
			since[at] = string(f.Data)
		}
		if at, ok := strings.CutPrefix(f.Name, "back/"); ok {
			back[at] = string(f.Data)
			continue
		}
		if slices.Contains([]string{"os", "exec", "api", "connect"}, f.Name) || strings.HasPrefix(f.Name, "in/") || strings.HasPrefix(f.Name, "since/") {
			got.Files = append(got.Files, f)
		}
	}
	add := func(name, text string) {
		if text != "" {
			got.Files = append(got.Files, txtar.File{Name: name, Data: []byte(strings.TrimRight(text, "\n") + "\n")})
		}
	}
	kind, e := d.find(engine)
	add("found", text(t, e))
	if p, err := kind.Plan(t.Context(), d.local, e, target(), options); err != nil {
		add("error", err.Error())
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("an error of several lines: %q", err)
		}
	} else {
		add("plan", text(t, map[string]any{"way": p.Way, "how": p.How, "trust": p.Trust, "egress": p.Egress, "warn": p.Warn, "manual": p.Manual}))
		done := d.carry(p)
		made := map[string]bool{}
		now := d.files()
		for _, name := range sortedKeys(now) {
			if _, was := before[name]; !was {
				made["/"+strings.TrimPrefix(name, "guest/")] = true
				for _, f := range p.Files {
					made[f.Path] = made[f.Path] || strings.HasSuffix("/"+name, strings.ReplaceAll(strings.TrimPrefix(f.Path, "C:"), `\`, "/"))
				}
			}
			if now[name] != before[name] {
				got.Files = append(got.Files, txtar.File{Name: "out/" + name, Data: []byte(now[name])})
			}
		}
		if len(since) == 0 {
			d.again(kind, engine, options)
		}
		for name, text := range since {
			d.put(name, []byte(text))
		}
		d.revert(done, made)
		if len(since) > 0 {
			end := d.files()
			for _, name := range sortedKeys(end) {
				if end[name] != before[name] {
					got.Files = append(got.Files, txtar.File{Name: "back/" + name, Data: []byte(end[name])})
				}
			}
		}
	}
	if now := d.files(); len(since) == 0 && !mapsEqual(now, before) {
		t.Errorf("after it was taken back the files are\n%v\nand were\n%v", now, before)
	}
	if *update {
		if err := os.WriteFile(name, txtar.Format(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if g, w := string(txtar.Format(got)), string(txtar.Format(a)); g != w {
		t.Errorf("not as in %s:\n%s", name, Diff(name, []byte(w), []byte(g)))
	}
}

// again plans what is done already: nothing of it may change, and it is found.
func (d *screen) again(kind Kind, engine string, o Options) {
	d.t.Helper()
	_, e := d.find(engine)
	if e.Wired.Way != Mirror && e.Wired.Way != Proxy && o.Reach == "" {
		d.t.Errorf("it is not seen that %s is wired: %v", engine, e.Wired)
	}
	p, err := kind.Plan(d.t.Context(), d.local, e, target(), o)
	if err != nil {
		d.t.Error(err)
		return
	}
	if p.Egress != "" {
		d.t.Errorf("we are taken for somebody's proxy: %s", p.Egress)
	}
	for _, f := range p.Files {
		read, err := f.On(d.local).ReadFile(f.Path)
		if err != nil {
			d.t.Error(err)
			continue
		}
		after, err := f.Edit.Apply(read.Data)
		if err != nil || string(after) != string(read.Data) {
			d.t.Errorf("planned again, %s becomes (%v)\n%s", f.Path, err, after)
		}
	}
}
