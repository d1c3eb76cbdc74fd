// Package ssh makes any machine with an sshd a way out: connections leave
// through channels ("direct-tcpip", RFC 4254, 7.2) of one ssh connection to it.
//
// It does what the person's own ssh would do: `ssh -G` says what their
// configuration comes to, and host name, user, keys, agent, certificates, jump
// hosts, ProxyCommand and known_hosts are taken from there. Without an ssh
// program the usual defaults hold. What the library cannot do (smart cards, keys
// of the FIDO kind that no agent holds, Kerberos, a KRL …) is left to the ssh
// program, one `ssh -W` per connection.
//
// It never asks. A host key that is not known is a [HostKeyError], kept until
// [Client.Accept] is told that it is right; one that has changed is refused.
//
// It knows nothing of registries, settings or other ways out.
package ssh

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	gossh "golang.org/x/crypto/ssh"
)

// Options of [New].
type Options struct {
	// URL is ssh://[user@]host[:port]; host may be a Host of the person's ssh
	// configuration. Passwords are not taken.
	URL *url.URL
	// Environ is the environment ("KEY=value"): PATH, HOME, SSH_AUTH_SOCK.
	Environ []string
	// Dial opens the connection to the first machine; nil is a net.Dialer's.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	Log  *slog.Logger // nil discards
	// Changed is called when Pending may answer differently. May be nil.
	Changed func()
}

// Times.
const (
	connectTimeout = 30 * time.Second // all hops, logins included; an agent may ask its person
	probeEvery     = 15 * time.Second // how often an open connection is asked whether it lives
	probeTimeout   = 10 * time.Second
	openPatience   = 3 * time.Second  // a channel that takes longer has the connection probed
	idleFor        = 10 * time.Minute // a connection without channels is kept
	maxHops        = 8

	// After a failure the next attempt waits: servers lock out who knocks with
	// wrong keys again and again.
	holdAfterRefusal = 30 * time.Second
	holdAfterFailure = time.Second
)

// A Client is one machine as a way out. It opens nothing before the first dial,
// keeps one connection, makes a new one when that has died, and is safe for
// concurrent use.
type Client struct {
	to      hop
	env     []string
	dialTCP func(ctx context.Context, network, addr string) (net.Conn, error)
	log     *slog.Logger
	changed func()

	mu      sync.Mutex
	live    *link
	flight  *flight   // the attempt under way
	held    time.Time // no attempt before
	why     error     // with which dials fail until then
	program time.Time // until then connections go through the ssh program
	pending []*HostKeyError
	known   map[string]gossh.PublicKey // accepted, by host as in known_hosts
}

// hop is a machine as a person names it.
type hop struct{ user, host, port string }

func (h hop) String() string {
	if h.port == "" {
		return h.host
	}
	return net.JoinHostPort(h.host, h.port)
}

// New checks the URL and does nothing else.
func New(o Options) (*Client, error) {
	c := &Client{env: o.Environ, dialTCP: o.Dial, log: o.Log, changed: o.Changed, known: map[string]gossh.PublicKey{}}
	if c.dialTCP == nil {
		c.dialTCP = new(net.Dialer).DialContext
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.changed == nil {
		c.changed = func() {}
	}
	c.to = hop{o.URL.User.Username(), o.URL.Hostname(), o.URL.Port()}
	if _, has := o.URL.User.Password(); has {
		return nil, errors.New("its url holds a password, which ssh does not take from there; use a key or the agent")
	}
	return c, c.to.check()
}

// check refuses what the ssh program could take for an option or a command.
func (h hop) check() error {
	bad := func(s string) bool {
		return strings.HasPrefix(s, "-") || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("'`\"$\\;&<>|(){}", r) })
	}
	if h.host == "" || bad(h.host) || bad(h.user) {
		return errors.New("its url names no host; write ssh://user@host or ssh://user@host:port")
	}
	if n, err := strconv.ParseUint(h.port, 10, 16); h.port != "" && (err != nil || n == 0) {
		return fmt.Errorf("%q is no port", h.port)
	}
	return nil
}

// DialContext opens a connection from the far machine to addr, host:port; names
// are resolved there. ctx bounds the dial alone.
func (c *Client) DialContext(ctx context.Context, addr string) (net.Conn, error) {
	for again := false; ; again = true {
		l, err := c.link(ctx)
		if err != nil {
			return nil, err
		}
		if l == nil {
			return c.throughProgram(ctx, addr)
		}
		conn, err := l.dial(ctx, addr)
		var refused *gossh.OpenChannelError
		switch {
		case err == nil:
			return conn, nil
		case errors.As(err, &refused):
			return nil, c.explain(refused, addr)
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case again:
			return nil, fmt.Errorf("the connection to %s broke: %w", c.to.host, err)
		}
		c.drop(l, err)
	}
}

// explain says what a server means that opens no channel.
func (c *Client) explain(e *gossh.OpenChannelError, addr string) error {
	if e.Reason == gossh.Prohibited {
		return fmt.Errorf("%s does not forward to %s; AllowTcpForwarding and PermitOpen in its sshd_config decide", c.to.host, addr)
	}
	return fmt.Errorf("%s cannot reach %s: %s", c.to.host, addr, clean(e.Message))
}

// flight is an attempt to connect that several dials wait for.
type flight struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiting int
	err     error
}

// link returns the open connection, or makes one; nil without an error says
// that the ssh program has to be used.
func (c *Client) link(ctx context.Context) (*link, error) {
	for {
		c.mu.Lock()
		switch now := time.Now(); {
		case c.live != nil && c.live.take():
			l := c.live
			c.mu.Unlock()
			return l, nil
		case now.Before(c.program):
			c.mu.Unlock()
			return nil, nil
		case now.Before(c.held):
			defer c.mu.Unlock()
			return nil, c.why
		}
		f := c.flight
		if f == nil {
			f = c.takeOff() //nolint:contextcheck // an attempt is no single dial's, nor its values
		}
		f.waiting++
		c.mu.Unlock()

		var err error
		select {
		case <-f.done:
			err = f.err
		case <-ctx.Done():
			err = ctx.Err()
		}
		c.mu.Lock()
		if f.waiting--; f.waiting == 0 && c.flight == f { // nobody wants it any more
			f.cancel()
			c.flight = nil
		}
		c.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
}

// takeOff starts an attempt. It belongs to no single dial, so that one which
// gives up does not take the others with it. mu is held.
func (c *Client) takeOff() *flight {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	f := &flight{done: make(chan struct{}), cancel: cancel}
	c.flight = f
	go func() {
		defer cancel()
		l, err := c.connect(ctx)
		if f.err = c.land(f, l, err); f.err == nil && l != nil {
			close(f.done)
			l.watch() // until it dies
			c.drop(l, nil)
			return
		}
		close(f.done)
	}()
	return f
}

// land notes how an attempt ended, and returns the error that is left of that.
func (c *Client) land(f *flight, l *link, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flight != f { // it was called off
		if l != nil {
			l.close()
		}
		return context.Canceled
	}
	c.flight = nil
	var needs *programError
	switch {
	case err == nil:
		c.live, c.held, c.why = l, time.Time{}, nil
	case errors.As(err, &needs) && c.hasProgram():
		c.log.Info("ssh: going through the ssh program", "host", c.to.host, "because", needs.why)
		c.program = time.Now().Add(idleFor)
		return nil
	default:
		c.why, c.held = err, time.Now().Add(holdAfterFailure)
		if isRefusal(err) {
			c.held = time.Now().Add(holdAfterRefusal)
		}
	}
	return err
}

// drop forgets a connection that has died.
func (c *Client) drop(l *link, why error) {
	l.close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live == l {
		c.live = nil
		c.log.Debug("ssh: the connection has ended", "host", c.to.host, "err", why)
	}
}

// Close ends the connection when its last channel is closed, at once if there is
// none. The Client can be used again.
func (c *Client) Close() {
	c.mu.Lock()
	l := c.live
	c.live = nil
	c.mu.Unlock()
	if l != nil {
		l.retire()
	}
}

// Retry forgets failures, and has a connection that may have died without a word
// probed at once: this machine has woken up, or somebody has changed something.
func (c *Client) Retry() {
	c.mu.Lock()
	c.held, c.why, c.program = time.Time{}, nil, time.Time{}
	l := c.live
	c.mu.Unlock()
	if l != nil {
		l.hurry()
	}
}

// getenv reads the environment the Client was given; as in a process, the last
// one wins.
func (c *Client) getenv(name string) (value string) {
	for _, kv := range c.env {
		if k, v, ok := strings.Cut(kv, "="); ok && k == name {
			value = v
		}
	}
	return value
}

// home is the person's folder, as the environment has it.
func (c *Client) home() string {
	for _, name := range []string{"HOME", "USERPROFILE"} {
		if h := c.getenv(name); h != "" {
			return h
		}
	}
	h, _ := os.UserHomeDir()
	return h
}

// path expands ~ and the tokens that ssh_config(5) allows in file names.
func (c *Client) path(name string, s *settings) string {
	if rest, ok := strings.CutPrefix(name, "~"); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
		name = c.home() + rest
	}
	name = expandEnv(name, c.getenv)
	out, _ := expand(name, map[byte]string{
		'd': c.home(), 'h': s.hostname, 'n': s.name, 'p': s.port, 'r': s.user, 'u': localUser(), 'k': s.keyName(),
	})
	return filepath.FromSlash(out)
}

// clean makes one short line of what a far side wrote.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = strings.TrimSpace(s)
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return s
}
