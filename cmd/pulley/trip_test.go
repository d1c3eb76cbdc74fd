//go:build !darwin

// macOS answers at 127.0.0.1 alone of 127.0.0.0/8.

package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"pulley/internal/hubtest"
)

// trip is a daemon as a person runs it, before an origin of three addresses and two mirrors, and the command line that the
// person types.
type trip struct {
	daemonEnv   []string // variables of the daemon alone, besides this program's
	t           *testing.T
	binary      string
	home        string
	origin      *hubtest.Hub
	mirrors     []*hubtest.Hub
	withMirrors bool             // switched on, as m1 and m2
	settings    hubtest.Settings // further ones
	env         []string
	daemon      *exec.Cmd
	address     string
	image       hubtest.Image
	seed        uint64 // of the image
	repository  string
}

func newTrip(t *testing.T) *trip {
	t.Helper()
	return newTripAt(t, nil)
}

// newTripAt is one whose origin has a clock of its own.
func newTripAt(t *testing.T, now func() time.Time) *trip {
	t.Helper()
	p := &trip{t: t, binary: buildPulley(t), origin: &hubtest.Hub{Also: []string{"127.0.0.2", "127.0.0.3"}, Now: now}, repository: "library/trip", seed: 7}
	p.mirrors = []*hubtest.Hub{
		{Of: p.origin, Style: hubtest.StyleHost, Auth: hubtest.Open}, {Of: p.origin, Style: hubtest.StyleHost, Auth: hubtest.Open},
	}
	for _, h := range append([]*hubtest.Hub{p.origin}, p.mirrors...) {
		if err := h.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(h.Close)
	}
	p.settings = hubtest.Settings{Origin: p.origin, Fetch: `range_min = "1MiB"`}
	p.image = hubtest.RandomImage(p.seed, 1, 8<<20)
	p.origin.Push(p.repository, "latest", p.image)
	return p
}

// start runs the daemon, the first time or again.
func (p *trip) start() {
	p.t.Helper()
	if p.home == "" {
		if p.withMirrors {
			p.settings.Mirrors = p.mirrors
		}
		p.home = homeWith(p.t, p.settings)
	}
	for _, line := range p.env {
		key, value, _ := strings.Cut(line, "=")
		p.t.Setenv(key, value)
	}
	p.daemon, p.address = killableDaemon(p.t, p.binary, p.home, p.daemonEnv...)
	daemon := p.daemon
	p.t.Cleanup(func() { stopDaemon(daemon) })
}

// restart ends the daemon as Ctrl-C does, and runs it again.
func (p *trip) restart() {
	p.t.Helper()
	_ = p.daemon.Process.Signal(os.Interrupt)
	if err := p.daemon.Wait(); err != nil {
		p.t.Fatal(err)
	}
	p.start()
}

// pull is the whole image by tag, as a client that asks once and has no second try. during, if any, is called when a byte of
// the layer has come.
func (p *trip) pull(during func()) {
	p.t.Helper()
	client := pull(p.t, p.address, p.repository, p.image)
	client.manifest("latest")
	client.rest(during)
}

// next makes the tag stand for another image.
func (p *trip) next(size int64) {
	p.seed++
	p.image = hubtest.RandomImage(p.seed, 1, size)
	p.origin.Push(p.repository, "latest", p.image)
}

// ask is one request at the mirror door; the answer's body is read.
func (p *trip) ask(path string, header ...string) (*http.Response, string) {
	p.t.Helper()
	request, err := http.NewRequest(http.MethodGet, "http://"+p.address+"/v2/"+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		p.t.Fatal(err)
	}
	return response, body.String()
}

// run is a command that a person types.
func (p *trip) run(args ...string) (stdout, stderr string, err error) {
	cmd := exec.Command(p.binary, args...)
	cmd.Env = append(os.Environ(), "PULLEY_HOME="+p.home)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// says is what such a command prints; it must go well.
func (p *trip) says(args ...string) string {
	p.t.Helper()
	out, said, err := p.run(args...)
	if err != nil {
		p.t.Fatalf("pulley %s: %v: %s", strings.Join(args, " "), err, said)
	}
	return out
}

// json is what it prints for programs.
func (p *trip) json(into any, args ...string) {
	p.t.Helper()
	out := p.says(append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		p.t.Fatalf("pulley %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// want holds a text against patterns.
func (p *trip) want(what, text string, patterns ...string) {
	p.t.Helper()
	for _, pattern := range patterns {
		if !regexp.MustCompile(pattern).MatchString(text) {
			p.t.Errorf("%s does not say %q:\n%s", what, pattern, text)
		}
	}
}

func (p *trip) logSays(patterns ...string) {
	p.t.Helper()
	p.want("the log", p.says("log"), patterns...)
}

// until waits for what the daemon does in the background.
func (p *trip) until(what string, is func() bool) {
	p.t.Helper()
	tick, enough := time.NewTicker(20*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-enough:
			p.t.Fatalf("no %s; the log:\n%s", what, p.says("log"))
		}
	}
}
