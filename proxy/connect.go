package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/elazarl/goproxy"
)

// newGoproxy sets up the dispatcher of proxy requests. Nothing of its own is
// left in reach: not its transport, which verifies no certificate, not its
// dialler, which asks the environment for a proxy, not its CA, which is public.
func newGoproxy(s *Server) *goproxy.ProxyHttpServer {
	p := goproxy.NewProxyHttpServer()
	p.Tr = s.plain.local
	p.ConnectDial = func(_, addr string) (net.Conn, error) {
		return nil, fmt.Errorf("%s: tunnels are not goproxy's", addr)
	}
	p.Logger = debugLogger{s.opt.Log}
	p.KeepAcceptEncoding = true
	p.OnRequest().HandleConnect(goproxy.FuncHttpsHandler(func(host string, _ *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
		return &goproxy.ConnectAction{Action: goproxy.ConnectHijack, Hijack: connected}, host
	}))
	p.OnRequest().DoFunc(s.plainRequest)
	p.OnResponse().DoFunc(s.plainResponse)
	return p
}

// connected takes over a client's connection after its CONNECT.
func connected(req *http.Request, client net.Conn, _ *goproxy.ProxyCtx) {
	c := client.(*conn) // hijackable saw to that
	hostport := req.URL.Host
	c.run.crew.start(func() {
		st, reason := c.run.s.siteOf(c, hostport)
		if st == nil {
			c.run.tunnelTo(c, hostport, reason, c.connectReply)
			return
		}
		if err := c.connectReply(nil); err != nil {
			_ = c.Close()
			return
		}
		c.run.intercept(c, st)
	})
}

// connectReply answers a CONNECT.
func (c *conn) connectReply(err error) error {
	if err == nil {
		_, err = c.Conn.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n"))
		return err
	}
	status, text := dialStatus(err)
	_, err = fmt.Fprintf(c.Conn, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, http.StatusText(status), len(text), text)
	return err
}

// dialStatus says with which status and text a failed dial is answered.
func dialStatus(err error) (int, string) {
	status := http.StatusBadGateway
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errPivot):
		status = http.StatusForbidden
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		status = http.StatusGatewayTimeout
	}
	return status, "pulley: " + err.Error() + "\n"
}

// hijackable gives goproxy a connection that has not lost what the client sent
// early: goproxy drops the reader that holds it.
type hijackable struct{ http.ResponseWriter }

func (h hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return hijack(h.ResponseWriter)
}

// hijack is http.Hijacker.Hijack for our connections; the result is a *conn that
// has all unread bytes.
func hijack(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	c, ok := nc.(*conn)
	if !ok {
		_ = nc.Close()
		return nil, nil, fmt.Errorf("not a connection of ours: %T", nc)
	}
	early, err := rw.Reader.Peek(rw.Reader.Buffered())
	if err != nil {
		return nil, nil, err
	}
	c.unread(early)
	return c, rw, nil
}

// debugLogger sends goproxy's messages to the log.
type debugLogger struct{ log *slog.Logger }

func (l debugLogger) Printf(format string, v ...any) {
	l.log.Debug("goproxy: " + fmt.Sprintf(format, v...))
}
