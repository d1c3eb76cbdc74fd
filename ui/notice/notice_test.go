package notice_test

import (
	"slices"
	"testing"
	"time"

	"pulley/internal/control"
	"pulley/ui/model"
	"pulley/ui/notice"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func view(change func(*control.State)) model.View {
	s := control.State{Notify: true, Enabled: true}
	if change != nil {
		change(&s)
	}
	return model.View{Phase: model.Running, State: s}
}

func problems(list ...control.Problem) model.View {
	return view(func(s *control.State) { s.Problems = list })
}

var lied = control.Problem{Kind: control.ProblemMirror, Text: "mirror a is not used: it sent wrong bytes; it is asked no more", Thing: "docker.io/a"}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestWhatBegins(t *testing.T) {
	n := notice.New()
	full := control.Problem{Kind: control.ProblemDisk, Text: "the disk is full"}
	expect(t, n.Look(problems(full), false, noon)) // it was there before
	expect(t, n.Look(problems(full, lied), false, noon), "mirror a is not used: it sent wrong bytes")
	expect(t, n.Look(problems(full, lied), false, noon.Add(2*time.Hour)))
	other := lied
	other.Text, other.Thing = "mirror b lied", "docker.io/b"
	expect(t, n.Look(problems(full, lied, other), false, noon.Add(2*time.Hour)), "mirror b lied")
	expect(t, n.Look(problems(control.Problem{Kind: control.ProblemConfig, Text: "line 3"}), false, noon)) // not worth it
}

func TestOnceAnHour(t *testing.T) {
	n := notice.New()
	n.Look(view(nil), false, noon)
	expect(t, n.Look(problems(lied), false, noon), "mirror a is not used: it sent wrong bytes")
	for _, after := range []time.Duration{time.Minute, 59 * time.Minute} {
		n.Look(view(nil), false, noon.Add(after))
		expect(t, n.Look(problems(lied), false, noon.Add(after)))
	}
	n.Look(view(nil), false, noon.Add(time.Hour))
	expect(t, n.Look(problems(lied), false, noon.Add(time.Hour)), "mirror a is not used: it sent wrong bytes")
}

func TestNotWhileThePersonLooksOrWishes(t *testing.T) {
	n := notice.New()
	n.Look(view(nil), false, noon)
	expect(t, n.Look(problems(lied), true, noon))
	expect(t, n.Look(problems(lied), false, noon)) // it was seen
	n = notice.New()
	n.Look(view(nil), false, noon)
	v := problems(lied)
	v.State.Notify = false
	expect(t, n.Look(v, false, noon))
}

func TestAnotherDaemon(t *testing.T) {
	n := notice.New()
	n.Look(view(nil), false, noon)
	expect(t, n.Look(model.View{Phase: model.Down}, false, noon))
	expect(t, n.Look(problems(lied), false, noon)) // from before
}

func TestLimitNearlySpent(t *testing.T) {
	left := func(n int) model.View {
		return view(func(s *control.State) {
			s.Limits = []control.Limit{{Registry: "docker.io", Limit: 100, Remaining: n, Window: 6 * time.Hour, At: noon}}
		})
	}
	n := notice.New()
	n.Look(left(30), false, noon)
	expect(t, n.Look(left(11), false, noon))
	expect(t, n.Look(left(10), false, noon), "docker.io: 10 of 100 pulls left")
	expect(t, n.Look(left(9), false, noon))
}

// However many images fail, one is told of.
func TestPullFailed(t *testing.T) {
	failed := func(images ...string) (list []control.Problem) {
		for _, image := range images {
			list = append(list, control.Problem{Kind: control.ProblemPull, Key: control.KeyPullFailed, Thing: image, About: "no source answers; see: pulley doctor"})
		}
		return list
	}
	n := notice.New()
	n.Look(view(nil), false, noon)
	expect(t, n.Look(problems(failed("ghcr.io/org/app:1")...), false, noon), "ghcr.io/org/app:1 could not be pulled through Pulley: no source answers")
	expect(t, n.Look(problems(failed("ghcr.io/org/app:1", "quay.io/b")...), false, noon.Add(time.Minute)))
	expect(t, n.Look(problems(failed("quay.io/b", "quay.io/c")...), false, noon.Add(2*time.Hour)), "quay.io/c could not be pulled through Pulley: no source answers")
}

// Of the limits that a registry told of, the last is meant: another person's, or one from before, is no news.
func TestLimitOfSomebodyElse(t *testing.T) {
	n := notice.New()
	n.Look(view(nil), false, noon)
	limits := []control.Limit{
		{Registry: "docker.io", Identity: "alice", Limit: 200, Remaining: 5, Window: 6 * time.Hour, At: noon.Add(-time.Minute)},
		{Registry: "docker.io", Identity: "bob", Limit: 200, Remaining: 180, Window: 6 * time.Hour, At: noon},
	}
	expect(t, n.Look(view(func(s *control.State) { s.Limits = limits }), false, noon))
	limits[1].At = noon.Add(-time.Hour)
	expect(t, n.Look(view(func(s *control.State) { s.Limits = limits }), false, noon), "docker.io: 5 of 200 pulls left for alice")
}

// A disk that is full is told once, in whatever words.
func TestFullDiskIsOneCause(t *testing.T) {
	n := notice.New()
	n.Look(view(nil), false, noon)
	unstored := control.Problem{Kind: control.ProblemDisk, Text: "not everything can be cached: no space left on device"}
	crowded := control.Problem{Kind: control.ProblemDisk, Text: "the disk that the cache is on is nearly full", Thing: "/var/cache/pulley"}
	expect(t, n.Look(problems(unstored), false, noon), unstored.Text)
	expect(t, n.Look(problems(unstored, crowded), false, noon.Add(time.Minute)))
}
