//go:build unix

package cache_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"pulley/cache"
)

// scaleLayers is how many layers an image of BenchmarkScale has of its own, beside
// its manifest and config; five more are shared by a hundred images.
const scaleLayers = 8

// BenchmarkScale measures a cache of 10³ and 10⁵ blobs in images of about ten own
// blobs each, with shared bases: what a start costs after an orderly end, after a
// kill and without the database (the start itself, and all that it does behind
// itself), how much memory it takes, what asking for one blob, one image and all
// of them takes, and what one evicted blob costs. BLOBS=1000000 measures another
// size; SCALE_DIR keeps its files for the next run. Files are empty but for manifests and configs.
func BenchmarkScale(b *testing.B) {
	sizes := []int{1_000, 100_000}
	if n, err := strconv.Atoi(os.Getenv("BLOBS")); err == nil {
		sizes = []int{n}
	}
	for _, n := range sizes {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			dir := os.Getenv("SCALE_DIR")
			for b.Loop() {
				b.StopTimer()
				if _, err := os.Stat(filepath.Join(dir, "refs")); dir == "" || err != nil {
					dir = scaled(b, n, dir)
				}
				b.StartTimer()
				measureScale(b, dir)
				dir = "" // half of it was evicted
			}
		})
	}
}

func measureScale(b *testing.B, dir string) {
	ms := func(d time.Duration, what string) { b.ReportMetric(float64(d.Microseconds())/1000, what) }
	before := heap()
	began := time.Now()
	c, whole := openScaled(b, dir, true)
	ms(whole, "ms/open-anew")
	ms(time.Since(began), "ms/built-anew")
	if err := c.Close(); err != nil {
		b.Fatal(err)
	}

	c, took := openScaled(b, dir, false)
	ms(took, "ms/open")
	b.ReportMetric(float64(heap()-before)/(1<<20), "MiB/heap")
	images := measureQueries(b, c)
	b.ReportMetric(float64(heap()-before)/(1<<20), "MiB/heap-used")

	closeAsKilled(b, c, filepath.Join(dir, "cache.db"))
	began = time.Now()
	c, took = openScaled(b, dir, true)
	ms(took, "ms/open-killed")
	ms(time.Since(began), "ms/compared")

	st := c.Stat()
	began = time.Now()
	cpu := cpuTime(b)
	if _, err := c.GC(st.Size / 2); err != nil {
		b.Fatal(err)
	}
	evicted := c.Stat().Evicted
	b.ReportMetric(float64(time.Since(began).Microseconds())/float64(evicted), "µs/evicted-blob")
	b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(evicted), "µs-cpu/evicted-blob")
	b.ReportMetric(float64(evicted), "evicted")
	b.ReportMetric(float64(st.Blobs), "blobs")
	b.ReportMetric(float64(images), "images")
	if err := c.Close(); err != nil {
		b.Fatal(err)
	}
}

// closeAsKilled closes a cache and leaves the database as a kill would have.
func closeAsKilled(b *testing.B, c *cache.Cache, db string) {
	if err := c.Flush(); err != nil {
		b.Fatal(err)
	}
	asKilled, err := os.ReadFile(db)
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Close(); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(db, asKilled, 0o600); err != nil {
		b.Fatal(err)
	}
}

// openScaled says how long Open took; with wait it returns when everything is
// compared.
func openScaled(b *testing.B, dir string, wait bool) (*cache.Cache, time.Duration) {
	began := time.Now()
	c, err := cache.Open(cache.Options{Dir: dir})
	took := time.Since(began)
	if err != nil {
		b.Fatal(err)
	}
	if wait {
		if _, err := c.Free(0); err != nil { // waits for that
			b.Fatal(err)
		}
	}
	return c, took
}

func measureQueries(b *testing.B, c *cache.Cache) int {
	began := time.Now()
	all, err := c.Images()
	if err != nil || len(all) == 0 {
		b.Fatal(len(all), err)
	}
	b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "ms/Images")
	some := all[:min(len(all), 1000)]
	began = time.Now()
	for _, i := range some {
		if _, err := c.Image(i.Name, i.Tags[0]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(time.Since(began).Microseconds())/float64(len(some)), "µs/Image")
	began = time.Now()
	for _, i := range some {
		if !c.References(i.Name, i.Digest) {
			b.Fatal("not referenced")
		}
	}
	b.ReportMetric(float64(time.Since(began).Microseconds())/float64(len(some)), "µs/References")
	began = time.Now()
	for _, i := range some {
		c.Served(i.Name, i.Digest, 1)
	}
	if err := c.Flush(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "ms/index")
	return len(all)
}

// cpuTime is what this process has used, which tells more on a busy machine.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heap() int64 {
	runtime.GC() // twice: what is in pools outlives one
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// scaled writes the blobs and refs of a cache of about n blobs, by hand.
func scaled(b *testing.B, n int, dir string) string {
	b.Helper()
	if dir == "" {
		dir = b.TempDir()
	}
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o700); err != nil {
		b.Fatal(err)
	}
	store := func(d digest.Digest, body []byte) {
		if err := os.WriteFile(filepath.Join(blobs, d.Encoded()), body, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	at := uint64(0)
	layer := func() ocispec.Descriptor {
		at++
		d := digest.FromBytes(binary.BigEndian.AppendUint64(nil, at))
		store(d, nil)
		if err := os.Truncate(filepath.Join(blobs, d.Encoded()), 1000); err != nil {
			b.Fatal(err)
		}
		return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayerGzip, Digest: d, Size: 1000}
	}
	var base []ocispec.Descriptor
	for i := range n / (scaleLayers + 2) {
		if i%100 == 0 {
			base = nil
			for range 5 {
				base = append(base, layer())
			}
		}
		config := fmt.Appendf(nil, `{"os":"linux","architecture":"amd64","created":"%d"}`, i)
		m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: ocispec.Descriptor{Digest: digest.FromBytes(config)}, Layers: base}
		m.SchemaVersion = 2
		for range scaleLayers {
			m.Layers = append(m.Layers[:len(m.Layers):len(m.Layers)], layer())
		}
		body, err := json.Marshal(m)
		if err != nil {
			b.Fatal(err)
		}
		store(m.Config.Digest, config)
		store(digest.FromBytes(body), body)
		writeScaledRef(b, dir, i, digest.FromBytes(body))
	}
	return dir
}

// writeScaledRef gives every repository ten tags.
func writeScaledRef(b *testing.B, dir string, i int, d digest.Digest) {
	repository := fmt.Sprintf("org%d/app%d", i/1000, i/10)
	at := time.Unix(int64(1_700_000_000+i), 0).UTC().Format(time.RFC3339)
	path := filepath.Join(dir, "refs", "docker.io", filepath.FromSlash(repository), fmt.Sprintf("v%d", i))
	body := fmt.Appendf(nil, `{"reference":"docker.io/%s:v%d","digest":%q,"checked":%q,"stored":%q}`, repository, i, d, at, at)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(path, body, 0o600); err != nil {
		b.Fatal(err)
	}
}
