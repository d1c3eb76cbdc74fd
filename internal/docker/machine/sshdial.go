package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"
)

// bridge joins its input and output with the unix socket $p, by whatever there is that can. docker's own is how docker
// itself comes to an engine over ssh.
const bridge = `if command -v docker >/dev/null 2>&1; then DOCKER_HOST=unix://$p exec docker system dial-stdio; fi
if command -v socat >/dev/null 2>&1; then exec socat - "UNIX-CONNECT:$p"; fi
if command -v python3 >/dev/null 2>&1; then exec python3 -c "$py" "$p"; fi
if nc -h 2>&1 | grep -q -e '-[^ ]*U'; then exec nc -U "$p"; fi
echo 'none of docker, socat, python3 and nc -U is there' >&2
exit 1
`

const bridgePython = `import os, socket, sys, threading
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
def up():
    while True:
        b = os.read(0, 65536)
        if not b:
            break
        s.sendall(b)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while True:
    b = s.recv(65536)
    if not b:
        break
    while b:
        b = b[os.write(1, b):]
`

// access says whether a socket is there and whether the person may use it.
const access = `ls -d "$p" >/dev/null || exit 1
[ -S "$p" ] || { echo 'is no socket' >&2; exit 1; }
[ -w "$p" ] || { echo 'Permission denied' >&2; exit 1; }
`

// Dial implements Machine: "unix" by a program that is there, "tcp" by ssh itself, as seen from there. ctx bounds the
// dial alone.
func (s *SSH) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	switch network {
	case "tcp":
		return s.pipe(ctx, address, s.forward(address), nil)
	case "unix":
	default:
		return nil, fmt.Errorf("%s: %s: no such network there", s.facts.Name, network)
	}
	script := "p=" + quote(address) + "\n"
	r, err := s.shell(ctx, false, script+access, nil)
	root := err == nil && r.refused() && s.maySudo()
	if root {
		r, err = s.shell(ctx, true, script+access, nil)
	}
	if err != nil {
		return nil, err
	}
	if r.status != 0 {
		cause := &ExitError{Program: address, Status: r.status, Stderr: r.stderr}
		if r.refused() {
			return nil, fmt.Errorf("%w: %w", os.ErrPermission, cause)
		}
		return nil, fmt.Errorf("%s: %w", s.facts.Name, cause)
	}
	script = "py=" + quote(bridgePython) + "\n" + script + bridge
	if root {
		script = "exec sudo -n env LC_ALL=C \"PATH=$PATH\" /bin/sh -c " + quote(script)
	}
	return s.pipe(ctx, address, func(ctx context.Context) *exec.Cmd { return s.ssh(ctx, wrap(start+script)) }, []byte(begin))
}

// forward has ssh open a connection from there. -W implies ClearAllForwardings, and -T and -N.
func (s *SSH) forward(address string) func(context.Context) *exec.Cmd {
	return func(ctx context.Context) *exec.Cmd {
		return s.command(ctx, append(s.options(), "-o", "ControlMaster=no", "-o", s.control(), "-W", address), nil)
	}
}

// pipe starts a program and makes a connection of what it reads and writes, once it has said the word after which that
// begins.
func (s *SSH) pipe(ctx context.Context, address string, command func(context.Context) *exec.Cmd, word []byte) (net.Conn, error) {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	cmd := command(life)
	theirs, ours, err := os.Pipe()
	if err != nil {
		cancel()
		return nil, err
	}
	back, answer, err := os.Pipe()
	if err != nil {
		cancel()
		_, _ = theirs.Close(), ours.Close()
		return nil, err
	}
	c := &stream{s: s, address: address, in: ours, out: back, cmd: cmd, cancel: cancel, said: &tail{}}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, answer, c.said
	err = cmd.Start()
	_, _ = theirs.Close(), answer.Close()
	if err != nil {
		cancel()
		_, _ = ours.Close(), back.Close()
		return nil, fmt.Errorf("%s: ssh: %w", s.facts.Name, err)
	}
	stop := context.AfterFunc(ctx, cancel)
	err = c.await(word)
	if !stop() {
		err = errors.Join(err, context.Cause(ctx))
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// stream is a connection through a program.
type stream struct {
	s       *SSH
	address string
	in, out *os.File // pipes: they have deadlines where the system knows such
	cmd     *exec.Cmd
	cancel  context.CancelFunc
	said    *tail
	once    sync.Once
	err     error
}

// await reads up to and with a word. What the shell says before that is dropped.
func (c *stream) await(word []byte) error {
	const most = 1 << 16
	matched := 0
	one := make([]byte, 1)
	for n := 0; matched < len(word); n++ {
		if _, err := c.Read(one); err != nil {
			return err
		}
		switch {
		case one[0] == word[matched]:
			matched++
		case one[0] == word[0]:
			matched = 1
		default:
			matched = 0
		}
		if n == most {
			return fmt.Errorf("%s: its shell answers what nobody asked", c.s.facts.Name)
		}
	}
	return nil
}

// Read says at the end why the program failed, if it did.
func (c *stream) Read(p []byte) (int, error) {
	n, err := c.out.Read(p)
	if errors.Is(err, io.EOF) {
		if c.wait() != nil {
			return n, fmt.Errorf("%s: %w", c.address, c.s.explain(c.said.String()))
		}
	}
	return n, err
}

func (c *stream) Write(p []byte) (int, error) { return c.in.Write(p) }

func (c *stream) CloseWrite() error { return c.in.Close() }

func (c *stream) wait() error {
	c.once.Do(func() { c.err = c.cmd.Wait(); c.cancel() })
	return c.err
}

func (c *stream) Close() error {
	_ = c.in.Close()
	c.cancel()
	_ = c.wait()
	_ = c.out.Close()
	return nil
}

func (c *stream) LocalAddr() net.Addr  { return place("ssh") }
func (c *stream) RemoteAddr() net.Addr { return place(c.address) }

func (c *stream) SetDeadline(t time.Time) error {
	return errors.Join(c.in.SetDeadline(t), c.out.SetDeadline(t))
}
func (c *stream) SetReadDeadline(t time.Time) error  { return c.out.SetDeadline(t) }
func (c *stream) SetWriteDeadline(t time.Time) error { return c.in.SetDeadline(t) }

// place is an address that is no socket's.
type place string

func (place) Network() string  { return "ssh" }
func (p place) String() string { return string(p) }
