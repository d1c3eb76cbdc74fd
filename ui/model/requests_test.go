package model_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pulley/internal/control"
	"pulley/ui/model"
)

// requests are so many, from the n-th on: each tenth failed, each third came over the network.
func requests(from, n int) []control.Event {
	list := make([]control.Event, n)
	for i := range list {
		at := from + i
		e := control.Event{
			Time: imageNoon.Add(time.Duration(at) * time.Millisecond), Door: "http", Client: "127.0.0.1", Agent: "docker/27.3.1 go/go1.22", Method: "GET",
			Registry: "docker.io", Repository: fmt.Sprintf("library/app%d", at%50), What: "manifest", Reference: fmt.Sprintf("v%d", at), Status: 200,
			Bytes: int64(at), FromCache: int64(at), Source: "cache", Duration: time.Millisecond,
		}
		if at%3 == 0 {
			e.FromCache, e.FromNet, e.Source, e.Way = 0, int64(at)+1, "daocloud+origin", "direct 192.0.2.1"
		}
		if at%10 == 0 {
			e.Status, e.Err, e.Registry, e.Door = 502, "Connection reset by peer", "ghcr.io", "mirror"
		}
		list[i] = e
	}
	return list
}

func TestRequestsToldTwiceAreShownOnce(t *testing.T) {
	l := model.NewRequests()
	l.Add(requests(0, 10)...)
	if added := l.Add(requests(5, 10)...); added != 5 || l.Len() != 15 {
		t.Errorf("%d added, %d shown, want 5 and 15", added, l.Len())
	}
	for n := range l.Len() {
		if want := fmt.Sprintf("v%d", n); l.At(n).Reference != want || l.Index(l.At(n).ID()) != n {
			t.Fatalf("at %d: %s", n, l.At(n).Reference)
		}
	}
	if l.Get("77") != nil || l.Index("x") != -1 || l.Get("3").Reference != "v2" {
		t.Error("requests are found by the wrong ID")
	}
}

func TestLogForgetsTheOldest(t *testing.T) {
	l := model.NewRequests()
	const all = model.Kept + 20_000
	for at := 0; at < all; at += 1000 {
		l.Add(requests(at, 1000)...)
	}
	if l.All() < model.Kept || l.All() > model.Kept+6000 || l.Len() != l.All() {
		t.Errorf("%d are kept, %d shown", l.All(), l.Len())
	}
	if want := fmt.Sprintf("v%d", all-1); l.At(l.Len()-1).Reference != want {
		t.Error("the newest is not the last")
	}
	first := l.At(0).ID()
	l.Hold()
	l.Add(requests(all, 20_000)...)
	if l.Index(first) != 0 {
		t.Error("what somebody reads is taken from under their eyes")
	}
	l.Follow()
	if l.Index(first) != -1 || l.All() != model.Kept {
		t.Errorf("%d are kept after that", l.All())
	}
}

func TestUnseenRequestsAreCounted(t *testing.T) {
	l := model.NewRequests()
	l.Add(requests(0, 10)...)
	if l.Unseen() != 0 {
		t.Error("what is seen is counted")
	}
	l.Hold()
	l.Begin(model.Filter{Only: model.Failures})
	l.Add(requests(10, 20)...)
	if l.Unseen() != 2 || !l.Holding() {
		t.Errorf("%d are unseen, want the 2 that the filter lets through", l.Unseen())
	}
	l.Follow()
	if l.Unseen() != 0 || l.Holding() {
		t.Error("the end does not count as seen")
	}
}

func TestFilter(t *testing.T) {
	l := model.NewRequests()
	l.Add(requests(0, 100)...)
	for _, c := range []struct {
		filter model.Filter
		want   int
	}{
		{model.Filter{}, 100},
		{model.Filter{Only: model.FromNetwork}, 34},
		{model.Filter{Only: model.Failures}, 10},
		{model.Filter{Registry: "ghcr.io"}, 10},
		{model.Filter{Door: "mirror"}, 10},
		{model.Filter{Text: "app7:v7"}, 1},
		{model.Filter{Text: "library/app7"}, 2},
		{model.Filter{Text: "RESET peer"}, 10},
		{model.Filter{Text: "daocloud"}, 34},
		{model.Filter{Text: "docker/27"}, 100},
		{model.Filter{Text: "502"}, 10},
		{model.Filter{Text: "192.0.2.1", Registry: "ghcr.io"}, 4},
		{model.Filter{Text: "nothing"}, 0},
	} {
		sift := l.Begin(c.filter)
		found, done := sift.Run(t.Context())
		if !done || !l.Finish(sift, found) || l.Len() != c.want {
			t.Errorf("%+v shows %d, want %d", c.filter, l.Len(), c.want)
		}
	}
}

func TestNewsWhileAFilterIsPutInForce(t *testing.T) {
	l := model.NewRequests()
	l.Add(requests(0, 100)...)
	overtaken := l.Begin(model.Filter{Text: "app1"})
	sift := l.Begin(model.Filter{Only: model.Failures})
	l.Add(requests(100, 20)...)
	old, _ := overtaken.Run(t.Context())
	if l.Finish(overtaken, old) {
		t.Error("a filter that was overtaken is put in force")
	}
	found, _ := sift.Run(t.Context())
	if !l.Finish(sift, found) || l.Len() != 12 {
		t.Errorf("%d are shown, want the 12 failures, each once", l.Len())
	}
	l.Add(requests(120, 10)...)
	if l.Len() != 13 {
		t.Errorf("%d are shown after that, want 13", l.Len())
	}
	sift = l.Begin(model.Filter{})
	found, _ = sift.Run(t.Context())
	l.Add(requests(130, 1)...)
	l.Finish(sift, found)
	if l.Len() != 131 || l.All() != 131 {
		t.Errorf("%d of %d without a filter, want 131", l.Len(), l.All())
	}
}

func TestSiftingIsGivenUp(t *testing.T) {
	l := model.NewRequests()
	l.Add(requests(0, 10)...)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, done := l.Begin(model.Filter{Text: "x"}).Run(ctx); done {
		t.Error("it goes on")
	}
}

func TestRequestTitles(t *testing.T) {
	for want, e := range map[string]control.Event{
		"debian:12":           {Registry: "docker.io", Repository: "library/debian", Reference: "12"},
		"debian@0123456789ab": {Registry: "docker.io", Repository: "library/debian", Reference: "sha256:0123456789abcdef"},
		"docker.io":           {Registry: "docker.io"},
		"ghcr.io/org/app":     {Registry: "ghcr.io", Repository: "org/app"},
	} {
		if got := (&model.Request{Event: e}).Title(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestBadRequests(t *testing.T) {
	for _, c := range []struct {
		event control.Event
		want  bool
	}{{control.Event{Status: 200}, false}, {control.Event{Status: 401}, false}, {control.Event{Status: 404}, true}, {control.Event{Err: "reset"}, true}, {control.Event{Status: 401, Err: "denied"}, true}} {
		if got := (&model.Request{Event: c.event}).Bad(); got != c.want {
			t.Errorf("%+v: bad %v", c.event, got)
		}
	}
}

// BenchmarkFilter puts a filter in force over a full log: what is done beside the UI goroutine, and what on it.
func BenchmarkFilter(b *testing.B) {
	l := model.NewRequests()
	for at := 0; at < model.Kept; at += 1000 {
		l.Add(requests(at, 1000)...)
	}
	b.Run("beside", func(b *testing.B) {
		for b.Loop() {
			l.Begin(model.Filter{Text: "app17 reset", Only: model.FromNetwork}).Run(b.Context())
		}
	})
	b.Run("finish", func(b *testing.B) {
		sift := l.Begin(model.Filter{Text: "app17"})
		found, _ := sift.Run(b.Context())
		for b.Loop() {
			l.Finish(sift, found)
		}
	})
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			sift := l.Begin(model.Filter{})
			found, _ := sift.Run(b.Context())
			l.Finish(sift, found)
		}
	})
	b.Run("add", func(b *testing.B) {
		for at := model.Kept; b.Loop(); at += 10 {
			l.Add(requests(at, 10)...)
		}
	})
}

// BenchmarkImages is what typing and clicking a header costs with 10,000 images.
func BenchmarkImages(b *testing.B) {
	var images []control.Image
	for n := range 10_000 {
		images = append(images, image(fmt.Sprintf("docker.io/org%d/app%d", n%97, n), int64(n*7919%10_007), time.Duration(n*31%5000)*time.Minute, "1", "latest"))
	}
	rows := model.ImageRows(images)
	l := model.NewImages()
	l.Heard(rows)
	b.Run("rows", func(b *testing.B) {
		for b.Loop() {
			model.ImageRows(images)
		}
	})
	b.Run("search", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			l.Search(fmt.Sprint("app", n%10))
		}
	})
	l.Search("")
	b.Run("sort", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			l.Sort([]string{model.ByName, model.BySize}[n%2], n%4 > 1)
		}
	})
}
