package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine is where the figures are from.
type machine struct {
	CPU        string `json:"cpu"`
	Processors int    `json:"processors"`
	MemoryMiB  int    `json:"memory_mib"`
	Kernel     string `json:"kernel"`
	System     string `json:"system"`
	Go         string `json:"go"`
	Files      string `json:"files"` // the file system that the caches are on
	Day        string `json:"day"`
}

// describe says on which machine and with what a run is made. Every product must be there.
func (b *bench) describe(ctx context.Context) (*results, error) {
	all := &results{
		Machine: thisMachine(b.dir),
		Setup:   setup{Runs: b.runs, Quick: b.quick, Pinned: b.pin, Without: b.without, Only: b.only},
	}
	for _, p := range b.products {
		version, err := p.version(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		all.Products = append(all.Products, productNote{Name: p.name, Version: version, About: p.about, Upstream: p.upstream, Limit: p.limit})
	}
	return all, nil
}

func thisMachine(dir string) machine {
	kib, _ := strconv.Atoi(strings.TrimSuffix(field("/proc/meminfo", "MemTotal", ":"), " kB"))
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	version, _, _ := strings.Cut(strings.TrimSpace(string(kernel)), "-") // without whose build it is
	return machine{
		CPU: field("/proc/cpuinfo", "model name", ":"), Processors: runtime.NumCPU(), MemoryMiB: kib >> 10,
		Kernel: version, System: strings.Trim(field("/etc/os-release", "PRETTY_NAME", "="), `"`),
		Go: runtime.Version(), Files: fileSystem(dir), Day: time.Now().Format(time.DateOnly),
	}
}

// field is the value of the first line of a file that begins with a name.
func field(file, name, separator string) string {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, separator); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
