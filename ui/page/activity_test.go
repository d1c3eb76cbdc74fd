package page_test

import (
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"pulley/internal/control"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
)

func activityPage(t *testing.T) *cacheRig {
	t.Helper()
	r := newCacheRig(t, usualSize, func(d page.Desk) page.Page { return page.NewActivity(d) })
	r.enter()
	r.says("postgres@")
	return r
}

// tell has the daemon answer another request.
func tell(r *cacheRig, name string) {
	r.t.Helper()
	r.now = r.now.Add(time.Second)
	e := control.Event{Time: r.now, Door: "http", Client: "127.0.0.1", Registry: "docker.io", Repository: "library/" + name, What: "blob", Reference: "1", Status: 200, Bytes: 5, FromCache: 5, Source: "cache"}
	sent := make(chan struct{})
	go func() { r.daemon.news <- e; close(sent) }()
	r.until("the page listens", func() bool {
		select {
		case <-sent:
			return true
		case then := <-r.then:
			then()
			return false
		}
	})
}

func choose(r *cacheRig, option int) {
	everything(r.window.Canvas().Content(), func(o fyne.CanvasObject) {
		if s, ok := o.(*part.Segments); ok {
			s.Choose(option)
		}
	})
}

func TestLogFollowsTheNews(t *testing.T) {
	r := activityPage(t)
	tell(r, "newcomer")
	r.says("newcomer:1")
	if !r.table().AtEnd() {
		t.Error("the end is not followed")
	}
}

func TestLogStaysWhereSomebodyReads(t *testing.T) {
	r := activityPage(t)
	r.key(fyne.KeyHome)
	if r.table().AtEnd() {
		t.Fatal("the log is too short to be read")
	}
	tell(r, "first")
	tell(r, "second")
	r.says("2 new entries")
	if r.reads("second:1") {
		t.Error("the log moved on under somebody's eyes")
	}
	r.tap("2 new entries")
	r.says("second:1")
	if r.reads("new entries") || !r.table().AtEnd() {
		t.Error("the pill stays, or does not lead to the end")
	}
	tell(r, "third")
	r.says("third:1")
}

func TestLogIsFiltered(t *testing.T) {
	r := activityPage(t)
	choose(r, 2)
	r.says("3 of 46")
	if r.reads("nginx") || !r.reads("ghcr.io/astral-sh/uv:0.6-missing") {
		t.Errorf("failures: %q", r.texts())
	}
	tell(r, "fine")
	r.says("3 of 47")
	choose(r, 0)
	r.says("fine:1")
	r.search("kube jump")
	r.says("3 of 47")
	r.search("never seen")
	r.says("Nothing matches")
	r.search("")
	r.page.(page.Taker).Take("docker.io/library/postgres@" + hex(42))
	r.says("1 of 47")
	r.search("")
	r.page.(page.Taker).Take("quay.io")
	r.says("3 of 47")
}

func TestStory(t *testing.T) {
	r := activityPage(t)
	r.key(fyne.KeyEnd)
	for _, text := range []string{
		"16 MiB were on disk, 94 MiB came from daocloud + origin + ustc, in 5.2 s. That is 21 MiB/s. 2 sources failed on the way; others took over.",
		"110 MiB in 7 ranges", "57 MiB · 52%", "after 1.2 s", "connection reset by peer", "ustc is left out", "HTTP proxy", "200 OK", "direct 34.193.147.40", "180 ms",
	} {
		r.says(text)
	}
	r.tap("Copy as JSON")
	if !strings.Contains(r.copied, `"source": "daocloud+origin+ustc"`) || !strings.Contains(r.copied, `"failed": [`) {
		t.Errorf("copied %q", r.copied)
	}
	r.key(fyne.KeyUp)
	r.says("40 MiB in 3.1 s from origin. That is 13 MiB/s.")
	r.key(fyne.KeyUp)
	r.key(fyne.KeyUp)
	r.says("manifest unknown")
	if !r.page.(page.Layered).Escape() || r.reads("Copy as JSON") {
		t.Error("Escape does not close it")
	}
}

func TestLogListensOnlyInFront(t *testing.T) {
	r := activityPage(t)
	r.page.(page.Guest).Leave()
	r.daemon.mu.Lock()
	r.daemon.events = append(r.daemon.events, control.Event{Time: r.now, Registry: "docker.io", Repository: "library/meanwhile", What: "manifest", Reference: "1"})
	r.daemon.mu.Unlock()
	r.enter()
	r.says("meanwhile:1")
	r.says("47")
	if r.reads("48") {
		t.Error("what was there is shown twice")
	}
}

func TestLogIsHeardAgainAfterADaemonThatEnded(t *testing.T) {
	r := newCacheRig(t, usualSize, func(d page.Desk) page.Page { return page.NewActivity(d) })
	daemon := r.daemon
	r.daemon = nil
	r.enter()
	r.page.Show(model.View{Phase: model.Down}, r.now)
	r.says("Pulley is not running")
	r.daemon = daemon
	r.now = r.now.Add(5 * time.Second)
	r.page.Show(r.view, r.now)
	r.says("postgres@")
}

// BenchmarkActivity is what a full log costs the UI goroutine, a frame of scrolling at a time.
func BenchmarkActivity(b *testing.B) {
	r := newCacheRig(b, usualSize, func(d page.Desk) page.Page { return page.NewActivity(d) })
	events := someEvents()
	r.daemon.events = nil
	for n := range model.Kept {
		e := events[n%len(events)]
		e.Time = e.Time.Add(time.Duration(n) * time.Microsecond)
		r.daemon.events = append(r.daemon.events, e)
	}
	r.enter()
	r.says("100,000")
	table := r.table()
	b.Run("scroll", func(b *testing.B) {
		for row := 0; b.Loop(); row = (row + 977) % model.Kept {
			table.ScrollTo(row)
			r.window.Canvas().Refresh(table)
		}
	})
}
