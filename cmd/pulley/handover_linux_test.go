package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pulley/internal/handover"
	"pulley/internal/hubtest"
)

// TestHandOver has clients of every door pull while one daemon after the other takes over: no client sees an error or a
// wrong byte, tunnels stay, whoever has handed over ends when its last client is done, and the cache is whole. N pulls
// (500 for the promised figure) over OVER hand-overs (20).
func TestHandOver(t *testing.T) {
	pulls, over := number(t, "N", 36), number(t, "OVER", 4)
	l := newLine(t)
	l.origin.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Total: 48 << 20})
	const each = 3 // pulls of an image
	images := make([]hubtest.Image, (pulls+each-1)/each)
	for i := range images {
		images[i] = hubtest.RandomImage(uint64(9000+i), 2, 2<<20)
		l.origin.Push(fmt.Sprintf("library/over%d", i), "latest", images[i])
	}
	stops := []func(){l.talk("http"), l.talk("socks5")}
	var next, done atomic.Int64
	var work sync.WaitGroup
	kinds := l.customers()
	for _, c := range kinds {
		work.Go(func() {
			for {
				i := int(next.Add(1) - 1)
				if i >= pulls {
					return
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				if err := c.pull(ctx, fmt.Sprintf("library/over%d", i/each), images[i/each]); err != nil {
					t.Errorf("pull %d at %s: %v", i, c.base, err)
				}
				cancel()
				done.Add(1)
			}
		})
	}
	ticks := time.NewTicker(5 * time.Millisecond)
	defer ticks.Stop()
	var gaps []time.Duration
	for i := range over {
		for int(done.Load()) < (i+1)*pulls/(over+1) {
			<-ticks.C
		}
		if i%3 == 1 { // one that cannot: a settings key that nobody knows
			if _, ready, said := l.attempt("--listen", "nowhere"); ready != "" || said == "" {
				t.Errorf("with wrong settings: %q %q", ready, said)
			}
		}
		c := l.calls()
		l.handOver()
		c.end()
		gaps = append(gaps, time.Duration(c.most.Load()).Round(100*time.Microsecond))
	}
	work.Wait()
	for _, stop := range stops {
		stop()
	}
	for _, c := range kinds {
		c.hangUp()
	}
	l.ended()
	var sent, size int64
	for _, image := range images {
		for _, layer := range image.Layers {
			sent += l.origin.BytesSent(layer.Digest)
			size += layer.Content.Size()
		}
	}
	t.Logf("%d pulls over %d hand-overs; slowest answer during each: %v; upstream sent %.3f × the layers", pulls, over, gaps, float64(sent)/float64(size))
	l.verified()
	events := 0
	for _, e := range strings.Split(l.says("log", "-n", "100000"), "\n") {
		if strings.Contains(e, "blob") {
			events++
		}
	}
	if want := 3 * pulls; events < want {
		t.Errorf("the log has %d blobs of %d", events, want)
	}
}

// TestHandOverThatFails: whoever takes what there is and does not come, killed or gone of itself, costs nobody more than a
// moment; nor does one whose settings are wrong, or whose address is taken.
func TestHandOverThatFails(t *testing.T) {
	l := newLine(t)
	l.origin.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Total: 4 << 20})
	stop := l.talk("http")
	client := pull(t, l.address, l.repository, l.image)
	client.manifest("latest")
	client.rest(func() {
		for range 3 {
			p, err := handover.Ask(t.Context(), filepath.Join(l.home, "control.sock"), handover.Request{Version: "test", CacheDir: filepath.Join(l.home, "cache")})
			if err != nil {
				t.Fatal(err)
			}
			given, err := p.Take()
			if err != nil || given.Lock == nil {
				t.Fatalf("%+v %v", given, err)
			}
			given.Close()
			p.Close()
			l.says("status")
		}
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		if _, ready, said := l.attempt("--listen", taken.Addr().String()); ready != "" || !strings.Contains(said, "is in use") {
			t.Errorf("an address that is taken: %q %q", ready, said)
		}
	})
	client.check()
	stop()
	l.settings.Origin.SetFaults()
	l.next(1 << 20)
	l.pull(nil)
	l.verified()
	// On a busy machine a slow connection's rest goes to a faster one, and what was on its way of that comes twice.
	if got, size := l.origin.BytesSent(client.layer.Digest), client.layer.Content.Size(); got < size || got > size+size/8 {
		t.Errorf("upstream sent %d of %d bytes", got, size)
	}
}

// TestOldOneKilledWhileItFinishes: what a daemon that has handed over had of a download when it was killed is gone on with by
// the next one.
func TestOldOneKilledWhileItFinishes(t *testing.T) {
	l := newLine(t)
	l.next(16 << 20)
	l.origin.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Total: 8 << 20})
	first := pull(t, l.address, l.repository, l.image)
	first.manifest("latest")
	err := first.read(first.layer.Content.Size(), func() {
		beside := pull(t, l.address, l.repository, l.image) // gets some of it
		if err := beside.read(4<<20, nil); err != nil {
			t.Error(err)
		}
		l.handOver()
		old := l.gone[0]
		_ = old.Process.Kill()
		_ = old.Wait()
		l.gone = nil
	})
	if err == nil {
		t.Fatal("the client of a killed daemon saw nothing")
	}
	l.until("what it left is taken over", func() bool {
		_, err := os.Stat(filepath.Join(l.home, "cache", "partial", "sha256", first.layer.Digest.Encoded()))
		return err == nil
	})
	again := pull(t, l.address, l.repository, l.image)
	again.manifest("latest")
	again.rest(nil)
	again.check()
	sent := float64(l.origin.BytesSent(again.layer.Digest)) / float64(again.layer.Content.Size())
	t.Logf("upstream sent %.3f × the blob", sent)
	if sent >= 1.2 {
		t.Error("what was there was fetched again")
	}
	l.verified()
}

// TestTakeOverOfNobody: with no daemon there, or a dead one's socket, it is a start like any other.
func TestTakeOverOfNobody(t *testing.T) {
	l := newLine(t)
	stopDaemon(l.daemon)
	l.handOver()
	l.gone = nil
	l.pull(nil)
	l.verified()
}

// TestNewOneKilledAtAnyMoment starts daemons that take over and kills each at a random moment: before it asks, while it has
// everything and does not serve yet, or when it serves. Either the running one goes on, or it finishes and there is none;
// what was begun is not broken, and nothing is lost. N rounds, SEED.
func TestNewOneKilledAtAnyMoment(t *testing.T) {
	rounds := roundsOf(t, 10)
	l := newLine(t)
	l.next(24 << 20)
	l.origin.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Digest: l.image.Layers[0].Digest, Total: int64(24<<20) / int64(1+rounds.n/3)})
	stop := l.talk("socks5")
	client := pull(t, l.address, l.repository, l.image)
	client.manifest("latest")
	went := 0
	client.rest(func() {
		for i := range rounds.n {
			daemon := exec.Command(l.binary, "up", "--take-over")
			daemon.Env = append(os.Environ(), "PULLEY_HOME="+l.home)
			if err := daemon.Start(); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Duration(rounds.random.IntN(150)) * time.Millisecond)
			stopDaemon(daemon)
			if _, _, err := l.run("status"); err == nil {
				went++
			} else {
				l.handOver()
			}
			image := hubtest.RandomImage(rounds.seed+uint64(100+i), 1, 100<<10)
			l.origin.Push("library/small", "latest", image)
			small := pull(t, l.address, "library/small", image)
			small.manifest(image.Digest().String())
			small.rest(nil)
			small.check()
		}
	})
	client.check()
	stop()
	t.Logf("%d of %d went on", went, rounds.n)
	l.ended()
	l.pull(nil)
	l.verified()
}
