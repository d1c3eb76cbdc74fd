package proxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/armon/go-socks5"
)

// socks serves a SOCKS5 client. go-socks5 does the talking; once it would begin
// to copy bytes, the connection is taken out of its hands, and goes the way of
// any other: intercepted or tunnelled.
func (r *run) socks(c *conn) {
	if c.door == doorHTTP {
		c.door = doorSOCKS
	}
	client := &socksClient{conn: c}
	server, err := socks5.New(&socks5.Config{
		AuthMethods: r.s.socksAuth(c),
		Resolver:    unresolved{},
		Logger:      slog.NewLogLogger(r.s.opt.Log.Handler(), slog.LevelDebug),
		Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
			return r.socksDial(c, addr)
		},
	})
	if err != nil {
		r.s.opt.Log.Error("SOCKS5", "err", err)
		_ = c.Close()
		return
	}
	_ = c.SetDeadline(time.Now().Add(r.s.opt.Timeouts.Handshake))
	if err := server.ServeConn(client); err != nil {
		r.s.opt.Log.Debug("SOCKS5 connection ended", "client", c.client, "err", err)
	}
}

// socksAuth is what clients must show: nothing, or one of [access] users.
func (s *Server) socksAuth(c *conn) []socks5.Authenticator {
	users := s.opt.Settings().Access.Users
	switch {
	case len(users) == 0:
		return nil // go-socks5 then asks for nothing
	case !c.guarded():
		s.refusals.plain.Add(1)
		s.opt.Log.Warn("SOCKS5 refused: "+errPlain.Error(), "client", c.client)
		return []socks5.Authenticator{noMethod{}}
	}
	return []socks5.Authenticator{socks5.UserPassAuthenticator{Credentials: socksUsers{s, c, users}}}
}

type socksUsers struct {
	s     *Server
	conn  *conn
	users map[string]string
}

func (u socksUsers) Valid(user, password string) bool {
	v := u.s.users.check(u.conn.client, u.users, user, password)
	switch {
	case v.wait > 0:
		u.s.refusals.tooMany.Add(1)
	case !v.ok:
		u.s.refusals.password.Add(1)
	}
	return v.ok
}

// noMethod is a method of authentication that nobody offers, so that a client is
// told that none will do (RFC 1928, section 3) before it sends a password.
type noMethod struct{}

func (noMethod) GetCode() uint8 { return 0xff }

func (noMethod) Authenticate(io.Reader, io.Writer) (*socks5.AuthContext, error) {
	return nil, errPlain
}

// unresolved leaves names as they are: a nil address makes go-socks5 hand the
// name on.
type unresolved struct{}

func (unresolved) Resolve(ctx context.Context, _ string) (context.Context, net.IP, error) {
	return ctx, nil, nil
}

// socksDial returns a stand-in for addr, connected if it is to be a tunnel.
func (r *run) socksDial(c *conn, addr string) (net.Conn, error) {
	host, port, err := splitTarget(addr)
	if err != nil {
		return nil, err
	}
	if r.isSelf(host, port) {
		return nil, errors.New(addr + " is pulley itself: connection refused") // go-socks5 looks for "refused"
	}
	t := &socksTarget{hostport: addr, begin: r.s.opt.Now(), local: &net.TCPAddr{IP: net.IPv4zero}, taken: make(chan struct{})}
	if t.site, t.reason = r.s.siteOf(c, addr); t.site != nil {
		return t, nil
	}
	_ = c.SetDeadline(time.Time{}) // dialling has its own time-out
	up, err := r.dial(r.base, c.client, addr)
	if err != nil {
		r.record(c, addr, t.reason, t.begin, traffic{err: err})
		return nil, err
	}
	t.Conn = up
	if a, ok := up.LocalAddr().(*net.TCPAddr); ok && a.IP != nil {
		t.local = a
	}
	return t, nil
}

// socksClient is the client's side, as go-socks5 sees it. After the handshake
// go-socks5 copies from it to what Dial returned; that copy arrives at WriteTo,
// by way of bufio.Reader.WriteTo, and takes the connection over.
type socksClient struct {
	*conn
	taken bool
}

func (s *socksClient) WriteTo(w io.Writer) (int64, error) {
	t, ok := w.(*socksTarget)
	if !ok {
		return 0, errors.New("proxy: go-socks5 copies to something else than it dialled")
	}
	c := s.conn
	s.taken = true
	c.unread(t.early)
	_ = c.SetDeadline(time.Time{})
	c.run.crew.start(func() {
		if t.site != nil {
			c.run.intercept(c, t.site)
			return
		}
		defer c.run.crew.tunnel(c)()
		c.run.join(c, t.Conn, t.hostport, t.reason, t.begin)
	})
	t.handed = true
	t.release()
	return 0, nil
}

// CloseWrite does nothing, for the same reason as Close.
func (s *socksClient) CloseWrite() error { return nil }

// Close does nothing once the connection is in other hands. go-socks5 calls it
// after both its copies have ended.
func (s *socksClient) Close() error {
	if s.taken {
		return nil
	}
	return s.conn.Close()
}

// socksTarget is the other side, as go-socks5 sees it.
type socksTarget struct {
	net.Conn // nil for a site
	site     *site
	hostport string
	reason   string
	begin    time.Time
	local    *net.TCPAddr
	early    []byte
	handed   bool
	taken    chan struct{} // closed when the connections are in other hands
	once     sync.Once
}

func (t *socksTarget) release() { t.once.Do(func() { close(t.taken) }) }

// LocalAddr is a *net.TCPAddr always: go-socks5 panics on anything else.
func (t *socksTarget) LocalAddr() net.Addr { return t.local }

// Write is given what the client sent together with its request.
func (t *socksTarget) Write(p []byte) (int, error) {
	t.early = append(t.early, p...)
	return len(p), nil
}

// WriteTo is go-socks5's copy in the other direction; it has nothing to do.
func (t *socksTarget) WriteTo(io.Writer) (int64, error) {
	<-t.taken
	return 0, nil
}

func (t *socksTarget) Close() error {
	t.release()
	if t.handed || t.Conn == nil {
		return nil
	}
	return t.Conn.Close()
}
