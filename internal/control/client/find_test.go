package client

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"pulley/internal/config"
	"pulley/internal/control"
)

// answer is a daemon at a socket that says which one it is.
func answer(t *testing.T, socket, program string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(control.Version{Major: control.Major, Program: program})
	})}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { _ = server.Close() })
}

// TestFind holds the order in which a daemon is looked for: PULLEY_HOME alone where it is set, then the person's own, then
// the system service's.
func TestFind(t *testing.T) {
	for _, test := range []struct {
		name              string
		home, own, system bool // which daemons run
		set               bool // PULLEY_HOME
		want              string
	}{
		{"nobody", false, false, false, false, ""},
		{"own", false, true, false, false, "own"},
		{"system", false, false, true, false, "system"},
		{"own before system", false, true, true, false, "own"},
		{"home before all", true, true, true, true, "home"},
		{"home alone", false, true, true, true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "find") // a socket's path may not be long
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			environ := []string{"HOME=" + dir, "XDG_RUNTIME_DIR=" + dir, "LocalAppData=" + dir, "AppData=" + dir}
			own, err := config.FindPlaces(environ)
			if err != nil {
				t.Fatal(err)
			}
			home, system := filepath.Join(dir, "home"), filepath.Join(dir, "system.sock")
			if test.set {
				environ = append(environ, "PULLEY_HOME="+home)
			}
			if test.home {
				answer(t, config.PlacesIn(home).ControlSocket, "home")
			}
			if test.own {
				answer(t, own.ControlSocket, "own")
			}
			if test.system {
				answer(t, system, "system")
			}
			c, err := find(t.Context(), environ, system)
			if c != nil {
				defer c.Close()
			}
			if test.want == "" {
				if !errors.Is(err, ErrNotRunning) {
					t.Errorf("nobody should answer: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if v, err := c.Version(t.Context()); err != nil || v.Program != test.want {
				t.Errorf("%q answered (%v), want %q", v.Program, err, test.want)
			}
		})
	}
}
