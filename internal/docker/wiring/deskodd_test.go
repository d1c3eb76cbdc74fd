package wiring

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"pulley/internal/docker/edit"
	"pulley/internal/docker/machine"
)

// macWith is a Mac with Docker Desktop 4.38 that runs or not, and one file.
func macWith(t *testing.T, running bool, name, text string) *screen {
	t.Helper()
	a := &txtar.Archive{Files: []txtar.File{
		{Name: "os", Data: []byte("darwin\n")},
		{Name: "in/" + settingsStore, Data: []byte("{\n  \"AutoStart\": false,\n  \"SettingsVersion\": 43\n}")},
		{Name: "in/" + name, Data: []byte(text)},
	}}
	if running {
		a.Files = append(a.Files, txtar.File{Name: "api", Data: []byte("unix:///Users/me/.docker/run/docker.sock|Docker Desktop 4.38.0 (181591)|27.5.1|3\n")})
	}
	return newScreen(t, a)
}

const (
	settingsStore = "Users/me/Library/Group Containers/group.com.docker/settings-store.json"
	daemonFile    = "Users/me/.docker/daemon.json"
	colimaFile    = "Users/me/.colima/default/colima.yaml"
)

func (d *screen) wirer() *Wirer {
	d.t.Helper()
	return &Wirer{
		Machine: d.local, Kinds: deskKinds, State: d.t.TempDir(), Target: target(),
		Trust: func(context.Context, bool) error { return nil },
	}
}

func (d *screen) through(w *Wirer, id string, o Options) error {
	p, err := w.Plan(d.t.Context(), id, o)
	if err != nil {
		return err
	}
	return w.Connect(d.t.Context(), p, func(string) {})
}

// TestOddDesktop connects and disconnects over files as they are not meant to be: the bytes come back.
func TestOddDesktop(t *testing.T) {
	const store = "{\n  \"AutoStart\": false,\n  \"SettingsVersion\": 43\n}"
	for name, c := range map[string]struct {
		file, before, after string
		engine              string
		way                 Way
	}{
		"daemon.json with a mark and Windows's ends": {
			daemonFile, "\ufeff{\r\n\t\"debug\": true\r\n}\r\n",
			"\ufeff{\r\n\t\"debug\": true,\r\n\t\"registry-mirrors\": [\"http://host.docker.internal:5055\"],\r\n\t\"insecure-registries\": [\"host.docker.internal:5055\"]\r\n}\r\n", desktopID, Mirror,
		},
		"daemon.json empty": {daemonFile, "", "{\n  \"registry-mirrors\": [\"http://host.docker.internal:5055\"],\n  \"insecure-registries\": [\"host.docker.internal:5055\"]\n}\n", desktopID, Mirror},
		"daemon.json in one line, without an end": {
			daemonFile, `{"debug":true,"debug":false}`, `{"debug":true,"debug":false,"registry-mirrors": ["http://host.docker.internal:5055"],"insecure-registries": ["host.docker.internal:5055"]}`, desktopID, Mirror,
		},
		"settings with Windows's ends": {
			settingsStore, strings.ReplaceAll(store, "\n", "\r\n"), "\r\n  \"OverrideProxyHTTP\": \"http://127.0.0.1:5055\",\r\n", desktopID, Proxy,
		},
		"settings with keys that nobody knows": {
			settingsStore, `{"SettingsVersion":99,"Zebra":{"b":[1.50,-0]},"zebra":null,"ProxyHTTPMode":null}`, `"Zebra":{"b":[1.50,-0]},"zebra":null,"ProxyHTTPMode":"manual"`, desktopID, Proxy,
		},
		"a profile with a mark and Windows's ends": {
			colimaFile, "\ufeffcpu: 2\r\ndocker:\r\n  debug: true # yes\r\n",
			"\ufeffcpu: 2\r\ndocker:\r\n  debug: true # yes\r\n  registry-mirrors:\r\n    - \"http://host.lima.internal:5055\"\r\n", "colima", Mirror,
		},
		"an empty profile": {colimaFile, "", "docker:\n  registry-mirrors:\n    - \"http://host.lima.internal:5055\"\n", "colima", Mirror},
	} {
		t.Run(name, func(t *testing.T) {
			d := macWith(t, false, c.file, c.before)
			w := d.wirer()
			before := d.files()
			if err := d.through(w, c.engine, Options{Way: c.way}); err != nil {
				t.Fatal(err)
			}
			if got := d.files()[c.file]; !strings.Contains(got, c.after) {
				t.Errorf("connected: %q\nwant %q", got, c.after)
			}
			if _, err := w.Disconnect(t.Context(), c.engine, func(string) {}); err != nil {
				t.Fatal(err)
			}
			if now := d.files(); !mapsEqual(now, before) {
				t.Errorf("disconnected: %q, was %q", now[c.file], before[c.file])
			}
		})
	}
}

// TestOddDesktopRefused leaves alone what it cannot do right.
func TestOddDesktopRefused(t *testing.T) {
	for name, c := range map[string]struct {
		file, text, engine string
		way                Way
		says               string
	}{
		"comments":             {daemonFile, "{\n  // why\n  \"debug\": true\n}", desktopID, Mirror, "line 2"},
		"a comma too many":     {settingsStore, "{\n  \"SettingsVersion\": 43,\n}", desktopID, Proxy, "line 3"},
		"half of a file":       {settingsStore, "{\n  \"SettingsVersion\": 43,\n  \"Cp", desktopID, Proxy, "line 3"},
		"a list":               {daemonFile, "[]", desktopID, Mirror, "not an object"},
		"mirrors that are one": {daemonFile, `{"registry-mirrors": "https://a.b"}`, desktopID, Mirror, "registry-mirrors"},
		"an empty settings":    {settingsStore, "", desktopID, Proxy, "SettingsVersion"},
		"a broken profile":     {colimaFile, "docker: {a\n", "colima", Mirror, "line"},
		"a profile of two":     {colimaFile, "docker: {}\n---\ndocker: {}\n", "colima", Mirror, "more than one"},
	} {
		t.Run(name, func(t *testing.T) {
			d := macWith(t, false, c.file, c.text)
			before := d.files()
			err := d.through(d.wirer(), c.engine, Options{Way: c.way})
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v; want a line with %q", err, c.says)
			}
			if now := d.files(); !mapsEqual(now, before) {
				t.Errorf("touched: %q", now[c.file])
			}
		})
	}
}

// TestLinkedSettings goes through a link, as people have who keep their settings elsewhere: the link stays one.
func TestLinkedSettings(t *testing.T) {
	const text = "{\n  \"debug\": true\n}\n"
	d := macWith(t, false, "Users/me/dotfiles/daemon.json", text)
	link, target := filepath.Join(d.dir, daemonFile), filepath.Join(d.dir, "Users/me/dotfiles/daemon.json")
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../dotfiles/daemon.json", link); err != nil {
		t.Fatal(err)
	}
	w := d.wirer()
	if err := d.through(w, desktopID, Options{}); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(target); err != nil || !strings.Contains(string(data), "host.docker.internal") {
		t.Errorf("%s, %v", data, err)
	}
	if _, err := w.Disconnect(t.Context(), desktopID, func(string) {}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(target)
	if err != nil || string(data) != text {
		t.Errorf("%q, %v", data, err)
	}
	if to, err := os.Readlink(link); err != nil || to != "../dotfiles/daemon.json" {
		t.Errorf("the link is %q, %v", to, err)
	}
}

// TestReadOnlySettings are somebody's wish.
func TestReadOnlySettings(t *testing.T) {
	d := macWith(t, false, daemonFile, "{}")
	if err := os.Chmod(filepath.Join(d.dir, daemonFile), 0o444); err != nil {
		t.Fatal(err)
	}
	before := d.files()
	err := d.through(d.wirer(), desktopID, Options{})
	if err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("%v; want it to say read-only", err)
	}
	if now := d.files(); !mapsEqual(now, before) {
		t.Errorf("touched: %q", now[daemonFile])
	}
}

// TestDeskWired has every golden file's engine connected and disconnected for good, ledger and activation included: what is
// there in between is what the file says, and the bytes come back.
func TestDeskWired(t *testing.T) {
	names, err := filepath.Glob("testdata/desk/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		want, refused := map[string]string{}, false
		for _, f := range a.Files {
			refused = refused || f.Name == "error"
			if at, ok := strings.CutPrefix(f.Name, "out/"); ok {
				want[at] = string(f.Data)
			}
		}
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			d := newScreen(t, a)
			d.takesAll()
			w, before := d.wirer(), d.files()
			engine, o := request(t, a)
			err := d.through(w, engine, o)
			if refused {
				if err == nil || !mapsEqual(d.files(), before) {
					t.Errorf("%v, files\n%v", err, d.files())
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for at, text := range want {
				if got := d.files()[at]; strings.TrimRight(got, "\n") != strings.TrimRight(text, "\n") {
					t.Errorf("%s: %q, want %q", at, got, text)
				}
			}
			if e, err := w.find(t.Context(), engine); err != nil || e.Wired.Ours && e.Wired.Way == Foreign {
				t.Errorf("it is taken to be somebody else's: %+v (%v)", e.Wired, err)
			}
			w.Target.Port = 6066
			if e, err := w.find(t.Context(), engine); err != nil || len(e.Wired.To) > 0 && e.Wired.Ours != strings.Contains(strings.Join(e.Notes.Lines(), "\n"), "which listens at port 6066") {
				t.Errorf("it is not said that Pulley is elsewhere now: %+v (%v)", e, err)
			}
			if p, err := w.Plan(t.Context(), engine, o); err != nil || p.Egress != "" {
				t.Errorf("at another port we are taken for somebody's proxy: %+v (%v)", p, err)
			}
			w.Target.Port = 5055
			if _, err := w.Disconnect(t.Context(), engine, func(string) {}); err != nil {
				t.Fatal(err)
			}
			if now := d.files(); !mapsEqual(now, before) {
				t.Errorf("disconnected:\n%v\nwas\n%v", now, before)
			}
			for _, dir := range []string{"guest/podman/etc/containers", "guest/colima/etc/containerd", "guest/default/home/me.linux/.config/containerd"} {
				if _, err := os.Stat(filepath.Join(d.dir, dir, "certs.d")); err == nil {
					t.Errorf("%s/certs.d is left", dir)
				}
			}
		})
	}
}

// takesAll has every engine go by every mirror, and every program that starts or stops one be there.
func (d *screen) takesAll() {
	for socket, api := range d.apis {
		var urls []string
		for _, host := range append([]string{"172.22.0.1"}, doors...) {
			urls = append(urls, `"http://`+host+`:5055/"`)
		}
		d.apis[socket] = append(api, strings.Join(urls, ","))
	}
	answer := d.local.Exec
	d.local.Exec = func(ctx context.Context, c machine.Command) ([]byte, error) {
		line := strings.Join(c.Args, " ")
		for _, known := range []string{
			"docker desktop st", "systemctl --user st", "orb restart docker", "colima restart --profile default",
			"colima ssh --profile default -- sudo update-ca-certificates", "rdctl shell sudo killall -HUP dockerd", "rdctl shell killall -HUP dockerd",
			"limactl shell --workdir / docker systemctl --user reload docker", "limactl shell --workdir / docker sudo systemctl reload docker",
			"wsl.exe --distribution Ubuntu --user root --exec pkill",
		} {
			if strings.HasPrefix(line, known) {
				return nil, nil
			}
		}
		if strings.HasSuffix(line, "docker info --format {{json .RegistryConfig.Mirrors}}") { // then there is no socket
			read, err := os.ReadFile(filepath.Join(d.dir, "guest/Ubuntu/etc/docker/daemon.json"))
			list := listAt(edit.JSON, read, "registry-mirrors")
			for i := range list {
				list[i] += "/"
			}
			return value(list), err
		}
		return answer(ctx, c)
	}
}

// TestProxyTakenOver is said before it is done.
func TestProxyTakenOver(t *testing.T) {
	d := macWith(t, false, settingsStore, `{"SettingsVersion":43,"ProxyHTTPMode":"manual","OverrideProxyHTTPS":"http://me:secret@corp:3128"}`)
	p, err := d.wirer().Plan(t.Context(), desktopID, Options{Way: Proxy})
	if err != nil {
		t.Fatal(err)
	}
	if warn := strings.Join(p.Warn, "\n"); !strings.Contains(warn, "http://me@corp:3128") || strings.Contains(warn, "secret") {
		t.Error(warn)
	}
}

// TestSomebodyElsesProxy on loopback is not taken for Pulley.
func TestSomebodyElsesProxy(t *testing.T) {
	d := macWith(t, false, settingsStore, `{"SettingsVersion":43,"ProxyHTTPMode":"manual","OverrideProxyHTTPS":"http://127.0.0.1:7890"}`)
	w := d.wirer()
	if got := w.Find(t.Context())[0].Wired; got.Way != Foreign || got.Ours {
		t.Errorf("%+v", got)
	}
	w.Target.Port = 7890
	if got := w.Find(t.Context())[0].Wired; got.Way != Proxy || got.Ours {
		t.Errorf("%+v", got)
	}
}
