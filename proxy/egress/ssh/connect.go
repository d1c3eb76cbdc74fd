package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	gossh "golang.org/x/crypto/ssh"
)

// A LoginError says that a machine accepted none of the person's keys.
type LoginError struct {
	User, Host string
	Notes      []string // what may be the matter
}

func (e *LoginError) Error() string {
	s := fmt.Sprintf("%s accepts no key of ours for the user %s", e.Host, clean(e.User))
	if len(e.Notes) > 0 {
		s += " (" + strings.Join(e.Notes, "; ") + ")"
	}
	return s + "; see that this works without a question: ssh " + e.Host
}

// programError says that only the ssh program can do it.
type programError struct {
	why string
	err error // what the library failed with; nil: it was not tried
}

func (e *programError) Error() string {
	if e.err != nil {
		return e.err.Error()
	}
	return "this needs the ssh program, which is not here: " + e.why
}

func (e *programError) Unwrap() error { return e.err }

// isRefusal reports whether a machine was reached that does not let us in, or
// that we do not trust: trying again at once would do no good.
func isRefusal(err error) bool {
	var unknown *HostKeyError
	var changed *ChangedKeyError
	var login *LoginError
	return errors.As(err, &unknown) || errors.As(err, &changed) || errors.As(err, &login)
}

// connect opens the connection, over as many machines as it takes.
func (c *Client) connect(ctx context.Context) (*link, error) {
	client, below, s, err := c.reach(ctx, c.to, nil, 0)
	if err != nil {
		if ctx.Err() != nil && !errors.Is(err, context.Canceled) && !isRefusal(err) {
			return nil, fmt.Errorf("%s: no connection within %s: %w", c.to.host, connectTimeout, ctx.Err())
		}
		return nil, err
	}
	return newLink(client, below, s.alive), nil
}

// reach logs in to h, over the machines of via (outermost first) or, without
// them, those of the person's configuration. below are the connections that it
// rests upon.
func (c *Client) reach(ctx context.Context, h hop, via []hop, depth int) (client *gossh.Client, below []io.Closer, s *settings, err error) {
	if depth == maxHops {
		return nil, nil, nil, fmt.Errorf("more than %d machines in a row; look for a circle in ProxyJump", maxHops)
	}
	if s, err = c.resolve(ctx, h); err != nil {
		return nil, nil, nil, err
	}
	if s.needs != "" {
		return nil, nil, nil, &programError{why: s.needs}
	}
	defer func() {
		if err != nil {
			closeAll(below)
		}
	}()
	if len(via) == 0 && s.jump != "" {
		if via, err = jumps(s.jump); err != nil {
			return nil, nil, nil, err
		}
	}
	addr := net.JoinHostPort(s.hostname, s.port)
	var conn net.Conn
	switch {
	case len(via) > 0:
		last := len(via) - 1
		var jump *gossh.Client
		if jump, below, _, err = c.reach(ctx, via[last], via[:last], depth+1); err != nil {
			return nil, nil, nil, err
		}
		below = append(below, jump)
		if conn, err = jump.DialContext(ctx, "tcp", addr); err != nil {
			return nil, below, nil, fmt.Errorf("%s, over %s: %w", h.host, via[last].host, err)
		}
	case s.command != "":
		line, _ := expand(s.command, s.tokens())
		if conn, err = c.command(ctx, line); err != nil {
			return nil, nil, nil, fmt.Errorf("%s: ProxyCommand: %w", h.host, err)
		}
	default:
		if conn, err = c.dialTCP(ctx, s.family, addr); err != nil {
			return nil, nil, nil, fmt.Errorf("%s: %w", h.host, err)
		}
	}
	client, err = c.login(ctx, conn, addr, s)
	return client, below, s, err
}

// login makes the key exchange, checks the host's key and shows it ours. It
// closes conn if that fails.
func (c *Client) login(ctx context.Context, conn net.Conn, addr string, s *settings) (*gossh.Client, error) {
	known, err := c.hostKeysOf(s)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	keys := c.keysOf(ctx, s)
	defer keys.close()
	conf := &gossh.ClientConfig{
		User:              s.user,
		Auth:              []gossh.AuthMethod{gossh.PublicKeys(keys.signers...)},
		HostKeyCallback:   known.verify,
		HostKeyAlgorithms: known.algorithms(),
		ClientVersion:     "SSH-2.0-Pulley",
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	nc, channels, requests, err := gossh.NewClientConn(conn, addr, conf)
	if !stop() && err == nil {
		_ = nc.Close()
		err = ctx.Err()
	}
	if err == nil {
		return gossh.NewClient(nc, channels, requests), nil
	}
	_ = conn.Close()
	return nil, c.explainLogin(err, s, keys)
}

// explainLogin turns the library's error into one that says what to do.
func (c *Client) explainLogin(err error, s *settings, keys *keys) error {
	// The library wraps ours in words of its own.
	var unknown *HostKeyError
	if errors.As(err, &unknown) {
		return unknown
	}
	var changed *ChangedKeyError
	if errors.As(err, &changed) {
		return changed
	}
	var algorithms *gossh.AlgorithmNegotiationError
	if errors.As(err, &algorithms) {
		return &programError{"an algorithm that only it has", fmt.Errorf("%s: %w", s.name, err)}
	}
	if !strings.Contains(err.Error(), "authenticat") { // the library has no type for it
		return fmt.Errorf("%s: %w", s.name, err)
	}
	login := &LoginError{User: s.user, Host: s.name, Notes: keys.notes}
	if more := append(s.more, keys.more...); len(more) > 0 {
		return &programError{"login with " + strings.Join(more, ", "), login}
	}
	return login
}

func closeAll(list []io.Closer) {
	for i := len(list) - 1; i >= 0; i-- {
		_ = list[i].Close()
	}
}
