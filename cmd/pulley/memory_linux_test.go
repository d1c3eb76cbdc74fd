package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"pulley/internal/hubtest"
)

// TestAStormLeavesNoMemoryBehind: what many small requests at once made the daemon take goes back to the system when they
// are over, while connections stay open.
func TestAStormLeavesNoMemoryBehind(t *testing.T) {
	hub := hubtest.Start(t)
	image := hubtest.RandomImage(1, 1, 1000)
	hub.Push("library/storm", "latest", image)
	daemon, address := killableDaemon(t, buildPulley(t), homeWith(t, hubtest.Settings{Origin: hub}))
	defer stopDaemon(daemon)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	ask := func(n int) {
		for range n {
			rsp, err := client.Get(fmt.Sprintf("http://%s/v2/library/storm/manifests/%s", address, image.Digest()))
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, rsp.Body)
			_ = rsp.Body.Close()
			if rsp.StatusCode != http.StatusOK {
				t.Error(rsp.Status)
				return
			}
		}
	}
	ask(10)
	const rest = 10 << 10 // KiB
	most := anonymous(t, daemon.Process.Pid)
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() { ask(4000) })
	}
	over := make(chan struct{})
	go func() { clients.Wait(); close(over) }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for running := true; running; {
		select {
		case <-over:
			running = false
		case <-tick.C:
			most = max(most, anonymous(t, daemon.Process.Pid))
		}
	}
	if most < rest {
		t.Fatalf("no storm: it took %d KiB at most", most)
	}
	deadline := time.After(30 * time.Second)
	for held := most; held > rest; held = anonymous(t, daemon.Process.Pid) {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%d KiB in the storm, %d KiB after it", most, held)
		}
	}
	t.Logf("%d KiB in the storm, then %d", most, anonymous(t, daemon.Process.Pid))
}

// anonymous is how many KiB of memory a process holds that are no file's (proc_pid_status(5)).
func anonymous(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`RssAnon:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		t.Fatal("no RssAnon")
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
