// Command bench measures Pulley beside what a person would use in its place, each a real program: distribution's registry
// as a pull-through cache, squid, nginx; and beside limits that no cache passes: nginx with sendfile, a Go file server,
// the Hub itself. All run on this machine, fetch from the same [hubtest.Hub] and are read by the same client, in turn, so
// that a slow or noisy machine changes all sides alike. The figures are medians with what they spread over; what counts
// is their ratio.
//
// A product is a file here (what it is, how it is set up, which doors it has), and so is a measure (what is asked of every
// product that can). A product that cannot be started is an error, never a gap.
//
// It starts the real binaries and talks to them through the doors a user has; it knows nothing of the daemon's packages. It
// asserts nothing: it prints, and writes docs/benchmarks.md if asked to. Processors and memory are read from /proc: it
// needs Linux.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == goServer {
		exit(runGoServer(os.Args[2:]))
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

// options are the command line.
type options struct {
	runs    int    // of each figure
	quick   bool   // small sizes
	only    string // measures and rows whose name has this in it
	without string // products left out, comma-separated
	json    string // where the results go
	from    string // files of results to show again, comma-separated, with nothing measured
	docs    string // the folder that holds benchmarks.md
	pin     bool   // servers on the first half of the processors, the client on the rest
}

func parse(args []string) (o options, err error) {
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.IntVar(&o.runs, "runs", 5, "interleaved runs per figure; the median counts")
	set.BoolVar(&o.quick, "quick", false, "small sizes and one run: shows that every row works, its figures mean nothing")
	set.StringVar(&o.only, "only", "", "only the measures whose name has this in it")
	set.StringVar(&o.without, "without", "", "leave these products out, comma-separated; the result says so")
	set.StringVar(&o.json, "json", "", "write the results to this file")
	set.StringVar(&o.from, "from", "", "measure nothing, show this file's results; of several, comma-separated, the later ones' rows in place of the first's")
	set.StringVar(&o.docs, "docs", "", "write the results into benchmarks.md in this folder, and its picture")
	set.BoolVar(&o.pin, "pin", false, "servers on the first half of the processors, the client and the Hub on the others")
	if err := set.Parse(args); err != nil {
		return o, err
	}
	if set.NArg() > 0 {
		return o, fmt.Errorf("%s: not understood; flags only", set.Arg(0))
	}
	if o.quick {
		o.runs = 1
	}
	if o.quick && o.docs != "" {
		return o, errors.New("-quick: its figures mean nothing and are not published; leave out -docs")
	}
	return o, nil
}

// run measures, or reads what was measured, and shows it.
func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	var all *results
	if o.from != "" {
		all, err = readResults(strings.Split(o.from, ",")...)
	} else {
		all, err = measure(ctx, o)
	}
	if err != nil {
		return err
	}
	if o.from != "" {
		for _, r := range all.Rows {
			fmt.Print(r.text())
		}
	}
	fmt.Print(all.summary())
	if o.json != "" {
		if err := all.write(o.json); err != nil {
			return err
		}
	}
	if o.docs != "" {
		return publish(all, o.docs)
	}
	return nil
}

// measures are run in this order.
var measures = []struct {
	name string
	run  func(context.Context, *bench) error
}{
	{"startup", measureStartup},
	{"warm", measureWarm},
	{"manifest", measureManifests},
	{"connection", measureConnections},
	{"memory", measureMemory},
	{"layers", measureLayers},
	{"cold", measureCold},
	{"crowd", measureCrowd},
	{"slow", measureSlow},
}

// measure starts a Hub and every product, and runs each measure in turn.
func measure(ctx context.Context, o options) (*results, error) {
	b, err := newBench(ctx, o)
	if err != nil {
		return nil, err
	}
	defer b.close()
	for _, m := range measures {
		if !strings.Contains(m.name, o.only) {
			continue
		}
		fmt.Printf("\n%s\n", strings.ToUpper(m.name))
		if err := m.run(ctx, b); err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		b.hub.Reset()
	}
	return b.results, nil
}
