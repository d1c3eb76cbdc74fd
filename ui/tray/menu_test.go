package tray_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/tray"
)

var noon = time.Date(2026, 3, 4, 12, 5, 0, 0, time.UTC)

func ago(d time.Duration) *time.Time {
	t := noon.Add(-d)
	return &t
}

func running(change func(*control.State)) model.View {
	s := control.State{
		Enabled: true, Listen: "127.0.0.1:5055", Cache: control.Cache{Size: 3 << 30},
		Registries: []control.Registry{
			{Name: "docker.io", Route: "auto", Routes: []string{"auto", "direct", "offline"}, LastUsed: ago(time.Hour)},
			{Name: "ghcr.io", Route: "direct", Routes: []string{"auto", "direct", "offline", "daocloud"}, LastUsed: ago(time.Minute)},
			{Name: "quay.io", Route: "offline", Routes: []string{"auto", "direct", "offline"}},
		},
	}
	if change != nil {
		change(&s)
	}
	return model.View{Phase: model.Running, State: s}
}

// text is what a person sees: hidden items are left out, sections are parted by
// a line, submenus are indented, a check is a star.
func text(m tray.Menu) string {
	var out strings.Builder
	var write func(items []tray.Item, indent string)
	write = func(items []tray.Item, indent string) {
		for _, item := range items {
			if item.Hidden {
				continue
			}
			mark := ""
			if item.Checked {
				mark = " *"
			}
			if item.Disabled {
				mark += " ~"
			}
			out.WriteString(indent + item.Label + mark + "\n")
			write(item.Children, indent+"  ")
		}
	}
	for i, section := range m.Sections {
		if i > 0 {
			out.WriteString("--\n")
		}
		write(section.Items, "")
		write(section.Tail, "")
	}
	return out.String()
}

func TestMenuInWords(t *testing.T) {
	const on = `On · 127.0.0.1:5055 ~
--
Turn off
Pause for an hour
--
docker.io · Automatic
  Automatic *
  Direct
  Offline
ghcr.io · Direct
  Automatic
  Direct *
  Offline
  daocloud
More registries
  quay.io · Offline
    Automatic
    Direct
    Offline *
--
Free space… (3.0 GiB cached)
--
Open Pulley
Settings…
Quit (the daemon stays)
`
	later := noon.Add(2 * time.Hour)
	for name, c := range map[string]struct {
		view model.View
		want string
		form tray.Form
	}{
		"on": {running(nil), on, tray.On},
		"busy": {running(func(s *control.State) { s.Active = []control.Transfer{{Registry: "docker.io"}} }), on,
			tray.Busy},
		"off": {running(func(s *control.State) { s.Enabled = false }),
			strings.NewReplacer("On · 127.0.0.1:5055", "Off: engines go straight through",
				"Turn off\nPause for an hour", "Turn on").Replace(on), tray.Off},
		"limited": {running(func(s *control.State) {
			s.Limits = []control.Limit{{Registry: "docker.io", Limit: 100, Remaining: 76}}
		}), strings.Replace(on, "Free space", "Docker Hub: 76 of 100 pulls left ~\nFree space", 1), tray.On},
		"paused": {running(func(s *control.State) { s.Enabled, s.PausedUntil = false, &later }),
			strings.NewReplacer("On · 127.0.0.1:5055", "Paused until 14:05",
				"Turn off\nPause for an hour", "Turn on").Replace(on), tray.Off},
		"trouble": {running(func(s *control.State) { s.Problems = []control.Problem{{Text: "the disk is full"}} }),
			strings.Replace(on, "5055 ~", "5055 ~\n⚠ the disk is full", 1), tray.Trouble},
		"a mirror that disagrees": {running(func(s *control.State) {
			s.Problems = []control.Problem{{
				Kind: control.ProblemMirror, Fix: "pulley mirror test docker.io",
				Text: "mirror daocloud disagrees with the origin about docker.io/library/alpine:latest; the origin is believed",
			}}
		}), strings.Replace(on, "5055 ~", "5055 ~\n⚠ mirror daocloud disagrees with the origin about docker.io/library/alpine:latest", 1), tray.Trouble},
		"more trouble than lines": {running(func(s *control.State) {
			s.Problems = make([]control.Problem, 5)
			for i := range s.Problems {
				s.Problems[i].Text = fmt.Sprintf("problem %d", i)
			}
		}), strings.Replace(on, "5055 ~", "5055 ~\n⚠ problem 0 (and 4 more)", 1), tray.Trouble},
		"no pulls left": {running(func(s *control.State) {
			s.Limits = []control.Limit{{Registry: "docker.io", Limit: 100, Again: &later}}
		}), strings.Replace(on, "Free space", "Docker Hub: no pulls left, again by 14:05 ~\nFree space", 1), tray.On},
		"pulls left again": {running(func(s *control.State) {
			s.Limits = []control.Limit{{Registry: "docker.io", Limit: 100, Again: ago(0)}}
		}), on, tray.On},
		"off, and trouble": {running(func(s *control.State) {
			s.Enabled, s.Problems = false, []control.Problem{{Text: "the disk is full"}}
		}), strings.NewReplacer("On · 127.0.0.1:5055 ~", "Off: engines go straight through ~\n⚠ the disk is full",
			"Turn off\nPause for an hour", "Turn on").Replace(on), tray.Off},
		"down": {model.View{Phase: model.Down, Reason: "port 5055 is held by nginx (pid 812)", State: running(nil).State},
			"Pulley is not running ~\nport 5055 is held by nginx (pid 812) ~\n--\nStart Pulley\n--\n--\n--\nOpen Pulley\nSettings…\nQuit\n",
			tray.Trouble},
		"starting": {model.View{}, "Starting… ~\n--\n--\n--\n--\nOpen Pulley\nSettings…\nQuit\n", tray.Off},
		"nothing used yet": {running(func(s *control.State) {
			for i := range s.Registries {
				s.Registries[i].LastUsed, s.Registries[i].Routes = nil, nil
			}
			s.Registries = s.Registries[:2]
		}), `On · 127.0.0.1:5055 ~
--
Turn off
Pause for an hour
--
docker.io · Automatic
  Automatic *
  Direct
  Offline
More registries
  ghcr.io · Direct
    Automatic
    Direct *
    Offline
--
Free space… (3.0 GiB cached)
--
Open Pulley
Settings…
Quit (the daemon stays)
`, tray.On},
	} {
		t.Run(name, func(t *testing.T) {
			menu := tray.Build(c.view, noon)
			if got := text(menu); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if menu.Form != c.form {
				t.Errorf("icon %s, want %s", menu.Form, c.form)
			}
		})
	}
}

func TestOwnDaemonEndsWithTheTray(t *testing.T) {
	v := running(nil)
	v.Owned = true
	if got := text(tray.Build(v, noon)); !strings.HasSuffix(got, "\nQuit\n") {
		t.Errorf("got\n%s", got)
	}
}

func TestNoticeIsShown(t *testing.T) {
	v := running(nil)
	v.Notice = "could not turn off: enabled is held by PULLEY_ENABLED;\nunset it"
	if got := text(tray.Build(v, noon)); !strings.Contains(got, "\ncould not turn off: enabled is held by PULLEY_ENABLED; unset it ~\n") {
		t.Errorf("got\n%s", got)
	}
}

// A key stands for one meaning, whatever state the menu was built from: that is
// what makes a click on an old menu safe.
func TestKeysMeanTheSameInEveryState(t *testing.T) {
	meaning := map[string]model.Action{}
	for _, v := range []model.View{
		{}, {Phase: model.Down}, running(nil),
		running(func(s *control.State) { s.Enabled = false }),
		running(func(s *control.State) { s.Registries[0].Route = "offline"; s.Registries[2].LastUsed = ago(0) }),
		running(func(s *control.State) { s.Problems = []control.Problem{{Kind: control.ProblemMirror, Text: "a"}, {}} }),
		running(func(s *control.State) { s.Problems = []control.Problem{{Kind: control.ProblemDisk, Text: "b"}} }),
		crowded(),
	} {
		seen := map[string]bool{}
		var walk func([]tray.Item)
		walk = func(items []tray.Item) {
			for _, item := range items {
				if seen[item.Key] {
					t.Errorf("key %s is there twice", item.Key)
				}
				seen[item.Key] = true
				if before, known := meaning[item.Key]; known && before != item.Action {
					t.Errorf("key %s meant %v and now %v", item.Key, before, item.Action)
				}
				meaning[item.Key] = item.Action
				walk(item.Children)
			}
		}
		for _, section := range tray.Build(v, noon).Sections {
			walk(section.Items)
			walk(section.Tail)
		}
	}
}

// crowded is a moment in which everything there is wants to be in the menu.
func crowded() model.View {
	v := running(func(s *control.State) {
		s.Registries = nil
		for i := range 9 {
			s.Registries = append(s.Registries, control.Registry{Name: fmt.Sprintf("r%d.example", i), Route: "auto", Best: "daocloud", LastUsed: ago(time.Duration(i) * time.Hour)})
		}
		s.Registries[8].LastUsed = ago(31 * 24 * time.Hour)
		s.Problems = []control.Problem{{Kind: control.ProblemDisk, Text: "the disk is full"}}
		s.Limits = []control.Limit{{Registry: "docker.io", Limit: 100, Remaining: 76}}
	})
	v.Contexts = []model.Context{{Name: "default"}, {Name: "box", Wins: true, Mark: &model.Mark{Word: "production"}}, {Name: "far"}}
	v.Reports = map[string]model.ContextReport{"box": {Reachable: true}, "far": {}}
	return v
}

func TestMenuHasTwelveEntriesAtMost(t *testing.T) {
	m := tray.Build(crowded(), noon)
	want := `On · 127.0.0.1:5055 ~
⚠ the disk is full
--
Turn off
Pause for an hour
--
r0.example · Automatic
  Automatic (now daocloud) *
  Direct
  Offline
More registries
`
	if got := text(m); !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant\n%s…", got, want)
	}
	top := 0
	for line := range strings.Lines(text(m)) {
		if line != "--\n" && !strings.HasPrefix(line, " ") {
			top++
		}
	}
	if top != 12 {
		t.Errorf("%d entries", top)
	}
	v := crowded()
	v.State.Problems, v.Contexts, v.State.Limits = nil, nil, nil
	if got := text(tray.Build(v, noon)); !strings.Contains(got, "\nr3.example") || strings.Contains(got, "\nr4.example") {
		t.Errorf("where there is room\n%s", got)
	}
	v.State.Registries = v.State.Registries[7:]
	if got := text(tray.Build(v, noon)); !strings.Contains(got, "\nr7.example") || strings.Contains(got, "\nr8.example") {
		t.Errorf("used 31 days ago\n%s", got)
	}
}

func TestContextsInTheMenu(t *testing.T) {
	const want = `--
Docker context: box (production)
  default
  box (production) *
  far, unreachable
Docker Hub: 76 of 100 pulls left ~
`
	if got := text(tray.Build(crowded(), noon)); !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	v := crowded()
	v.Contexts = v.Contexts[:1]
	if got := text(tray.Build(v, noon)); strings.Contains(got, "context") {
		t.Errorf("one alone is offered:\n%s", got)
	}
}

// A problem opens the page where it can be mended.
func TestProblemOpensItsPage(t *testing.T) {
	for kind, page := range map[string]string{
		control.ProblemMirror: "mirrors", control.ProblemLimit: "mirrors", control.ProblemDisk: "images", control.ProblemConfig: "settings",
		control.ProblemRejected: "settings", "of another daemon": "overview",
	} {
		m := tray.Build(running(func(s *control.State) { s.Problems = []control.Problem{{Kind: kind, Text: "it"}} }), noon)
		for _, item := range m.Sections[0].Items {
			if strings.HasPrefix(item.Key, "problem/") && !item.Hidden && item.Action != (model.Action{Verb: model.Open, Page: page}) {
				t.Errorf("%s leads to %+v", kind, item.Action)
			}
		}
	}
}

func TestMenuInChinese(t *testing.T) {
	lang.Use("zh-CN")
	t.Cleanup(func() { lang.Use("en") })
	const want = `已开启 · 127.0.0.1:5055 ~
⚠ the disk is full
--
关闭
暂停一小时
--
docker.io · 自动
  自动 *
  直连
  离线
ghcr.io · 直连
  自动
  直连 *
  离线
  daocloud
更多镜像仓库
  quay.io · 离线
    自动
    直连
    离线 *
--
Docker Hub：剩余 76/100 次拉取 ~
释放空间…（已缓存 3.0 GiB）
--
打开 Pulley
设置…
退出（守护进程继续运行）
`
	menu := tray.Build(running(func(s *control.State) {
		s.Problems = []control.Problem{{Text: "the disk is full"}}
		s.Limits = []control.Limit{{Registry: "docker.io", Limit: 100, Remaining: 76}}
	}), noon)
	if got := text(menu); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
