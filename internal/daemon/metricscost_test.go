package daemon

import (
	"testing"
	"time"

	"pulley/internal/config"
	"pulley/proxy/registry"
)

// Counting costs a request no memory.
func TestCountingAllocatesNothing(t *testing.T) {
	settings := config.Default()
	m := newMetrics(func() *config.Config { return settings }, "test")
	for what, e := range map[string]registry.Event{
		"a hit":        {Method: "GET", Registry: "docker.io", What: "blob", Status: 200, Bytes: 1000, FromCache: 1000, Source: "cache", FirstByte: time.Millisecond, Duration: time.Second},
		"a miss":       {Method: "GET", Registry: "docker.io", What: "manifest", Status: 200, Bytes: 1000, FromNet: 1000, Fetched: map[string]int64{"origin": 1000}, Source: "origin"},
		"an error":     {Method: "GET", Registry: "ghcr.io", What: "blob", Status: 404, Cause: registry.CauseMissing},
		"for nobody":   {Method: "GET", What: "other", Status: 404, Cause: registry.CauseMissing},
		"not settings": {Method: "GET", Registry: "evil.example", What: "other", Status: 200},
	} {
		if n := testing.AllocsPerRun(100, func() { m.count(&e) }); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}

// What a registry's events call a place is a label only if the settings have it.
func TestPlacesAreThoseOfTheSettings(t *testing.T) {
	settings := config.Default()
	m := newMetrics(func() *config.Config { return settings }, "test")
	for _, place := range []string{"origin", "shared", "daocloud", "evil", "evil2"} {
		for _, name := range []string{"docker.io", "evil.example"} {
			m.count(&registry.Event{Registry: name, Fetched: map[string]int64{place: 1}})
		}
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		if f.GetName() == "pulley_fetched_bytes_total" {
			for _, metric := range f.GetMetric() {
				got[metric.GetLabel()[0].GetValue()+" "+metric.GetLabel()[1].GetValue()] = metric.GetCounter().GetValue()
			}
		}
	}
	for label, want := range map[string]float64{
		"origin docker.io": 1, "shared docker.io": 1, "daocloud docker.io": 1, "other docker.io": 2,
		"origin none": 1, "shared none": 1, "other none": 3,
	} {
		if got[label] != want {
			t.Errorf("%s: %v, want %v (all: %v)", label, got[label], want, got)
		}
	}
	if len(got) != 7 {
		t.Errorf("labels %v", got)
	}
}

func BenchmarkCount(b *testing.B) {
	settings := config.Default()
	m := newMetrics(func() *config.Config { return settings }, "test")
	e := registry.Event{Method: "GET", Registry: "docker.io", What: "blob", Status: 200, Bytes: 1000, FromCache: 1000, Source: "cache"}
	b.ReportAllocs()
	for b.Loop() {
		m.count(&e)
	}
}
