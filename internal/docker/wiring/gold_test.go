package wiring

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/txtar"

	"pulley/internal/docker/machine"
)

var update = flag.Bool("update", false, "write what came out into the golden files")

// stage is a machine that a golden file describes: its files lie below in/ and those of its containers below
// in/container/NAME/, the section exec has programs and their answers, a line each: "args => answer"; the section facts has
// "user" for somebody who is not root.
type stage struct {
	t       *testing.T
	dir     string
	local   *machine.Local
	answers map[string]string
	open    []string // addresses where somebody listens
	mu      sync.Mutex
	ran     []string // what was run to start something again
}

func newStage(t *testing.T, a *txtar.Archive) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir(), answers: map[string]string{}}
	facts := &machine.Facts{OS: machine.Linux, Arch: "amd64", Home: "/root", User: "root", Root: true}
	for _, f := range a.Files {
		switch name, in := strings.CutPrefix(f.Name, "in/"); {
		case in:
			s.put(name, f.Data)
		case f.Name == "exec":
			for line := range strings.Lines(string(f.Data)) {
				args, answer, _ := strings.Cut(strings.TrimRight(line, "\n"), " => ")
				s.answers[args] += strings.ReplaceAll(answer, `\n`, "\n") + "\n"
			}
		case f.Name == "open":
			s.open = strings.Fields(string(f.Data))
		case f.Name == "facts":
			*facts = machine.Facts{OS: machine.Linux, Arch: "amd64", Home: "/home/me", User: "me", UID: 1000}
		}
	}
	s.local = &machine.Local{Dir: s.dir, As: facts, Environ: []string{}, Exec: s.exec, Connect: s.dial}
	return s
}

func (s *stage) put(name string, data []byte) {
	s.t.Helper()
	file := filepath.Join(s.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if path.Base(name) == ".folder" {
		return
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) dial(_ context.Context, _, address string) (net.Conn, error) {
	if !slices.Contains(s.open, address) {
		return nil, errors.New("connection refused")
	}
	a, b := net.Pipe()
	_ = b.Close()
	return a, nil
}

func (s *stage) exec(_ context.Context, c machine.Command) ([]byte, error) {
	line := strings.Join(c.Args, " ")
	if answer, ok := s.answers[line]; ok {
		return []byte(answer), nil
	}
	for _, program := range []string{"systemctl", "docker restart", "update-ca-certificates", "crictl", "buildctl"} {
		if _, inside, ok := strings.Cut(" "+line, " "+program+" "); ok || strings.HasSuffix(line, " "+program) {
			s.mu.Lock()
			s.ran = append(s.ran, strings.TrimSpace(program+" "+inside))
			s.mu.Unlock()
			return nil, nil
		}
	}
	if rest, ok := strings.CutPrefix(line, "docker exec --interactive "); ok {
		return s.inside(strings.Fields(rest), c.Stdin)
	}
	return nil, &exec.Error{Name: c.Args[0], Err: exec.ErrNotFound}
}

// inside is what docker exec does with the few programs that are needed in a container.
func (s *stage) inside(args []string, stdin []byte) ([]byte, error) {
	if _, err := os.Stat(filepath.Join(s.dir, "container", args[0])); err != nil {
		return nil, &machine.ExitError{Program: "docker", Status: 1, Stderr: "Error response from daemon: No such container: " + args[0] + "\n"}
	}
	name := filepath.Join(s.dir, "container", args[0], args[len(args)-1])
	if slices.Equal(args[1:min(3, len(args))], []string{"env", "LC_ALL=C"}) {
		args = slices.Delete(slices.Clone(args), 1, 3)
	}
	program := exec.Command(args[1], append(slices.Clone(args[2:len(args)-1]), name)...)
	program.Stdin = strings.NewReader(string(stdin))
	var stderr strings.Builder
	program.Stderr = &stderr
	out, err := program.Output()
	if err != nil {
		return out, &machine.ExitError{Program: args[1], Status: 1, Stderr: stderr.String()}
	}
	return out, nil
}

// files are all files of the machine and its containers, by path.
func (s *stage) files() map[string]string {
	s.t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(s.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		rel, _ := filepath.Rel(s.dir, name)
		all[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// carry does what a plan says about files, and has the plan as it is after its time on disk.
func (s *stage) carry(p *Plan) []File {
	s.t.Helper()
	for _, f := range p.Files {
		on := f.On(s.local)
		read, err := on.ReadFile(f.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.t.Fatal(err)
		}
		after, err := f.Edit.Apply(read.Data)
		if err != nil {
			s.t.Fatalf("%s: %v", f.Path, err)
		}
		if _, err := on.WriteFile(f.Path, after, f.Mode); err != nil {
			s.t.Fatal(err)
		}
	}
	data, err := json.Marshal(p.Files)
	if err != nil {
		s.t.Fatal(err)
	}
	var back []File
	if err := json.Unmarshal(data, &back); err != nil {
		s.t.Fatal(err)
	}
	return back
}

// revert takes it out again.
func (s *stage) revert(files []File, before map[string]string) {
	s.t.Helper()
	for _, f := range slices.Backward(files) {
		on := f.On(s.local)
		read, err := on.ReadFile(f.Path)
		if err != nil {
			s.t.Fatal(err)
		}
		after, err := f.Edit.Revert(read.Data)
		if err != nil {
			s.t.Fatal(err)
		}
		name := strings.TrimPrefix(f.Path, "/")
		if len(f.Through) > 0 {
			name = "container/" + f.Through[3] + f.Path
		}
		if _, was := before[name]; !was && len(after) == 0 {
			err = on.Remove(f.Path)
		} else {
			_, err = on.WriteFile(f.Path, after, f.Mode)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// target is the Pulley of these tests: few registries, one of them with a port and one with a label for a name.
func target() Target {
	return Target{Port: 5055, CA: []byte("-----BEGIN CERTIFICATE-----\n"), CAFile: "/pulley/ca.crt", Registries: []Registry{
		{Name: "docker.io", Hosts: []string{"registry-1.docker.io", "index.docker.io", "docker.io"}, Origin: "https://registry-1.docker.io"},
		{Name: "ghcr.io", Hosts: []string{"ghcr.io"}, Origin: "https://ghcr.io"},
		{Name: "corp", Hosts: []string{"registry.corp:5000", "*.corp"}, Origin: "https://registry.corp:5000"},
	}}
}

// TestGolden plans what the section "connect" of every golden file says, "ENGINE key=value …", does it, and takes it back.
func TestGolden(t *testing.T) {
	names, err := filepath.Glob("testdata/linux/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) { golden(t, name) })
	}
}

func golden(t *testing.T, name string) {
	t.Helper()
	a, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t, a)
	before := s.files()
	engine, options := request(t, a)
	want := &txtar.Archive{Comment: a.Comment}
	got := &txtar.Archive{Comment: a.Comment}
	for _, f := range a.Files {
		if strings.HasPrefix(f.Name, "in/") || slices.Contains([]string{"exec", "facts", "connect", "open"}, f.Name) {
			got.Files = append(got.Files, f)
		}
		want.Files = append(want.Files, f)
	}
	add := func(name, text string) {
		if text != "" {
			got.Files = append(got.Files, txtar.File{Name: name, Data: []byte(strings.TrimRight(text, "\n") + "\n")})
		}
	}
	kind, e := find(t, s, engine)
	add("found", text(t, e))
	p, err := kind.Plan(t.Context(), s.local, e, target(), options)
	if err != nil {
		add("error", err.Error())
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("an error of several lines: %q", err)
		}
	} else {
		add("plan", text(t, map[string]any{"way": p.Way, "how": p.How, "warn": p.Warn, "egress": p.Egress}))
		add("manual", strings.Join(p.Manual, "\n"))
		done := s.carry(p)
		for _, name := range sortedKeys(s.files()) {
			if now := s.files()[name]; now != before[name] {
				got.Files = append(got.Files, txtar.File{Name: "out/" + name, Data: []byte(now)})
			}
		}
		again(t, s, kind, engine, options, p)
		s.revert(done, before)
	}
	if err == nil && len(p.Files) > 0 {
		wired(t, newStage(t, a), engine, options)
	}
	if now := s.files(); !mapsEqual(now, before) {
		t.Errorf("after it was taken back the files are\n%v\nand were\n%v", now, before)
	}
	if *update {
		if err := os.WriteFile(name, txtar.Format(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if g, w := string(txtar.Format(got)), string(txtar.Format(want)); g != w {
		t.Errorf("not as in %s (go test -run Golden -args -update writes it):\n%s", name, g)
	}
}

// wired has a Wirer do it: twice the same, once by another port, and back.
func wired(t *testing.T, s *stage, engine string, o Options) {
	t.Helper()
	w := &Wirer{Machine: s.local, Kinds: Kinds(), State: t.TempDir(), Target: target()}
	before := s.tree()
	connect := func() {
		t.Helper()
		p, err := w.Plan(t.Context(), engine, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Connect(t.Context(), p, func(string) {}); err != nil {
			t.Fatal(err)
		}
	}
	connect()
	once, ran := s.tree(), len(s.ran)
	connect()
	if now := s.tree(); !slices.Equal(now, once) || len(s.ran) != ran {
		t.Errorf("connected twice it is otherwise:\n%s\nrun was %v", differences(once, now), s.ran[ran:])
	}
	w.Target.Port = 6066
	connect()
	count := func(tree []string, port string) int { return strings.Count(strings.Join(tree, "\n"), port) }
	if now := s.tree(); o.Reach == "" && (count(now, ":5055") != count(before, ":5055") || count(now, ":6066") != count(once, ":5055")-count(before, ":5055")) {
		t.Errorf("at another port it is otherwise:\n%s", differences(once, now))
	}
	if _, err := w.Disconnect(t.Context(), engine, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if now := s.tree(); !slices.Equal(now, before) {
		t.Errorf("disconnected it is otherwise:\n%s", differences(before, now))
	}
}

func differences(before, after []string) string {
	return Diff("tree", []byte(strings.Join(before, "\n")), []byte(strings.Join(after, "\n")))
}

// tree is every folder and file with its content.
func (s *stage) tree() (list []string) {
	s.t.Helper()
	files := s.files()
	err := filepath.WalkDir(s.dir, func(name string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(s.dir, name)
		list = append(list, rel+" "+d.Type().String()+" "+files[filepath.ToSlash(rel)])
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

// again plans what is done already: nothing of it may change, and it is found.
func again(t *testing.T, s *stage, kind Kind, engine string, o Options, was *Plan) {
	t.Helper()
	now := s.files()
	_, e := find(t, s, engine)
	p, err := kind.Plan(t.Context(), s.local, e, target(), o)
	if err != nil {
		t.Error(err)
		return
	}
	if (e.Wired.Way == None || e.Wired.Way == Foreign) && p.How.Kind != ByHand && o.Reach == "" || len(p.Files) > 0 && len(e.Wired.Where) == 0 {
		t.Errorf("it is not seen that %s is wired", engine)
	}
	if len(was.Files) != len(p.Files) { // what is not planned again is taken out
		t.Errorf("planned again it is %d files and not %d", len(p.Files), len(was.Files))
	}
	for _, f := range p.Files {
		read, err := f.On(s.local).ReadFile(f.Path)
		if err != nil {
			t.Error(err)
			continue
		}
		after, err := f.Edit.Apply(read.Data)
		if err != nil || string(after) != string(read.Data) {
			t.Errorf("planned again, %s becomes (%v)\n%s", f.Path, err, after)
		}
	}
	if !mapsEqual(now, s.files()) {
		t.Error("planning changed something")
	}
}

func find(t *testing.T, s *stage, id string) (Kind, Engine) {
	t.Helper()
	for _, k := range []Kind{containerd{}, podman{}, crio{}, buildkit{}, buildx{}, kubeNodes{}} {
		for _, e := range k.Find(t.Context(), s.local) {
			if e.ID == id {
				return k, e
			}
		}
	}
	t.Fatalf("%s is not found", id)
	return nil, Engine{}
}

func request(t *testing.T, a *txtar.Archive) (engine string, o Options) {
	t.Helper()
	for _, f := range a.Files {
		if f.Name != "connect" {
			continue
		}
		words := strings.Fields(string(f.Data))
		for _, word := range words[1:] {
			switch key, v, _ := strings.Cut(word, "="); key {
			case "way":
				o.Way = Way(v)
			case "reach":
				o.Reach = v
			case "insecure":
				o.Insecure = strings.Split(v, ",")
			case "search":
				o.Search = strings.Split(v, ",")
			}
		}
		return words[0], o
	}
	t.Fatal("no section connect")
	return "", o
}

func text(t *testing.T, v any) string {
	t.Helper()
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func mapsEqual(a, b map[string]string) bool {
	return slices.Equal(sortedKeys(a), sortedKeys(b)) && !slices.ContainsFunc(sortedKeys(a), func(k string) bool { return a[k] != b[k] })
}
