//go:build xvfb && ui && linux

package main_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// engines are what the session's docker contexts lead to: each is somewhere on loopback and answers as dockerd does to who asks how
// it is.
var engines = []struct {
	context, address, mark, colour, version string
	images, running                         int
	disk                                    int64
}{
	{"build-farm", "127.0.0.2:2375", "", "", "29.1.3", 214, 12, 87 << 30},
	{"staging", "127.0.0.3:2375", "staging", "orange", "28.3.3", 41, 9, 23 << 30},
	{"production", "127.0.0.4:2375", "production", "red", "28.3.3", 18, 16, 12 << 30},
}

// inhabit gives the session docker contexts with engines that answer, of which docker uses the first.
func (s *session) inhabit(t *testing.T) {
	t.Helper()
	for _, e := range engines {
		mux := http.NewServeMux()
		mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Api-Version", "1.51")
			w.Header().Set("Ostype", "linux")
		})
		mux.HandleFunc("GET /v1.51/info", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"ServerVersion":%q,"OSType":"linux","Architecture":"x86_64","Images":%d,"Containers":%d,"ContainersRunning":%d}`, e.version, e.images, e.running+2, e.running)
		})
		mux.HandleFunc("GET /v1.51/system/df", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"LayersSize":%d,"Images":[{"Id":"sha256:a","Size":%d,"SharedSize":0}]}`, e.disk, e.disk)
		})
		listener, err := net.Listen("tcp", e.address)
		if err != nil {
			if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
		}
		server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}}
		server.Start()
		t.Cleanup(server.Close)
		args := []string{"context", "create", e.context, "tcp://" + listener.Addr().String()}
		if e.mark != "" {
			args = append(args, "--mark", e.mark, "--colour", e.colour)
		}
		s.pulley(t, args...)
	}
	s.pulley(t, "context", "use", engines[0].context)
}

// pulley runs the command line program.
func (s *session) pulley(t *testing.T, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), filepath.Join(programs, "pulley"), args...)
	command.Env = s.environ()
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("pulley %v: %v: %s", args, err, out)
	}
}
