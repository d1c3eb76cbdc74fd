package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/hubtest"
)

// TestSourceThatDiesIsReplaced pulls a blob N times (N=200 SIZE_MIB=256 for the promised figure) from an origin and three
// mirrors, each at 50 MiB/s, while one of the four dies at a random byte of what it sends. No client may see an error, the
// bytes must be right, and the four must not send more than 1.05 blobs.
func TestSourceThatDiesIsReplaced(t *testing.T) {
	rounds := number(t, "N", 3)
	size := int64(number(t, "SIZE_MIB", 64)) << 20
	seed := uint64(number(t, "SEED", int(time.Now().UnixNano()&0xffff)))
	t.Logf("N=%d SIZE_MIB=%d SEED=%d", rounds, size>>20, seed)
	random := rand.New(rand.NewPCG(seed, 1))
	binary := buildPulley(t)

	// What lies in a server's own socket buffer when it dies was never sent, and a machine that is busy with other things
	// would let those fill.
	const buffer = 128 << 10
	origin := &hubtest.Hub{SendBuffer: buffer}
	hubs := []*hubtest.Hub{origin}
	for range 3 {
		hubs = append(hubs, &hubtest.Hub{Of: origin, Style: hubtest.StyleHost, Auth: hubtest.Open, SendBuffer: buffer})
	}
	for _, h := range hubs {
		if err := h.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(h.Close)
	}
	known := filepath.Join(t.TempDir(), "known") // the state of a daemon that has used them all
	home := sourcesHome(t, hubs)
	pullOnce(t, binary, home, origin, size, seed, func(digest.Digest) {})
	if err := os.CopyFS(known, os.DirFS(filepath.Join(home, "state"))); err != nil {
		t.Fatal(err)
	}

	worst, used := 0.0, 0
	for round := range rounds {
		victim := random.IntN(len(hubs))
		at := random.Int64N(size / 8) // each brings about a quarter
		home := sourcesHome(t, hubs)
		if err := os.CopyFS(filepath.Join(home, "state"), os.DirFS(known)); err != nil {
			t.Fatal(err)
		}
		var blob digest.Digest
		pullOnce(t, binary, home, origin, size, seed+1+uint64(round), func(d digest.Digest) {
			blob = d
			for i, h := range hubs {
				h.Reset()
				h.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Total: 50 << 20}, hubtest.Faults{Kind: hubtest.CDN, Total: 50 << 20})
				if i == victim {
					h.SetFaults(hubtest.Faults{Total: 50 << 20, Die: hubtest.At(at), CutReset: random.IntN(2) == 0})
				}
			}
		})
		sent := int64(0)
		for i, h := range hubs {
			n := h.BytesSent(blob)
			sent += n
			if i == victim && n >= at {
				used++
			}
			h.SetFaults()
			if err := h.Up(); err != nil {
				t.Fatal(err)
			}
		}
		ratio := float64(sent) / float64(size)
		worst = max(worst, ratio)
		if ratio > 1.05 {
			t.Errorf("round %d: source %d died at byte %d; the four sent %.3f × the blob", round, victim, at, ratio)
		}
		if err := os.RemoveAll(home); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of %d died while they sent; at most %.3f × the blob was sent", used, rounds, worst)
	if used == 0 {
		t.Error("no source died while it was used: the test shows nothing")
	}
}

// pullOnce starts a daemon over home and pulls a new image through it, as a client that never asks twice. ready is called
// with the layer's digest before the layer is asked for.
func pullOnce(t *testing.T, binary, home string, origin *hubtest.Hub, size int64, seed uint64, ready func(digest.Digest)) {
	t.Helper()
	image := hubtest.RandomImage(seed, 1, size)
	manifest := origin.Push("library/dying", "latest", image)
	daemon, address := killableDaemon(t, binary, home)
	defer func() {
		_ = daemon.Process.Signal(os.Interrupt)
		_ = daemon.Wait()
	}()
	base := "http://" + address + "/v2/library/dying/"
	response, err := http.Get(base + "manifests/" + manifest.String())
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("manifest: %v %v", response, err)
	}
	_ = response.Body.Close()
	layer := image.Layers[0]
	ready(layer.Digest)
	hash := sha256.New()
	n, err := pullRest(address, layer, hash, 0, layer.Content.Size(), "library/dying")
	if err != nil {
		t.Fatalf("the client saw an error after %d bytes: %v", n, err)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != layer.Digest.Encoded() {
		t.Fatalf("wrong bytes: sha256 %s, want %s", got, layer.Digest.Encoded())
	}
}

// sourcesHome is a PULLEY_HOME with an origin, the first hub, and mirrors that are switched on.
func sourcesHome(t *testing.T, hubs []*hubtest.Hub) string {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "listen = %q\n[fetch]\nextra_roots = [%q]\n[[registry]]\nname = \"docker.io\"\n", "127.0.0.1:0", hubs[0].RootsFile())
	for i, h := range hubs[1:] {
		fmt.Fprintf(&text, "[[registry.mirror]]\nname = \"m%d\"\nurl = \"https://%s\"\nenabled = true\n", i, h.Hosts()[0])
	}
	for _, h := range hubs {
		for _, host := range h.Hosts() {
			fmt.Fprintf(&text, "[[address]]\nhost = %q\nuse = [%q]\n", host, h.Addr())
		}
	}
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "config.toml"), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return home
}

// buildPulley builds the daemon as it is shipped.
func buildPulley(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "pulley")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}
