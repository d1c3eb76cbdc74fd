package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pulley/internal/control"
	"pulley/internal/control/server"
)

// eventful is a daemon in which requests are answered all the time: one more each time that somebody asks for the log or
// begins to follow it.
type eventful struct {
	server.Daemon // nothing else is asked for

	mu     sync.Mutex
	log    []control.Event
	follow chan control.Event // nil: nobody follows
}

func (e *eventful) Version() control.Version { return control.Version{Major: control.Major} }
func (e *eventful) State() control.State     { return control.State{} }
func (e *eventful) Changed() <-chan struct{} { return nil }

func (e *eventful) answer(reference string) {
	event := control.Event{What: "manifest", Registry: "docker.io", Repository: "library/app", Reference: reference}
	e.log = append(e.log, event)
	if e.follow != nil {
		e.follow <- event
	}
}

func (e *eventful) Events(int) ([]control.Event, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer("while-read")
	read := e.log[:len(e.log):len(e.log)]
	e.answer("just-read")
	return read, nil
}

func (e *eventful) Follow() (<-chan control.Event, func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer("before")
	e.follow = make(chan control.Event, 10)
	e.answer("after")
	return e.follow, func() {}
}

// lines hands over each line that is written.
type lines chan string

func (l lines) Write(p []byte) (int, error) { l <- string(p); return len(p), nil }

// What is answered while `pulley log -f` turns from the past to the present is neither lost nor told twice.
func TestFollowLosesNothing(t *testing.T) {
	home, err := os.MkdirTemp("", "pulley") // short: a socket's path may not be long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	t.Setenv("PULLEY_HOME", home)
	ln, err := net.Listen("unix", filepath.Join(home, "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	daemon := &eventful{}
	daemon.answer("long-ago")
	var both sync.WaitGroup
	both.Go(func() {
		if err := server.New(daemon, nil).Serve(ctx, ln); err != nil {
			t.Error(err)
		}
	})
	out := make(lines, 20)
	asking, enough := context.WithCancel(t.Context())
	both.Go(func() {
		root := newRoot()
		root.SetArgs([]string{"log", "-f"})
		root.SetOut(out)
		if err := root.ExecuteContext(asking); err != nil {
			t.Error(err)
		}
	})
	for _, want := range []string{"long-ago", "before", "after", "while-read", "just-read"} {
		if got := <-out; !strings.Contains(got, "library/app:"+want+" ") {
			t.Errorf("%q, want %s", got, want)
		}
	}
	enough()
	stop()
	both.Wait()
	if len(out) > 0 {
		t.Errorf("and then: %q", <-out)
	}
}
