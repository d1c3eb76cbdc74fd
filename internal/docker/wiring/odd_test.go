package wiring

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// oddly is a machine with containerd 2 and one file.
func oddly(t *testing.T, name, text string) *stage {
	t.Helper()
	s := newStage(t, txtar.Parse([]byte("-- exec --\n"+
		"containerd --version => containerd github.com/containerd/containerd 1.6.20 x\n"+
		"podman --version => podman version 5.4.0\n"+
		"buildkitd --version => buildkitd github.com/moby/buildkit v0.12.5 x\n")))
	s.put(name, []byte(text))
	return s
}

const (
	hubHosts  = "etc/containerd/certs.d/docker.io/hosts.toml"
	oneTable  = "[host.\"https://m.example\"]\n"
	oursFirst = "[host.\"http://127.0.0.1:5055\"]\n"
)

// TestOddFiles: whatever somebody's file looks like, it is as it was afterwards, and in between it has what we need.
func TestOddFiles(t *testing.T) {
	for _, c := range []struct{ name, engine, file, before, has string }{
		{"empty", "containerd", hubHosts, "", oursFirst},
		{"comments alone", "containerd", hubHosts, "# later\n# maybe", oursFirst},
		{"no line end", "containerd", hubHosts, "server = 'https://a'", oursFirst},
		{"CRLF", "containerd", hubHosts, "server = 'https://a'\r\n\r\n# c\r\n[host.\"https://m.example\"]\r\n  skip_verify = true\r\n", "[host.\"http://127.0.0.1:5055\"]\r\n"},
		{"byte order mark", "containerd", hubHosts, "\xef\xbb\xbf" + oneTable, "\xef\xbb\xbf" + oursFirst},
		{"ours is there, further down", "containerd", hubHosts, oneTable + oursFirst + "capabilities = ['pull', 'resolve']\n", ""},
		{"ours with less", "containerd", hubHosts, oursFirst + "capabilities = ['pull'] # why?\n", `["pull", "resolve"] # why?`},
		{"config.toml with CRLF and a mark", "containerd", "etc/containerd/config.toml", "\xef\xbb\xbfversion = 2\r\n[debug] # x\r\nlevel = 'info'\r\n", "config_path"},
		{"config.toml empty", "containerd", "etc/containerd/config.toml", "", "config_path"},
		{"config.toml with an empty config_path", "containerd", "etc/containerd/config.toml",
			"version = 2\n[plugins.'io.containerd.grpc.v1.cri'.registry]\nconfig_path = '' # default\n", "certs.d\" # default"},
		{"config.toml inline", "containerd", "etc/containerd/config.toml", "version = 2\nplugins = { 'io.containerd.grpc.v1.cri' = { sandbox_image = 'x' } }\n", "config_path"},
		{"registries.conf of others with CRLF", "podman", "etc/containers/registries.conf", "unqualified-search-registries = ['a']\r\n", ""},
		{"buildkitd.toml with a mark", "buildkit", "etc/buildkit/buildkitd.toml", "\xef\xbb\xbf# m\r\n[registry.'docker.io']\r\nmirrors = []\r\n", `mirrors = ["127.0.0.1:5055"]` + "\r\n"},
		{"buildkitd.toml dotted", "buildkit", "etc/buildkit/buildkitd.toml", "registry.'docker.io'.mirrors = ['a', 'b'] # two\n", `["127.0.0.1:5055", 'a', 'b'] # two`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := oddly(t, c.file, c.before)
			before := s.files()
			kind, e := find(t, s, c.engine)
			p, err := kind.Plan(t.Context(), s.local, e, target(), Options{})
			if err != nil {
				t.Fatal(err)
			}
			done := s.carry(p)
			if now := s.files()[c.file]; c.has == "" && now != c.before || !strings.Contains(now, c.has) {
				t.Errorf("it became\n%s", now)
			}
			again(t, s, kind, c.engine, Options{}, p)
			s.revert(done, before)
			if now := s.files(); !mapsEqual(now, before) {
				t.Errorf("afterwards there is\n%q\nand was\n%q", now, before)
			}
		})
	}
}

// TestBrokenFiles: what cannot be read is named with its line, and nothing is planned.
func TestBrokenFiles(t *testing.T) {
	for _, c := range []struct{ engine, file, text, want string }{
		{"containerd", hubHosts, "server = 'a'\n[host\n", "hosts.toml: line 2"},
		{"containerd", "etc/containerd/certs.d/_default/hosts.toml", "[host.x]\n[host.x]\n", "_default/hosts.toml"},
		{"containerd", "etc/containerd/config.toml", "version = 2\na = {", "config.toml: line 2"},
		{"containerd", "etc/containerd/config.toml", "version = 'two'\n", "config.toml: line 1"},
		{"podman", "etc/containers/registries.conf", "[[registry]\n", "registries.conf: line 1"},
		{"podman", "etc/containers/registries.conf.d/x.conf", "\n\nregistry = 1\n", "x.conf: line 3"},
		{"buildkit", "etc/buildkit/buildkitd.toml", "// no\n", "buildkitd.toml: line 1"},
	} {
		s := oddly(t, c.file, c.text)
		kind, e := find(t, s, c.engine)
		p, err := kind.Plan(t.Context(), s.local, e, target(), Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s with %s: %v, %v; want one line with %q", c.engine, c.file, p, err, c.want)
		}
	}
}

// TestLinkedFile: a symbolic link stays one, and what it leads to is changed.
func TestLinkedFile(t *testing.T) {
	s := oddly(t, "srv/hosts.toml", oneTable)
	s.put("etc/containerd/certs.d/docker.io/.folder", nil)
	link := filepath.Join(s.dir, hubHosts)
	if err := os.Symlink("/srv/hosts.toml", link); err != nil {
		t.Fatal(err)
	}
	kind, e := find(t, s, "containerd")
	p, err := kind.Plan(t.Context(), s.local, e, target(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.carry(p)
	if to, err := os.Readlink(link); err != nil || to != "/srv/hosts.toml" {
		t.Errorf("the link leads to %q (%v)", to, err)
	}
	read, err := s.local.ReadFile("/srv/hosts.toml")
	if err != nil || !strings.HasPrefix(string(read.Data), oursFirst) {
		t.Errorf("what it led to is %q (%v)", read.Data, err)
	}
}

// TestReadOnlyFile: somebody meant that.
func TestReadOnlyFile(t *testing.T) {
	s := oddly(t, hubHosts, oneTable)
	if err := os.Chmod(filepath.Join(s.dir, hubHosts), 0o444); err != nil {
		t.Fatal(err)
	}
	kind, e := find(t, s, "containerd")
	p, err := kind.Plan(t.Context(), s.local, e, target(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := p.Files[0]
	if _, err := f.On(s.local).WriteFile(f.Path, []byte("x"), f.Mode); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "/"+hubHosts) {
		t.Errorf("writing it: %v", err)
	}
}

// TestEditedSince: what somebody wrote after us stays, what is ours goes.
func TestEditedSince(t *testing.T) {
	for _, c := range []struct{ engine, file, before, add, want string }{
		{"containerd", hubHosts, oneTable, "  skip_verify = true\n", oneTable + "  skip_verify = true\n"},
		{"containerd", "etc/containerd/config.toml", "version = 2\n", "max_concurrent_downloads = 7 # mine\n",
			"version = 2\n\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\nmax_concurrent_downloads = 7 # mine\n"},
		{"buildkit", "etc/buildkit/buildkitd.toml", "debug = true\n", "\n[log]\nformat = \"json\"\n", "debug = true\n\n[log]\nformat = \"json\"\n"},
	} {
		s := oddly(t, c.file, c.before)
		kind, e := find(t, s, c.engine)
		p, err := kind.Plan(t.Context(), s.local, e, target(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		before := s.files()
		done := s.carry(p)
		s.put(c.file, []byte(s.files()[c.file]+c.add))
		s.revert(done, before)
		if now := s.files()[c.file]; strings.TrimSpace(strings.ReplaceAll(now, "\n\n\n", "\n\n")) != strings.TrimSpace(c.want) {
			t.Errorf("%s became\n%s\nwant\n%s", c.file, now, c.want)
		}
	}
}

// TestGuestsLinkToNowhere: one that lies beside what is asked for does not have all the folder be taken for missing.
func TestGuestsLinkToNowhere(t *testing.T) {
	s := newStage(t, &txtar.Archive{})
	s.put("container/c/etc/there", []byte("x"))
	if err := os.Symlink("/run/nowhere", filepath.Join(s.dir, "container/c/etc/resolv.conf")); err != nil {
		t.Fatal(err)
	}
	g := newGuest(s.local, []string{"docker", "exec", "--interactive", "c"})
	if made, err := g.WriteFile("/etc/new/file", []byte("y"), 0o644); err != nil || len(made) != 1 {
		t.Errorf("made %q (%v)", made, err)
	}
	if _, err := g.Stat("/etc/there"); err != nil {
		t.Error(err)
	}
}

// TestClusterGone: of a cluster that was deleted, or made again, nothing is left to take back.
func TestClusterGone(t *testing.T) {
	for _, again := range []bool{false, true} {
		a, err := txtar.ParseFile("testdata/linux/kind.txtar")
		if err != nil {
			t.Fatal(err)
		}
		s := newStage(t, a)
		w := &Wirer{Machine: s.local, Kinds: Kinds(), State: t.TempDir(), Target: target()}
		p, err := w.Plan(t.Context(), "kind:dev", Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Connect(t.Context(), p, func(string) {}); err != nil {
			t.Fatal(err)
		}
		node := filepath.Join(s.dir, "container/dev-control-plane")
		if err := os.RemoveAll(node); err != nil {
			t.Fatal(err)
		}
		for line := range s.answers {
			if !again && strings.HasPrefix(line, "docker ps") {
				s.answers[line] = "\n"
			}
		}
		if again {
			s.put("container/dev-control-plane/etc/containerd/config.toml", []byte("version = 2\n"))
		}
		before := s.tree()
		if _, err := w.Disconnect(t.Context(), "kind:dev", func(string) {}); err != nil {
			t.Fatal(err)
		}
		if now := s.tree(); differences(before, now) != "" {
			t.Errorf("made again: %t: it is otherwise:\n%s", again, differences(before, now))
		}
		if list, err := w.Wired(); err != nil || len(list) != 0 {
			t.Errorf("%v (%v) is wired still", list, err)
		}
	}
}

// TestFromProxyToMirror: what a proxy needed is let go of by what is run, as it would be by disconnecting.
func TestFromProxyToMirror(t *testing.T) {
	for golden, want := range map[string]string{"containerd-proxy": "systemctl restart containerd", "kind-proxy": "update-ca-certificates"} {
		a, err := txtar.ParseFile("testdata/linux/" + golden + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		s := newStage(t, a)
		s.put("run/systemd/system/.there", nil)
		s.open = append(s.open, "/run/containerd/containerd.sock")
		w := &Wirer{Machine: s.local, Kinds: Kinds(), State: t.TempDir(), Target: target()}
		id, o := request(t, a)
		for _, o.Way = range []Way{Proxy, Mirror} {
			s.ran = nil
			p, err := w.Plan(t.Context(), id, o)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Connect(t.Context(), p, func(string) {}); err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(s.ran, want) {
				t.Errorf("%s by %s ran %q", id, o.Way, s.ran)
			}
		}
	}
}
