package overview_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/part"
)

var wide = fyne.NewSize(916, 686)

func TestOverviewSaysWhetherItHelps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, wide, past()).shows(running(idle()))
		o.refuse("Hit rate") // nothing is known yet
		o.Enter()
		o.expect("On", "127.0.0.1:5055", "6.1 GiB", "1.5 GiB", "81%", "6 h 12 min", "76 of 100 pulls left", "3.3 GiB of 20 GiB", "42 images · 181 GiB free on disk")

		choice := every[*part.Segments](o)[0]
		choice.TypedKey(&fyne.KeyEvent{Name: fyne.KeyRight})
		o.refuse("6.1 GiB")
		chart := every[*part.Chart](o)[0]
		chart.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEnd})
		if got := chart.AccessibilityLabel(); !strings.HasPrefix(got, "4 Mar; From cache ") {
			t.Errorf("the last day of the month is %q", got)
		}
		choice.TypedKey(&fyne.KeyEvent{Name: fyne.KeyRight})
		chart.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEnd})
		if got := chart.AccessibilityLabel(); !strings.HasPrefix(got, "Week from 2 Mar; ") {
			t.Errorf("the last week of the year is %q", got)
		}

		o.Now = wednesday.Add(9 * 24 * time.Hour) // nothing was pulled since
		o.daemon.history.Minutes = nil
		o.Enter()
		choice.TypedKey(&fyne.KeyEvent{Name: fyne.KeyLeft})
		choice.TypedKey(&fyne.KeyEvent{Name: fyne.KeyLeft})
		o.expect("Nothing was pulled in the last 24 hours", "0 B", "6 h 12 min")
		o.refuse("Hit rate", "0%")

		unmeasured := idle()
		unmeasured.Traffic.SavedTime = 0
		o.Now = o.Now.Add(time.Second)
		o.shows(running(unmeasured))
		o.refuse("Time saved in all", "0 s", "0 ms")
	})
}

func TestOverviewSwitchesAndPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, wide, past()).shows(running(idle()))
		flip := every[*part.Switch](o)[0]
		test.Tap(flip)
		if flip.On() {
			t.Error("it does not flip at once")
		}
		o.Tap("Pause")
		menu := o.Window.Canvas().Overlays().Top()
		if menu == nil {
			t.Fatal("pausing offers nothing")
		}
		o.Window.Canvas().Focused().TypedKey(&fyne.KeyEvent{Name: fyne.KeyDown})
		o.Window.Canvas().Focused().TypedKey(&fyne.KeyEvent{Name: fyne.KeyDown})
		o.Window.Canvas().Focused().TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
		if want := []model.Action{{Verb: model.TurnOff}, {Verb: model.Pause, For: time.Hour}}; !slices.Equal(o.Did, want) {
			t.Errorf("asked %v, want %v", o.Did, want)
		}

		paused, until := idle(), wednesday.Add(time.Hour)
		paused.Enabled, paused.PausedUntil = false, &until
		o.shows(running(paused))
		o.expect("Paused until 13:05")
		o.refuse("Pause")
		o.Tap("Resume")
		if want := (model.Action{Verb: model.TurnOn}); o.Did[2] != want {
			t.Errorf("asked %v, want %v", o.Did[2], want)
		}

		o.shows(model.View{Phase: model.Down, Reason: "it ended", State: idle()})
		o.expect("Engines that are set to Pulley cannot pull until it runs again")
		o.refuse("Pulley is not running") // the window says so above every page
		o.refuse("Pause", "Resume", "127.0.0.1:5055")
		before := len(o.Did)
		if test.Tap(every[*part.Switch](o)[0]); len(o.Did) != before {
			t.Error("it can be switched with nobody to ask")
		}
	})
}

func TestOverviewLeadsOutOfTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, wide, past()).shows(running(troubled()))
		o.expect("pulley mirror off daocloud", "Open Mirrors", "Open Images", "8 of 100 pulls left")
		o.Tap("Open Mirrors")
		o.Tap("Open Images")
		if want := []string{"mirrors docker.io/daocloud", "images "}; !slices.Equal(o.Visited, want) {
			t.Errorf("it leads to %q, want %q", o.Visited, want)
		}
		test.Tap(every[*part.Copy](o)[1]) // after the one of the address
		if o.Copied != "pulley mirror off daocloud" {
			t.Errorf("copied %q", o.Copied)
		}
		many := troubled()
		for range 4 {
			many.Problems = append(many.Problems, control.Problem{Text: "one more"})
		}
		o.shows(running(many))
		o.expect("and 3 more; pulley status lists all of them")
		rejected := idle()
		rejected.Problems = []control.Problem{{Kind: control.ProblemRejected, Thing: "ghcr.io", Text: "a client does not trust Pulley's certificate", Fix: "pulley ca trust"}}
		o.shows(running(rejected))
		o.Tap("Open Settings")
		if want := "settings ca"; o.Visited[2] != want {
			t.Errorf("it leads to %q, want %q", o.Visited[2], want)
		}
		o.shows(running(idle()))
		o.refuse("Open Mirrors", "one more")
	})
}

func TestOverviewShowsPulls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, wide, past()).shows(running(busy()))
		o.expect("3 pulls in progress", "postgres", "quay.io/prometheus/node-exporter", "68 MiB of 149 MiB · 4 s left",
			"1f2e3d4c5b6a", "60 MiB / 109 MiB", "14 MiB/s", "daocloud + origin")

		long := idle()
		for i := range 9 {
			long.Active = append(long.Active, control.Transfer{Registry: "docker.io", Repository: "library/node", Digest: fmt.Sprintf("sha256:%d", i), Have: 1 << 20, Total: -1})
		}
		for i := range 5 {
			long.Active = append(long.Active, control.Transfer{Registry: "ghcr.io", Repository: fmt.Sprintf("org/%d", i), Since: wednesday, Have: 0, Total: 10})
		}
		o.shows(running(long))
		o.expect("6 pulls in progress", "and 3 more layers", "and 2 more images", "1.0 MiB")

		o.Enter()
		o.shows(running(idle()))
		o.expect("Pulls", "python:3.13-slim", "44 MiB, 93% from cache", "12 minutes ago")
		o.refuse("node", "and 2 more images")

		o.daemon.events = []control.Event{{Time: wednesday, Method: "GET", What: "manifest", Registry: "docker.io", Repository: "org/none", Reference: "v1", Err: "not found"}}
		o.Enter()
		o.expect("org/none:v1", "failed")
		o.daemon.events = nil
		o.Enter()
		o.expect("Nothing is being pulled")
	})
}

// Numbers stand for a second; an image that comes or goes does not wait.
func TestOverviewIsCalm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, wide, past())
		state := busy()
		o.shows(running(state))
		state.Active = slices.Clone(state.Active)
		state.Active[0].Have = 99 << 20
		o.Now = o.Now.Add(300 * time.Millisecond)
		o.shows(running(state))
		o.expect("60 MiB / 109 MiB")
		o.Now = o.Now.Add(700 * time.Millisecond)
		o.shows(running(state))
		o.expect("99 MiB / 109 MiB")

		state.Active = append(slices.Clone(state.Active), control.Transfer{Registry: "docker.io", Repository: "library/redis", Since: wednesday.Add(time.Hour)})
		o.Now = o.Now.Add(100 * time.Millisecond)
		o.shows(running(state))
		o.expect("redis")
		state.Enabled = false
		o.shows(running(state))
		o.expect("Off")
	})
}

func TestOverviewOfAFreshInstall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := idle()
		state.Traffic, state.Limits = control.Traffic{}, nil
		o := open(t, wide, &teller{}).shows(running(state))
		o.Enter()
		o.expect("Nothing has come through Pulley yet", "docker pull 127.0.0.1:5055/library/alpine")
		o.refuse("Traffic", "Routes")
		o.Tap("Setup guide")
		o.Tap("Connect an engine")
		o.Tap("Choose mirrors")
		if want := []string{"first ", "docker ", "mirrors "}; !slices.Equal(o.Visited, want) {
			t.Errorf("it leads to %q, want %q", o.Visited, want)
		}
		test.Tap(every[*part.Copy](o)[1])
		if o.Copied != "docker pull 127.0.0.1:5055/library/alpine" {
			t.Errorf("copied %q", o.Copied)
		}
		state.Active = []control.Transfer{{Registry: "docker.io", Repository: "library/alpine", Total: 10}}
		o.shows(running(state))
		o.expect("alpine", "Traffic")
		o.refuse("Nothing has come through Pulley yet")
	})
}

// The daemon is asked when the page comes to the front, once a minute while it is there, and when a pull has ended.
func TestOverviewAsksForHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, wide, past()).shows(running(idle()))
		asked := func(want int, why string) {
			t.Helper()
			if o.daemon.asked != want {
				t.Errorf("%s: asked %d times, want %d", why, o.daemon.asked, want)
			}
		}
		asked(0, "not in front")
		o.Enter()
		asked(1, "in front")
		o.Now = wednesday.Add(30 * time.Second)
		o.shows(running(idle()))
		asked(1, "after half a minute")
		o.Now = wednesday.Add(61 * time.Second)
		o.shows(running(idle()))
		asked(2, "after a minute")
		o.shows(running(busy())).shows(running(idle()))
		asked(3, "a pull has ended")
		o.Leave()
		o.Now = wednesday.Add(time.Hour)
		o.shows(running(idle()))
		asked(3, "no longer in front")

		refused := open(t, wide, &teller{err: errors.New("pulley speaks /v2")}).shows(running(idle()))
		refused.Enter()
		refused.expect("There is no history to show", "pulley speaks /v2")
		open(t, wide, nil).shows(model.View{Phase: model.Down}).Enter() // nobody to ask
	})
}

func TestOverviewChangesRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, wide, past()).shows(running(idle()))
		o.expect("docker.io", "via daocloud", "ghcr.io", "43 minutes ago", "quay.io")
		o.refuse("gcr.io") // not used lately
		routes := every[*part.Choice](o)
		if len(routes) != 3 || routes[1].Value() != "direct" {
			t.Fatalf("%d routes", len(routes))
		}
		routes[1].TypedKey(&fyne.KeyEvent{Name: fyne.KeyDown})
		if want := []model.Action{{Verb: model.SetRoute, Registry: "ghcr.io", Route: "offline"}}; !slices.Equal(o.Did, want) {
			t.Errorf("asked %v, want %v", o.Did, want)
		}
		var links []string
		for _, l := range every[*part.Link](o) {
			test.Tap(l)
			links = append(links, l.Words())
		}
		if want := []string{"activity ", "images ", "mirrors ", "docker "}; !slices.Equal(o.Visited, want) {
			t.Errorf("%q lead to %q, want %q", links, o.Visited, want)
		}
	})
}

func TestOverviewGaugesLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := idle()
		o := open(t, wide, past())
		gauge := func() string {
			if g := every[*part.Gauge](o); len(g) > 0 {
				return g[0].AccessibilityLabel()
			}
			return ""
		}
		o.shows(running(state))
		if got := gauge(); got != "Docker Hub: 76 of 100 pulls left" {
			t.Errorf("the gauge says %q", got)
		}
		again := wednesday.Add(2 * time.Hour)
		state.Limits = []control.Limit{{Registry: "docker.io", Limit: 100, Again: &again, At: wednesday}}
		o.shows(running(state))
		o.expect("No pulls left", "some again by 14:05")
		state.Limits = []control.Limit{{Registry: "docker.io", Limit: 200, Remaining: 180, Identity: "alice", At: wednesday}}
		o.shows(running(state))
		o.expect("180 of 200 pulls left", "signed in as alice")
		state.Limits = nil
		o.shows(running(state))
		if got := gauge(); got != "" {
			t.Errorf("a limit that nobody told of: %q", got)
		}
	})
}

func TestOverviewSpeaksChinese(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lang.Use("zh-CN")
		t.Cleanup(func() { lang.Use("en") })
		o := open(t, wide, past()).shows(running(busy()))
		o.Enter()
		o.expect("已开启", "正在拉取 3 个镜像", "来自缓存", "剩余 76/100 次拉取")
	})
}

// What a person must see fits into a small window.
func TestOverviewFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		small := fyne.NewSize(840, 566)
		o := open(t, small, past()).shows(running(idle()))
		o.Enter()
		for _, line := range []string{"On", "76 of 100 pulls left", "6.1 GiB", "3.3 GiB of 20 GiB", "debian:12"} {
			found := false
			o.All(func(object fyne.CanvasObject) {
				if text, ok := object.(*part.Text); ok && text.Words() == line {
					at := fyne.CurrentApp().Driver().AbsolutePositionForObject(text)
					end := at.Add(text.Size())
					found = end.X <= small.Width && end.Y <= small.Height && text.Size().Width > 0
				}
			})
			if !found {
				t.Errorf("%q is not in a small window", line)
			}
		}
	})
}

// A page that went through other states looks like one that was made for this one, from its top to its end: everything has the place
// and the lines that its words need now, and as far as it goes it can be scrolled.
func TestOverviewLaysItselfOutAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fresh, paused, until := idle(), idle(), wednesday.Add(time.Hour)
		fresh.Traffic, fresh.Limits = control.Traffic{}, nil
		paused.Enabled, paused.PausedUntil = false, &until
		wordy := busy()
		wordy.Problems = []control.Problem{{Text: "one"}, {Text: strings.Repeat("a long story ", 30)}, {Text: "two"}}
		views := []model.View{running(busy()), running(troubled()), running(idle()), {Phase: model.Down, State: idle()}, running(paused), running(wordy), running(idle()), running(fresh)}
		for _, size := range []fyne.Size{wide, fyne.NewSize(840, 566), fyne.NewSize(560, 480)} {
			changed := open(t, size, past()).shows(model.View{})
			changed.Enter()
			for i, v := range views {
				changed.Now = changed.Now.Add(time.Second)
				changed.shows(v)
				anew := open(t, size, past())
				anew.Now = changed.Now
				anew.shows(v)
				anew.Enter()
				if was, is := test.RenderToMarkup(anew.Window.Canvas()), test.RenderToMarkup(changed.Window.Canvas()); was != is {
					t.Errorf("%v, state %d: it is laid out differently after others", size, i)
				}
				if was, is := anew.end(), changed.end(); was != is {
					t.Errorf("%v, state %d: it ends %v below its window's lower edge after others, %v anew", size, i, is, was)
				}
			}
		}
	})
}

// end scrolls as far down as that goes, and tells how far below the window's lower edge the last card ends: below zero, by what is left free.
func (o *table) end() (below float32) {
	scroll := every[*part.Scroll](o)[0]
	scroll.Scrolled(&fyne.ScrollEvent{Scrolled: fyne.NewDelta(0, -5000)})
	below = lowest(o.Window.Canvas().Content(), 0) - o.Window.Canvas().Size().Height
	scroll.Scrolled(&fyne.ScrollEvent{Scrolled: fyne.NewDelta(0, 5000)})
	return below
}

// lowest is where the last sheet in an object ends, which begins at y. There may be several windows, so that Fyne would not tell.
func lowest(o fyne.CanvasObject, y float32) (end float32) {
	y += o.Position().Y
	var inner []fyne.CanvasObject
	switch o := o.(type) {
	case *part.Sheet:
		return y + o.Size().Height
	case *fyne.Container:
		inner = o.Objects
	case fyne.Widget:
		inner = test.WidgetRenderer(o).Objects()
	}
	for _, one := range inner {
		if one.Visible() {
			end = max(end, lowest(one, y))
		}
	}
	return end
}

// The last card never touches the lower edge of the window.
func TestOverviewEndsAboveTheEdge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, size := range []fyne.Size{wide, fyne.NewSize(840, 566), fyne.NewSize(560, 480), fyne.NewSize(1700, 1200)} {
			for name, state := range map[string]control.State{"idle": idle(), "busy": busy(), "troubled": troubled()} {
				o := open(t, size, past()).shows(running(state))
				o.Enter()
				if below := o.end(); below > -20 {
					t.Errorf("%v, %s: it ends %v below the edge", size, name, below)
				}
			}
		}
		o := open(t, fyne.NewSize(840, 566), past()).shows(running(idle()))
		o.Enter()
		scroll := every[*part.Scroll](o)[0]
		scroll.Scrolled(&fyne.ScrollEvent{Scrolled: fyne.NewDelta(0, -5000)})
		if scroll.Offset.Y != 0 {
			t.Errorf("a usual state does not fit into 900×600: it scrolls by %v", scroll.Offset.Y)
		}
	})
}

// Docker's contexts, the one in force first; how they stand differs in more than colour.
func TestOverviewShowsContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, wide, past()).shows(running(idle()))
		o.Expect("Docker contexts", "unix:///var/run/docker.sock · reachable · docker uses this one", "ssh://ci@build-1.corp.example · reachable",
			"desktop-linux", "unreachable", "tcp://prod.example:2376 · not asked yet")
		var names []string
		for _, text := range every[*part.Text](o) {
			if w := text.Words(); w == "default" || w == "build-1" || w == "desktop-linux" || w == "production" {
				names = append(names, w)
			}
		}
		if want := []string{"default", "build-1", "desktop-linux", "production", "production"}; !slices.Equal(names, want) {
			t.Errorf("they are %q, want %q", names, want)
		}
		var lights []part.Light
		for _, lamp := range every[*part.Lamp](o) {
			lights = append(lights, lamp.Light())
		}
		if want := []part.Light{part.LightGood, part.LightGood, part.LightBad, part.LightUnknown}; !slices.Equal(lights, want) {
			t.Errorf("they are lit %v, want %v", lights, want)
		}
		o.Tap("Docker")
		if want := []string{"docker "}; !slices.Equal(o.Visited, want) {
			t.Errorf("it leads to %q", o.Visited)
		}
		chosen := running(idle()) // docker was told to use another one: that is not a number, and does not wait
		chosen.Contexts[0].Wins, chosen.Contexts[1].Wins = true, false
		o.Now = o.Now.Add(time.Millisecond)
		o.shows(chosen)
		o.Expect("ssh://ci@build-1.corp.example · reachable · docker uses this one")
		none := running(idle())
		none.Contexts = nil
		o.Now = o.Now.Add(time.Second)
		o.shows(none)
		o.refuse("Docker contexts", "default")
	})
}
