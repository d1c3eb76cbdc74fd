package model

import (
	"context"
	"encoding/json"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"pulley/ui/lang"
)

// ShareState is how a share stands.
type ShareState int

// States of a share.
const (
	ShareStarting ShareState = iota
	ShareUp
	ShareDown   // the link has broken, and is made again
	ShareEnding // it was asked to end, and takes back what it did
	ShareFailed // it has ended by itself: Error says why
	ShareLapsed // it ended with the run of the program before this one, and nobody has begun it again
)

// Share is this machine's cache lent to the engine of a context, for as long as it runs.
type Share struct {
	Context string
	State   ShareState
	Port    int       // on the far machine's loopback
	Since   time.Time // it is up
	Wire    bool      // the engine there is to look here first
	Wired   bool      // it does
	Error   string    // why it is down, or has failed
	Cause   string    // the kind of that; "": none that is known
}

// Address is what images are pulled behind on the far machine.
func (s Share) Address() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port))
}

// Over tells whether it does not run any more.
func (s Share) Over() bool { return s.State == ShareFailed || s.State == ShareLapsed }

// Shares are those that this program runs. They outlive the pages that show them. Safe for use by several goroutines at once.
type Shares struct {
	mu      sync.Mutex
	running map[string]*sharing
	changed map[int]func()
	next    int
	memory  Choices // nil: nothing is remembered
}

// Choices is what remembers what a person chose, from one run of the program to the next.
type Choices interface {
	Choice(key string) string // "": none was made
	Choose(key, value string)
}

// sharesKey is under what shares are remembered.
const sharesKey = "docker.shares"

// remembered is a share that a person began and did not end.
type remembered struct {
	Context string `json:"context"`
	Wire    bool   `json:"wire,omitempty"`
}

// Recall offers those again that ended with the program, and remembers from now on which are wanted. None begins by itself: it
// opens a port on another machine, and whoever quits the program has ended it.
func (s *Shares) Recall(memory Choices) {
	var list []remembered
	_ = json.Unmarshal([]byte(memory.Choice(sharesKey)), &list) // a file that others may write too
	s.mu.Lock()
	s.memory = memory
	for _, one := range list {
		if one.Context != "" && s.running[one.Context] == nil {
			s.running[one.Context] = &sharing{Share: Share{Context: one.Context, Wire: one.Wire, State: ShareLapsed}}
		}
	}
	s.mu.Unlock()
	s.tell()
}

// remember notes which are wanted now. The caller has the lock.
func (s *Shares) remember() {
	if s.memory == nil {
		return
	}
	var list []remembered
	for _, one := range s.sorted() {
		if one.State != ShareFailed && one.State != ShareEnding {
			list = append(list, remembered{one.Context, one.Wire})
		}
	}
	text := ""
	if len(list) > 0 {
		if all, err := json.Marshal(list); err == nil {
			text = string(all)
		}
	}
	s.memory.Choose(sharesKey, text)
}

type sharing struct {
	Share

	stop context.CancelFunc
}

// NewShares makes one without any.
func NewShares() *Shares {
	return &Shares{running: map[string]*sharing{}, changed: map[int]func(){}}
}

// Watch has f called after each change, on whichever goroutine made it, until what it returns is called.
func (s *Shares) Watch(f func()) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.next
	s.next++
	s.changed[id] = f
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.changed, id)
	}
}

// Follower runs a command of `pulley` until ctx ends.
type Follower interface {
	Follow(ctx context.Context, line func(string), args ...string) error
}

// Run shares with a context's engine until Stop, or until ctx ends. One that runs already goes on, and nothing happens. It
// blocks. wire has the engine there look here first.
func (s *Shares) Run(ctx context.Context, tool Follower, name string, wire bool) {
	program := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	one := &sharing{Share: Share{Context: name, Wire: wire}, stop: cancel}
	s.mu.Lock()
	if old := s.running[name]; old != nil && !old.Over() {
		s.mu.Unlock()
		return
	}
	s.running[name] = one
	s.remember()
	s.mu.Unlock()
	s.tell()
	args := []string{"context", "share", name, "--json"}
	if wire {
		args = append(args, "--wire")
	}
	err := tool.Follow(ctx, func(line string) { s.heard(one, line) }, args...)
	s.mu.Lock()
	switch {
	case s.running[name] != one:
	case err != nil:
		one.State, one.Error, one.Cause = ShareFailed, strings.TrimPrefix(err.Error(), name+": "), lang.CauseOf(err)
	default:
		delete(s.running, name)
	}
	if program.Err() == nil {
		s.remember()
	}
	s.mu.Unlock()
	s.tell()
}

// heard takes a line of what a share prints.
func (s *Shares) heard(one *sharing, line string) {
	var e struct {
		Time  time.Time `json:"time"`
		Event string    `json:"event"`
		Port  int       `json:"port"`
		Error string    `json:"error"`
		Cause string    `json:"cause"`
	}
	if json.Unmarshal([]byte(line), &e) != nil {
		return
	}
	s.mu.Lock()
	if e.Port != 0 {
		one.Port = e.Port
	}
	ending := one.State == ShareEnding
	switch e.Event {
	case "up":
		one.State, one.Error, one.Cause, one.Since = ShareUp, e.Error, "", e.Time
	case "down", "retry":
		one.State, one.Error, one.Cause = ShareDown, strings.TrimPrefix(e.Error, one.Context+": "), e.Cause
	case "wired":
		one.Wired = true
	case "unwired":
		one.Wired = false
	}
	if ending {
		one.State = ShareEnding
	}
	s.mu.Unlock()
	s.tell()
}

// Stop ends one, which takes back what it did; one that is over is forgotten.
func (s *Shares) Stop(name string) {
	s.mu.Lock()
	one := s.running[name]
	switch {
	case one == nil:
	case one.Over():
		delete(s.running, name)
	default:
		one.State = ShareEnding
		one.stop()
	}
	s.remember()
	s.mu.Unlock()
	s.tell()
}

// Get is one by its context.
func (s *Shares) Get(name string) (Share, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.running[name]; one != nil {
		return one.Share, true
	}
	return Share{}, false
}

// List are all of them, by name.
func (s *Shares) List() []Share {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sorted()
}

func (s *Shares) sorted() []Share {
	list := make([]Share, 0, len(s.running))
	for _, one := range s.running {
		list = append(list, one.Share)
	}
	slices.SortFunc(list, func(a, b Share) int { return strings.Compare(a.Context, b.Context) })
	return list
}

func (s *Shares) tell() {
	s.mu.Lock()
	var fs []func()
	for _, f := range s.changed {
		fs = append(fs, f)
	}
	s.mu.Unlock()
	for _, f := range fs {
		f()
	}
}
