package wiring

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"pulley/internal/docker/edit"
	"pulley/internal/docker/machine"
)

// TestDesktopOverwrites has Docker Desktop write its settings as it ends, which is why it is stopped first: what it wrote
// stays, with ours, and without it after disconnecting.
func TestDesktopOverwrites(t *testing.T) {
	d := macWith(t, true, daemonFile, "{}")
	settings := filepath.Join(d.dir, settingsStore)
	running, written := true, ""
	answer := d.local.Exec
	api := d.apis
	d.local.Exec = func(ctx context.Context, c machine.Command) ([]byte, error) {
		switch line := strings.Join(c.Args, " "); line {
		case "docker desktop stop":
			if !running {
				t.Error("stopped twice")
			}
			running, d.apis = false, nil
			return nil, os.WriteFile(settings, []byte(written), 0o644)
		case "docker desktop start":
			running, d.apis = true, api
			return nil, nil
		}
		return answer(ctx, c)
	}
	w := d.wirer()
	written = "{\n  \"AutoStart\": true,\n  \"SettingsVersion\": 43\n}"
	if err := d.through(w, desktopID, Options{Way: Proxy}); err != nil {
		t.Fatal(err)
	}
	now := d.files()[settingsStore]
	if !strings.Contains(now, `"AutoStart": true`) || !strings.Contains(now, `"OverrideProxyHTTP": "http://127.0.0.1:5055"`) || !running {
		t.Errorf("connected, running %v: %s", running, now)
	}
	written = strings.Replace(now, `"AutoStart": true`, `"AutoStart": false`, 1)
	if _, err := w.Disconnect(t.Context(), desktopID, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if got, want := d.files()[settingsStore], "{\n  \"AutoStart\": false,\n  \"SettingsVersion\": 43\n}"; got != want || !running {
		t.Errorf("disconnected, running %v: %s", running, got)
	}
}

// TestDesktopStartedAgain has nothing wrong with the engine come from a file that cannot be written.
func TestDesktopStartedAgain(t *testing.T) {
	d := macWith(t, true, daemonFile, "{}")
	settings := filepath.Join(d.dir, settingsStore)
	var ran []string
	answer := d.local.Exec
	d.local.Exec = func(ctx context.Context, c machine.Command) ([]byte, error) {
		line := strings.Join(c.Args, " ")
		if !strings.HasPrefix(line, "docker desktop ") {
			return answer(ctx, c)
		}
		ran = append(ran, line)
		if line == "docker desktop stop" {
			return nil, os.WriteFile(settings, []byte("{broken"), 0o644)
		}
		return nil, nil
	}
	err := d.through(d.wirer(), desktopID, Options{Way: Proxy})
	if err == nil || len(ran) != 2 || ran[1] != "docker desktop start" {
		t.Errorf("%v after %q", err, ran)
	}
	if got := d.files()[settingsStore]; got != "{broken" {
		t.Errorf("touched: %s", got)
	}
}

// TestDesktopLeftDown has the next call start what a connect that was killed had stopped.
func TestDesktopLeftDown(t *testing.T) {
	d := macWith(t, true, daemonFile, "{}")
	api, answer := d.apis, d.local.Exec
	d.local.Exec = func(ctx context.Context, c machine.Command) ([]byte, error) {
		switch strings.Join(c.Args, " ") {
		case "docker desktop stop":
			d.apis = nil
		case "docker desktop start":
			d.apis = api
		default:
			return answer(ctx, c)
		}
		return nil, nil
	}
	w := d.wirer()
	if err := d.through(w, desktopID, Options{Way: Proxy}); err != nil {
		t.Fatal(err)
	}
	l, err := w.load()
	if err != nil {
		t.Fatal(err)
	}
	l.Engines[desktopID].Phase = connecting
	if err := w.save(l); err != nil {
		t.Fatal(err)
	}
	d.apis = nil
	if _, err := w.Disconnect(t.Context(), desktopID, func(string) {}); err != nil || d.apis == nil {
		t.Errorf("started: %t (%v)", d.apis != nil, err)
	}
}

// TestDesktopTakesMirror asks the engine whether it goes by what was written.
func TestDesktopTakesMirror(t *testing.T) {
	d := macWith(t, true, daemonFile, "{}")
	k, e := d.find(desktopID)
	p, err := k.Plan(t.Context(), d.local, e, target(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.(taker).Taken(t.Context(), d.local, p); err == nil || !strings.Contains(err.Error(), "http://host.docker.internal:5055") {
		t.Errorf("%v; want it to name the mirror", err)
	}
	socket := e.Socket
	d.apis[socket] = append(d.apis[socket], `"https://a.b/","http://host.docker.internal:5055/"`)
	if err := k.(taker).Taken(t.Context(), d.local, p); err != nil {
		t.Error(err)
	}
}

// TestLetGoInTheEnd: a reload takes a moment, and who is told that it is as it was can rely on that.
func TestLetGoInTheEnd(t *testing.T) {
	a, err := txtar.ParseFile("testdata/desk/lima-docker-rootful.txtar")
	if err != nil {
		t.Fatal(err)
	}
	d := newScreen(t, a)
	const file, socket = "guest/docker/etc/docker/daemon.json", "unix:///Users/me/.lima/docker/sock/docker.sock"
	d.put(file, []byte(`{"registry-mirrors": [ ]}`))
	d.apis[socket] = append(d.apis[socket], "")
	answer, pending, dials := d.local.Exec, []string(nil), 0
	d.local.Exec = func(ctx context.Context, c machine.Command) ([]byte, error) {
		if !strings.HasSuffix(strings.Join(c.Args, " "), "systemctl reload docker") {
			return answer(ctx, c)
		}
		read, err := os.ReadFile(filepath.Join(d.dir, file))
		pending, dials = listAt(edit.JSON, read, "registry-mirrors"), 0
		return nil, err
	}
	d.local.Connect = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials++; dials == 3 {
			d.apis[socket][3] = ""
			for _, mirror := range pending {
				d.apis[socket][3] = strconv.Quote(mirror + "/")
			}
		}
		return d.dial(ctx, network, address)
	}
	w := d.wirer()
	if err := d.through(w, "lima:docker", Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Disconnect(t.Context(), "lima:docker", func(string) {}); err != nil {
		t.Fatal(err)
	}
	if list := d.apis[socket][3]; list != "" {
		t.Errorf("it is as it was, and goes by %s", list)
	}
	if now := d.files()[file]; now != `{"registry-mirrors": [ ]}` {
		t.Error(now)
	}
}

// TestDesktopIsNotRancher: on Windows both answer at the same pipe.
func TestDesktopIsNotRancher(t *testing.T) {
	a, err := txtar.ParseFile("testdata/desk/rancher-windows.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for product, running := range map[string]bool{"Docker Engine - Community": true, "Docker Desktop 4.38.0 (181591)": false} {
		d := newScreen(t, a)
		for socket := range d.apis {
			d.apis[socket][0] = product
		}
		if _, e := d.find(rancherID); e.Running != running {
			t.Errorf("%s answers: Rancher Desktop runs: %t", product, e.Running)
		}
	}
}

// TestGuestsLetGo has engines in virtual machines that are put back by a reload let go of their mirror: dockerd keeps a list
// that is gone from its file.
func TestGuestsLetGo(t *testing.T) {
	for _, c := range []struct{ golden, file, reload string }{
		{"lima-docker", "guest/docker/home/me.linux/.config/docker/daemon.json", "limactl shell --workdir / docker systemctl --user reload docker"},
		{"lima-docker-rootful", "guest/docker/etc/docker/daemon.json", "limactl shell --workdir / docker sudo systemctl reload docker"},
		{"rancher-mac", "guest/rancher/etc/docker/daemon.json", "rdctl shell sudo killall -HUP dockerd"},
		{"wsl-mirrored", "guest/Ubuntu/etc/docker/daemon.json", "wsl.exe --distribution Ubuntu --user root --exec pkill -HUP -x dockerd"},
	} {
		t.Run(c.golden, func(t *testing.T) {
			a, err := txtar.ParseFile("testdata/desk/" + c.golden + ".txtar")
			if err != nil {
				t.Fatal(err)
			}
			d := newScreen(t, a)
			inForce, reloads, answer := "[]", 0, d.local.Exec
			for socket, api := range d.apis {
				d.apis[socket] = append(api, "")
			}
			d.local.Exec = func(ctx context.Context, cmd machine.Command) ([]byte, error) {
				switch line := strings.Join(cmd.Args, " "); {
				case line == c.reload:
					reloads++
					data, _ := os.ReadFile(filepath.Join(d.dir, c.file))
					if raw, err := edit.Has(edit.JSON, data, "registry-mirrors"); err != nil || raw != nil {
						inForce = strings.ReplaceAll(string(raw), `"]`, `/"]`)
					}
					for socket := range d.apis {
						d.apis[socket][3] = strings.Trim(inForce, "[]")
					}
					return nil, nil
				case strings.HasSuffix(line, "docker info --format {{json .RegistryConfig.Mirrors}}"):
					return []byte(inForce + "\n"), nil
				}
				return answer(ctx, cmd)
			}
			w, before := d.wirer(), d.files()
			engine, o := request(t, a)
			if err := d.through(w, engine, o); err != nil {
				t.Fatal(err)
			}
			if inForce == "[]" {
				t.Error("it took up no mirror")
			}
			if _, err := w.Disconnect(t.Context(), engine, func(string) {}); err != nil {
				t.Fatal(err)
			}
			if inForce != "[]" || reloads != 3 || !mapsEqual(d.files(), before) {
				t.Errorf("it goes by %s still, after %d reloads\n%v", inForce, reloads, d.files())
			}
		})
	}
}

// TestPulledForATest: an image that was there before stays, and so does one of which that cannot be told.
func TestPulledForATest(t *testing.T) {
	for status, goes := range map[int]bool{http.StatusOK: false, http.StatusNotFound: true, http.StatusInternalServerError: false} {
		gone := false
		m := &machine.Local{Connect: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			l := &oneConn{conn: make(chan net.Conn, 1)}
			l.conn <- theirs
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Api-Version", "1.47")
				w.Header().Set("Content-Type", "application/json")
				if strings.HasSuffix(r.URL.Path, "/x:1/json") {
					w.WriteHeader(status)
				}
				gone = gone || r.Method == http.MethodDelete
				_, _ = io.WriteString(w, "{}")
			})}
			go func() { _ = server.Serve(l) }()
			t.Cleanup(func() { _ = server.Close() })
			return ours, nil
		}}
		if err := pullDocker(t.Context(), m, Engine{Socket: "unix:///docker.sock"}, "x:1"); err != nil {
			t.Error(err)
		}
		if gone != goes {
			t.Errorf("asked whether it is there it answered %d; taken away: %t", status, gone)
		}
	}
}
