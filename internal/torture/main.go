//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

// inside says that this process has namespaces of its own.
const inside = "PULLEY_TORTURE_INSIDE"

func run(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("torture", flag.ContinueOnError)
	seed := set.Uint64("seed", uint64(time.Now().UnixNano()&0xffffff), "what everything is drawn from")
	n := set.Int("n", 800, "steps")
	hours := set.Float64("hours", 0, "run so long, however many steps that are")
	soaked := set.Bool("soak", false, "with -hours: one process all the time, whose memory has to be flat")
	aloud := set.Bool("v", false, "say what is done")
	binary := set.String("pulley", "", "the program to be tortured; built if empty, with a clock that can be set")
	if err := set.Parse(args); err != nil {
		return err
	}
	if *soaked && *hours <= 0 {
		return errors.New("-soak takes -hours: memory is looked at over a time")
	}
	if os.Getenv(inside) == "" {
		return enclosed(ctx, append(args, fmt.Sprintf("-seed=%d", *seed)))
	}
	dir, err := os.MkdirTemp("", "torture")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if *binary == "" {
		if *binary, err = build(ctx, dir); err != nil {
			return err
		}
	}
	r := course{seed: *seed, n: *n, most: time.Duration(*hours * float64(time.Hour)), soak: *soaked, aloud: *aloud}
	return r.run(ctx, *binary, dir)
}

// enclosed runs this program again where it may mount: in a mount namespace of its own, so that nobody else sees what it
// mounts, and nothing of that outlives it.
func enclosed(ctx context.Context, args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGTERM}
	if uid, gid := os.Getuid(), os.Getgid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}}
	}
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("ended with %d", exit.ExitCode())
	}
	return err
}

func build(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "pulley")
	moved, err := overlay(dir)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-overlay", moved, "-o", binary, "./cmd/pulley")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building pulley: %w\n%s", err, out)
	}
	return binary, nil
}

// course is a whole run.
type course struct {
	seed  uint64
	n     int           // steps
	most  time.Duration // not 0: so long, however many steps that are
	soak  bool          // by one process, whose memory has to be flat
	aloud bool
}

func (r course) run(ctx context.Context, binary, dir string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("mounts of its own: %w", err)
	}
	w, err := newWorld(ctx, r.seed, binary, dir, true)
	if err != nil {
		return err
	}
	defer w.close()
	w.story.aloud = r.aloud
	fmt.Printf("SEED=%d\n", r.seed)
	if w.disk.robust != nil {
		fmt.Printf("no FUSE here (%v): the disk neither slows down nor fails\n", w.disk.robust)
	}
	from := steps
	if r.soak {
		from, w.soak = lasting(), newSoak(r.most, os.Stdout)
	}
	begun := time.Now()
	made, err := w.steps(ctx, os.Stdout, from, r.n, r.most)
	if err == nil && w.soak != nil {
		err = w.soak.verdict()
	}
	if err == nil {
		err = w.end(ctx)
	}
	fmt.Printf("%6d steps in %s: %s\n", made, time.Since(begun).Round(time.Second), w.story.counts())
	if err != nil && ctx.Err() == nil {
		kept := filepath.Join(os.TempDir(), fmt.Sprintf("torture-%d.log", r.seed))
		fmt.Printf("the last of what was done:\n%s\nthe end of the daemon's log; more of both is in %s:\n%s\n", w.story, kept, tail(w.logFile(), 30))
		requests, _ := w.run(ctx, "log", "--story", "-n", "300")
		_ = os.WriteFile(kept, []byte(strings.Join(w.story.long, "\n")+"\n"+requests+"\n"+tail(w.logFile(), 1<<20)+"\n"), 0o600)
		return fmt.Errorf("%w\nagain: make torture SEED=%d N=%d", err, r.seed, made+1)
	}
	return err
}

// end is the last look: everything is well again, and then the daemon ends as it should.
func (w *world) end(ctx context.Context) error {
	w.storm, w.flood, w.lag = min(w.storm, 1), min(w.flood, 1), min(w.lag, 1)
	w.weathering(ctx)
	for _, r := range w.model.repos {
		if r.site != nil {
			w.pull(ctx, w.orderOf(roll(w.seed, 1<<42), r, "latest"))
		}
	}
	w.promises(ctx, 0)
	w.wholeCache(ctx)
	if err := w.daemon.end(ctx); err != nil {
		w.breaks("the daemon ended badly: %v", err)
	}
	w.secret()
	return w.verdict()
}
