package words_test

import (
	"strings"
	"testing"
	"time"

	"pulley/internal/control"
	"pulley/ui/model"
	"pulley/ui/words"
)

var noon = time.Date(2026, 3, 4, 12, 5, 0, 0, time.UTC)

func TestMoment(t *testing.T) {
	for want, at := range map[string]time.Time{
		"14:05":       noon.Add(2 * time.Hour),
		"5 Mar 00:05": noon.Add(12 * time.Hour),
		"4 Mar 12:05": noon.AddDate(1, 0, 0),
		"12:05":       noon.In(time.FixedZone("elsewhere", 8*3600)),
	} {
		if got := words.Moment(at, noon); got != want {
			t.Errorf("%v is %q, want %q", at, got, want)
		}
	}
}

func TestAgo(t *testing.T) {
	at := func(d time.Duration) *time.Time { t := noon.Add(-d); return &t }
	for want, when := range map[string]*time.Time{
		"":              nil,
		"just now":      at(30 * time.Second),
		"3 minutes ago": at(3*time.Minute + time.Second),
		"2 hours ago":   at(2*time.Hour + time.Minute),
	} {
		if got := words.Ago(when, noon); got != want {
			t.Errorf("%v is %q, want %q", when, got, want)
		}
	}
}

func TestShort(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""}, {"abc", "abc"}, {"abcdef", "abcd…"}, {"a\nb", "a b"}, {"镜像拉取失败了", "镜像拉取…"}, {"abc def", "abc…"},
	} {
		if got := words.Short(c.in, 5); got != c.want {
			t.Errorf("%q is cut to %q, want %q", c.in, got, c.want)
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{-5: "0 B", 0: "0 B", 512 << 20: "512 MiB", 1<<30 + 200<<20: "1.2 GiB"} {
		if got := words.Bytes(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

func TestTitles(t *testing.T) {
	until := noon.Add(time.Hour)
	for _, c := range []struct {
		view        model.View
		title, more string
	}{
		{model.View{}, "Starting…", "Looking for the daemon"},
		{model.View{Phase: model.Down}, "Pulley is not running", "It stopped, or was never started"},
		{model.View{Phase: model.Down, Reason: "why"}, "Pulley is not running", "why"},
		{model.View{Phase: model.Running, State: control.State{Enabled: true}}, "On", "Engines reach registries through Pulley"},
		{model.View{Phase: model.Running}, "Off", "Engines go straight through to their registries"},
		{model.View{Phase: model.Running, State: control.State{PausedUntil: &until}}, "Paused until 13:05", "Engines go straight through to their registries"},
	} {
		if got := words.Title(c.view, noon); got != c.title {
			t.Errorf("title %q, want %q", got, c.title)
		}
		if got := words.Explanation(c.view, noon); got != c.more {
			t.Errorf("explanation %q, want %q", got, c.more)
		}
	}
}

func TestLeft(t *testing.T) {
	soon, past := noon.Add(time.Hour), noon.Add(-time.Second)
	for _, c := range []struct {
		want   string
		spent  bool
		limits []control.Limit
	}{
		{want: ""},
		{"76 of 100 pulls left", false, []control.Limit{{Limit: 100, Remaining: 76}}},
		{"180 of 200 pulls left for alice", false, []control.Limit{
			{Limit: 100, Remaining: 76, Identity: "anonymous", At: noon.Add(-2 * time.Hour)},
			{Identity: "alice", Limit: 200, Remaining: 180, At: noon.Add(-time.Hour)},
			{Identity: "bob", Limit: 200, Remaining: -1, At: noon},
		}},
		{"no pulls left, again by 13:05", true, []control.Limit{{Limit: 100, Identity: "anonymous", Again: &soon}}},
		{"no pulls left for alice, again by 13:05", true, []control.Limit{{Limit: 100, Identity: "alice", Again: &soon}}},
		{"no pulls left", true, []control.Limit{{Limit: 100}}},
		{"", false, []control.Limit{{Limit: 100, Again: &past}}},
		{"", false, []control.Limit{{Limit: 100, Remaining: 76, Window: 6 * time.Hour, At: noon.Add(-6 * time.Hour)}}},
		{"76 of 100 pulls left", false, []control.Limit{{Limit: 100, Remaining: 76, Window: 6 * time.Hour, At: noon.Add(-5 * time.Hour)}}},
	} {
		for i := range c.limits {
			c.limits[i].Registry = "docker.io"
		}
		if got := words.Left(c.limits, "docker.io", noon); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
		if got := words.Spent(c.limits, "docker.io", noon); got != c.spent {
			t.Errorf("%q: spent %v", c.want, got)
		}
		if got := words.Left(c.limits, "ghcr.io", noon); got != "" {
			t.Errorf("a registry that said nothing: %q", got)
		}
	}
}

func TestGist(t *testing.T) {
	for text, want := range map[string]string{
		"the disk is full": "the disk is full",
		"mirror m disagrees with the origin about docker.io/library/a:1; the origin is believed": "mirror m disagrees with the origin about docker.io/library/a:1",
		strings.Repeat("long ", 30): strings.Repeat("long ", 17) + "long…",
	} {
		if got := words.Gist(control.Problem{Text: text}); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
