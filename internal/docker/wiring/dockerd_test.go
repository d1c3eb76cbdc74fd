package wiring

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pulley/internal/docker/machine"
)

// host is a Linux machine with a dockerd.
type host struct {
	files map[string]string // a process is "/proc/N/cmdline", with blanks for what separates arguments
	info  string            // what the engine says of itself; "" does not answer
	user  bool              // somebody who is not root
	env   []string
}

func (h host) machine(t *testing.T) *machine.Local {
	t.Helper()
	dir := t.TempDir()
	for name, text := range h.files {
		if strings.HasSuffix(name, "/cmdline") {
			text = strings.ReplaceAll(text, " ", "\x00") + "\x00"
		}
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	m := &machine.Local{Dir: dir, As: &machine.Facts{OS: machine.Linux, Home: "/root", Root: true}, Environ: append([]string{}, h.env...)}
	if h.user {
		m.As = &machine.Facts{OS: machine.Linux, Home: "/home/ann", User: "ann", UID: 1000}
	}
	m.Exec = func(_ context.Context, c machine.Command) ([]byte, error) {
		if strings.HasSuffix(strings.Join(c.Args, " "), "dockerd --version") {
			return []byte("Docker version 20.10.24+dfsg1, build 297e128\n"), nil
		}
		return nil, &exec.Error{Name: c.Args[0], Err: exec.ErrNotFound}
	}
	m.Connect = func(context.Context, string, string) (net.Conn, error) {
		if h.info == "" {
			return nil, errors.New("connection refused")
		}
		ours, theirs := net.Pipe()
		l := &oneConn{conn: make(chan net.Conn, 1)}
		l.conn <- theirs
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Api-Version", "1.47")
			if strings.HasSuffix(r.URL.Path, "/info") {
				_, _ = io.WriteString(w, h.info)
			}
		})}
		go func() { _ = server.Serve(l) }()
		t.Cleanup(func() { _ = server.Close() })
		return ours, nil
	}
	return m
}

// process is one as /proc shows it.
func running(files map[string]string, pid, uid, cmdline string) map[string]string {
	files["/proc/"+pid+"/cmdline"] = cmdline
	files["/proc/"+pid+"/status"] = "Name:\tdockerd\nUid:\t" + uid + "\t" + uid + "\t" + uid + "\t" + uid + "\nNSpid:\t" + pid + "\n"
	return files
}

const systemdRuns = "/run/systemd/system/.there"

func TestDockerd(t *testing.T) {
	none := func() map[string]string { return map[string]string{} }
	for _, c := range []struct {
		name   string
		host   host
		engine string // ID and socket
		o      Options
		file   string // what is planned: the first file, and words in what it becomes
		words  []string
		how    string // kind, text and how many stop
		warn   string
		egress string
		err    string
	}{
		{
			name: "a mirror, reloaded by systemd", engine: "docker unix:///var/run/docker.sock",
			host: host{info: `{"ServerVersion":"27.5.1","ContainersRunning":3}`, files: running(map[string]string{
				systemdRuns: "", "/proc/77/cgroup": "0::/system.slice/docker.service\n",
			}, "77", "0", "/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock")},
			file: "/etc/docker/daemon.json", words: []string{`"registry-mirrors": ["http://127.0.0.1:5055"]`},
			how: "reload systemctl reload docker.service 0", warn: "only Docker Hub",
		},
		{
			name: "a mirror, by a signal", engine: "docker unix:///run/mine.sock",
			host: host{info: `{"ServerVersion":"20.10.24"}`, files: running(none(), "78", "0", "dockerd -H unix:///run/mine.sock --config-file=/opt/d.json")},
			file: "/opt/d.json", words: []string{"5055"}, how: "reload kill -HUP 78 (dockerd) 0",
		},
		{
			name: "settings name the socket", engine: "docker unix:///run/set.sock",
			host: host{info: `{"ServerVersion":"20.10.24"}`, files: running(map[string]string{"/etc/docker/daemon.json": `{"hosts": ["fd://", "unix:///run/set.sock"]}`}, "78", "0", "dockerd")},
			file: "/etc/docker/daemon.json", words: []string{`"hosts": ["fd://", "unix:///run/set.sock"], "registry-mirrors"`}, how: "reload kill -HUP 78 (dockerd) 0",
		},
		{
			name: "somewhere else", engine: "docker unix:///var/run/docker.sock", o: Options{Reach: "10.1.2.3:5055", Insecure: []string{"reg.lan"}},
			host: host{}, file: "/etc/docker/daemon.json", words: []string{`"http://10.1.2.3:5055"`, `"insecure-registries": ["reg.lan", "10.1.2.3:5055"]`},
			how: "manual restart dockerd 0",
		},
		{
			name: "a flag", engine: "docker unix:///var/run/docker.sock",
			host: host{files: running(none(), "5", "0", "dockerd --registry-mirror https://x")},
			err:  "docker: --registry-mirror is given in the command line of process 5: dockerd does not start when registry-mirrors is in /etc/docker/daemon.json too; move it there first",
		},
		{
			name: "a flag in the init script's settings", engine: "docker unix:///var/run/docker.sock",
			host: host{files: map[string]string{"/etc/default/docker": "DOCKER_OPTS=\"--registry-mirror=https://x\"\n"}},
			err:  "--registry-mirror is given in /etc/default/docker",
		},
		{
			name: "a flag in a drop-in", engine: "docker unix:///var/run/docker.sock",
			host: host{files: map[string]string{
				"/lib/systemd/system/docker.service":                "[Service]\nExecStart=/usr/bin/dockerd -H fd://\n",
				"/etc/systemd/system/docker.service.d/mirrors.conf": "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd --registry-mirror=https://x\n",
			}},
			err: "--registry-mirror is given in /etc/systemd/system/docker.service.d/mirrors.conf",
		},
		{
			name: "a flag that a drop-in takes out", engine: "docker unix:///run/b.sock",
			host: host{files: map[string]string{
				"/lib/systemd/system/docker.service":                "[Service]\nExecStart=/usr/bin/dockerd --registry-mirror=https://x\n",
				"/etc/systemd/system/docker.service.d/mirrors.conf": "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd -H unix:///run/b.sock\n",
			}},
			file: "/etc/docker/daemon.json", how: "manual restart dockerd 0",
		},
		{
			name: "started by hand, in somebody's service", engine: "docker unix:///var/run/docker.sock", o: Options{Way: Proxy},
			host: host{info: `{"ServerVersion":"27.5.1"}`, files: running(map[string]string{
				systemdRuns: "", "/proc/5/cgroup": "0::/system.slice/actions.runner.service\n",
			}, "5", "0", "dockerd")},
			file: "/etc/docker/daemon.json", how: "manual restart dockerd 0",
		},
		{
			name: "broken settings", engine: "docker unix:///var/run/docker.sock",
			host: host{files: map[string]string{"/etc/docker/daemon.json": "{\n  // mine\n}"}}, err: "/etc/docker/daemon.json: line 2",
		},
		{
			name: "a proxy, by its settings", engine: "docker unix:///var/run/docker.sock", o: Options{Way: Proxy},
			host: host{info: `{"ServerVersion":"27.5.1","ContainersRunning":3}`, files: running(map[string]string{
				systemdRuns: "", "/proc/77/cgroup": "0::/system.slice/docker.service\n",
				"/etc/docker/daemon.json": `{"proxies": {"https-proxy": "http://me:secret@corp:3128", "no-proxy": "corp.lan, 127.0.0.0/8"}}`,
			}, "77", "0", "/usr/bin/dockerd -H fd://")},
			file: "/etc/docker/daemon.json", words: []string{`"https-proxy": "http://127.0.0.1:5055"`, `"http-proxy": "http://127.0.0.1:5055"`, `"no-proxy": "corp.lan,127.0.0.0/8,localhost,::1,`, `.svc,.cluster.local"`},
			how: "restart systemctl restart docker.service 3", egress: "http://me:secret@corp:3128",
		},
		{
			name: "a proxy, with live-restore", engine: "docker unix:///var/run/docker.sock", o: Options{Way: Proxy},
			host: host{info: `{"ServerVersion":"27.5.1","ContainersRunning":3,"LiveRestoreEnabled":true}`, files: running(map[string]string{
				systemdRuns: "", "/proc/77/cgroup": "0::/system.slice/docker.service\n",
			}, "77", "0", "/usr/bin/dockerd")},
			file: "/etc/docker/daemon.json", how: "restart systemctl restart docker.service 0", warn: "nothing is pulled while Pulley does not run",
		},
		{
			name: "an old one's proxy, by a drop-in", engine: "docker unix:///var/run/docker.sock", o: Options{Way: Proxy},
			host: host{files: map[string]string{systemdRuns: "", "/etc/systemd/system/docker.service.d/http-proxy.conf": "[Service]\nEnvironment=\"HTTPS_PROXY=http://me:p%%40ss@corp:3128\" \"NO_PROXY=corp.lan\"\n"}},
			file: "/etc/systemd/system/docker.service.d/zz-pulley-http-proxy.conf", words: []string{"[Service]\nEnvironment=\"HTTP_PROXY=http://127.0.0.1:5055\"\n", "NO_PROXY=corp.lan,localhost,"},
			how: "restart systemctl restart docker.service 0", egress: "http://me:p%40ss@corp:3128",
		},
		{
			name: "an old one's proxy, for the init script", engine: "docker unix:///var/run/docker.sock", o: Options{Way: Proxy},
			host: host{info: `{"ServerVersion":"20.10.24","ContainersRunning":1}`, files: running(map[string]string{
				"/etc/init.d/docker": "", "/var/run/docker-ssd.pid": "9\n", "/etc/default/docker": "# mine\nexport http_proxy='http://corp:3128'\n",
			}, "9", "0", "/usr/sbin/dockerd -p /var/run/docker.pid")},
			file: "/etc/default/docker", words: []string{"# mine\nexport http_proxy='http://corp:3128'\n# pulley: begin\nexport HTTP_PROXY='http://127.0.0.1:5055'\n"},
			how: "restart /etc/init.d/docker restart 1", egress: "http://corp:3128",
		},
		{
			name: "an old one's proxy, for another init script", engine: "docker unix:///var/run/docker.sock", o: Options{Way: Proxy},
			host: host{files: map[string]string{"/etc/init.d/docker": "", "/etc/sysconfig/docker": "other_args=\"\"\n"}},
			file: "/etc/sysconfig/docker", how: "restart /etc/init.d/docker restart 0",
		},
		{
			name: "a proxy as a flag", engine: "docker unix:///var/run/docker.sock", o: Options{Way: Proxy},
			host: host{info: `{"ServerVersion":"24.0.7"}`, files: running(none(), "5", "0", "dockerd --https-proxy=http://x")}, err: "--https-proxy is given in",
		},
		{
			name: "rootless, with its own network", engine: "docker-rootless unix:///run/user/1000/docker.sock",
			host: host{user: true, info: `{"ServerVersion":"24.0.7"}`, files: running(none(), "5", "1000", "dockerd --rootless")},
			file: "/home/ann/.config/docker/daemon.json", how: "reload kill -HUP 5 (dockerd) 0",
		},
		{
			name: "rootless, by a proxy it cannot reach", engine: "docker-rootless unix:///run/user/1000/docker.sock", o: Options{Way: Proxy},
			host: host{user: true, info: `{"ServerVersion":"24.0.7"}`, files: running(none(), "5", "1000", "dockerd --rootless")}, err: "cannot be wired by proxy; try mirror",
		},
		{
			name: "rootless, on the machine's network", engine: "docker-rootless unix:///run/user/1000/docker.sock", o: Options{Way: Proxy},
			host: host{user: true, info: `{"ServerVersion":"27.0.1"}`, files: running(running(map[string]string{
				systemdRuns: "", "/proc/5/cgroup": "0::/user.slice/user-1000.slice/user@1000.service/app.slice/docker.service\n",
			}, "5", "1000", "dockerd --rootless"), "4", "1000", "rootlesskit --state-dir=/x --detach-netns dockerd-rootless.sh")},
			file: "/home/ann/.config/docker/daemon.json", how: "restart systemctl --user restart docker.service 0",
		},
		{
			name: "rootless, through slirp4netns", engine: "docker-rootless unix:///run/user/1000/docker.sock",
			host: host{user: true, info: `{"ServerVersion":"24.0.7"}`, files: running(map[string]string{
				"/proc/5/environ": "A=b\x00DOCKERD_ROOTLESS_ROOTLESSKIT_DISABLE_HOST_LOOPBACK=false\x00",
			}, "5", "1000", "dockerd --rootless")},
			file: "/home/ann/.config/docker/daemon.json", words: []string{`"http://10.0.2.2:5055"`, `"insecure-registries": ["10.0.2.2:5055"]`}, how: "reload kill -HUP 5 (dockerd) 0",
		},
		{
			name: "the one that DOCKER_HOST names", engine: "docker unix:///run/b.sock",
			host: host{info: `{"ServerVersion":"24.0.7"}`, env: []string{"DOCKER_HOST=unix:///run/b.sock"}, files: running(
				running(none(), "5", "0", "dockerd"), "6", "0", "dockerd -H unix:///run/b.sock --config-file /b.json")},
			file: "/b.json", how: "reload kill -HUP 6 (dockerd) 0",
		},
		{
			name: "the other one", engine: "docker:/var/run/docker.sock unix:///var/run/docker.sock",
			host: host{info: `{"ServerVersion":"24.0.7"}`, env: []string{"DOCKER_HOST=unix:///run/b.sock"}, files: running(
				running(none(), "5", "0", "dockerd"), "6", "0", "dockerd -H unix:///run/b.sock --config-file /b.json")},
			file: "/etc/docker/daemon.json", how: "reload kill -HUP 5 (dockerd) 0",
		},
		{
			name: "before 17.04 mirrors are read at start", engine: "docker unix:///var/run/docker.sock",
			host: host{info: `{"ServerVersion":"1.13.1"}`, files: running(map[string]string{systemdRuns: "", "/proc/5/cgroup": "1:name=systemd:/system.slice/docker.service\n"}, "5", "0", "/usr/bin/docker-current daemon")},
			file: "/etc/docker/daemon.json", how: "restart systemctl restart docker.service 0",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := c.host.machine(t)
			found := dockerd{}.Find(t.Context(), m)
			id, socket, _ := strings.Cut(c.engine, " ")
			i := slices.IndexFunc(found, func(e Engine) bool { return e.ID == id })
			if i < 0 || found[i].Socket != socket {
				t.Fatalf("found %+v, want %s", found, c.engine)
			}
			p, err := dockerd{}.Plan(t.Context(), m, found[i], target(), c.o)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%v, want %s", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			how := strings.Join([]string{string(p.How.Kind), p.How.Text, string('0' + rune(p.How.Stop))}, " ")
			if how != c.how || p.Egress != c.egress || p.Trust != (c.o.Way == Proxy) || !strings.Contains(strings.Join(p.Warn, "\n"), c.warn) || strings.Contains(strings.Join(p.Warn, "\n"), "secret") {
				t.Errorf("how %s, egress %q, trust %v, warn %q", how, p.Egress, p.Trust, p.Warn)
			}
			if checks := len(p.Checks) > 0; checks != (dockerAtLeast(found[i].Version, 23, 0) && strings.HasSuffix(c.file, ".json")) {
				t.Errorf("checks %v", p.Checks)
			}
			if len(p.Files) != 1 || p.Files[0].Path != c.file {
				t.Fatalf("%+v", p.Files)
			}
			read, _ := m.ReadFile(c.file)
			after, err := p.Files[0].Edit.Apply(read.Data)
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range c.words {
				if !strings.Contains(string(after), word) {
					t.Errorf("%s\nhas no %s", after, word)
				}
			}
			if back, err := p.Files[0].Edit.Revert(after); err != nil || string(back) != string(read.Data) {
				t.Errorf("%q, %v; want %q", back, err, read.Data)
			}
		})
	}
}

func TestDockerdNotFound(t *testing.T) {
	nested := host{files: map[string]string{"/proc/9/cmdline": "dockerd", "/proc/9/status": "Uid:\t0\t0\t0\t0\nNSpid:\t9\t1\n"}}.machine(t)
	nested.Exec = func(context.Context, machine.Command) ([]byte, error) { return nil, exec.ErrNotFound }
	if found := (dockerd{}).Find(t.Context(), nested); len(found) > 0 {
		t.Errorf("one in a container is not this machine's: %+v", found)
	}
	mac := host{}.machine(t)
	mac.As.OS = machine.Darwin
	if found := (dockerd{}).Find(t.Context(), mac); len(found) > 0 {
		t.Errorf("%+v", found)
	}
	theirs := host{user: true, files: running(map[string]string{}, "5", "1001", "dockerd --rootless")}.machine(t)
	theirs.Exec = nested.Exec
	if found := (dockerd{}).Find(t.Context(), theirs); len(found) > 0 {
		t.Errorf("somebody else's own: %+v", found)
	}
}

func TestDockerdWired(t *testing.T) {
	for _, c := range []struct {
		host host
		want Way
		to   string
	}{
		{host{files: map[string]string{"/etc/docker/daemon.json": `{"registry-mirrors": ["http://127.0.0.1:5055"]}`}}, Mirror, "http://127.0.0.1:5055"},
		{host{files: map[string]string{"/etc/docker/daemon.json": `{"registry-mirrors": ["https://other.example"]}`}}, Foreign, "https://other.example"},
		{host{files: map[string]string{"/etc/docker/daemon.json": `{"proxies": {"https-proxy": "http://u:p@127.0.0.1:5055"}}`}}, Proxy, "http://u@127.0.0.1:5055"},
		{host{info: `{"ServerVersion":"24","HttpsProxy":"http://127.0.0.1:5055"}`, files: running(map[string]string{}, "5", "0", "dockerd")}, Proxy, "http://127.0.0.1:5055"},
		{host{}, None, ""},
	} {
		got := dockerd{}.Find(t.Context(), c.host.machine(t))[0].Wired
		if got.Way != c.want || strings.Join(got.To, ",") != c.to {
			t.Errorf("%+v, want %s %s", got, c.want, c.to)
		}
	}
}
