package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// wholeBody is the body of a request. While somebody reads it, it may be silent
// for as long as it likes: uploads are. Its rest, once nobody wants that any more,
// gets as long to come as a header has: the http.Server reads some of it before it
// sends a short answer, and whoever closes it waits for the same, a transport that
// could not dial among them. A client that never sends it would hold all that for
// ever.
type wholeBody struct {
	io.ReadCloser
	until func(time.Time) // sets the connection's read deadline
	rest  time.Duration
	done  atomic.Bool // it came to its end, or what is left is not waited for
}

// withWholeBody gives a request such a body; done is called when it was answered.
// The request is a copy: at the end of an answer the http.Server looks into the
// one that it made for how its body ended, and after one that was broken it must
// not take what follows for the next request.
func (r *run) withWholeBody(w http.ResponseWriter, req *http.Request, c *conn) (whole *http.Request, done func()) {
	b := &wholeBody{ReadCloser: req.Body, rest: r.s.opt.Timeouts.Header, until: func(at time.Time) {
		if !c.hijacked.Load() {
			_ = http.NewResponseController(w).SetReadDeadline(at)
		}
	}}
	whole = new(http.Request)
	*whole = *req
	whole.Body = b
	return whole, b.abandon
}

// Read implements io.Reader.
func (b *wholeBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.done.Store(true)
	}
	return n, err
}

// Close implements io.Closer. The deadline does not outlast it: behind a body
// that is there, the server watches whether the client goes away, and would take
// a deadline for that.
func (b *wholeBody) Close() error {
	if b.done.Load() {
		return b.ReadCloser.Close()
	}
	b.abandon()
	err := b.ReadCloser.Close()
	if err == nil {
		b.done.Store(true)
		b.until(time.Time{})
	}
	return err
}

// abandon says that nobody reads on. The server, when it is done with the request,
// sets the deadline for the next one.
func (b *wholeBody) abandon() {
	if !b.done.Load() {
		b.until(time.Now().Add(b.rest))
	}
}
