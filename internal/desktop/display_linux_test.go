package desktop_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pulley/internal/desktop"
)

func TestDisplay(t *testing.T) {
	dir, err := os.MkdirTemp("", "display")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	listener, err := net.Listen("unix", filepath.Join(dir, "wayland-7"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()

	for name, c := range map[string]struct {
		environ map[string]string
		problem string
	}{
		"nothing":               {nil, "no display here"},
		"wayland":               {map[string]string{"WAYLAND_DISPLAY": "wayland-7", "XDG_RUNTIME_DIR": dir}, ""},
		"wayland, whole path":   {map[string]string{"WAYLAND_DISPLAY": filepath.Join(dir, "wayland-7")}, ""},
		"wayland, gone":         {map[string]string{"WAYLAND_DISPLAY": "wayland-8", "XDG_RUNTIME_DIR": dir}, "wayland-8 does not answer"},
		"x11, gone":             {map[string]string{"DISPLAY": ":4711.0"}, "DISPLAY=:4711.0 does not answer"},
		"x11, no display":       {map[string]string{"DISPLAY": "nonsense"}, "does not answer"},
		"x11, no number":        {map[string]string{"DISPLAY": ":x"}, "does not answer"},
		"x11, on another host":  {map[string]string{"DISPLAY": "[::1]:4711"}, "does not answer"},
		"both, x11 alone is up": {map[string]string{"DISPLAY": filepath.Join(dir, "wayland-7") + ":0", "WAYLAND_DISPLAY": "wayland-8"}, ""},
	} {
		err := desktop.Display(func(key string) string { return c.environ[key] })
		switch {
		case c.problem == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
			t.Errorf("%s: got %v, want %q", name, err, c.problem)
		}
	}
}
