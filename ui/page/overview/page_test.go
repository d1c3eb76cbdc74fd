package overview_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"pulley/internal/control"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/page/overview"
	"pulley/ui/page/pagetest"
	"pulley/ui/theme"
)

// wednesday is when all of it happens.
var wednesday = time.Date(2026, 3, 4, 12, 5, 20, 0, time.UTC)

// teller is a daemon that tells its history and its requests, and nothing else.
type teller struct {
	page.Daemon
	history control.History
	events  []control.Event
	err     error
	asked   int
}

func (d *teller) History(context.Context) (control.History, error) {
	d.asked++
	return d.history, d.err
}

func (d *teller) Events(context.Context, int) ([]control.Event, error) { return d.events, d.err }

// table is an overview in a window, with the daemon that it asks.
type table struct {
	*overview.Page
	*pagetest.Person
	daemon *teller
}

func open(t *testing.T, size fyne.Size, daemon *teller) *table {
	t.Helper()
	o := &table{Person: pagetest.Sit(t, size, theme.Light), daemon: daemon}
	o.Now = wednesday
	desk := o.Desk()
	desk.Daemon = func() page.Daemon {
		if o.daemon == nil {
			return nil
		}
		return o.daemon
	}
	o.Page = overview.New(desk)
	o.Face(o.Root())
	o.Window.Show()
	return o
}

func (o *table) shows(v model.View) *table {
	o.Show(v, o.Now)
	return o
}

// every visible widget of a kind.
func every[W fyne.Widget](o *table) (found []W) {
	o.All(func(object fyne.CanvasObject) {
		if w, ok := object.(W); ok {
			found = append(found, w)
		}
	})
	return found
}

// expect wants whole lines.
func (o *table) expect(lines ...string) {
	o.T.Helper()
	read := o.Texts()
	for _, line := range lines {
		if !slices.Contains(read, line) {
			o.T.Errorf("it does not say %q; it says %q", line, read)
		}
	}
}

// refuse does not want whole lines.
func (o *table) refuse(lines ...string) {
	o.T.Helper()
	read := o.Texts()
	for _, line := range lines {
		if slices.Contains(read, line) {
			o.T.Errorf("it says %q", line)
		}
	}
}

// idle is a daemon's state with some history behind it.
func idle() control.State {
	s := control.State{
		Enabled: true, Listen: "127.0.0.1:5055",
		Cache: control.Cache{Size: 3<<30 + 300<<20, MaxSize: 20 << 30, Images: 42, Free: 181 << 30},
		Traffic: control.Traffic{Today: control.Bytes{Requests: 900, FromCache: 5 << 30, FromNet: 1<<30 + 200<<20},
			Ever: control.Bytes{Requests: 9000, FromCache: 500 << 30, FromNet: 120 << 30}, SavedTime: 6*time.Hour + 12*time.Minute},
	}
	for i, name := range []string{"docker.io", "ghcr.io", "quay.io", "gcr.io", "registry.k8s.io", "mcr.microsoft.com"} {
		r := control.Registry{Name: name, Route: "auto", Routes: []string{"auto", "direct", "offline", "daocloud"}}
		if i < 3 {
			used := wednesday.Add(-time.Duration(i*i*40+3) * time.Minute)
			r.LastUsed = &used
		}
		s.Registries = append(s.Registries, r)
	}
	s.Registries[0].Best = "daocloud"
	s.Registries[1].Route = "direct"
	s.Limits = []control.Limit{{Registry: "docker.io", Limit: 100, Remaining: 76, Window: 6 * time.Hour, At: wednesday}}
	return s
}

// busy is the same while three images are pulled.
func busy() control.State {
	s := idle()
	transfer := func(registry, repository, digest string, have, total int64, rate float64, sources ...string) {
		s.Active = append(s.Active, control.Transfer{Registry: registry, Repository: repository, Digest: "sha256:" + digest, Clients: 1,
			Have: have << 10, Total: total << 10, Rate: rate * (1 << 20), Sources: sources, Since: wednesday.Add(time.Duration(len(s.Active)) * time.Second)})
	}
	transfer("docker.io", "library/postgres", "1f2e3d4c5b6a79880", 61000, 112000, 14.2, "daocloud", "origin")
	transfer("docker.io", "library/postgres", "9a8b7c6d5e4f30211", 8100, 9300, 3.1, "daocloud")
	transfer("docker.io", "library/postgres", "0011223344556677a", 900, 31400, 5.6, "origin")
	transfer("ghcr.io", "a-rather-long-organisation/with-a-long-repository-name/and-more", "77aa77aa77aa77aa7", 4100, 310000, 9.7, "origin")
	transfer("quay.io", "prometheus/node-exporter", "c0ffee00c0ffee000", 5100, 11200, 2.2, "origin")
	transfer("quay.io", "prometheus/node-exporter", "deadbeefdeadbeef0", 320, 800, .9, "origin")
	return s
}

// past is a history of a working year.
func past() *teller {
	d := &teller{}
	seed := uint32(7)
	random := func(n uint32) int64 { // the same each time
		seed = seed*1664525 + 1013904223
		return int64(seed >> 8 % n)
	}
	midnight := wednesday.Truncate(24 * time.Hour)
	for m := -1435; m <= 0; m++ {
		at := wednesday.Truncate(time.Minute).Add(time.Duration(m) * time.Minute)
		if h := at.Hour(); h < 8 || h > 19 || h == 12 && at.Minute() < 2 || random(9) > 1 {
			continue
		}
		size := random(60) << 20
		d.history.Minutes = append(d.history.Minutes, control.Point{At: at, Bytes: control.Bytes{Requests: 3, FromCache: size * (1 + random(4)) / 2, FromNet: size * random(5) / 6}})
	}
	for day := -364; day <= 0; day++ {
		at := midnight.AddDate(0, 0, day)
		if w := at.Weekday(); w == time.Saturday || w == time.Sunday {
			continue
		}
		size := (1 + random(20)) << 28
		d.history.Days = append(d.history.Days, control.Point{At: at, Bytes: control.Bytes{Requests: 3, FromCache: size * int64(400+day) / 300, FromNet: size * random(4) / 5}})
	}
	for i, p := range []struct {
		registry, repository, tag string
		cache, net                int64
	}{
		{"quay.io", "prometheus/node-exporter", "v1.8.1", 0, 11 << 20},
		{"docker.io", "library/python", "3.13-slim", 41 << 20, 3 << 20},
		{"ghcr.io", "astral-sh/uv", "0.5", 19 << 20, 0},
		{"docker.io", "library/node", "22", 310 << 20, 61 << 20},
		{"docker.io", "library/golang", "1.26", 290 << 20, 0},
		{"docker.io", "library/debian", "12", 48 << 20, 0},
	} {
		d.events = append(d.events, control.Event{Time: wednesday.Add(time.Duration((i-6)*(7-i)*6) * time.Minute), Method: "GET", What: "manifest",
			Registry: p.registry, Repository: p.repository, Reference: p.tag, FromCache: p.cache, FromNet: p.net})
	}
	return d
}

func running(s control.State) model.View {
	return model.View{Phase: model.Running, State: s,
		Contexts: []model.Context{{Name: "build-1", Host: "ssh://ci@build-1.corp.example"}, {Name: "default", Host: "unix:///var/run/docker.sock", Wins: true},
			{Name: "desktop-linux", Host: "unix:///home/me/.docker/desktop/docker.sock"}, {Name: "production", Host: "tcp://prod.example:2376", Mark: &model.Mark{Word: "production"}}},
		Reports: map[string]model.ContextReport{"build-1": {Reachable: true}, "default": {Reachable: true}, "desktop-linux": {Error: "there is no socket"}},
	}
}

func troubled() control.State {
	s := idle()
	s.Limits[0].Remaining = 8
	s.Problems = []control.Problem{
		{Kind: control.ProblemMirror, Key: control.KeyMirrorLied, Thing: "docker.io/daocloud", About: "it served other bytes than sha256:1f2e3d4c says",
			Text: "mirror daocloud of docker.io is not used: it served other bytes than sha256:1f2e3d4c says", Fix: "pulley mirror off daocloud"},
		{Kind: control.ProblemDisk, Text: "not everything can be cached: the disk is full", Fix: "free some disk space, or: pulley config set cache.max_size 5GiB"},
	}
	return s
}

// TestLooks lays it out in every look. PULLEY_SHEETS keeps the pictures.
func TestLooks(t *testing.T) {
	later := wednesday.Add(40 * time.Minute)
	off := idle()
	off.Enabled, off.PausedUntil = false, &later
	fresh := idle()
	fresh.Traffic, fresh.Limits = control.Traffic{}, nil
	pagetest.Looks(t, func(t *testing.T, look pagetest.Look) {
		for name, v := range map[string]model.View{
			"idle": running(idle()), "busy": running(busy()), "trouble": running(troubled()), "fresh": running(fresh),
			"down":   {Phase: model.Down, Reason: "port 5055 is held by nginx (pid 812)", State: idle()},
			"paused": running(off), "starting": {},
		} {
			daemon := past()
			if name == "fresh" {
				daemon = &teller{}
			}
			o := open(t, look.Size, daemon)
			o.shows(v)
			o.Enter()
			o.Shoot("overview-" + name + "-" + look.Name)
		}
	})
}
