package daemon

import (
	"maps"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"pulley/internal/config"
	"pulley/proxy/registry"
)

// metrics counts what is answered and shows it, with how things stand, to Prometheus. What is a label is written in the
// settings or in this program: never a repository, a client, or a host that somebody asked for. docs/metrics.md lists all
// of it; a test holds both together.
//
// count may be called concurrently and allocates nothing once a registry has been seen.
type metrics struct {
	settings func() *config.Config
	handler  http.Handler
	registry *prometheus.Registry

	requests  *prometheus.CounterVec
	served    *prometheus.CounterVec
	fetched   *prometheus.CounterVec
	firstByte *prometheus.HistogramVec
	duration  *prometheus.HistogramVec
	errors    map[registry.Cause]prometheus.Counter

	mu sync.Mutex // of those who add to by
	by atomic.Pointer[map[string]*series]
}

// series are the counters of one registry.
type series struct {
	name      string
	requests  [len(whats)][len(results)]prometheus.Counter
	served    [len(sides)]prometheus.Counter
	firstByte [len(sides)]prometheus.Observer
	duration  [len(sides)]prometheus.Observer

	mu      sync.Mutex
	fetched map[string]prometheus.Counter // by place
}

// The values of labels.
var (
	whats = [...]string{
		string(registry.Manifest), string(registry.Blob), string(registry.Tags), string(registry.Referrers),
		string(registry.Upload), string(registry.Token), string(registry.Ping), string(registry.Other), // the last for all else
	}
	results = [...]string{"hit", "miss", "passed", "challenged", "error"}
	sides   = [...]string{"cache", "network"}
)

const (
	hit = iota
	miss
	passed
	challenged
	failed
)

const (
	byCache = iota
	byNetwork
)

// ownImages is the registry of a person's own images, which the settings do not have.
const ownImages = "local"

// noRegistry stands for requests that are for none of the settings' registries, whatever they named.
const noRegistry = "none"

// Buckets, in seconds: a cached blob begins within a millisecond, a slow mirror within many; a layer of gigabytes takes
// minutes.
var (
	firstByteBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	durationBuckets  = []float64{.001, .005, .025, .1, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800}
)

func newMetrics(settings func() *config.Config, version string, state ...prometheus.Collector) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "pulley", Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "pulley", Name: name, Help: help, Buckets: buckets}, []string{"registry", "source"})
	}
	m := &metrics{
		settings: settings, registry: prometheus.NewRegistry(),
		requests:  counter("requests_total", "Requests answered, by what they were for and how.", "registry", "what", "result"),
		served:    counter("served_bytes_total", "Bytes of answers, by where they came from.", "registry", "source"),
		fetched:   counter("fetched_bytes_total", "Bytes fetched from upstream, by the place that sent them.", "registry", "place"),
		firstByte: histogram("first_byte_seconds", "Time to the first byte of the answer to a GET of a manifest or blob.", firstByteBuckets),
		duration:  histogram("request_duration_seconds", "Time to the last byte of the answer to a GET of a manifest or blob.", durationBuckets),
		errors:    map[registry.Cause]prometheus.Counter{},
	}
	m.by.Store(&map[string]*series{})
	errors := counter("errors_total", "Requests and downloads that went wrong, by what kind of thing did.", "cause")
	for _, cause := range registry.Causes() {
		m.errors[cause] = errors.WithLabelValues(string(cause))
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "pulley", Name: "build_info", Help: "Always 1; the labels say what is running.",
	}, []string{"version", "goversion"})
	build.WithLabelValues(version, runtime.Version()).Set(1)
	m.registry.MustRegister(m.requests, m.served, m.fetched, m.firstByte, m.duration, errors, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(state...)
	m.handler = promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: scrapeLimit})
	return m
}

// scrapeLimit is Prometheus' own.
const scrapeLimit = 10 * time.Second

// count takes an event into account.
func (m *metrics) count(e *registry.Event) {
	s := m.of(e.Registry)
	for place, n := range e.Fetched {
		m.fetchedFrom(s, place).Add(float64(n))
	}
	if e.Cause != "" {
		if c := m.errors[e.Cause]; c != nil {
			c.Inc()
		}
	}
	if e.Method == "" { // a download that went on for nobody
		return
	}
	s.requests[whatOf(e.What)][resultOf(e)].Inc()
	cached := min(max(e.FromCache, 0), e.Bytes)
	s.served[byCache].Add(float64(cached))
	s.served[byNetwork].Add(float64(e.Bytes - cached))
	if e.Cause == "" && e.Method == http.MethodGet && e.Status/100 == 2 && (e.What == string(registry.Blob) || e.What == string(registry.Manifest)) {
		side := byNetwork
		if resultOf(e) == hit {
			side = byCache
		}
		s.firstByte[side].Observe(e.FirstByte.Seconds())
		s.duration[side].Observe(e.Duration.Seconds())
	}
}

func whatOf(what string) int {
	if i := slices.Index(whats[:], what); i >= 0 {
		return i
	}
	return len(whats) - 1
}

// resultOf says how a request was answered. What another request was fetching already is a hit: it cost nothing.
func resultOf(e *registry.Event) int {
	switch {
	case e.Cause != "":
		return failed
	case e.Status == http.StatusUnauthorized:
		return challenged
	case e.Passed || e.Unkept != "":
		return passed
	case e.FromNet == 0 && (e.Source == "" || e.Source == "cache" || e.FromCache > 0):
		return hit
	}
	return miss
}

// of finds a registry's counters. They are made when it is seen first, and only for one of the settings.
func (m *metrics) of(name string) *series {
	if name == "" {
		name = noRegistry
	}
	if s := (*m.by.Load())[name]; s != nil {
		return s
	}
	if _, known := m.settings().Registry(name); !known && name != ownImages && name != noRegistry {
		return m.of(noRegistry)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := (*m.by.Load())[name]; s != nil {
		return s
	}
	s := m.newSeries(name)
	all := maps.Clone(*m.by.Load())
	all[name] = s
	m.by.Store(&all)
	return s
}

func (m *metrics) newSeries(name string) *series {
	s := &series{name: name, fetched: map[string]prometheus.Counter{}}
	for i, what := range whats {
		for j, result := range results {
			s.requests[i][j] = m.requests.WithLabelValues(name, what, result)
		}
	}
	for i, side := range sides {
		s.served[i] = m.served.WithLabelValues(name, side)
		s.firstByte[i] = m.firstByte.WithLabelValues(name, side)
		s.duration[i] = m.duration.WithLabelValues(name, side)
	}
	return s
}

// fetchedFrom is the counter of a place: the origin, the shared store or one of the settings' mirrors.
func (m *metrics) fetchedFrom(s *series, place string) prometheus.Counter {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.fetched[place]
	if c == nil {
		label := place
		if !m.isPlace(s.name, place) {
			label = "other"
		}
		c = m.fetched.WithLabelValues(s.name, label)
		if label == place { // what else it may be called is not remembered
			s.fetched[place] = c
		}
	}
	return c
}

// isPlace says that the settings, or this program, name a place so.
func (m *metrics) isPlace(name, place string) bool {
	if place == "origin" || place == sharedStore {
		return true
	}
	r, known := m.settings().Registry(name)
	if !known {
		return false
	}
	_, known = r.Mirror(place)
	return known
}

// sharedStore is the name of the store that a team's machines share.
const sharedStore = "shared"
