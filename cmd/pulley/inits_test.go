package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// initBytes is what all packages together may allocate before main, and initOne what one may. All of it is done whatever the
// command, by the daemon and by each `pulley status` of a script: tables and regular expressions that few commands need are made
// when they are needed, and a library that cannot be had that way is too dear.
const (
	initBytes = 2_500_000
	initOne   = 600_000
)

// TestWhatStartingCosts: see runtime's GODEBUG=inittrace=1.
func TestWhatStartingCosts(t *testing.T) {
	cmd := exec.Command(buildPulley(t), "version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	type cost struct {
		of    string
		bytes int
	}
	var all []cost
	sum := 0
	for _, m := range regexp.MustCompile(`(?m)^init (\S+) .* (\d+) bytes`).FindAllStringSubmatch(string(said), -1) {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		all, sum = append(all, cost{m[1], n}), sum+n
	}
	if len(all) < 10 {
		t.Fatalf("no trace: %s", said)
	}
	slices.SortFunc(all, func(a, b cost) int { return b.bytes - a.bytes })
	if sum > initBytes || all[0].bytes > initOne {
		t.Errorf("%d bytes are allocated before main, of which %s", sum, fmt.Sprint(all[:5]))
	}
}
