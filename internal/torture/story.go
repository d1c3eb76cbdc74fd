//go:build linux

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// story is what was done, the last of it.
type story struct {
	mu    sync.Mutex
	lines []string
	long  []string       // with every answer
	count map[string]int // answers, by kind
	aloud bool           // printed as it goes
}

const (
	storyLines = 60
	longLines  = 3000
)

// tell takes down one thing.
func (s *story) tell(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
	s.also(s.lines[len(s.lines)-1])
	if len(s.lines) > storyLines {
		s.lines = slices.Delete(s.lines, 0, len(s.lines)-storyLines)
	}
}

// whisper is for who listens, and for the log of a run that failed.
func (s *story) whisper(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.also(time.Now().Format("15:04:05.000 ") + fmt.Sprintf(format, args...))
}

// also adds a line to the long story. Needs mu.
func (s *story) also(line string) {
	if s.aloud {
		fmt.Println(line)
	}
	if s.long = append(s.long, line); len(s.long) >= 2*longLines {
		s.long = slices.Clone(s.long[longLines:])
	}
}

// answered counts an answer.
func (s *story) answered(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == nil {
		s.count = map[string]int{}
	}
	s.count[what]++
}

// String is the end of the story.
func (s *story) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

// counts are the answers in one line.
func (s *story) counts() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for what, n := range s.count {
		out = append(out, fmt.Sprintf("%d %s", n, what))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// tail is the end of a file.
func tail(file string, lines int) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
