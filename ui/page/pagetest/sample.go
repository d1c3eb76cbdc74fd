package pagetest

import (
	"fmt"
	"strings"
	"time"

	"pulley/internal/control"
)

func Digest(n int) string {
	return "sha256:" + strings.Repeat(fmt.Sprintf("%08x", uint32(n)*2654435761), 8)
}

func CacheState() control.State {
	return control.State{
		Enabled: true, Listen: "127.0.0.1:5055",
		Cache:      control.Cache{Dir: "/home/ada/.cache/pulley", Size: 4_310 << 20, MaxSize: 8 << 30, Blobs: 96, Free: 210 << 30, Images: 14, Pinned: 2, PinnedSize: 543 << 20},
		Registries: []control.Registry{{Name: "docker.io"}, {Name: "ghcr.io"}, {Name: "quay.io"}, {Name: "registry.k8s.io"}},
	}
}

func SomeImages() []control.Image {
	linux := func(complete string, architectures ...string) (list []control.Platform) {
		for n, a := range architectures {
			variant := ""
			if a == "arm" {
				variant = "v7"
			}
			list = append(list, control.Platform{OS: "linux", Architecture: a, Variant: variant, Digest: Digest(900 + n), Complete: strings.Contains(complete, a)})
		}
		return list
	}
	ago := func(d time.Duration) time.Time { return Noon.Add(-d) }
	const day = 24 * time.Hour
	all := []control.Image{
		{Registry: "docker.io", Repository: "library/debian", Tags: []string{"12", "bookworm"}, Platforms: linux("amd64", "amd64", "arm64", "arm", "386"), Complete: true, Size: 48 << 20, Own: 48 << 20, Used: ago(4 * time.Minute), Sources: map[string]int64{"daocloud": 40 << 20, "origin": 8 << 20}, Saved: 610 << 20},
		{Registry: "docker.io", Repository: "library/postgres", Tags: []string{"16", "16.4", "latest", "bookworm"}, Platforms: linux("amd64 arm64", "amd64", "arm64", "arm"), Complete: true, Size: 431 << 20, Own: 380 << 20, Used: ago(2 * time.Hour), Pinned: true, Sources: map[string]int64{"origin": 300 << 20, "daocloud": 131 << 20}, Saved: 2_100 << 20},
		{Registry: "ghcr.io", Repository: "home-assistant/home-assistant", Tags: []string{"2026.2"}, Platforms: linux("amd64", "amd64", "arm64"), Complete: true, Size: 1_860 << 20, Own: 1_860 << 20, Used: ago(3 * day), Sources: map[string]int64{"origin": 1_860 << 20}},
		{Registry: "docker.io", Repository: "library/nginx", Tags: []string{"1.27-alpine"}, Platforms: linux("amd64", "amd64", "arm64"), Complete: true, Size: 21 << 20, Own: 17 << 20, Used: ago(26 * time.Minute), Sources: map[string]int64{"daocloud": 21 << 20}, Saved: 84 << 20},
		{Registry: "docker.io", Repository: "library/node", Tags: []string{"22-slim"}, Platforms: linux("amd64 arm64", "amd64", "arm64", "arm", "s390x", "ppc64le"), Complete: true, Size: 228 << 20, Own: 201 << 20, Used: ago(20 * time.Hour), Sources: map[string]int64{"origin": 228 << 20}, Saved: 1_368 << 20},
		{Registry: "registry.k8s.io", Repository: "kube-apiserver", Tags: []string{"v1.34.1"}, Platforms: linux("amd64", "amd64", "arm64", "ppc64le"), Complete: true, Size: 96 << 20, Own: 88 << 20, Used: ago(9 * day), Sources: map[string]int64{"origin": 96 << 20}},
		{Registry: "quay.io", Repository: "prometheus/prometheus", Tags: []string{"v3.1.0"}, Platforms: linux("amd64", "amd64", "arm64"), Complete: true, Size: 112 << 20, Own: 112 << 20, Used: ago(11 * day), Pinned: true, Sources: map[string]int64{"origin": 112 << 20}, Saved: 224 << 20},
		{Registry: "local", Repository: "shop/backend", Tags: []string{"dev"}, Platforms: linux("amd64", "amd64"), Complete: true, Size: 340 << 20, Own: 120 << 20, Used: ago(50 * time.Minute), Sources: map[string]int64{"push": 340 << 20}, Saved: 1_020 << 20},
		{Registry: "docker.io", Repository: "library/redis", Tags: []string{"7.4"}, Platforms: linux("", "amd64", "arm64"), Size: 12 << 20, Own: 12 << 20, Used: ago(31 * day), Sources: map[string]int64{"ustc": 12 << 20}},
		{Registry: "docker.io", Repository: "grafana/grafana", Tags: []string{"11.4.0"}, Platforms: linux("amd64", "amd64", "arm64"), Complete: true, Size: 172 << 20, Own: 160 << 20, Used: ago(5 * day), Sources: map[string]int64{"daocloud": 100 << 20, "origin": 72 << 20}, Saved: 344 << 20},
		{Registry: "docker.io", Repository: "library/golang", Tags: []string{"1.26", "1.26-bookworm"}, Platforms: linux("amd64", "amd64", "arm64"), Complete: true, Size: 301 << 20, Own: 253 << 20, Used: ago(90 * time.Second), Sources: map[string]int64{"origin": 301 << 20}, Saved: 903 << 20},
		{Registry: "mcr.microsoft.com", Repository: "dotnet/sdk", Tags: []string{"9.0"}, Platforms: linux("amd64", "amd64", "arm64"), Complete: true, Size: 312 << 20, Own: 312 << 20, Used: ago(61 * day), Sources: map[string]int64{"origin": 312 << 20}},
		{Registry: "docker.io", Repository: "library/alpine", Platforms: linux("amd64", "amd64", "arm64"), Complete: true, Size: 3_600 << 10, Own: 3_600 << 10, Used: ago(15 * day), Sources: map[string]int64{"cache": 0, "": 3_600 << 10}},
		{Registry: "ghcr.io", Repository: "astral-sh/uv", Tags: []string{"0.6-python3.13-bookworm-slim"}, Platforms: linux("amd64", "amd64", "arm64"), Complete: true, Size: 66 << 20, Own: 25 << 20, Used: ago(7 * time.Hour), Sources: map[string]int64{"origin": 66 << 20}, Saved: 132 << 20},
	}
	for n := range all {
		i := &all[n]
		i.Digest, i.Stored, i.Checked = Digest(n+1), i.Used.Add(-3*day), i.Used
		if len(i.Tags) > 0 {
			i.Tag = i.Tags[0]
		}
	}
	return all
}

func SomeEvents() (list []control.Event) {
	at := Noon.Add(-3 * time.Minute)
	left := 76
	add := func(e control.Event) {
		e.Time, at = at, at.Add(1700*time.Millisecond)
		if e.Agent == "" {
			e.Agent = "docker/27.3.1 go/go1.22.7 git-commit/41ca978 kernel/6.1.0"
		}
		if e.Door == "" {
			e.Door = "http"
		}
		if e.Client == "" && e.Door != "pull" {
			e.Client = "127.0.0.1"
		}
		if e.Method == "" {
			e.Method = "GET"
		}
		list = append(list, e)
	}
	for round := range 3 {
		for n, name := range []string{"library/debian", "library/postgres", "library/nginx"} {
			add(control.Event{Registry: "docker.io", What: "ping", Status: 401, Duration: 900 * time.Microsecond, FirstByte: 800 * time.Microsecond})
			add(control.Event{Registry: "docker.io", What: "token", Repository: name, Status: 200, Bytes: 2100, FromNet: 2100, Source: "origin", Duration: 310 * time.Millisecond, FirstByte: 309 * time.Millisecond})
			add(control.Event{Registry: "docker.io", Repository: name, What: "manifest", Method: "HEAD", Reference: []string{"12", "16", "1.27-alpine"}[n], Digest: Digest(n + 1), Status: 200, Source: "origin", Way: "direct 34.193.147.40", Duration: 420 * time.Millisecond, FirstByte: 420 * time.Millisecond, PullsLeft: &left})
			add(control.Event{Registry: "docker.io", Repository: name, What: "blob", Reference: Digest(100 + 10*round + n), Digest: Digest(100 + 10*round + n), Status: 200, Bytes: 28 << 20, FromCache: 28 << 20, Source: "cache", Duration: 41 * time.Millisecond, FirstByte: time.Millisecond})
		}
		add(control.Event{Registry: "ghcr.io", Repository: "astral-sh/uv", What: "manifest", Reference: "0.6-missing", Status: 404, Source: "origin", Duration: 380 * time.Millisecond, FirstByte: 380 * time.Millisecond, Err: "ghcr.io/astral-sh/uv:0.6-missing: manifest unknown"})
		add(control.Event{Door: "mirror", Agent: "containerd/v2.0.2", Registry: "registry.k8s.io", Repository: "kube-apiserver", What: "blob", Reference: Digest(70 + round), Digest: Digest(70 + round), Status: 200, Bytes: 88 << 20, FromNet: 88 << 20, Source: "origin", Way: "egress jump", Duration: 9300 * time.Millisecond, FirstByte: 700 * time.Millisecond})
		add(control.Event{Door: "pull", Agent: "pulley/1.0", Registry: "quay.io", Repository: "prometheus/prometheus", What: "blob", Reference: Digest(80 + round), Digest: Digest(80 + round), FromNet: 40 << 20, Source: "origin", Duration: 3100 * time.Millisecond})
	}
	big := int64(110 << 20)
	add(control.Event{Registry: "docker.io", Repository: "library/postgres", What: "blob", Reference: Digest(42), Digest: Digest(42), Status: 200, Bytes: big, FromCache: 16 << 20, FromNet: 94 << 20, Source: "daocloud+origin+ustc", Way: "direct 34.193.147.40", Duration: 5200 * time.Millisecond, FirstByte: 180 * time.Millisecond,
		Parts: []control.Part{
			{Source: "cache", From: 0, To: 16 << 20}, {Source: "daocloud", From: 16 << 20, To: 38 << 20}, {Source: "origin", From: 38 << 20, To: 54 << 20},
			{Source: "daocloud", From: 54 << 20, To: 71 << 20}, {Source: "ustc", From: 71 << 20, To: 76 << 20}, {Source: "origin", From: 76 << 20, To: 92 << 20}, {Source: "daocloud", From: 92 << 20, To: big},
		},
		Failed: []control.Failed{
			{Source: "ustc", After: 1200 * time.Millisecond, Err: "https://docker.mirrors.ustc.edu.cn: connection reset by peer after 5.0 MiB; what came is kept"},
			{Source: "daocloud", After: 3100 * time.Millisecond, Err: "429 Too Many Requests, again in 20s"},
		}, Note: "ustc is left out for 5 minutes"})
	return list
}
