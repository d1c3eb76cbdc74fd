package daemon_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pulley/internal/cause"
	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/internal/control/client"
	"pulley/internal/hubtest"
)

// socket is a client of a daemon's control socket.
func (r *running) socket(t *testing.T) *client.Client {
	t.Helper()
	c := client.New(r.places.ControlSocket)
	t.Cleanup(c.Close)
	return c
}

// file is the settings as they are on disk.
func (r *running) file(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(r.places.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// closed is an address that nobody answers at.
func closed(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

// [[address]] is edited over the socket, and tells which of them failed.
func TestAddresses(t *testing.T) {
	r := start(t, nil)
	c := r.socket(t)
	list, err := c.Addresses(t.Context())
	if err != nil || len(list) != len(r.hub.Hosts()) || list[0].Use[0] != r.hub.Addr() || len(list[0].Bad) != 0 {
		t.Fatalf("%+v, %v", list, err)
	}
	dead := closed(t)
	if err := c.SetAddress(t.Context(), control.Address{Host: "registry-1.docker.io", Use: []string{dead, r.hub.Addr()}}); err != nil {
		t.Fatal(err)
	}
	image := hubtest.RandomImage(1, 1, 64<<10)
	r.hub.Push("library/small", "latest", image)
	r.pull(t, "library/small", image)
	list, err = c.Addresses(t.Context())
	i := slices.IndexFunc(list, func(a control.Address) bool { return a.Host == "registry-1.docker.io" })
	if err != nil || i < 0 || !slices.Equal(list[i].Use, []string{dead, r.hub.Addr()}) || !slices.Equal(list[i].Bad, []string{dead}) {
		t.Errorf("%+v, %v", list, err)
	}
	if err := c.RemoveAddress(t.Context(), "registry-1.docker.io"); err != nil || strings.Contains(r.file(t), "registry-1") {
		t.Errorf("%v\n%s", err, r.file(t))
	}
	if err := c.RemoveAddress(t.Context(), "registry-1.docker.io"); err == nil || !strings.Contains(err.Error(), "no address is set") {
		t.Errorf("twice: %v", err)
	}
	if err := c.SetAddress(t.Context(), control.Address{Host: "a.example", Use: []string{"here"}}); err == nil || !strings.Contains(err.Error(), "is not") {
		t.Errorf("nonsense: %v", err)
	}
}

// The order of mirrors is a setting, which survives in the file and shows in what is listed.
func TestOrderOfMirrors(t *testing.T) {
	r := start(t, nil)
	c := r.socket(t)
	shop := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(shop.Close)
	for _, name := range []string{"m", "n"} {
		if err := c.AddMirror(t.Context(), control.Mirror{Registry: "docker.io", Name: name, URL: shop.URL + "/" + name}); err != nil {
			t.Fatal(err)
		}
	}
	enabled := func() (names []string) {
		t.Helper()
		list, err := c.Sources(t.Context(), "docker.io")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			if s.Enabled {
				names = append(names, s.Name)
			}
		}
		return names
	}
	if err := c.OrderMirrors(t.Context(), "docker.io", []string{"n", "m"}); err != nil {
		t.Fatal(err)
	}
	if text := r.file(t); !strings.Contains(text, `order = ["n", "m"]`) {
		t.Errorf("the file: %s", text)
	}
	if err := c.SetRoute(t.Context(), "docker.io", "m"); err != nil {
		t.Fatal(err)
	}
	if got := enabled(); !slices.Equal(got, []string{"m", "n", "origin"}) {
		t.Errorf("with a mirror named: %s", got)
	}
	if err := c.OrderMirrors(t.Context(), "docker.io", []string{"n", "elsewhere"}); err == nil || !strings.Contains(err.Error(), "no mirror elsewhere") {
		t.Errorf("nobody: %v", err)
	}
}

// What was served is told by minute and by day.
func TestHistoryOverTheSocket(t *testing.T) {
	r := start(t, nil)
	c := r.socket(t)
	image := hubtest.RandomImage(1, 1, 1<<20)
	r.hub.Push("library/some", "latest", image)
	r.pull(t, "library/some", image)
	r.settled(t, "library/some", image)
	h, err := c.History(t.Context())
	if err != nil || len(h.Minutes) == 0 || len(h.Days) == 0 {
		t.Fatalf("%+v, %v", h, err)
	}
	sum := func(points []control.Point) (all control.Bytes) {
		for _, p := range points {
			all.Requests, all.FromCache, all.FromNet = all.Requests+p.Requests, all.FromCache+p.FromCache, all.FromNet+p.FromNet
		}
		return all
	}
	minutes, days, ever := sum(h.Minutes), sum(h.Days), r.State().Traffic.Ever
	if last := h.Minutes[len(h.Minutes)-1].At; minutes != days || days != ever || days.FromCache < 1<<20 || time.Since(last) > 3*time.Minute {
		t.Errorf("%+v, in all %+v", h, ever)
	}
}

// A test of a mirror tells how far it is, and then what it found.
func TestMirrorTestIsWatched(t *testing.T) {
	r := start(t, nil)
	c := r.socket(t)
	registry, _ := config.Default().Registry("docker.io")
	repository, tag, _ := strings.Cut(registry.Sample, ":")
	r.hub.Push(repository, tag, hubtest.RandomImage(1, 1, 3<<20))
	var seen []control.MirrorTesting
	report, err := c.WatchMirrorTest(t.Context(), "docker.io", "origin", func(p control.MirrorTesting) { seen = append(seen, p) })
	if err != nil || !report.Reachable || report.Error != "" || report.Rate <= 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	last := seen[len(seen)-1]
	if last.Bytes != last.Size || last.Size < 3<<20 || last.Rate <= 0 || last.FirstByte != report.FirstByte {
		t.Errorf("last heard %+v", last)
	}
	for i := range seen[1:] {
		if seen[i+1].Bytes < seen[i].Bytes {
			t.Errorf("went back: %+v", seen)
		}
	}
	if again, err := c.TestMirror(t.Context(), "docker.io", "origin"); err != nil || !reflect.DeepEqual(again.Agrees, report.Agrees) {
		t.Errorf("%+v, %v", again, err)
	}
	if err := c.AddMirror(t.Context(), control.Mirror{Registry: "docker.io", Name: "gone", URL: "http://127.0.0.1:1"}); err != nil {
		t.Fatal(err)
	}
	if gone, err := c.TestMirror(t.Context(), "docker.io", "gone"); err != nil || gone.Reachable || gone.Cause != cause.Refused {
		t.Errorf("%+v, %v", gone, err)
	}
	if _, err := c.WatchMirrorTest(t.Context(), "docker.io", "elsewhere", nil); err == nil || !strings.Contains(err.Error(), "elsewhere") {
		t.Errorf("nobody: %v", err)
	}
}

// The log tells the story of a blob, in its file as well, and the state what came of it.
func TestStoryOverTheSocket(t *testing.T) {
	r := start(t, nil)
	c := r.socket(t)
	image := hubtest.RandomImage(1, 1, 2<<20)
	r.hub.Push("library/some", "latest", image)
	r.pull(t, "library/some", image)
	r.logged(t, 2)
	events, err := c.Events(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(events, func(e control.Event) bool { return e.What == "blob" })
	if i < 0 || len(events[i].Parts) != 1 || events[i].Parts[0].Source != "origin" || events[i].Parts[0].To < 2<<20 || events[i].Failed != nil {
		t.Fatalf("%+v", events)
	}
	r.settled(t, "library/some", image)
	s, err := c.State(t.Context())
	if err != nil || s.Traffic.SavedTime <= 0 || s.Language != "auto" || !s.Notify {
		t.Errorf("%+v, %v", s, err)
	}
	hub := s.Registries[slices.IndexFunc(s.Registries, func(r control.Registry) bool { return r.Name == "docker.io" })]
	if hub.Best != "origin" {
		t.Errorf("best %q", hub.Best)
	}
	for key, value := range map[string]string{"tray.language": "zh-CN", "tray.notify": "false"} {
		if err := c.SetSetting(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := c.State(t.Context()); err != nil || s.Language != "zh-CN" || s.Notify {
		t.Errorf("%q, %v, %v", s.Language, s.Notify, err)
	}
}

// A transfer says how fast it is and who brings it.
func TestTransferSaysItsRate(t *testing.T) {
	r := start(t, nil)
	c := r.socket(t)
	image := hubtest.RandomImage(1, 1, 64<<20)
	r.hub.Push("library/some", "latest", image)
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Method: "GET", Bandwidth: 8 << 20}, hubtest.Faults{Kind: hubtest.CDN, Method: "GET", Bandwidth: 8 << 20})
	var pulling sync.WaitGroup
	pulling.Go(func() { r.pull(t, "library/some", image) })
	eventually(t, "a rate", func() bool {
		s, err := c.State(t.Context())
		return err == nil && len(s.Active) == 1 && s.Active[0].Rate > 1<<10 && slices.Equal(s.Active[0].Sources, []string{"origin"})
	})
	r.hub.SetFaults()
	pulling.Wait()
}
