//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"pulley/internal/control/client"
)

// daemon is one process of `pulley up`.
type daemon struct {
	cmd     *exec.Cmd
	started time.Time
	ended   chan struct{}
	err     error // once ended
	killed  bool
	idle    vitals // what it had when it was first looked at
}

func (d *daemon) pid() int { return d.cmd.Process.Pid }

// kill is kill -9.
func (d *daemon) kill() {
	d.killed = true
	_ = d.cmd.Process.Kill()
	<-d.ended
}

// end is Ctrl-C; it reports what the daemon ended with.
func (d *daemon) end(ctx context.Context) error {
	_ = d.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-d.ended:
		return d.err
	case <-time.After(45 * time.Second):
	case <-ctx.Done():
	}
	_ = d.cmd.Process.Signal(syscall.SIGQUIT)
	<-d.ended
	return fmt.Errorf("it did not end within 45 s of SIGINT: %w", d.err)
}

// environ is that of daemons and commands: no proxy, no login, of the machine's owner.
func (w *world) environ() []string {
	all := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "PULLEY_HOME=" + w.home, clockVar + "=" + w.clock.file.Name(), "NO_COLOR=1"}
	if w.store != nil {
		all = append(all, w.store.Environ()...)
	}
	return all
}

func (w *world) logFile() string { return filepath.Join(w.dir, "daemon.log") }

// launch runs a daemon until it serves.
func (w *world) launch(ctx context.Context, args ...string) (*daemon, error) {
	log, err := os.OpenFile(w.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(w.binary, append([]string{"up"}, args...)...) //nolint:noctx // it is ended by its id
	cmd.Env, cmd.Stderr = w.environ(), log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(log, "--- %s pulley up %s\n", time.Now().Format("15:04:05.000"), strings.Join(args, " "))
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	d := &daemon{cmd: cmd, started: time.Now(), ended: make(chan struct{})}
	line := make(chan string, 1)
	go func() {
		r := bufio.NewReader(out)
		first, _ := r.ReadString('\n')
		line <- first
		_, _ = r.WriteTo(log)
		d.err = cmd.Wait()
		close(d.ended)
	}()
	select {
	case first := <-line:
		address, ok := strings.CutPrefix(strings.TrimSpace(first), "ready ")
		if !ok {
			d.kill()
			return nil, fmt.Errorf("the daemon does not start: it says %q", first)
		}
		w.address = address
		return d, nil
	case <-time.After(30 * time.Second):
	case <-ctx.Done():
	}
	_ = cmd.Process.Signal(syscall.SIGQUIT)
	<-d.ended
	return nil, fmt.Errorf("the daemon was not ready within 30 s")
}

// start runs the daemon where there is none.
func (w *world) start(ctx context.Context) error {
	d, err := w.launch(ctx)
	if err != nil {
		return err
	}
	w.daemon = d
	w.book.restart()
	if w.control == nil {
		w.control = client.New(filepath.Join(w.home, "control.sock"))
	}
	w.weather.set(dying, false, 0)
	return nil
}

// handOver runs one in the place of the one that runs.
func (w *world) handOver(ctx context.Context) error {
	d, err := w.launch(ctx, "--take-over")
	if err != nil {
		return err
	}
	w.gone = append(w.gone, w.daemon)
	w.daemon = d
	w.control.Close()
	w.book.restart()
	return nil
}

// run is a command that a person types.
func (w *world) run(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.binary, args...)
	cmd.Env = w.environ()
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("pulley %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(said.String()))
	}
	return out.String(), nil
}
