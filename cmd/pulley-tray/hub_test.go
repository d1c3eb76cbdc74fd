//go:build xvfb

package main_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pulley/internal/control"
	"pulley/internal/control/client"
	"pulley/internal/hubtest"
	say "pulley/ui/words"
)

// behind has the session's daemon reach a test Hub by the names of the real one,
// and mirrors of it: m1, m2 …
func (s *session) behind(t *testing.T, hub *hubtest.Hub, mirrors ...*hubtest.Hub) {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "[fetch]\nextra_roots = [%q]\n[[registry]]\nname = \"docker.io\"\n", hub.RootsFile())
	for i, m := range mirrors {
		fmt.Fprintf(&text, "[[registry.mirror]]\nname = \"m%d\"\nurl = \"https://%s\"\nenabled = true\n", i+1, m.Hosts()[0])
	}
	for _, h := range append([]*hubtest.Hub{hub}, mirrors...) {
		for _, host := range h.Hosts() {
			fmt.Fprintf(&text, "[[address]]\nhost = %q\nuse = [%q]\n", host, h.Addr())
		}
	}
	s.configure(t, text.String())
}

// pull asks for an image as an engine does, at the mirror door, and returns the
// status.
func (s *session) pull(t *testing.T, image string) int {
	t.Helper()
	state, ok := s.state(t)
	if !ok {
		t.Fatal("no daemon")
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+state.Listen+"/v2/"+image+"/manifests/latest", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header["Accept"] = []string{"application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json"}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

// screenshot leaves a picture of the window in the folder that
// PULLEY_SCREENSHOTS names.
func (s *session) screenshot(t *testing.T, icon *statusIcon, name string) {
	t.Helper()
	icon.click(icon.find("Open Pulley"))
	id := s.window(t)
	eventually(t, "the window was drawn", func() bool { return colours(s.x.picture(id)) > 50 })
	if dir := os.Getenv("PULLEY_SCREENSHOTS"); dir != "" {
		save(t, filepath.Join(dir, name+".png"), s.settled(t, id))
		t.Logf("the menu beside %s:\n%s", name, icon.text())
	}
}

// The menu counts Docker Hub's pulls down in steps of ten seconds, and says when
// none is left and when some are again.
func TestPullsLeft(t *testing.T) {
	s := newSession(t)
	hub := &hubtest.Hub{RateLimit: 3}
	if err := hub.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hub.Close)
	for i := range 4 {
		hub.Push(fmt.Sprintf("library/app%d", i), "latest", hubtest.RandomImage(uint64(i+1), 1, 1000))
	}
	s.behind(t, hub)
	a := newArea(t, s)
	s.tray(t)
	icon := a.icon(t)
	icon.find("On · 127.0.0.1:")
	if text := icon.text(); strings.Contains(text, "Docker Hub") {
		t.Errorf("Docker Hub has not said anything yet:\n%s", text)
	}
	if status := s.pull(t, "library/app0"); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	icon.find("Docker Hub: 2 of 3 pulls left")
	seen := time.Now()
	for i, want := range []int{http.StatusOK, http.StatusOK, http.StatusTooManyRequests} {
		if status := s.pull(t, fmt.Sprintf("library/app%d", i+1)); status != want {
			t.Fatalf("pull %d: status %d, want %d", i+1, status, want)
		}
	}
	state, _ := s.state(t)
	if len(state.Limits) != 1 || state.Limits[0].Again == nil {
		t.Fatalf("the daemon says %+v", state.Limits)
	}
	again := *state.Limits[0].Again
	icon.find("Docker Hub: no pulls left, again by " + say.Moment(again, time.Now()))
	if stood := time.Since(seen); stood < 8*time.Second {
		t.Errorf("the number before stood for %v only", stood)
	}
	s.screenshot(t, icon, "no-pulls-left")
}

// A mirror that disagrees with the origin about a tag stands in the menu, by its
// name and the image's, for as long as it does.
func TestMirrorThatDisagrees(t *testing.T) {
	s := newSession(t)
	hub := hubtest.Start(t)
	mirror := hubtest.MirrorOf(t, hub, hubtest.StyleHost)
	hub.Push("library/app", "latest", hubtest.RandomImage(1, 1, 1000))
	mirror.Push("library/app", "latest", hubtest.RandomImage(2, 1, 1000))
	s.behind(t, hub, mirror)
	a := newArea(t, s)
	s.tray(t)
	icon := a.icon(t)
	icon.find("On · 127.0.0.1:")
	well := icon.pixels()
	if status := s.pull(t, "library/app"); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	problem := icon.find("⚠ mirror docker.io/m1 disagrees with the origin about docker.io/library/app:latest")
	if icon.pixels() == well {
		t.Error("the icon is as if all were well")
	}
	icon.click(problem)
	s.window(t)
	s.screenshot(t, icon, "mirror-disagrees")

	if err := s.client(t).SwitchMirror(t.Context(), "docker.io", "m1", false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the problem was gone", func() bool { return !strings.Contains(icon.text(), "⚠") })
}

// A theme that is changed in config.toml is seen at once.
func TestThemeChangesLive(t *testing.T) {
	s := newSession(t)
	a := newArea(t, s)
	s.tray(t)
	icon := a.icon(t)
	icon.find("On · 127.0.0.1:")
	icon.click(icon.find("Open Pulley"))
	id := s.window(t)
	for _, step := range []struct {
		theme string
		dark  bool
	}{{"dark", true}, {"light", false}, {"dark", true}} {
		if err := s.client(t).SetSetting(t.Context(), "tray.theme", step.theme); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the window was "+step.theme, func() bool {
			corner := s.x.picture(id).NRGBAAt(4, 4)
			return (corner.G < 0x60) == step.dark && colours(s.x.picture(id)) > 50
		})
		s.screenshot(t, icon, "theme-"+step.theme)
	}
}

// client speaks to the session's daemon until the test ends.
func (s *session) client(t *testing.T) *client.Client {
	t.Helper()
	c := client.New(filepath.Join(s.home, "control.sock"))
	t.Cleanup(c.Close)
	return c
}

// A daemon that is ended in the middle of a transfer has time to finish it, and
// a tray that is started meanwhile waits for nobody.
func TestQuitDuringATransfer(t *testing.T) {
	s := newSession(t)
	hub := hubtest.Start(t)
	image := hubtest.RandomImage(1, 1, 6<<20)
	hub.Push("library/app", "latest", image)
	hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Bandwidth: 1 << 20})
	s.behind(t, hub)
	a := newArea(t, s)
	tray := s.tray(t)
	icon := a.icon(t)
	icon.find("On · 127.0.0.1:")
	before, _ := s.state(t)
	whole := make(chan int64, 1)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		"http://"+before.Listen+"/v2/library/app/blobs/"+image.Layers[0].Digest.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(whole)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return
		}
		defer func() { _ = response.Body.Close() }()
		n, _ := io.Copy(io.Discard, response.Body)
		whole <- n
	}()
	s.becomes(t, "a transfer", func(c control.State) bool { return len(c.Active) > 0 })
	icon.click(icon.find("Quit"))
	eventually(t, "the icon was gone", func() bool { return icon.text() == "" })
	a.mu.Lock()
	a.item = ""
	a.mu.Unlock()
	s.tray(t)
	next := a.icon(t)
	select {
	case <-tray.done:
		t.Error("the first tray had ended before the next one began")
	default:
	}
	if code := tray.ended(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
	if n := <-whole; n != image.Layers[0].Content.Size() {
		t.Errorf("%d bytes came", n)
	}
	next.find("On · 127.0.0.1:")
	if after, ok := s.state(t); !ok || after.PID == before.PID {
		t.Errorf("the daemon was pid %d and is %d", before.PID, after.PID)
	}
}
