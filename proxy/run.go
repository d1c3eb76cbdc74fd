package proxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// run is one call of Serve: a listener, the http.Server behind it, and all
// connections that are in neither's hands.
type run struct {
	s       *Server
	ln      net.Listener
	web     *http.Server
	handoff *handoff
	base    context.Context // of requests and dials; ends after draining
	cancel  context.CancelFunc
	crew    crew
	answers crew    // those in attend that take a while
	unread  closers // handed to web, no request yet
	leaving atomic.Bool
	sending atomic.Int32 // files that are on their way to clients
}

func newRun(s *Server, ln net.Listener) *run {
	r := &run{s: s, ln: ln, handoff: newHandoff(ln.Addr())}
	r.base, r.cancel = context.WithCancel(context.Background())
	t := s.opt.Timeouts
	r.web = &http.Server{
		Handler:           http.HandlerFunc(r.serveHTTP),
		ReadHeaderTimeout: t.Header,
		IdleTimeout:       t.Idle,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return r.base },
		ConnContext:       withPeer,
		ConnState:         r.connState,
		ErrorLog:          slog.NewLogLogger(s.opt.Log.Handler(), slog.LevelDebug),
	}
	return r
}

// accept runs until ctx ends or the listener fails.
func (r *run) accept(ctx context.Context) error {
	r.crew.start(func() { _ = r.web.Serve(r.handoff) })
	stop := context.AfterFunc(ctx, func() { _ = r.ln.Close() })
	defer stop()
	var wait time.Duration
	for {
		c, err := r.ln.Accept()
		if err == nil {
			wait = 0
			r.crew.start(func() { r.welcome(c) }) //nolint:contextcheck // requests have the run's own, which outlasts ctx while draining
			continue
		}
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) || errors.Is(err, ErrLeft) {
			return err
		}
		// Out of descriptors, mostly. Serving goes on when some are free again.
		wait = min(max(2*wait, 5*time.Millisecond), time.Second)
		r.s.opt.Log.Warn("cannot accept a connection", "err", err, "retry", wait)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// drain ends what accept began. Requests that run get Timeouts.Drain; handlers
// that do not return when their connection and context are gone are left behind
// after as long again.
func (r *run) drain(ctx context.Context) {
	_ = r.ln.Close()
	ctx, cancel := context.WithTimeout(ctx, r.s.opt.Timeouts.Drain)
	defer cancel()
	r.unread.closeAll()
	r.crew.closeEarly()
	if err := r.web.Shutdown(ctx); err != nil {
		_ = r.web.Close()
	}
	select {
	case <-r.answers.idle(0):
	case <-ctx.Done():
	}
	r.answers.closeAll()
	r.cancel()
	r.crew.closeAll()
	timer := time.NewTimer(r.s.opt.Timeouts.Drain)
	defer timer.Stop()
	select {
	case <-r.crew.idle(0):
	case <-timer.C:
		r.s.opt.Log.Warn("some requests did not end in time")
	}
}

// welcome finds out what a new connection speaks and hands it on.
func (r *run) welcome(nc net.Conn) {
	c := &conn{Conn: nc, run: r, door: doorHTTP, client: addrOf(nc.RemoteAddr())}
	if !r.s.allowed(c.client) {
		r.s.refusals.address.Add(1)
		r.s.opt.Log.Warn("connection refused: [access] lets nobody in from its address", "client", c.client)
		_ = nc.Close()
		return
	}
	var ok bool
	if c.leave, ok = r.s.admit(nc, c.client); !ok {
		return
	}
	r.crew.before.add(c)
	r.sort(c)
}

// sort hands a connection to its protocol.
func (r *run) sort(c *conn) {
	if err := c.fill(r.s.opt.Timeouts.FirstByte); err != nil {
		r.s.opt.Log.Debug("connection closed before its first byte", "client", c.client, "err", err)
		_ = c.Close()
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	switch kind := sniff(c.peek()); {
	case kind == protocolHTTP:
		r.attend(c)
	case kind == protocolSOCKS5:
		r.socks(c)
	case kind == protocolTLS && c.state == nil:
		r.tlsDoor(c)
	default:
		r.s.opt.Log.Debug("connection closed: it speaks nothing we know", "client", c.client)
		_ = c.Close()
	}
}

// hand gives a connection to the http.Server. It is the crew's until that is done
// with it.
func (r *run) hand(c net.Conn) {
	r.crew.enter()
	connOf(c).hijacked.Store(false) // it was after a CONNECT
	if !r.handoff.push(c) {
		r.crew.leave()
		_ = c.Close()
	}
}

// connState keeps book of connections that the http.Server has, and of intercepted
// ones that have not sent a request: Shutdown would wait seconds for each.
func (r *run) connState(c net.Conn, state http.ConnState) {
	if state == http.StateClosed || state == http.StateHijacked {
		r.crew.leave()
	}
	if state == http.StateHijacked {
		connOf(c).hijacked.Store(true)
	}
	if _, ok := c.(*session); !ok {
		return
	}
	if state == http.StateNew {
		r.unread.add(c)
	} else {
		r.unread.remove(c)
	}
}

// peerKey is the context key of the *conn a request came by.
type peerKey struct{}

func withPeer(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, connOf(c))
}

// connOf is the *conn in what the http.Server was given.
func connOf(c net.Conn) *conn {
	if s, ok := c.(*session); ok {
		return s.under
	}
	return c.(*conn)
}

func peerOf(r *http.Request) *conn { return r.Context().Value(peerKey{}).(*conn) }

// dial opens a connection on behalf of client; ctx is r.base or made of it.
func (r *run) dial(ctx context.Context, client netip.Addr, hostport string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, r.s.opt.Timeouts.Dial)
	defer cancel()
	return r.s.dial(ctx, client, hostport)
}

// handoff is a listener fed by push.
type handoff struct {
	addr net.Addr
	ch   chan net.Conn
	done chan struct{}
	once sync.Once
}

func newHandoff(addr net.Addr) *handoff {
	return &handoff{addr: addr, ch: make(chan net.Conn), done: make(chan struct{})}
}

// push gives c to Accept; false if the listener is closed.
func (h *handoff) push(c net.Conn) bool {
	select {
	case h.ch <- c:
		return true
	case <-h.done:
		return false
	}
}

func (h *handoff) Accept() (net.Conn, error) {
	select {
	case c := <-h.ch:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

func (h *handoff) Close() error   { h.once.Do(func() { close(h.done) }); return nil }
func (h *handoff) Addr() net.Addr { return h.addr }

// closers is a set of things to close together.
type closers struct {
	mu     sync.Mutex
	set    map[io.Closer]struct{}
	closed bool // those added later are closed at once
}

func (s *closers) add(c io.Closer) {
	if !s.take(c) {
		_ = c.Close()
	}
}

func (s *closers) take(c io.Closer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.set == nil {
		s.set = make(map[io.Closer]struct{})
	}
	s.set[c] = struct{}{}
	return true
}

func (s *closers) remove(c io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.set, c)
}

func (s *closers) closeAll() {
	s.mu.Lock()
	all := slices.Collect(maps.Keys(s.set))
	s.closed = true
	clear(s.set)
	s.mu.Unlock()
	for _, c := range all { // the end of a TLS connection is a message
		_ = c.Close()
	}
}

// crew is the goroutines of a run and the connections they hold.
//
// A client's connection is in before while nobody knows what it is for. Whoever has
// it puts it there, and takes it out before giving it to somebody else: who did that
// afterwards would take out what the other one has put in. Its closing takes it out,
// too.
type crew struct {
	mu      sync.Mutex
	n       int
	waiting chan struct{} // closed when n has gone down to rest; nil unless asked for
	rest    int
	before  closers
	tunnels closers
}

// start runs f in a goroutine of the crew.
func (w *crew) start(f func()) {
	w.enter()
	go func() {
		defer w.leave()
		f()
	}()
}

func (w *crew) enter() {
	w.mu.Lock()
	w.n++
	w.mu.Unlock()
}

func (w *crew) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.n--; w.n <= w.rest && w.waiting != nil {
		close(w.waiting)
		w.waiting = nil
	}
}

// tunnel notes that c is an end of a tunnel; the result ends that.
func (w *crew) tunnel(c io.Closer) (done func()) {
	w.tunnels.add(c)
	w.before.remove(c)
	return func() { w.tunnels.remove(c) }
}

// hold notes that c is in use for a while; the result ends that.
func (w *crew) hold(c io.Closer) (done func()) {
	w.enter()
	let := w.tunnel(c)
	return func() {
		let()
		w.leave()
	}
}

func (w *crew) closeEarly() { w.before.closeAll() }
func (w *crew) closeAll()   { w.tunnels.closeAll() }

// idle is closed once no more than rest of the crew are left.
func (w *crew) idle(rest int) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	ch := make(chan struct{})
	if w.n <= rest {
		close(ch)
	} else {
		w.waiting, w.rest = ch, rest
	}
	return ch
}
