package proxy

import (
	"context"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"pulley/proxy/registry"
	"pulley/proxy/socket"
)

// caller is a client's connection between two requests: a *conn, or the *session of
// an intercepted one.
type caller interface {
	net.Conn
	fill(d time.Duration) error
	peek() []byte
	release()
}

// attend answers requests for as long as each is a plain one that takes nothing but
// what is here, and gives the connection to the http.Server with the first that is
// not. Engines ask for the same few manifests over and over, and all that the
// http.Server does around a request takes several times as long as such an answer.
func (r *run) attend(cl caller) {
	c := connOf(cl)
	defer func() {
		if p := recover(); p != nil { // as the http.Server does
			r.s.tellPanic(p)
			_ = cl.Close()
		}
	}()
	base := plainBase(context.WithValue(r.base, peerKey{}, c), c.RemoteAddr())
	w := &readyAnswer{conn: cl, header: make(http.Header, 8), long: func() func() { return r.answers.hold(cl) }}
	first := true
	for wait := r.s.opt.Timeouts.FirstByte; ; wait = r.s.opt.Timeouts.Idle {
		if err := cl.fill(wait); err != nil {
			_ = cl.Close()
			return
		}
		// It is not among those that are closed at the end, while it is answered.
		r.crew.before.remove(c)
		served := r.answer(base, cl, c, w)
		if !served {
			c.direct.Store(nil)
			_ = cl.SetReadDeadline(time.Time{})
			r.hand(cl)
			return
		}
		cl.release()
		if w.last {
			_ = cl.Close()
			return
		}
		if first {
			c.direct.Store(socket.Of(c.Conn))
			first = false
		}
		r.crew.before.add(c)
	}
}

// tellPanic logs a mistake of ours that ended an answer. Not one is the way in which
// handlers end a connection.
func (s *Server) tellPanic(p any) {
	if p != http.ErrAbortHandler { //nolint:errorlint // it is thrown as it is
		s.opt.Log.Error("panic while answering a request", "panic", p, "stack", string(debug.Stack()))
	}
}

// answer answers what was read ahead, if that is a plain request that can be answered
// at once; else nothing was done. base is what all requests of the connection have in
// common.
func (r *run) answer(base *http.Request, cl caller, c *conn, w *readyAnswer) bool {
	if c.state != nil {
		return false // its handler wants to know how it is secured
	}
	req, last, ok := plainHead(base, cl.peek())
	if !ok {
		return false
	}
	cfg := r.s.opt.Settings()
	var target *registry.Target
	if st := c.site; st != nil {
		reg, _ := registryFor(cfg, c.client, st.hostport)
		if reg == nil || !cfg.Enabled {
			return false
		}
		target = &registry.Target{Registry: reg, Scheme: st.scheme, Host: st.host, Door: st.door}
	} else if len(cfg.Access.Users) > 0 || !r.s.isOwnHost(req.Host) {
		return false
	}
	w.begin(req.Method == http.MethodHead, last || r.leaving.Load())
	if !r.s.opt.Registry.ServeReady(w, req, target) {
		return false
	}
	w.finish()
	return true
}
