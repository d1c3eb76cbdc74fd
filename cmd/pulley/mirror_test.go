//go:build !darwin

package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pulley/internal/control"
	"pulley/internal/hubtest"
)

// TestMirrorThatDisagrees: a mirror has another image under a tag. The origin's is what is served, and whoever looks at
// status or the log learns of it; when the mirror has come round, no more.
func TestMirrorThatDisagrees(t *testing.T) {
	p := newTrip(t)
	p.withMirrors, p.mirrors = true, p.mirrors[:1]
	p.settings.More = "[cache]\ntag_ttl = \"0s\"\n"
	other := p.mirrors[0].Push(p.repository, "latest", hubtest.RandomImage(99, 1, 1<<20))
	p.start()
	p.pull(nil)
	said := regexp.MustCompile(`(?m)^problem +mirror m1 .*docker\.io/library/trip:latest.*the origin.* believed`)
	p.until("word of it in status", func() bool { return said.MatchString(p.says("status")) })
	var state control.State
	p.json(&state, "status")
	if !slices.ContainsFunc(state.Problems, func(q control.Problem) bool {
		return q.Kind == control.ProblemMirror && strings.Contains(q.Text, "m1") && strings.Contains(q.Text, "library/trip:latest")
	}) {
		t.Errorf("problems %+v", state.Problems)
	}
	var list []control.Source
	p.json(&list, "mirror", "ls", "docker.io")
	i := slices.IndexFunc(list, func(s control.Source) bool { return s.Name == "m1" })
	if i < 0 || len(list[i].Differs) != 1 || list[i].Differs[0].Mirror != other.String() || list[i].Differs[0].Origin != p.image.Digest().String() {
		t.Errorf("sources %+v", list)
	}
	p.want("mirror ls", p.says("mirror", "ls"), `m1 .*disagreed about docker\.io/library/trip:latest`)
	p.pull(nil)
	p.logSays(` 200 GET +manifest .*library/trip:latest.*; another digest for this tag at m1`)
	if n := p.mirrors[0].BytesSent(other); n != 0 {
		t.Errorf("%d bytes of what the mirror would have liked to be asked for", n)
	}
}

// TestStory: the log says which bytes came from whom and who was asked in vain, and status what the cache saved.
func TestStory(t *testing.T) {
	p := newTrip(t)
	p.withMirrors, p.mirrors = true, p.mirrors[:1]
	p.mirrors[0].SetFaults(hubtest.Faults{Kind: hubtest.Blob, Status: 403})
	p.start()
	p.says("route", "docker.io", "m1")
	p.pull(nil)
	var first control.Event
	p.until("the story in the log", func() bool {
		return regexp.MustCompile(`(?m)^ +after [^ ]+s: m1: .*\n +0B to .* from origin$`).MatchString(p.says("log", "--story"))
	})
	p.want("the log without it", p.says("log"), `(?m)\A[^ ].*(\n[^ ].*)*\n\z`)
	for line := range strings.Lines(p.says("log", "--json")) {
		var e control.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.What == "blob" && first.What == "" {
			first = e
		}
	}
	if len(first.Parts) == 0 || first.Parts[0].Source != "origin" || len(first.Failed) == 0 || first.Failed[0].Source != "m1" {
		t.Errorf("%+v", first)
	}
	p.until("time saved in status", func() bool {
		p.pull(nil)
		return regexp.MustCompile(`(?m)^ever .* from cache, .*, .* saved$`).MatchString(p.says("status"))
	})
}

// TestQuotaRunsOut: a mirror is asked for what its quota allows and not a byte more, everybody can see how much that is, and
// pulls go on without it.
func TestQuotaRunsOut(t *testing.T) {
	p := newTrip(t)
	const limit = 3 << 20
	small := p.mirrors[0]
	p.settings.More = small.Addresses()
	p.start()
	p.says("mirror", "add", "docker.io", "small", "https://"+small.RegistryHost, "--quota", "3MiB/month")
	p.says("route", "docker.io", "small")
	sent := func() (n int64) {
		for _, r := range small.Requests() {
			if r.Repository != "" {
				n += r.Sent
			}
		}
		return n
	}
	source := func() control.Source {
		t.Helper()
		var list []control.Source
		p.json(&list, "mirror", "ls", "docker.io")
		i := slices.IndexFunc(list, func(s control.Source) bool { return s.Name == "small" })
		if i < 0 {
			t.Fatalf("sources %+v", list)
		}
		return list[i]
	}
	for i := range 5 {
		p.next(1 << 20)
		p.pull(nil)
		s := source()
		if s.Quota != limit || s.QuotaUsed > limit || s.QuotaUsed < sent() || s.QuotaEnds == nil {
			t.Errorf("pull %d: %d of %d, until %v; it sent %d", i, s.QuotaUsed, s.Quota, s.QuotaEnds, sent())
		}
		if i == 0 {
			p.want("mirror ls", p.says("mirror", "ls"), `small +on .*MiB of 3MiB`)
			if s.QuotaUsed < 1<<20 || !s.Usable {
				t.Errorf("after one pull: %+v", s)
			}
		}
	}
	if s := source(); s.Usable || s.QuotaUsed != limit {
		t.Errorf("spent: %+v", s)
	}
	p.want("mirror ls", p.says("mirror", "ls"), `small +waits .*3MiB of 3MiB .*its quota of 3MiB/month is used up, until`)
	if n := sent(); n > limit || n < limit {
		t.Errorf("the mirror sent %d of %d bytes", n, limit)
	}
	p.logSays(`blob .* from small `, `blob .* from origin `)

	// A restart gives nothing back.
	asked := small.Count("", "")
	p.restart()
	p.next(1 << 20)
	p.pull(nil)
	if n := small.Count("", ""); n != asked || source().Usable {
		t.Errorf("asked %d times after its quota was used up", n-asked)
	}
}
