package activity_test

import (
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"pulley/internal/control"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/page/activity"
	"pulley/ui/page/pagetest"
	"pulley/ui/part"
)

func activityPage(t *testing.T) *pagetest.Live {
	t.Helper()
	r := pagetest.NewLive(t, pagetest.Usual, func(d page.Desk) page.Page { return activity.New(d) })
	r.Enter()
	r.Says("postgres@")
	return r
}

// tell has the daemon answer another request.
func tell(r *pagetest.Live, name string) {
	r.T.Helper()
	r.Now = r.Now.Add(time.Second)
	e := control.Event{Time: r.Now, Door: "http", Client: "127.0.0.1", Registry: "docker.io", Repository: "library/" + name, What: "blob", Reference: "1", Status: 200, Bytes: 5, FromCache: 5, Source: "cache"}
	sent := make(chan struct{})
	go func() { r.Daemon.News <- e; close(sent) }()
	r.Until("the page listens", func() bool {
		select {
		case <-sent:
			return true
		case then := <-r.Then:
			then()
			return false
		}
	})
}

func choose(r *pagetest.Live, option int) {
	pagetest.Everything(r.Window.Canvas().Content(), func(o fyne.CanvasObject) {
		if s, ok := o.(*part.Segments); ok {
			s.Choose(option)
		}
	})
}

func TestLogFollowsTheNews(t *testing.T) {
	r := activityPage(t)
	tell(r, "newcomer")
	r.Says("newcomer:1")
	if !r.Table().AtEnd() {
		t.Error("the end is not followed")
	}
}

func TestLogStaysWhereSomebodyReads(t *testing.T) {
	r := activityPage(t)
	r.Key(fyne.KeyHome)
	if r.Table().AtEnd() {
		t.Fatal("the log is too short to be read")
	}
	tell(r, "first")
	tell(r, "second")
	r.Says("2 new entries")
	if r.Reads("second:1") {
		t.Error("the log moved on under somebody's eyes")
	}
	r.Tap("2 new entries")
	r.Says("second:1")
	if r.Reads("new entries") || !r.Table().AtEnd() {
		t.Error("the pill stays, or does not lead to the end")
	}
	tell(r, "third")
	r.Says("third:1")
}

func TestLogIsFiltered(t *testing.T) {
	r := activityPage(t)
	choose(r, 2)
	r.Says("3 of 46")
	if r.Reads("nginx") || !r.Reads("ghcr.io/astral-sh/uv:0.6-missing") {
		t.Errorf("failures: %q", r.Texts())
	}
	tell(r, "fine")
	r.Says("3 of 47")
	choose(r, 0)
	r.Says("fine:1")
	r.Search("kube jump")
	r.Says("3 of 47")
	r.Search("never seen")
	r.Says("Nothing matches")
	r.Search("")
	r.Page.(page.Taker).Take("docker.io/library/postgres@" + pagetest.Digest(42))
	r.Says("1 of 47")
	r.Search("")
	r.Page.(page.Taker).Take("quay.io")
	r.Says("3 of 47")
}

func TestStory(t *testing.T) {
	r := activityPage(t)
	r.Key(fyne.KeyEnd)
	for _, text := range []string{
		"16 MiB were on disk, 94 MiB came from daocloud + origin + ustc, in 5.2 s. That is 21 MiB/s. 2 sources failed on the way; others took over.",
		"110 MiB in 7 ranges", "57 MiB · 52%", "after 1.2 s", "connection reset by peer", "ustc is left out", "HTTP proxy", "200 OK", "direct 34.193.147.40", "180 ms",
	} {
		r.Says(text)
	}
	r.Tap("Copy as JSON")
	if !strings.Contains(r.Copied, `"source": "daocloud+origin+ustc"`) || !strings.Contains(r.Copied, `"failed": [`) {
		t.Errorf("copied %q", r.Copied)
	}
	r.Key(fyne.KeyUp)
	r.Says("40 MiB in 3.1 s from origin. That is 13 MiB/s.")
	r.Key(fyne.KeyUp)
	r.Key(fyne.KeyUp)
	r.Says("manifest unknown")
	if !r.Page.(page.Layered).Escape() || r.Reads("Copy as JSON") {
		t.Error("Escape does not close it")
	}
}

func TestLogListensOnlyInFront(t *testing.T) {
	r := activityPage(t)
	r.Page.(page.Guest).Leave()
	r.Daemon.Mu.Lock()
	r.Daemon.Past = append(r.Daemon.Past, control.Event{Time: r.Now, Registry: "docker.io", Repository: "library/meanwhile", What: "manifest", Reference: "1"})
	r.Daemon.Mu.Unlock()
	r.Enter()
	r.Says("meanwhile:1")
	r.Says("47")
	if r.Reads("48") {
		t.Error("what was there is shown twice")
	}
}

func TestLogIsHeardAgainAfterADaemonThatEnded(t *testing.T) {
	r := pagetest.NewLive(t, pagetest.Usual, func(d page.Desk) page.Page { return activity.New(d) })
	daemon := r.Daemon
	r.Daemon = nil
	r.Enter()
	r.Page.Show(model.View{Phase: model.Down}, r.Now)
	r.Says("Pulley is not running")
	r.Daemon = daemon
	r.Now = r.Now.Add(5 * time.Second)
	r.Page.Show(r.View, r.Now)
	r.Says("postgres@")
}

// BenchmarkActivity is what a full log costs the UI goroutine, a frame of scrolling at a time.
func BenchmarkActivity(b *testing.B) {
	r := pagetest.NewLive(b, pagetest.Usual, func(d page.Desk) page.Page { return activity.New(d) })
	events := pagetest.SomeEvents()
	r.Daemon.Past = nil
	for n := range model.Kept {
		e := events[n%len(events)]
		e.Time = e.Time.Add(time.Duration(n) * time.Microsecond)
		r.Daemon.Past = append(r.Daemon.Past, e)
	}
	r.Enter()
	r.Says("100,000")
	table := r.Table()
	b.Run("scroll", func(b *testing.B) {
		for row := 0; b.Loop(); row = (row + 977) % model.Kept {
			table.ScrollTo(row)
			r.Window.Canvas().Refresh(table)
		}
	})
}
