package model_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pulley/internal/control"
	"pulley/ui/model"
)

var imageNoon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func image(name string, size int64, used time.Duration, tags ...string) control.Image {
	registry, repository, _ := strings.Cut(name, "/")
	i := control.Image{
		Registry: registry, Repository: repository, Tags: tags, Digest: "sha256:" + strings.Repeat("0", 52) + fmt.Sprintf("%012d", size),
		Size: size, Own: size / 2, Used: imageNoon.Add(-used), Complete: true,
		Platforms: []control.Platform{{OS: "linux", Architecture: "arm64", Complete: true}, {OS: "linux", Architecture: "amd64"}},
		Sources:   map[string]int64{"origin": size},
	}
	if len(tags) > 0 {
		i.Tag = tags[0]
	}
	return i
}

func fourImages() *model.Images {
	l := model.NewImages()
	old := image("quay.io/prometheus/prometheus", 300, 9*time.Hour, "v3")
	old.Pinned = true
	l.Heard(model.ImageRows([]control.Image{
		image("docker.io/library/debian", 100, time.Hour, "12", "bookworm"), image("ghcr.io/Org/app", 400, 2*time.Hour), old,
		image("local/shop", 200, 3*time.Hour, "dev"),
	}))
	return l
}

func shown(l *model.Images) (titles []string) {
	for n := range l.Len() {
		titles = append(titles, l.At(n).Title)
	}
	return titles
}

func TestImagesAreSorted(t *testing.T) {
	l := fourImages()
	debian, app, prometheus, shop := "debian:12, bookworm", "ghcr.io/Org/app@000000000000", "quay.io/prometheus/prometheus:v3", "local/shop:dev"
	if got, want := shown(l), []string{debian, app, shop, prometheus}; !slices.Equal(got, want) {
		t.Errorf("at first: %q, want %q: last used first", got, want)
	}
	for _, c := range []struct {
		by   string
		down bool
		want []string
	}{
		{model.ByName, false, []string{debian, app, shop, prometheus}},
		{model.ByName, true, []string{prometheus, shop, app, debian}},
		{model.BySize, true, []string{app, prometheus, shop, debian}},
		{model.ByOwn, false, []string{debian, shop, prometheus, app}},
		{model.ByUsed, false, []string{prometheus, shop, app, debian}},
		{model.ByPinned, true, []string{prometheus, debian, app, shop}},
		{model.ByFrom, false, []string{debian, app, shop, prometheus}}, // all the same: by name
	} {
		l.Sort(c.by, c.down)
		if got := shown(l); !slices.Equal(got, c.want) {
			t.Errorf("by %s, down %v: %q, want %q", c.by, c.down, got, c.want)
		}
	}
}

func TestImagesAreSearched(t *testing.T) {
	l := fourImages()
	for query, want := range map[string]int{
		"": 4, "debian": 1, "DEBIAN": 1, "debian:12": 1, "library/debian:bookworm": 1, "org": 1, "docker.io": 1, "v3 prometheus": 1, "v3 debian": 0,
		"arm64": 4, "amd64": 0, "sha256:000": 4, "000000000400": 1, "origin": 4, "  ": 4,
	} {
		l.Search(query)
		if l.Len() != want || l.All() != 4 {
			t.Errorf("%q finds %q of %d, want %d of 4", query, shown(l), l.All(), want)
		}
	}
}

func TestRemovedImagesAreGoneUntilTheyAreRestored(t *testing.T) {
	l := fourImages()
	id := l.At(0).ID
	if rows := l.Remove(id, "nothing@sha256:0"); len(rows) != 1 || rows[0].Short() != "debian:12" {
		t.Fatalf("removed %v", rows)
	}
	if l.Len() != 3 || l.All() != 3 || l.Get(id) != nil || l.Index(id) != -1 || l.Named("debian:12") != nil {
		t.Error("it is still there")
	}
	if len(l.Remove(id)) != 0 {
		t.Error("it is removed twice")
	}
	all := fourImages()
	l.Heard([]*model.ImageRow{all.At(0), all.At(1), all.At(2), all.At(3)}) // the daemon does not know yet
	if l.Len() != 3 {
		t.Error("the daemon's list brings it back")
	}
	l.Restore(id)
	if l.Len() != 4 || l.Get(id) == nil {
		t.Error("it does not come back")
	}
	l.Remove(id)
	l.Removed(id)
	if l.Len() != 3 || l.Get(id) != nil {
		t.Error("it is not gone for good")
	}
	l.Heard([]*model.ImageRow{all.At(0)}) // pulled again
	if l.Len() != 1 {
		t.Error("an image that was pulled again is not shown")
	}
}

func TestPinIsShownBeforeTheDaemonSaysSo(t *testing.T) {
	l := fourImages()
	debian, prometheus := l.Named("debian:12"), l.Named("quay.io/prometheus/prometheus:v3")
	if got := l.Pin(true, debian.ID, prometheus.ID); len(got) != 1 || got[0] != debian {
		t.Errorf("changed %v, want debian alone", got)
	}
	if !l.Pinned(debian) {
		t.Error("it waits for the daemon")
	}
	l.Settled(debian.ID)
	if l.Pinned(debian) {
		t.Error("it does not fall back")
	}
	l.Pin(true, debian.ID)
	l.PinnedNow(true, debian.ID)
	if !l.Pinned(l.Named("debian:12")) || debian.Pinned {
		t.Error("what the daemon did is not shown, or a row was changed")
	}
}

func TestImagesAreNamed(t *testing.T) {
	l := fourImages()
	for name, want := range map[string]string{
		"debian:12": "debian:12, bookworm", "docker.io/library/debian:bookworm": "debian:12, bookworm", "debian": "", "local/shop:dev": "local/shop:dev",
		"ghcr.io/Org/app@sha256:" + strings.Repeat("0", 52) + "000000000400": "ghcr.io/Org/app@000000000000",
	} {
		got := ""
		if row := l.Named(name); row != nil {
			got = row.Title
		}
		if got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestDisk(t *testing.T) {
	l := fourImages() // 1000 in all
	const disk = 10_000
	for _, c := range []struct {
		name string
		in   control.Cache
		want model.Disk
	}{
		{"a limit", control.Cache{Size: 1100, MaxSize: 2000, Free: disk, PinnedSize: 300}, model.Disk{Pinned: 300, Images: 700, Loose: 100, Free: 900, Total: 2000, Limited: true}},
		{"no limit", control.Cache{Size: 1000, Free: disk, PinnedSize: 300}, model.Disk{Pinned: 300, Images: 700, Free: disk, Total: 11_000}},
		{"a full disk", control.Cache{Size: 1000, MaxSize: 2000, Free: 10}, model.Disk{Images: 1000, Free: 10, Total: 1010}},
		{"over the limit", control.Cache{Size: 1000, MaxSize: 900, Free: disk}, model.Disk{Images: 1000, Total: 1000, Limited: true}},
		{"a disk that cannot be told", control.Cache{Size: 1000, MaxSize: 1500, Free: -1}, model.Disk{Images: 1000, Free: 500, Total: 1500, Limited: true}},
		{"pinned images that share layers", control.Cache{Size: 1000, Free: 0, PinnedSize: 4000}, model.Disk{Pinned: 1000, Total: 1000}},
	} {
		if got := l.Disk(c.in); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestWhatWouldGo(t *testing.T) {
	l := fourImages()
	for free, want := range map[int64]string{0: "", 1: "ghcr.io/Org/app@000000000000", 201: "ghcr.io/Org/app@000000000000 debian:12", 1 << 40: "ghcr.io/Org/app@000000000000 debian:12"} {
		rows, _ := l.WouldGo(free)
		var names []string
		for _, r := range rows {
			names = append(names, r.Short())
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("for %d: %q, want %q: least used first, pinned and own ones never", free, got, want)
		}
	}
	l.Pin(true, l.Named("debian:12").ID)
	if rows, frees := l.WouldGo(1 << 40); len(rows) != 1 || frees != 200 {
		t.Errorf("with debian pinned: %d images, %d bytes", len(rows), frees)
	}
}

func TestFamiliarNames(t *testing.T) {
	for full, want := range map[string]string{
		"docker.io/library/debian:12": "debian:12", "docker.io/grafana/grafana:11": "grafana/grafana:11", "ghcr.io/org/app:1": "ghcr.io/org/app:1",
		"local/shop:dev": "local/shop:dev", "docker.io/library/alpine@sha256:0123456789abcdef": "alpine@0123456789ab", "NO NAME": "NO NAME",
	} {
		if got := model.FamiliarRef(full); got != want {
			t.Errorf("%s is called %q, want %q", full, got, want)
		}
	}
	for name, want := range map[string]string{"debian": "docker.io/library/debian:latest", " a/b:1 ": "docker.io/a/b:1", "local/x": "local/x", "NO NAME": "NO NAME"} {
		if got := model.FullRef(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

func TestTitlesOfManyTags(t *testing.T) {
	r := model.ImageRows([]control.Image{image("docker.io/library/postgres", 1, 0, "16", "16.4", "bookworm", "latest")})[0]
	if r.Title != "postgres:16, 16.4, bookworm" || r.MoreTags() != 1 || strings.Count(r.Full(), "\n") != 3 {
		t.Errorf("%q and %d more; %q", r.Title, r.MoreTags(), r.Full())
	}
}
