//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// endings are steps that end the daemon's process, which a soak is about.
var endings = []string{"kill", "restart", "hand-over"}

// lasting are all steps but those.
func lasting() []step {
	return slices.DeleteFunc(slices.Clone(steps), func(s step) bool { return slices.Contains(endings, s.name) })
}

// soak is what one process had while it rested, again and again over a long time.
type soak struct {
	every   time.Duration
	begun   time.Time
	next    time.Duration // since then
	out     io.Writer
	samples []sample
}

type sample struct {
	at                time.Duration
	memory            int64 // bytes that are nobody's file
	files, goroutines int
}

// soakSamples are taken over a run at most.
const soakSamples = 60

func newSoak(most time.Duration, out io.Writer) *soak {
	every := most / soakSamples
	return &soak{every: every, begun: time.Now(), next: every, out: out}
}

// take looks at a daemon that rests, if it is time to.
func (s *soak) take(pid int, now vitals) error {
	at := time.Since(s.begun)
	if at < s.next {
		return nil
	}
	s.next = at + s.every
	memory, err := anonymous(pid)
	if err != nil {
		return err
	}
	s.samples = append(s.samples, sample{at, memory, now.files, now.goroutines})
	fmt.Fprintf(s.out, "%8s: %5.1f MiB, %d files, %d goroutines\n", at.Round(time.Second), float64(memory)/(1<<20), now.files, now.goroutines)
	return nil
}

// anonymous is how much memory a process has that is no file's.
func anonymous(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("process %d: its status has no RssAnon", pid)
}

// What the last part of a run may have more of than the part after the first, in which caches in memory fill: the
// collector's timing moves it by as much.
const (
	soakShare = 5 // parts of a run
	moreShare = 1.25
	moreBytes = 4 << 20
)

// verdict says whether memory was flat, as the medians of the second and the last part of the run tell.
func (s *soak) verdict() error {
	part := len(s.samples) / soakShare
	if part < 2 {
		return fmt.Errorf("%d samples are too few to tell whether memory grows: let it run for longer", len(s.samples))
	}
	early, late := median(s.samples[part:2*part]), median(s.samples[len(s.samples)-part:])
	fmt.Fprintf(s.out, "memory at rest: %.1f MiB early, %.1f MiB late\n", float64(early)/(1<<20), float64(late)/(1<<20))
	if float64(late) > float64(early)*moreShare+moreBytes {
		return fmt.Errorf("memory grows: %d bytes at rest in the last part of the run, %d in the second", late, early)
	}
	return nil
}

func median(of []sample) int64 {
	list := make([]int64, 0, len(of))
	for _, s := range of {
		list = append(list, s.memory)
	}
	slices.Sort(list)
	return list[len(list)/2]
}
