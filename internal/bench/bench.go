package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"pulley/internal/hubtest"
)

const (
	mib = 1 << 20

	// repository is where every image is: one token opens all of them.
	repository = "library/bench"
)

// bench is a test Hub, the binaries, and the servers that most measures share.
type bench struct {
	options
	sizes
	dir    string // removed at the end
	binary string // Pulley's
	self   string // this program, for the Go server
	roots  string // a file with the Hub's CA
	files  string // a directory with the warm images, at the paths where a registry has them
	hub    *hubtest.Hub

	products   []*product
	running    []*server // all of them, once asked for
	filled     bool      // … with the warm image in their caches
	generation int       // how often they were started anew
	big        []blob    // the warm image's: for 1, 8 and 64 clients
	manifest   string    // the digest of its manifest
	seed       uint64    // of the next image
	results    *results
}

// sizes are what a run moves.
type sizes struct {
	warm     map[int]int64 // bytes of the blob that so many clients read
	volume   int64         // bytes that a turn of a warm row reads at least
	cold     int64
	capped   int64 // the cold blob from a source that is the bottleneck
	slow     int64
	layers   int
	requests int
	dials    int
}

func fullSizes() sizes {
	return sizes{
		warm: map[int]int64{1: 1024 * mib, 8: 256 * mib, 64: 64 * mib}, volume: 2048 * mib,
		cold: 256 * mib, capped: 256 * mib, slow: 20 * mib, layers: 1000, requests: 10000, dials: 2000,
	}
}

func quickSizes() sizes {
	return sizes{
		warm: map[int]int64{1: 32 * mib, 8: 16 * mib, 64: 4 * mib}, volume: 64 * mib,
		cold: 20 * mib, capped: 20 * mib, slow: 17 * mib, layers: 50, requests: 400, dials: 80,
	}
}

// blob is one that the Hub has.
type blob struct {
	path string
	hubtest.Layer
}

func (b blob) size() int64 { return b.Content.Size() }

func newBench(ctx context.Context, o options) (*bench, error) {
	if runtime.GOOS != "linux" {
		return nil, errors.New("processor time and memory are read from /proc: run it on Linux")
	}
	dir, err := os.MkdirTemp("", "pulley-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{
		options: o, sizes: fullSizes(), dir: dir, binary: filepath.Join(dir, "pulley"), roots: filepath.Join(dir, "roots.pem"),
		files: filepath.Join(dir, "files"), seed: 100,
		// Nothing that a long run has ends in the middle of it.
		hub: &hubtest.Hub{TokenTTL: 24 * time.Hour, URLTTL: 24 * time.Hour},
	}
	if o.quick {
		b.sizes = quickSizes()
	}
	if err := b.init(ctx); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bench) init(ctx context.Context) (err error) {
	if b.pin {
		if err := pinSelf(runtime.NumCPU()/2, runtime.NumCPU()-1); err != nil {
			return err
		}
	}
	if err := os.Chmod(b.dir, 0o755); err != nil { //nolint:gosec // squid's own user passes through
		return err
	}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	for _, p := range products() {
		if !strings.Contains(","+b.without+",", ","+p.name+",") {
			b.products = append(b.products, p)
		}
	}
	if b.results, err = b.describe(ctx); err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", b.binary, "pulley/cmd/pulley")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return errors.Join(err, errors.New(string(out)))
	}
	if err := b.hub.Start(); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(b.roots, b.hub.RootsPEM(), 0o644), b.publishWarm()) //nolint:gosec // a certificate
}

func (b *bench) close() {
	for _, s := range b.running {
		if err := s.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}
	b.hub.Close()
	if err := os.RemoveAll(b.dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
}

// pinned is a command line that keeps a server on the first half of the processors, if asked for.
func (b *bench) pinned(name string, args []string) (string, []string) {
	if !b.pin {
		return name, args
	}
	return "taskset", append([]string{"-c", fmt.Sprintf("0-%d", runtime.NumCPU()/2-1), name}, args...)
}

// hubHost is the Hub by a name that everybody resolves and its certificate has.
func (b *bench) hubHost() string {
	_, port, _ := net.SplitHostPort(b.hub.Addr())
	return "localhost:" + port
}

func (b *bench) hubURL() string { return "https://" + b.hubHost() }

// publish puts a new image into the Hub that nobody has asked for yet.
func (b *bench) publish(layers int, size int64) (manifest string, blobs []blob) {
	b.seed++
	image := hubtest.RandomImage(b.seed, layers, size)
	digest := b.hub.Push(repository, "", image)
	for _, layer := range image.Layers {
		blobs = append(blobs, blob{blobPath(layer.Digest.String()), layer})
	}
	return digest.String(), blobs
}

func blobPath(digest string) string { return "/v2/" + repository + "/blobs/" + digest }

func manifestPath(reference string) string { return "/v2/" + repository + "/manifests/" + reference }

// show prints a row once it is measured.
func (b *bench) show(rows ...*row) {
	for _, r := range rows {
		fmt.Print(r.text())
	}
}
