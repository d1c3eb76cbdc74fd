package words_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/words"
)

var noon = time.Date(2026, 3, 4, 12, 5, 0, 0, time.UTC)

func TestMoment(t *testing.T) {
	for want, at := range map[string]time.Time{
		"14:05":             noon.Add(2 * time.Hour),
		"5 Mar 00:05":       noon.Add(12 * time.Hour),
		"4 Mar 2027, 12:05": noon.AddDate(1, 0, 0),
		"12:05":             noon.In(time.FixedZone("elsewhere", 8*3600)),
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

// inEach calls f in each language, with what is wanted in it.
func inEach(t *testing.T, f func(t *testing.T, choose func(en, zh string) string)) {
	t.Helper()
	t.Cleanup(func() { lang.Use("en") })
	for _, l := range lang.Languages {
		t.Run(l, func(t *testing.T) {
			lang.Use(l)
			f(t, func(en, zh string) string { return map[string]string{"en": en, "zh-CN": zh}[l] })
		})
	}
}

func TestTimesByLanguage(t *testing.T) {
	inEach(t, func(t *testing.T, choose func(en, zh string) string) {
		ago := func(d time.Duration) *time.Time { at := noon.Add(-d); return &at }
		for _, c := range []struct{ got, en, zh string }{
			{words.Ago(ago(-time.Hour), noon), "just now", "刚刚"},
			{words.Ago(ago(time.Minute), noon), "1 minute ago", "1 分钟前"},
			{words.Ago(ago(3*time.Minute), noon), "3 minutes ago", "3 分钟前"},
			{words.Ago(ago(time.Hour), noon), "1 hour ago", "1 小时前"},
			{words.Ago(ago(50*time.Hour), noon), "2 days ago", "2 天前"},
			{words.Ago(ago(8*24*time.Hour), noon), "1 week ago", "1 周前"},
			{words.Ago(ago(70*24*time.Hour), noon), "2 months ago", "2 个月前"},
			{words.Ago(ago(800*24*time.Hour), noon), "2 years ago", "2 年前"},
			{words.Moment(noon.Add(12*time.Hour), noon), "5 Mar 00:05", "3月5日 00:05"},
			{words.Moment(noon.AddDate(1, 8, 17), noon), "21 Nov 2027, 12:05", "2027年11月21日 12:05"},
			{words.Day(noon, noon), "4 Mar", "3月4日"},
			{words.Day(noon.AddDate(-1, 0, 0), noon), "4 Mar 2025", "2025年3月4日"},
			{words.Date(noon, noon), "4 Mar 2026", "2026年3月4日"},
			{words.Exact(noon.Add(7*time.Second), noon), "4 Mar 2026, 12:05:07", "2026年3月4日 12:05:07"},
			{words.Clock(noon, noon.In(time.FixedZone("elsewhere", 8*3600))), "20:05", "20:05"},
			{words.Span(-time.Second), "0 ms", "0 毫秒"},
			{words.Span(300 * time.Microsecond), "<1 ms", "<1 毫秒"},
			{words.Span(340 * time.Millisecond), "340 ms", "340 毫秒"},
			{words.Span(999_700 * time.Microsecond), "1 s", "1 秒"},
			{words.Span(1240 * time.Millisecond), "1.2 s", "1.2 秒"},
			{words.Span(9960 * time.Millisecond), "10 s", "10 秒"},
			{words.Span(59_600 * time.Millisecond), "1 min", "1 分钟"},
			{words.Span(200 * time.Second), "3 min 20 s", "3 分 20 秒"},
			{words.Span(time.Hour - 100*time.Millisecond), "1 h", "1 小时"},
			{words.Span(125*time.Minute + 20*time.Second), "2 h 5 min", "2 小时 5 分"},
			{words.Span(76 * time.Hour), "3 d 4 h", "3 天 4 小时"},
			{words.Span(72 * time.Hour), "3 d", "3 天"},
		} {
			if want := choose(c.en, c.zh); c.got != want {
				t.Errorf("got %q, want %q", c.got, want)
			}
		}
	})
}

func TestAmountsByLanguage(t *testing.T) {
	inEach(t, func(t *testing.T, _ func(en, zh string) string) {
		for _, c := range []struct{ got, want string }{
			{words.Bytes(1023), "1,023 B"},
			{words.Bytes(1 << 10), "1.0 KiB"},
			{words.Bytes(10<<10 - 1), "10 KiB"},
			{words.Bytes(1<<20 - 1), "1.0 MiB"},
			{words.Bytes(999 << 30), "999 GiB"},
			{words.Bytes(math.MaxInt64), "8.0 EiB"},
			{words.Rate(12.3 * (1 << 20)), "12 MiB/s"},
			{words.Rate(0), "0 B/s"},
			{words.Percent(0), "0%"},
			{words.Percent(0.001), "<1%"},
			{words.Percent(0.814), "81%"},
			{words.Percent(0.999), ">99%"},
			{words.Percent(1), "100%"},
			{words.Number(12345), "12,345"},
		} {
			if c.got != c.want {
				t.Errorf("got %q, want %q", c.got, c.want)
			}
		}
	})
}

func TestStateByLanguage(t *testing.T) {
	inEach(t, func(t *testing.T, choose func(en, zh string) string) {
		soon := noon.Add(time.Hour)
		limits := []control.Limit{{Registry: "docker.io", Limit: 200, Identity: "alice", Again: &soon}}
		for _, c := range []struct{ got, en, zh string }{
			{words.Left(limits, "docker.io", noon), "no pulls left for alice, again by 13:05", "alice：拉取次数已用完，最迟 13:05 恢复"},
			{words.Headline(model.View{Phase: model.Running, State: control.State{PausedUntil: &soon}}, noon),
				"Paused until 13:05", "已暂停，13:05 恢复"},
			{words.Route(""), "Automatic", "自动"},
			{words.Route("daocloud"), "daocloud", "daocloud"},
			{words.List(), "", ""},
			{words.List("a"), "a", "a"},
			{words.List("a", "b"), "a and b", "a 和 b"},
			{words.List("a", "b", "c"), "a, b and c", "a、b 和 c"},
			{words.Problem(control.Problem{Key: "unheard.of", Text: "as the daemon says it"}), "as the daemon says it", "as the daemon says it"},
		} {
			if want := choose(c.en, c.zh); c.got != want {
				t.Errorf("got %q, want %q", c.got, want)
			}
		}
	})
}

// What the daemon can say is wrong is said in every language, with all that it is about.
func TestProblemsByLanguage(t *testing.T) {
	inEach(t, func(t *testing.T, choose func(en, zh string) string) {
		for _, key := range control.Keys() {
			p := control.Problem{Key: key, Thing: "THING", About: "ABOUT", Text: "as the daemon says it", Fix: "a step"}
			got := words.Problem(p)
			if got == p.Text || got == "" || strings.Contains(got, "no value") {
				t.Errorf("%s: %q", key, got)
			}
			said := slices.Contains([]string{
				control.KeyCacheUnusable, control.KeyCacheReadOnly, control.KeyCacheUnstored, control.KeyCacheCrowded, control.KeyHostPoisoned,
			}, key)
			if advice, command := words.Fix(p); said == (advice == p.Fix) || command != "" {
				t.Errorf("%s: to do: %q, %q", key, advice, command)
			}
			p.Fix = "pulley mirror off daocloud"
			if advice, command := words.Fix(p); advice != "" || command != p.Fix {
				t.Errorf("%s: to do: %q, %q", key, advice, command)
			}
		}
		p := control.Problem{Key: control.KeyMirrorDisagrees, Thing: "docker.io/daocloud", About: "docker.io/library/alpine:3"}
		if got, want := words.Gist(p), choose("mirror docker.io/daocloud disagrees with the origin about docker.io/library/alpine:3",
			"镜像站 docker.io/daocloud 的 docker.io/library/alpine:3 与源站不一致"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
