package wiring

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"pulley/internal/docker/machine"
)

// settled is a machine with an engine, and one file there that may hold anything.
type settled struct {
	name    string
	engine  string
	options Options
	file    string // below the machine's root
	start   func(t *testing.T) (m machine.Machine, root string)
}

// settledMachines are those of the golden files that have no containers, and ones
// with a dockerd: each of their settings files in turn.
func settledMachines(f *testing.F) (all []settled) {
	f.Helper()
	names, err := filepath.Glob("testdata/linux/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if slices.ContainsFunc(a.Files, func(x txtar.File) bool { return strings.HasPrefix(x.Name, "in/container/") }) {
			continue // docker exec costs processes
		}
		var engine string
		var o Options
		for _, x := range a.Files {
			if words := strings.Fields(string(x.Data)); x.Name == "connect" && len(words) > 0 {
				engine = words[0]
				for _, w := range words[1:] {
					if v, ok := strings.CutPrefix(w, "way="); ok {
						o.Way = Way(v)
					}
				}
			}
		}
		for _, x := range a.Files {
			file, in := strings.CutPrefix(x.Name, "in/")
			switch filepath.Ext(file) {
			case ".toml", ".conf", ".yaml", ".json", ".service":
			default:
				in = false
			}
			if in {
				all = append(all, settled{filepath.Base(name), engine, o, file, func(t *testing.T) (machine.Machine, string) {
					s := newStage(t, a)
					return s.local, s.dir
				}})
			}
		}
	}
	for file, cmdline := range map[string]string{"etc/docker/daemon.json": "dockerd", "etc/default/docker": "/usr/bin/dockerd -p /var/run/docker.pid"} {
		for _, way := range []Way{Mirror, Proxy} {
			h := host{info: `{"ServerVersion":"20.10.24"}`, files: running(map[string]string{"/etc/init.d/docker": "#!/bin/sh\n"}, "78", "0", cmdline)}
			all = append(all, settled{"dockerd", "docker", Options{Way: way}, file, func(t *testing.T) (machine.Machine, string) {
				m := h.machine(t)
				return m, m.Dir
			}})
		}
	}
	drop := "etc/systemd/system/docker.service.d/http-proxy.conf"
	h := host{info: `{"ServerVersion":"20.10.24"}`, files: running(map[string]string{systemdRuns: "", "/proc/77/cgroup": "0::/system.slice/docker.service\n"}, "77", "0", "/usr/bin/dockerd -H fd://")}
	return append(all, settled{"dockerd", "docker", Options{Way: Proxy}, drop, func(t *testing.T) (machine.Machine, string) {
		m := h.machine(t)
		return m, m.Dir
	}})
}

// FuzzMerge puts anything into one settings file of an engine: daemon.json, hosts.toml,
// config.toml, registries.conf, buildkitd.toml, registries.yaml, a systemd drop-in, a
// shell's /etc/default. Either the engine is connected, and disconnected every byte
// is as it was; or it is refused in one line, and nothing was touched.
func FuzzMerge(f *testing.F) {
	all := settledMachines(f)
	seeds := map[string][]string{
		".json":    {"", "{}", "\ufeff{\"registry-mirrors\": [\"http://127.0.0.1:5055\"]}\r\n"},
		".toml":    {"", "[a]\nb = [\n 1, # c\n]\n", "server = \"https://x\"\n[host.\"http://127.0.0.1:5055\"]\n  capabilities = [\"pull\"]\n"},
		".conf":    {"", "unqualified-search-registries = [\"docker.io\"]\n", "[Service]\nEnvironment=\"HTTP_PROXY=http://p:1\" \\\n NO_PROXY=x\n"},
		".yaml":    {"", "mirrors: # x\n  docker.io: {}\n"},
		".service": {"", "[Service]\nExecStart=x\n"},
		"":         {"", "export HTTP_PROXY=\"http://p:1\" # x\nDOCKER_OPTS='--x'\n"},
	}
	for i, s := range all {
		for _, text := range seeds[filepath.Ext(s.file)] {
			f.Add(uint8(i), []byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, text []byte) {
		s := all[int(which)%len(all)]
		m, root := s.start(t)
		file := filepath.Join(root, filepath.FromSlash(s.file))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		before := allOf(t, root)
		w := &Wirer{Machine: m, Kinds: Kinds(), State: t.TempDir(), Target: target()}
		line := func(what string, err error) {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %s: an error of several lines: %q", s.name, what, err)
			}
		}
		p, err := w.Plan(t.Context(), s.engine, s.options)
		if err == nil {
			err = w.Connect(t.Context(), p, func(string) {})
		}
		if err != nil {
			line("connect", err)
		} else if slices.Equal(allOf(t, root), before) {
			return // all of it was there already, and is not ours to take back
		} else if _, err := w.Disconnect(t.Context(), s.engine, func(string) {}); err != nil {
			t.Errorf("%s with %q in %s: disconnect: %v", s.name, text, s.file, err)
		}
		if now := allOf(t, root); !slices.Equal(now, before) {
			t.Errorf("%s with %q in %s (%v):\n%s", s.name, text, s.file, err, differences(before, now))
		}
	})
}

// allOf is every folder and file below root with its content.
func allOf(t *testing.T, root string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var data []byte
		if d.Type().IsRegular() {
			data, err = os.ReadFile(name)
		}
		rel, _ := filepath.Rel(root, name)
		list = append(list, rel+" "+d.Type().String()+" "+string(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
