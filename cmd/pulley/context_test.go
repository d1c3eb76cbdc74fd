package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestContextScripts are what a person types about contexts. Each has a docker configuration of its own, $DOCKER_CONFIG,
// and an engine at the socket $ENGINE. No daemon of Pulley's runs.
func TestContextScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "context"),
		Setup: func(e *testscript.Env) error {
			dir, err := os.MkdirTemp("", "pulley") // a socket's path may not be long
			if err != nil {
				return err
			}
			e.Defer(func() { _ = os.RemoveAll(dir) })
			e.Setenv("PULLEY_HOME", filepath.Join(dir, "home"))
			e.Setenv("DOCKER_CONFIG", filepath.Join(e.WorkDir, "docker"))
			e.Setenv("ENGINE", filepath.Join(dir, "s"))
			l, err := net.Listen("unix", filepath.Join(dir, "s")) //nolint:noctx // a test's listener
			if err != nil {
				return err
			}
			s := &http.Server{Handler: contextEngine(), ReadHeaderTimeout: time.Minute}
			go func() { _ = s.Serve(l) }()
			e.Defer(func() { _ = s.Close() })
			return nil
		},
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"perm": perm},
		RequireExplicitExec: true,
	})
}

// contextEngine answers as an engine does to what `context test` asks.
func contextEngine() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.50") })
	mux.HandleFunc("GET /v1.50/info", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"ServerVersion":"28.2.2\u001b[31m","OSType":"linux","Architecture":"x86_64","Images":12,"Containers":5,"ContainersRunning":3}`))
	})
	mux.HandleFunc("GET /v1.50/system/df", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"LayersSize":1048576,"Images":[{"Id":"sha256:a","Size":1048576,"SharedSize":0}]}`))
	})
	return mux
}

func TestMarksAreSeenInTheirColour(t *testing.T) {
	for colour, want := range map[string]string{
		"red": "\x1b[31mx\x1b[0m", "orange": "\x1b[38;5;208mx\x1b[0m", "#0a14ff": "\x1b[38;2;10;20;255mx\x1b[0m",
	} {
		if got := paint(colour, "x"); got != want {
			t.Errorf("%s is %q, want %q", colour, got, want)
		}
	}
}
