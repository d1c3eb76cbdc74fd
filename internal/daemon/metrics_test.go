package daemon_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/internal/hubtest"
)

var update = flag.Bool("update", false, "write what is generated into docs/")

// busy is a daemon that has met all that there are metrics of.
func busy(t *testing.T) (*running, hubtest.Image) {
	t.Helper()
	r := start(t, nil)
	mirror := hubtest.MirrorOf(t, r.hub, hubtest.StyleHost)
	if err := r.AddMirror(control.Mirror{Registry: "docker.io", Name: "near", URL: mirror.PlainURL(), Quota: "10GiB/month"}); err != nil {
		t.Fatal(err)
	}
	r.hub.SetRateLimit(100)
	image := hubtest.RandomImage(1, 2, 300<<10)
	r.hub.Push("library/secretive", "latest", image)
	if err := r.SetRoute("docker.io", "direct"); err != nil {
		t.Fatal(err)
	}
	r.settled(t, "library/secretive", image)
	before := len(r.logged(t, 0))
	for _, path := range []string{
		"/v2/library/nowhere/manifests/latest", "/v2/library/secretive/manifests/latest?ns=evil.example",
		"/v2/evil.example/app/manifests/latest", "/v2/evil/manifests/..", "/v2/",
	} {
		r.get(t, path)
	}
	r.logged(t, before+5)
	tunnel, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://evil.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	tunnel.URL.Opaque = "http://evil.example:1/"
	tunnel.URL.Host = r.Address()
	if response, err := r.client.Do(tunnel); err == nil {
		_ = response.Body.Close()
	}
	return r, image
}

func gather(t *testing.T, r *running) map[string]*dto.MetricFamily {
	t.Helper()
	families, err := r.Metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*dto.MetricFamily{}
	for _, f := range families {
		all[f.GetName()] = f
	}
	return all
}

func labels(m *dto.Metric) map[string]string {
	set := map[string]string{}
	for _, l := range m.GetLabel() {
		set[l.GetName()] = l.GetValue()
	}
	return set
}

// sum adds up a family's metrics that have these labels.
func sum(f *dto.MetricFamily, want map[string]string) (n float64) {
	for _, m := range f.GetMetric() {
		has := labels(m)
		if !slices.ContainsFunc(slices.Collect(maps.Keys(want)), func(k string) bool { return has[k] != want[k] }) {
			n += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return n
}

func TestMetricsCountWhatHappened(t *testing.T) {
	r, image := busy(t)
	all := gather(t, r)
	want := func(name string, n float64, labels ...string) {
		t.Helper()
		set := map[string]string{}
		for i := 0; i < len(labels); i += 2 {
			set[labels[i]] = labels[i+1]
		}
		if got := sum(all[name], set); got != n {
			t.Errorf("%s%v is %v, want %v", name, set, got, n)
		}
	}
	sent := float64(len(image.Manifest))
	var asked, cached, served float64
	for _, l := range image.Layers {
		sent += float64(r.hub.BytesSent(l.Digest))
	}
	events, err := r.Events(10_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		served += float64(e.Bytes)
		cached += float64(e.FromCache)
		if e.What == "blob" {
			asked++
		}
	}
	want("pulley_fetched_bytes_total", sent)
	want("pulley_fetched_bytes_total", sent, "registry", "docker.io", "place", "origin")
	want("pulley_served_bytes_total", served)
	want("pulley_served_bytes_total", cached, "registry", "docker.io", "source", "cache")
	want("pulley_requests_total", float64(len(events)))
	want("pulley_requests_total", 2, "registry", "docker.io", "what", "blob", "result", "miss")
	want("pulley_requests_total", asked-2, "registry", "docker.io", "what", "blob", "result", "hit")
	want("pulley_requests_total", 1, "registry", "docker.io", "what", "manifest", "result", "miss")
	want("pulley_requests_total", 2, "registry", "none", "result", "error")
	want("pulley_errors_total", 2, "cause", "not_found")
	want("pulley_errors_total", 1, "cause", "denied") // what a Hub says of a repository that is not there
	want("pulley_errors_total", 1, "cause", "request")
	want("pulley_errors_total", 4)
	want("pulley_first_byte_seconds", 3, "registry", "docker.io", "source", "network")
	want("pulley_first_byte_seconds", asked-2+asked/2-1, "registry", "docker.io", "source", "cache")
	want("pulley_cache_blobs", 3)
	want("pulley_cache_images", 1)
	want("pulley_cache_limit_bytes", 20<<30)
	want("pulley_source_usable", 1, "registry", "docker.io", "place", "origin")
	want("pulley_source_quota_bytes", 10<<30, "registry", "docker.io", "place", "near")
	want("pulley_pulls_remaining", 99, "registry", "docker.io", "identity", "anonymous")
	want("pulley_build_info", 1, "version", "test")
	want("pulley_enabled", 1)
	if got := sum(all["pulley_cache_bytes"], nil); got < sent {
		t.Errorf("%v bytes in the cache, %v fetched", got, sent)
	}
}

// What somebody asks for is no label: neither a repository nor a host, tunnelled or named with ?ns=.
func TestLabelsAreFew(t *testing.T) {
	r, _ := busy(t)
	_, text := r.get(t, "/metrics")
	for _, word := range []string{"evil", "secretive", "nowhere", "127.0.0.1", "Go-http-client"} {
		if strings.Contains(text, word) {
			t.Errorf("/metrics has %q:\n%s", word, text)
		}
	}
	known := map[string][]string{
		"registry": {"none"}, "place": {"origin", "near"}, "source": {"cache", "network"}, "identity": {"anonymous"},
		"what":   {"manifest", "blob", "tags", "referrers", "upload", "token", "ping", "other"},
		"result": {"hit", "miss", "passed", "challenged", "error"},
		"cause": {
			"client_left", "request", "denied", "not_found", "limit", "offline", "unreachable", "upstream", "digest", "disk",
			"other", "address", "plain", "password", "too_many", "crowd",
		},
	}
	for _, registry := range config.Default().Registries {
		known["registry"] = append(known["registry"], registry.Name)
	}
	for name, f := range gather(t, r) {
		if !strings.HasPrefix(name, "pulley_") || name == "pulley_build_info" {
			continue
		}
		for _, m := range f.GetMetric() {
			for label, value := range labels(m) {
				if !slices.Contains(known[label], value) {
					t.Errorf("%s: %s=%q", name, label, value)
				}
			}
		}
	}
}

func TestMetricsAreWellFormed(t *testing.T) {
	r, _ := busy(t)
	problems, err := testutil.GatherAndLint(r.Metrics())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "pulley_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.Address()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := r.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if kind := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "text/plain; version=0.0.4") {
		t.Errorf("%s, %s", response.Status, kind)
	}
}

// docs/metrics.md has each metric, with what it says of itself, and no other.
func TestMetricsAreDocumented(t *testing.T) {
	r, _ := busy(t)
	all := gather(t, r)
	var table strings.Builder
	table.WriteString("| metric | kind | labels | what it is |\n|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if strings.HasPrefix(name, "pulley_") {
			f := all[name]
			fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", name, strings.ToLower(f.GetType().String()),
				strings.Join(slices.Sorted(maps.Keys(labels(f.GetMetric()[0]))), ", "), f.GetHelp())
		}
	}
	const page = "../../docs/metrics.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	between := regexp.MustCompile(`(?s)(<!-- metrics: [^\n]*-->\n).*(<!-- end -->)`)
	want := between.ReplaceAllString(string(text), "${1}\n"+table.String()+"\n${2}")
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(text) != want {
		t.Errorf("%s is out of date; go test ./internal/daemon -run %s -update", page, t.Name())
	}
	for _, name := range named(string(text)) {
		if all[name] == nil {
			t.Errorf("%s speaks of %s, which there is not", page, name)
		}
	}
}

var (
	metricName = regexp.MustCompile(`\b(?:pulley|go|process)_[a-z_0-9]+\b`)
	suffix     = regexp.MustCompile(`_(bucket|sum|count)$`)
	inBraces   = regexp.MustCompile(`\{([^}]*)\}`)
	grouped    = regexp.MustCompile(`\bby \(([^)]*)\)`)
	matcher    = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)
)

func named(text string) (names []string) {
	for _, name := range metricName.FindAllString(text, -1) {
		names = append(names, suffix.ReplaceAllString(name, ""))
	}
	return names
}

// dashboard is as much of Grafana's format as matters here.
type dashboard struct {
	SchemaVersion int
	Templating    struct {
		List []struct{ Name, Type, Definition string }
	}
	Panels []struct {
		ID         int
		Title      string
		Type       string
		Datasource struct{ Type, UID string }
		GridPos    struct{ X, Y, W, H int }
		Targets    []struct {
			RefID, Expr string
			Datasource  struct{ UID string }
		}
	}
}

// The dashboard asks for what there is, by labels that it has, and shows all that there is.
func TestTheDashboardFits(t *testing.T) {
	r, _ := busy(t)
	all := gather(t, r)
	text, err := os.ReadFile("../../docs/grafana/pulley.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	variables := map[string]bool{}
	for _, v := range d.Templating.List {
		variables[v.Name] = true
	}
	if d.SchemaVersion < 38 || !variables["datasource"] || d.Templating.List[0].Type != "datasource" {
		t.Errorf("schema %d, variables %v", d.SchemaVersion, variables)
	}
	shown := map[string]bool{}
	taken := map[[2]int]string{}
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("%s: id %d, data source %q, %d targets", p.Title, p.ID, p.Datasource.UID, len(p.Targets))
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s lies over %q at %d, %d", p.Title, other, x, y)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		for _, target := range p.Targets {
			names := named(target.Expr)
			if len(names) == 0 || target.Datasource.UID != "${datasource}" {
				t.Errorf("%s: %q asks for nothing", p.Title, target.Expr)
			}
			has := map[string]bool{"instance": true, "job": true, "le": true} // Prometheus' own
			for _, name := range names {
				shown[name] = true
				if strings.HasPrefix(name, "process_") { // not on every system
					continue
				}
				if all[name] == nil {
					t.Errorf("%s: %s: there is no such metric", p.Title, name)
					continue
				}
				for label := range labels(all[name].GetMetric()[0]) {
					has[label] = true
				}
			}
			for _, label := range labelsIn(target.Expr) {
				if !has[label] {
					t.Errorf("%s: %s: no label %s", p.Title, target.Expr, label)
				}
			}
			if strings.Count(target.Expr, "(") != strings.Count(target.Expr, ")") || strings.Count(target.Expr, "{") != strings.Count(target.Expr, "}") {
				t.Errorf("%s: %s: brackets", p.Title, target.Expr)
			}
			for _, v := range regexp.MustCompile(`\$([a-z]+)`).FindAllStringSubmatch(target.Expr, -1) {
				if !variables[v[1]] {
					t.Errorf("%s: no variable $%s", p.Title, v[1])
				}
			}
		}
	}
	for name := range all {
		if strings.HasPrefix(name, "pulley_") && !shown[name] {
			t.Errorf("no panel shows %s", name)
		}
	}
}

func labelsIn(expr string) (names []string) {
	for _, braces := range inBraces.FindAllStringSubmatch(expr, -1) {
		for _, m := range matcher.FindAllStringSubmatch(braces[1], -1) {
			names = append(names, m[1])
		}
	}
	for _, by := range grouped.FindAllStringSubmatch(expr, -1) {
		for name := range strings.SplitSeq(by[1], ",") {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}
