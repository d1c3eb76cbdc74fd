//go:build unix

package main

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"pulley/internal/hubtest"
)

// The first Ctrl-C finishes what runs; who presses it again does not want to wait for that.
func TestSecondInterruptEndsAtOnce(t *testing.T) {
	hub := hubtest.Start(t)
	image := hubtest.RandomImage(1, 1, 1<<20)
	hub.Push("library/slow", "latest", image)
	hub.SetFaults(hubtest.Faults{Stall: hubtest.At(600 << 10), Digest: image.Layers[0].Digest})
	home := homeWith(t, hubtest.Settings{Origin: hub})
	daemon := &exec.Cmd{Path: os.Args[0], Args: []string{"pulley", "up", "-v"}, Env: append(os.Environ(), "PULLEY_HOME="+home)}
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	notes, err := daemon.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	defer stopDaemon(daemon)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	mirror := "http://" + strings.TrimSpace(strings.TrimPrefix(line, "ready ")) + "/v2/library/slow/"
	response, err := http.Get(mirror + "manifests/latest")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response, err = http.Get(mirror + "blobs/" + image.Layers[0].Digest.String()); err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.ReadFull(response.Body, make([]byte, 1<<10)); err != nil {
		t.Fatal(err)
	}

	if err := daemon.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for said := bufio.NewScanner(notes); ; {
		if !said.Scan() {
			t.Fatal("it ended without finishing what ran")
		}
		if strings.Contains(said.Text(), "running transfers are finished first") {
			break
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- daemon.Wait() }()
	again, enough := time.NewTicker(20*time.Millisecond), time.After(5*time.Second)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			_ = daemon.Process.Signal(os.Interrupt) // fails when it has ended
		case err := <-ended:
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
				t.Errorf("ended with %v", err)
			}
			return
		case <-enough:
			t.Fatal("it goes on waiting for a transfer that does not move")
		}
	}
}
