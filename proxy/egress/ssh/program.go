package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// findProgram is the path of ssh(1), or "".
func (c *Client) findProgram() string {
	for _, dir := range filepath.SplitList(c.getenv("PATH")) {
		if dir == "" || !filepath.IsAbs(dir) {
			continue
		}
		if p, err := exec.LookPath(filepath.Join(dir, "ssh")); err == nil {
			return p
		}
	}
	return ""
}

func (c *Client) hasProgram() bool { return c.findProgram() != "" }

// throughProgram opens a connection with `ssh -W`. The program says nothing when
// the far side has accepted; what it says when that fails is the error of the
// first Read. A ControlMaster of the person's is used as they have it.
func (c *Client) throughProgram(ctx context.Context, addr string) (net.Conn, error) {
	program := c.findProgram()
	if program == "" {
		return nil, &programError{why: "it has gone"}
	}
	args := slices.Concat([]string{"-W", addr}, c.to.flags(), []string{
		"-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=2", "--", c.to.host,
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // the connection outlives its dial
	p, err := startPipe(exec.CommandContext(ctx, program, args...), cancel, c.env)
	if err != nil {
		return nil, fmt.Errorf("ssh: %w", err)
	}
	return newStream(p, addr, func() error { return io.EOF }, func() {}), nil
}

// command runs a ProxyCommand.
func (c *Client) command(ctx context.Context, line string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // the connection outlives its dial
	p, err := startPipe(shell(ctx, c.getenv, line), cancel, c.env)
	if err != nil {
		return nil, err
	}
	return newStream(p, "ProxyCommand", func() error { return io.EOF }, func() {}), nil
}

// A pipe is what a running program reads and writes.
type pipe struct {
	in     io.WriteCloser
	out    io.ReadCloser
	cmd    *exec.Cmd
	cancel context.CancelFunc
	said   *tail
	once   sync.Once
	ended  chan struct{} // closed by wait
	err    error         // how it ended, after wait
}

func startPipe(cmd *exec.Cmd, cancel context.CancelFunc, env []string) (*pipe, error) {
	p := &pipe{cmd: cmd, cancel: cancel, said: &tail{}, ended: make(chan struct{})}
	cmd.Env, cmd.Stderr, cmd.WaitDelay = env, p.said, time.Second
	hideWindow(cmd)
	var err error
	if p.in, err = cmd.StdinPipe(); err == nil {
		if p.out, err = cmd.StdoutPipe(); err == nil {
			err = cmd.Start()
		}
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return p, nil
}

// wait collects the program, once its output has ended or is not wanted.
func (p *pipe) wait() error {
	p.once.Do(func() { p.err = p.cmd.Wait(); p.cancel(); close(p.ended) })
	return p.err
}

// why is what the program said before it failed, or nil if it did not fail. It
// has ended.
func (p *pipe) why() error {
	if p.err == nil {
		return nil
	}
	return errors.New(lastLine(p.said.bytes(), p.err))
}

func (p *pipe) Read(b []byte) (int, error) {
	n, err := p.out.Read(b)
	if n == 0 && err != nil {
		if p.wait() == nil {
			return 0, io.EOF
		}
		return 0, p.why()
	}
	return n, nil
}

// Write that finds nobody there any more waits a moment for the Read that collects
// the program, to say what that one says: that a pipe is closed helps nobody.
func (p *pipe) Write(b []byte) (int, error) {
	n, err := p.in.Write(b)
	if err == nil {
		return n, nil
	}
	select {
	case <-p.ended:
		if why := p.why(); why != nil {
			return n, why
		}
	case <-time.After(time.Second):
	}
	return n, err
}

func (p *pipe) CloseWrite() error { return p.in.Close() }

func (p *pipe) Close() error {
	p.cancel()
	_ = p.in.Close()
	_ = p.wait()
	return nil
}

// tail keeps the last of what a program says.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	t.buf = t.buf[max(0, len(t.buf)-4096):]
	return len(p), nil
}

func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.buf)
}

// firstLine is what a program said first, or how it ended.
func firstLine(said []byte, err error) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(said), []byte("\n"))
	return lastLine(line, err)
}

// lastLine is what a program said last, or how it ended.
func lastLine(said []byte, err error) string {
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	if s := clean(lines[len(lines)-1]); s != "" {
		return s
	}
	return err.Error()
}
