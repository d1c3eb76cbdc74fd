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
)

// Share is this machine's cache lent to the engine of a context, for as long as it runs.
type Share struct {
	Context string
	State   ShareState
	Port    int       // on the far machine's loopback
	Since   time.Time // it is up
	Wired   bool      // the engine there looks here first
	Error   string    // why it is down, or has failed
}

// Address is what images are pulled behind on the far machine.
func (s Share) Address() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port))
}

// Shares are those that this program runs. They outlive the pages that show them. Safe for use by several goroutines at once.
type Shares struct {
	mu      sync.Mutex
	running map[string]*sharing
	changed map[int]func()
	next    int
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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	one := &sharing{Share: Share{Context: name}, stop: cancel}
	s.mu.Lock()
	if old := s.running[name]; old != nil && old.State != ShareFailed {
		s.mu.Unlock()
		return
	}
	s.running[name] = one
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
		one.State, one.Error = ShareFailed, strings.TrimPrefix(err.Error(), name+": ")
	default:
		delete(s.running, name)
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
		one.State, one.Error, one.Since = ShareUp, e.Error, e.Time
	case "down", "retry":
		one.State, one.Error = ShareDown, strings.TrimPrefix(e.Error, one.Context+": ")
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

// Stop ends one, which takes back what it did; one that has failed is forgotten.
func (s *Shares) Stop(name string) {
	s.mu.Lock()
	one := s.running[name]
	switch {
	case one == nil:
	case one.State == ShareFailed:
		delete(s.running, name)
	default:
		one.State = ShareEnding
		one.stop()
	}
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
