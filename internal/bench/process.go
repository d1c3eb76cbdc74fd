package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a server's first process; it may start others. It is ended by its id.
type process struct {
	cmd  *exec.Cmd
	name string
	said *tail         // what it wrote, for when it fails
	done chan struct{} // closed once it has ended
	err  error         // of its end; read after done
}

// tail keeps the last few kilobytes of what a server writes.
type tail struct {
	mu   sync.Mutex
	text []byte
	line chan string // the first line, once
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if t.line != nil {
		if line, _, whole := bytes.Cut(t.text, []byte("\n")); whole {
			t.line <- string(line)
			t.line = nil
		}
	}
	if len(t.text) > 8<<10 && t.line == nil {
		t.text = t.text[len(t.text)-4<<10:]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}

// start runs a server; first gets the first line it writes, whenever that comes.
func (b *bench) start(ctx context.Context, env []string, name string, args ...string) (p *process, first <-chan string, err error) {
	program, args := b.pinned(name, args)
	cmd := exec.CommandContext(ctx, program, args...)
	line := make(chan string, 1)
	said := &tail{line: line}
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	p = &process{cmd: cmd, name: filepath.Base(name), said: said, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, line, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop asks the server to end and waits until it has, for ten seconds at most before it is killed.
func (p *process) stop() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s ended by itself: %w\n%s", p.name, p.err, p.said)
	default:
	}
	all := family(p.pid())
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(10 * time.Second):
		for _, pid := range all {
			if child, err := os.FindProcess(pid); err == nil {
				_ = child.Kill()
			}
		}
		<-p.done
		return nil
	}
}

// answers waits until something that speaks HTTP answers at address.
func (p *process) answers(ctx context.Context, address, request string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(500 * time.Microsecond)
	defer tick.Stop()
	for {
		if answered(ctx, address, request) {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.done:
			return fmt.Errorf("%s ended before it served: %w\n%s", p.name, p.err, p.said)
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s: does not serve at %s\n%s", p.name, address, p.said), p.stop())
		}
	}
}

func answered(ctx context.Context, address, request string) bool {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", request, address); err != nil {
		return false
	}
	var answer [5]byte
	n, err := conn.Read(answer[:])
	return err == nil && string(answer[:n]) == "HTTP/"
}

// freePort is an address of 127.0.0.1 that was free a moment ago.
func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
