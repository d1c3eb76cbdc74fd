package main

import (
	"context"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"pulley/internal/control/client"
)

// TestMain makes this binary the pulley of the scripts, with the real main.
func TestMain(m *testing.M) {
	testscript.Main(swept{m}, map[string]func(){"pulley": main, docsEngineName: docsEngine})
}

// TestScripts are what a person types. Each has a PULLEY_HOME of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			// A short path: a socket's may not be long.
			home, err := os.MkdirTemp("", "pulley")
			if err != nil {
				return err
			}
			e.Defer(func() { _ = os.RemoveAll(home) })
			e.Setenv("PULLEY_HOME", home)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": awaitReady, "occupy": occupy, "perm": perm,
		},
		RequireExplicitExec: true,
	})
}

// awaitReady waits for the daemon of this home to answer: `ready`.
func awaitReady(ts *testscript.TestScript, _ bool, _ []string) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	socket := filepath.Join(ts.Getenv("PULLEY_HOME"), "control.sock")
	ts.Check(untilAnswers(ctx, socket))
}

// occupy listens at an address, which it leaves in $TAKEN, for the rest of the script.
func occupy(ts *testscript.TestScript, _ bool, _ []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = ln.Close() })
	ts.Setenv("TAKEN", ln.Addr().String())
}

// perm checks a file's mode: `perm 0600 FILE`.
func perm(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strings.TrimPrefix(info.Mode().Perm().String(), "-"); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

// untilAnswers polls: a daemon that was started in the background has no other sign of life that a script can see.
func untilAnswers(ctx context.Context, socket string) error {
	c := client.New(socket)
	defer c.Close()
	deadline, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := c.Version(deadline)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline.Done():
			return err
		}
	}
}
