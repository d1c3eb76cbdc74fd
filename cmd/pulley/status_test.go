package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"pulley/internal/control"
)

// TestStatusIsAPage: what a person reads in every state, within the width of a terminal.
func TestStatusIsAPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		earlier := func(d time.Duration) *time.Time { at := now.Add(-d); return &at }
		busy := control.State{
			Enabled: true, Listen: "127.0.0.1:5055",
			Problems: []control.Problem{
				{Text: "docker.io: mirror daocloud sent bytes that are not those of their digest, and is not asked any more", Fix: "pulley mirror off daocloud docker.io"},
				{Text: "the disk is full"},
			},
			Active: []control.Transfer{
				{Registry: "ghcr.io", Repository: "org/app", Digest: "sha256:ffffffffffffffff", Have: 5 << 20, Total: -1, Since: now, Clients: 1},
				{Registry: "docker.io", Repository: "library/nginx", Digest: "sha256:bbbbbbbbbbbbbbbb", Have: 45 << 20, Total: 45 << 20, Since: *earlier(time.Second), Clients: 2, Rate: 3 << 20, Sources: []string{"origin", "daocloud"}},
				{Registry: "docker.io", Repository: "library/nginx", Digest: "sha256:aaaaaaaaaaaaaaaa", Have: 900, Total: 1 << 30, Since: *earlier(2 * time.Second), Clients: 1, Rate: 100, Sources: []string{"origin"}},
			},
			Traffic: control.Traffic{Today: control.Bytes{Requests: 1, FromCache: 3 << 30, FromNet: 700 << 10}, Ever: control.Bytes{Requests: 9, FromCache: 12 << 30, FromNet: 1234 << 20}, SavedTime: 2 * time.Hour},
			Cache:   control.Cache{Dir: "/var/lib/pulley/cache", Size: 5 << 30, MaxSize: 20 << 30, Blobs: 812, Images: 42, Saved: 12 << 30},
			Limits:  []control.Limit{{Registry: "docker.io", Identity: "anonymous", Limit: 100, Remaining: 87, Window: 6 * time.Hour, At: *earlier(2 * time.Minute)}},
			Registries: []control.Registry{
				{Name: "docker.io", Route: "auto", Best: "daocloud", LastUsed: earlier(2 * time.Minute)},
				{Name: "ghcr.io", Route: "auto", Best: "origin", LastUsed: earlier(3 * time.Hour)},
				{Name: "quay.io", Route: "auto", LastUsed: earlier(48 * time.Hour)},
				{Name: "gcr.io", Route: "offline"},
			},
			Later: map[string]string{"cache.dir": "/old"},
		}
		until := now.Add(time.Hour)
		for _, test := range []struct {
			name  string
			state control.State
			want  string
		}{
			{"new", control.State{Enabled: true, Listen: "127.0.0.1:5055", Registries: []control.Registry{{Name: "docker.io", Route: "auto"}}}, `
pulley     on at 127.0.0.1:5055

today      nothing came through yet; engines are wired by: pulley connect
cache      none: everything passes through
`},
			{"off", control.State{Listen: "127.0.0.1:5055", Traffic: control.Traffic{Ever: control.Bytes{Requests: 1}}}, `
pulley     off: engines go straight through 127.0.0.1:5055

today            0B from cache,       0B from the network, 0 requests
ever             0B from cache,       0B from the network
cache      none: everything passes through
`},
			{"paused", control.State{Listen: "127.0.0.1:5055", PausedUntil: &until}, `
pulley     paused until ` + until.Local().Format("15:04") + `: engines go straight through 127.0.0.1:5055

today      nothing came through yet; engines are wired by: pulley connect
cache      none: everything passes through
`},
			{"busy", busy, `
pulley     on at 127.0.0.1:5055

problem    docker.io: mirror daocloud sent bytes that are not those of their
           digest, and is not asked any more
           try: pulley mirror off daocloud docker.io
problem    the disk is full

later      cache.dir is in force from the next start; until then it is /old

pulling    nginx, for 2 clients
             aaaaaaaaaaaa   0%     900B of     1GiB     100B/s origin
             bbbbbbbbbbbb 100%    45MiB of    45MiB     3MiB/s origin+daocloud
           ghcr.io/org/app
             ffffffffffff          5MiB of        ?

today          3GiB from cache,   700KiB from the network, 1 request
ever          12GiB from cache, 1.205GiB from the network, 2 hours saved
cache      5GiB of 20GiB in 812 blobs, 42 images, 12GiB saved
           /var/lib/pulley/cache

limit      docker.io, anonymous: 87 of 100 pulls left in 6 hours (2 minutes ago)

route      docker.io  auto, daocloud first  2 minutes ago
           ghcr.io    auto                  3 hours ago
           gcr.io     offline               not used
`},
		} {
			var b strings.Builder
			printStatus(&b, test.state, true)
			if got := "\n" + b.String(); got != test.want {
				t.Errorf("%s:%s", test.name, got)
			}
			for line := range strings.Lines(b.String()) {
				if n := utf8.RuneCountInString(line) - 1; n > pageWidth {
					t.Errorf("%s: %d columns: %s", test.name, n, line)
				}
			}
		}
	})
}

// TestStatusOfManyBlobs shows as many as fit.
func TestStatusOfManyBlobs(t *testing.T) {
	var s control.State
	for i := range mostBlobs + 3 {
		s.Active = append(s.Active, control.Transfer{Registry: "docker.io", Repository: "library/app", Digest: "sha256:" + strings.Repeat(string(rune('a'+i)), 12)})
	}
	var b strings.Builder
	printStatus(&b, s, true)
	if got := b.String(); strings.Count(got, " of ") != mostBlobs || !strings.Contains(got, "           and 3 blobs more\n") {
		t.Error(got)
	}
}
