package main

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"pulley/internal/hubtest"
	"pulley/internal/waytest"
)

// TestKilledDaemonLosesNothing pulls a blob N times (N=50 for the promised figure) while the daemon is killed once at a
// random byte of each. The client does what dockerd does: it asks again for the rest. Each pull must complete with the right
// bytes, and the upstream must send less than 1.2 blobs.
func TestKilledDaemonLosesNothing(t *testing.T) {
	rounds := roundsOf(t, 2)
	binary := buildPulley(t)
	hub := hubtest.Start(t)
	hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Total: 100 << 20})
	home := homeWith(t, hubtest.Settings{Origin: hub, Listen: waytest.FreeAddr(t)}) // the same over restarts

	for round := range rounds.n {
		image := hubtest.RandomImage(rounds.seed+uint64(round), 1, rounds.size)
		hub.Push("library/killed", "latest", image)
		layer := image.Layers[0]
		at := rounds.random.Int64N(rounds.size)
		pullOverKill(t, binary, home, image, at)
		sent := float64(hub.BytesSent(layer.Digest)) / float64(rounds.size)
		t.Logf("round %d: killed at byte %d; upstream sent %.3f × the blob", round, at, sent)
		if sent >= 1.2 {
			t.Errorf("round %d: upstream sent %.3f × the blob", round, sent)
		}
		hub.Reset()
	}
}

// pullOverKill pulls an image with a new daemon that it kills when the client has read at bytes.
func pullOverKill(t *testing.T, binary, home string, image hubtest.Image, at int64) {
	t.Helper()
	daemon, address := killableDaemon(t, binary, home)
	defer func() { stopDaemon(daemon) }()
	client := pull(t, address, "library/killed", image)
	client.manifest("latest")
	if err := client.read(at, nil); err != nil {
		t.Fatal(err)
	}
	stopDaemon(daemon)
	daemon, _ = killableDaemon(t, binary, home)
	for tries := 0; client.have < client.layer.Content.Size(); tries++ {
		if err := client.read(client.layer.Content.Size(), nil); err != nil && tries == 5 {
			t.Fatalf("no answer after %d tries at byte %d: %v", tries, client.have, err)
		}
	}
	client.check()
}

// rounds is how often something is done, how large the blob is, and what is random about it: N, SIZE_MIB and SEED of the
// environment.
type rounds struct {
	n      int
	size   int64
	seed   uint64
	random *rand.Rand
}

func roundsOf(t *testing.T, n int) rounds {
	t.Helper()
	seed := uint64(number(t, "SEED", int(time.Now().UnixNano()&0xffff)))
	r := rounds{number(t, "N", n), int64(number(t, "SIZE_MIB", 64)) << 20, seed, rand.New(rand.NewPCG(seed, 0))}
	t.Logf("N=%d SIZE_MIB=%d SEED=%d", r.n, r.size>>20, r.seed)
	return r
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: want a number", name, text)
	}
	return n
}
