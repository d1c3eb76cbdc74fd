package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a program that prints one line when it serves.
type process struct {
	cmd     *exec.Cmd
	line    string        // its first line
	started time.Duration // from exec to that line
}

func start(ctx context.Context, env []string, name string, args ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s ended before it served", filepath.Base(name)), cmd.Wait())
	}
	return &process{cmd: cmd, line: strings.TrimSpace(line), started: time.Since(begin)}, nil
}

func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.cmd.Wait()
}

// anonymous is the process's RssAnon in MiB (proc_pid_status(5)).
func (p *process) anonymous() (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == "RssAnon:" {
			kib, err := strconv.Atoi(fields[1])
			return float64(kib) / 1024, err
		}
	}
	return 0, errors.New("no RssAnon in /proc: this measure needs Linux")
}

// watchAnonymous looks at anonymous many times a second until the result is called, which returns the most it saw.
func (p *process) watchAnonymous() (most func() float64) {
	end, done := make(chan struct{}), make(chan float64)
	go func() {
		peak := 0.0
		ticks := time.NewTicker(20 * time.Millisecond)
		defer ticks.Stop()
		for {
			if now, err := p.anonymous(); err == nil {
				peak = max(peak, now)
			}
			select {
			case <-ticks.C:
			case <-end:
				done <- peak
				return
			}
		}
	}()
	return func() float64 {
		close(end)
		return <-done
	}
}
