package main

import (
	"os"
	"path/filepath"
	"testing"

	"pulley/internal/hubtest"
)

// TestSourceThatDiesIsReplaced pulls a blob N times (N=200 SIZE_MIB=256 for the promised figure) from an origin and three
// mirrors, each at 50 MiB/s, while one of the four dies at a random byte of what it sends. No client may see an error, the
// bytes must be right, and the four must not send more than 1.05 blobs.
func TestSourceThatDiesIsReplaced(t *testing.T) {
	rounds := roundsOf(t, 3)
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
	home := homeWith(t, hubtest.Settings{Origin: origin, Mirrors: hubs[1:]})
	pullOnce(t, binary, home, origin, hubtest.RandomImage(rounds.seed, 1, rounds.size), func() {})
	if err := os.CopyFS(known, os.DirFS(filepath.Join(home, "state"))); err != nil {
		t.Fatal(err)
	}

	worst, used := 0.0, 0
	for round := range rounds.n {
		victim := rounds.random.IntN(len(hubs))
		at := rounds.random.Int64N(rounds.size / 8) // each brings about a quarter
		home := homeWith(t, hubtest.Settings{Origin: origin, Mirrors: hubs[1:]})
		if err := os.CopyFS(filepath.Join(home, "state"), os.DirFS(known)); err != nil {
			t.Fatal(err)
		}
		image := hubtest.RandomImage(rounds.seed+1+uint64(round), 1, rounds.size)
		pullOnce(t, binary, home, origin, image, func() {
			for i, h := range hubs {
				h.Reset()
				h.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Total: 50 << 20}, hubtest.Faults{Kind: hubtest.CDN, Total: 50 << 20})
				if i == victim {
					h.SetFaults(hubtest.Faults{Total: 50 << 20, Die: hubtest.At(at), CutReset: rounds.random.IntN(2) == 0})
				}
			}
		})
		sent := int64(0)
		for i, h := range hubs {
			n := h.BytesSent(image.Layers[0].Digest)
			sent += n
			if i == victim && n >= at {
				used++
			}
			h.SetFaults()
			if err := h.Up(); err != nil {
				t.Fatal(err)
			}
		}
		ratio := float64(sent) / float64(rounds.size)
		worst = max(worst, ratio)
		if ratio > 1.05 {
			t.Errorf("round %d: source %d died at byte %d; the four sent %.3f × the blob", round, victim, at, ratio)
		}
		if err := os.RemoveAll(home); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of %d died while they sent; at most %.3f × the blob was sent", used, rounds.n, worst)
	if used == 0 {
		t.Error("no source died while it was used: the test shows nothing")
	}
}

// pullOnce starts a daemon over home and pulls a new image through it, as a client that never asks twice. ready is called
// before the layer is asked for.
func pullOnce(t *testing.T, binary, home string, origin *hubtest.Hub, image hubtest.Image, ready func()) {
	t.Helper()
	manifest := origin.Push("library/dying", "latest", image)
	daemon, address := killableDaemon(t, binary, home)
	defer func() {
		_ = daemon.Process.Signal(os.Interrupt)
		_ = daemon.Wait()
	}()
	client := pull(t, address, "library/dying", image)
	client.manifest(manifest.String())
	ready()
	client.rest(nil)
}
