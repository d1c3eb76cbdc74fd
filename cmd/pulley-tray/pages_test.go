//go:build xvfb && ui && linux

package main_test

import (
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pulley/internal/control"
	"pulley/internal/hubtest"
	say "pulley/ui/words"
)

// The pages, in the order of their keys.
var pages = []string{"overview", "images", "mirrors", "docker", "activity", "settings"}

// shelf is what the test's Hub has: names that everybody knows, with random bytes in them.
var shelf = []struct {
	site, repository, tag string
	layers                int
	layer                 int64
}{
	{"", "library/debian", "bookworm-slim", 1, 28 << 20},
	{"", "library/postgres", "17", 5, 6 << 20},
	{"", "library/redis", "8-alpine", 3, 3 << 20},
	{"", "library/node", "24-bookworm", 6, 9 << 20},
	{"", "library/nginx", "1.29", 4, 4 << 20},
	{"", "bitnami/kafka", "4.0", 3, 11 << 20},
	{"ghcr.io", "astral-sh/uv", "latest", 2, 8 << 20},
	{"quay.io", "prometheus/prometheus", "v3.5.0", 4, 7 << 20},
}

// usual is the address that nobody has to set.
const usual = "127.0.0.1:5055"

// stocked is a whole desktop with a daemon that has pulled what is on the shelf, and the app in its panel.
func stocked(t *testing.T) (*session, *statusIcon, slow) {
	t.Helper()
	s := newSession(t)
	if free, err := net.Listen("tcp", usual); err == nil { // as a person sees it, unless one runs here
		_ = free.Close()
		s.listen = usual
	}
	ghcr, quay := &hubtest.Site{Host: "ghcr.io"}, &hubtest.Site{Host: "quay.io"}
	hub := &hubtest.Hub{RateLimit: 100, Sites: []*hubtest.Site{ghcr, quay}}
	if err := hub.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hub.Close)
	for i, image := range shelf {
		hub.Site(image.site).Push(image.repository, image.tag, hubtest.RandomImage(uint64(i+1), image.layers, image.layer))
	}
	hub.Push("library/python", "3.14", hubtest.RandomImage(99, 4, 40<<20))
	mirror := hubtest.MirrorOf(t, hub, hubtest.StyleHost)
	s.dress(t, hub, mirror)
	s.remember(t)
	s.inhabit(t)
	s.furnish(t)
	s.tray(t)
	icon := s.panelIcon(t)
	icon.find("On · 127.0.0.1:")
	for i, image := range shelf {
		for range 1 + i%4 { // the first time from the network
			s.engine(t, agents[i%len(agents)], image.site, image.repository, image.tag)
		}
	}
	return s, icon, slow{hub, mirror}
}

// slow is a Hub and its mirror, which a download can be seen at.
type slow []*hubtest.Hub

func (s slow) down() {
	for _, h := range s {
		h.SetFaults(hubtest.Faults{Total: 900 << 10, Kind: hubtest.CDN}, hubtest.Faults{Total: 500 << 10, Kind: hubtest.Blob})
	}
}

func (s slow) up() {
	for _, h := range s {
		h.SetFaults()
	}
}

// agents are what engines call themselves.
var agents = []string{"docker/28.3.3 go/go1.24.5 os/linux arch/amd64", "containerd/v2.1.4", "buildkit/v0.24", "containers/5.36.1 (github.com/containers/image)"}

// dress writes the settings: the hub by the names of the real registries, and a mirror that is on.
func (s *session) dress(t *testing.T, hub, mirror *hubtest.Hub) {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "[fetch]\nextra_roots = [%q, %q]\n[[registry]]\nname = \"docker.io\"\n", hub.RootsFile(), mirror.RootsFile())
	fmt.Fprintf(&text, "[[registry.mirror]]\nname = \"office\"\nurl = \"https://%s\"\nenabled = true\n", mirror.Hosts()[0])
	for _, h := range []*hubtest.Hub{hub, mirror} {
		for _, host := range h.Hosts() {
			fmt.Fprintf(&text, "[[address]]\nhost = %q\nuse = [%q]\n", host, h.Addr())
		}
	}
	s.configure(t, text.String())
}

// remember gives the daemon a past, so that there is more to see over time than one test takes: a month of days with ten busy
// hours each, of which the last are not long ago.
func (s *session) remember(t *testing.T) {
	t.Helper()
	random := rand.New(rand.NewPCG(7, 11)) //nolint:gosec // the same each time
	now := time.Now()
	sums := struct {
		Ever    control.Bytes            `json:"ever"`
		Minutes map[string]control.Bytes `json:"minutes"`
		Days    map[string]control.Bytes `json:"days"`
		Used    map[string]time.Time     `json:"used"`
	}{control.Bytes{}, map[string]control.Bytes{}, map[string]control.Bytes{}, map[string]time.Time{}}
	for ago := 30 * 24 * time.Hour; ago > 10*time.Minute; ago -= 7 * time.Minute {
		at := now.Add(-ago)
		if ago%(24*time.Hour) > 10*time.Hour || random.Float64() > 0.5 {
			continue
		}
		net := int64(random.ExpFloat64() * float64(24<<20))
		cached := int64(random.ExpFloat64() * float64(80<<20))
		b := control.Bytes{Requests: 1 + random.Int64N(9), FromCache: cached, FromNet: net}
		sums.Minutes[at.UTC().Format("2006-01-02T15:04")] = b
		sums.Ever = plus(sums.Ever, b)
		sums.Days[at.Format(time.DateOnly)] = plus(sums.Days[at.Format(time.DateOnly)], b)
	}
	text, err := json.Marshal(sums)
	if err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(s.home, "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(state, "totals.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func plus(a, b control.Bytes) control.Bytes {
	return control.Bytes{Requests: a.Requests + b.Requests, FromCache: a.FromCache + b.FromCache, FromNet: a.FromNet + b.FromNet}
}

// engine pulls an image whole, as an engine does at the mirror door.
func (s *session) engine(t *testing.T, agent, site, repository, tag string) {
	t.Helper()
	state, ok := s.state(t)
	if !ok {
		t.Fatal("no daemon")
	}
	get := func(what string) []byte {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+state.Listen+path.Join("/v2", site, repository, what), nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header = http.Header{"User-Agent": {agent}, "Accept": {
			"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json",
			"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json",
		}}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s: %v", request.URL, response.Status, err)
		}
		return body
	}
	type blob struct{ Digest string }
	var manifest struct {
		Config blob
		Layers []blob
	}
	if err := json.Unmarshal(get("manifests/"+tag), &manifest); err != nil {
		t.Fatal(err)
	}
	for _, b := range append(manifest.Layers, manifest.Config) {
		get("blobs/" + b.Digest)
	}
}

// Every page, in both looks, both languages and two sizes, is left in the folder that PULLEY_SHOTS names.
func TestUIPages(t *testing.T) {
	s, icon, network := stocked(t)
	s.menuPicture(t)
	network.down()
	t.Cleanup(network.up) // or the daemon waits for it
	asking := s.client(t)
	var pulling sync.WaitGroup
	pulling.Go(func() { // something to see on its way
		wish := control.Pull{Images: []control.PullImage{{Image: "docker.io/library/python:3.14"}}}
		_, _ = asking.Pull(t.Context(), wish, func(control.Pulling) {})
	})
	t.Cleanup(pulling.Wait)
	s.becomes(t, "a pull", func(c control.State) bool { return len(c.Active) > 0 })
	icon.click(icon.find("Open Pulley"))
	s.everyLook(t, s.face(t), pages, func(page string) {
		s.keys(t, fmt.Sprintf("ctrl+%d", slices.Index(pages, page)+1))
	})
}

// Who has pulled nothing yet is shown the first steps, once.
func TestUIFirst(t *testing.T) {
	s := newSession(t)
	s.furnish(t)
	s.tray(t)
	icon := s.panelIcon(t)
	icon.click(icon.find("Open Pulley"))
	id := s.face(t)
	eventually(t, "no page was marked in the sidebar", func() bool {
		picture := s.x.picture(id)
		bar := picture.NRGBAAt(11, 78) // of the overview
		return colours(picture) > 50 && int(bar.G)-int(bar.R) < 40
	})
	s.everyLook(t, id, []string{"first"}, func(string) {})
	first := s.calm(t, id)
	s.keys(t, "ctrl+1")
	s.differs(t, id, "the overview came", string(first.Pix))
	s.keys(t, "ctrl+w")
	s.gone(t)
	text, err := os.ReadFile(filepath.Join(s.home, "state", "window.json"))
	if err != nil || !strings.Contains(string(text), `"met": true`) {
		t.Fatalf("the steps would be shown again: %s, %v", text, err)
	}
	s.set(t, "tray.language", "en")
	icon.click(icon.find("Open Pulley"))
	s.face(t)
}

// everyLook leaves pictures of pages in both looks, both languages and two sizes.
func (s *session) everyLook(t *testing.T, id uint32, pages []string, bring func(page string)) {
	t.Helper()
	for _, look := range []string{"light", "dark"} {
		s.set(t, "tray.theme", look)
		for _, language := range []string{"en", "zh-CN"} {
			s.set(t, "tray.language", language)
			for _, size := range []struct{ name, width, height string }{{"1100x720", "1100", "720"}, {"900x600", "900", "600"}} {
				s.xdo(t, "windowsize", "--sync", fmt.Sprint(id), size.width, size.height)
				seen := map[string]string{}
				for _, page := range pages {
					bring(page)
					s.xdo(t, "mousemove", "1270", "890") // out of the way
					picture := s.calm(t, id)
					for other, pixels := range seen {
						if pixels == string(picture.Pix) {
							t.Errorf("%s looks like %s (%s, %s, %s)", page, other, look, language, size.name)
						}
					}
					seen[page] = string(picture.Pix)
					s.shoot(t, picture, page+"-"+look+"-"+language+"-"+size.name)
				}
			}
		}
	}
}

// statusSays waits until the menu says something: its numbers are ten seconds old at most.
func (s *session) statusSays(t *testing.T, text string) {
	t.Helper()
	icon := s.panelIcon(t)
	eventually(t, "the menu said "+text, func() bool { return strings.Contains(icon.text(), text) })
}

// changed counts the pixels that two pictures of one size do not share.
func changed(a, b *image.NRGBA) (n int) {
	for i := 0; i < len(a.Pix); i += 4 {
		if [4]byte(a.Pix[i:]) != [4]byte(b.Pix[i:]) {
			n++
		}
	}
	return n
}

// menuPicture opens the menu with the mouse, leaves a picture of it, and closes it.
func (s *session) menuPicture(t *testing.T) {
	t.Helper()
	const wide, tall = 300, 350
	state, _ := s.state(t)
	s.statusSays(t, say.Bytes(state.Cache.Size))
	s.xdo(t, "mousemove", "1264", "16")
	bare := s.calm(t, s.x.root)
	s.xdo(t, "click", "3")
	eventually(t, "the menu was open", func() bool { return changed(bare, s.x.picture(s.x.root)) > wide*tall/4 })
	screen := s.calm(t, s.x.root)
	s.shoot(t, screen.SubImage(image.Rect(screen.Rect.Max.X-wide, 0, screen.Rect.Max.X, tall)), "tray")
	s.keys(t, "Escape")
}

func (s *session) set(t *testing.T, key, value string) {
	t.Helper()
	if err := s.client(t).SetSetting(t.Context(), key, value); err != nil {
		t.Fatal(err)
	}
}

// calm is a window's picture once it has not changed for a moment, or has gone on changing for a while, as numbers do.
func (s *session) calm(t *testing.T, id uint32) *image.NRGBA {
	t.Helper()
	last, same := s.x.picture(id), 0
	for range 60 {
		<-time.After(40 * time.Millisecond)
		next := s.x.picture(id)
		if slices.Equal(next.Pix, last.Pix) {
			same++
		} else {
			last, same = next, 0
		}
		if same > 12 {
			break
		}
	}
	return last
}

// shoot leaves a picture in the folder that PULLEY_SHOTS names.
func (s *session) shoot(t *testing.T, picture image.Image, name string) {
	t.Helper()
	dir := os.Getenv("PULLEY_SHOTS")
	if dir == "" {
		return
	}
	file, err := os.Create(filepath.Join(dir, name+".png"))
	if err != nil {
		t.Fatal(err)
	}
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(file, picture); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
