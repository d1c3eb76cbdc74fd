// Command bench measures what the README promises: Pulley beside bare Go servers that do the least
// possible work for the same bytes, as ratios of medians of interleaved runs, so that a noisy or slow
// machine changes both sides alike. It starts the real `pulley` binary and talks to it through the
// doors a user has; it knows nothing of the daemon's packages. It asserts nothing: it prints.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) > 1 && isBare(os.Args[1]) {
		exit(runBare(os.Args[1:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, os.Args[1:]))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run builds the binary, starts a test Hub and a daemon, and runs each measure in turn.
func run(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	runs := set.Int("runs", 7, "interleaved runs per figure; the median counts")
	only := set.String("only", "", "run only the measure of this name")
	if err := set.Parse(args); err != nil {
		return err
	}
	b, err := newBench(ctx, *runs)
	if err != nil {
		return err
	}
	defer b.close()
	for _, m := range measures {
		if *only != "" && *only != m.name {
			continue
		}
		fmt.Printf("%-10s %s\n", m.name, m.what)
		if err := m.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

// measures are run in this order; each prints its own lines.
var measures = []struct {
	name, what string
	run        func(context.Context, *bench) error
}{
	{"ready", "from exec to the ready line, first start and later starts", measureReady},
	{"idle", "anonymous memory of an idle daemon", measureIdle},
	{"cold", "32 clients on one cold 256 MiB blob", measureCold},
	{"capped", "a cold 1 GiB blob from a source of 100 MiB/s, beside a client without Pulley", measureCapped},
	{"split", "a cold 512 MiB blob over eight connections, beside one, where nothing slows a connection down", measureSplit},
	{"slow", "a cold 64 MiB blob from an origin and three mirrors at 1 MiB/s per connection, eight connections beside one", measureSlow},
	{"mirror", "a warm 1 GiB blob over the mirror door, beside http.FileServer", measureMirror},
	{"tls", "a warm 1 GiB blob intercepted, beside a bare TLS file server", measureTLS},
	{"connect", "a new connection per request, beside a bare tunnel and TLS server", measureConnect},
	{"memory", "anonymous memory with 64 transfers in flight", measureMemory},
}
