package daemon

import (
	"github.com/prometheus/client_golang/prometheus"

	"pulley/internal/control"
	"pulley/proxy/source"
)

// standing shows Prometheus how things stand just now: read when it asks, kept nowhere.
type standing struct{ d *Daemon }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("pulley_"+name, help, labels, nil)
}

//nolint:gochecknoglobals // names, and nothing is changed
var (
	descEnabled      = desc("enabled", "1 while Pulley is switched on.")
	descProblems     = desc("problems", "Problems that pulley status names.")
	descUsable       = desc("cache_usable", "0 while nothing can be cached and all passes through.")
	descCacheSize    = desc("cache_bytes", "Bytes in the cache, downloads in flight included.")
	descCacheLimit   = desc("cache_limit_bytes", "Bytes that the cache may hold; 0: no limit.")
	descBlobs        = desc("cache_blobs", "Blobs in the cache.")
	descImages       = desc("cache_images", "Images in the cache.")
	descEvicted      = desc("cache_evicted_blobs_total", "Blobs evicted to make room.")
	descEvictedBytes = desc("cache_evicted_bytes_total", "Bytes evicted to make room.")
	descDamaged      = desc("cache_damaged_blobs_total", "Blobs found damaged on disk, and fetched again when asked for.")
	descActive       = desc("downloads_active", "Downloads in flight.")
	descResting      = desc("downloads_resting", "Downloads that stopped and go on when asked for.")
	descPullsLeft    = desc("pulls_remaining", "Pulls left of a registry's limit, as it said last; the least of all users'.", "registry", "identity")
	descPullsLimit   = desc("pulls_limit", "Pulls that a registry allows in its window.", "registry", "identity")
	descSourceUsable = desc("source_usable", "1 if a place that is switched on can be asked just now.", "registry", "place")
	descQuota        = desc("source_quota_bytes", "Bytes that a mirror may send in its period.", "registry", "place")
	descQuotaUsed    = desc("source_quota_used_bytes", "Bytes that a mirror has sent in its period.", "registry", "place")
	descRefused      = desc("access_refused_total", "Connections and requests that [access] did not let in.", "cause")
)

// Describe implements prometheus.Collector.
func (s *standing) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descEnabled, descProblems, descUsable, descCacheSize, descCacheLimit, descBlobs, descImages, descEvicted,
		descEvictedBytes, descDamaged, descActive, descResting, descPullsLeft, descPullsLimit, descSourceUsable, descQuota,
		descQuotaUsed, descRefused,
	} {
		c <- d
	}
}

// emit sends metrics.
type emit chan<- prometheus.Metric

func (c emit) gauge(d *prometheus.Desc, v float64, labels ...string) {
	c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (c emit) counter(d *prometheus.Desc, n int64, labels ...string) {
	c <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

// Collect implements prometheus.Collector.
func (s *standing) Collect(out chan<- prometheus.Metric) {
	d, c := s.d, emit(out)
	c.gauge(descEnabled, flag(d.settings.Current().Enabled))
	c.gauge(descProblems, float64(len(d.problems())))
	c.gauge(descActive, float64(len(d.handler.Active())))
	s.cache(c)
	s.pulls(c)
	s.sources(c)
	n := d.port.Refused()
	c.counter(descRefused, n.Address, "address")
	c.counter(descRefused, n.Plain, "plain")
	c.counter(descRefused, n.Password, "password")
	c.counter(descRefused, n.TooMany, "too_many")
	c.counter(descRefused, n.Crowd, "crowd")
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

func (s *standing) cache(c emit) {
	d := s.d
	c.gauge(descUsable, flag(d.cacheErr == nil))
	if d.cacheErr != nil {
		return
	}
	stat := d.cache.Stat()
	c.gauge(descCacheSize, float64(stat.Size))
	c.gauge(descCacheLimit, float64(stat.MaxSize))
	c.gauge(descBlobs, float64(stat.Blobs))
	var counted control.Cache
	d.tally.fill(&counted)
	c.gauge(descImages, float64(counted.Images))
	c.gauge(descResting, float64(stat.Partials))
	c.counter(descEvicted, stat.Evicted)
	c.counter(descEvictedBytes, stat.EvictedSize)
	c.counter(descDamaged, stat.Damaged)
}

// pulls shows limits by whether somebody was logged in: who that was is nobody's business here.
func (s *standing) pulls(c emit) {
	type key struct{ registry, identity string }
	least := map[key]source.RateLimit{}
	for _, l := range s.d.sources.LimitList() {
		k := key{l.Registry, "user"}
		if l.Identity == source.Anonymous().Name() {
			k.identity = "anonymous"
		}
		if have, ok := least[k]; l.Known && l.Remaining >= 0 && (!ok || l.Remaining < have.Remaining) {
			least[k] = l
		}
	}
	for k, l := range least {
		c.gauge(descPullsLeft, float64(l.Remaining), k.registry, k.identity)
		c.gauge(descPullsLimit, float64(l.Limit), k.registry, k.identity)
	}
}

func (s *standing) sources(c emit) {
	settings := s.d.settings.Current()
	for i := range settings.Registries {
		r := &settings.Registries[i]
		for _, st := range s.d.sources.Standings(r) {
			if !st.Enabled {
				continue
			}
			c.gauge(descSourceUsable, flag(st.Usable), r.Name, st.Name)
			if st.Quota != nil {
				c.gauge(descQuota, float64(st.Quota.Limit), r.Name, st.Name)
				c.gauge(descQuotaUsed, float64(st.Quota.Used), r.Name, st.Name)
			}
		}
	}
}
