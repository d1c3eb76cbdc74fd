package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
)

// ErrLeft is what the Accept of a listener says when somebody else accepts from
// the same socket from now on.
var ErrLeft = errors.New("proxy: somebody else accepts connections now")

// leave waits until nobody uses a connection any more that was accepted here.
// None is closed for that: a client that has one open may be about to send its
// next request, and would see that fail. It is answered, and told that this was
// the last one on this connection. One that sends none runs into Timeouts.Idle.
func (r *run) leave(ctx context.Context) {
	r.leaving.Store(true)
	r.s.opt.Log.Debug("the port is somebody else's; what was accepted goes on")
	select {
	case <-r.crew.idle(1): // http.Server.Serve
	case <-ctx.Done():
	}
}

// lastAnswer tells the client that the connection ends with this answer, whatever
// the handler makes of the header.
type lastAnswer struct {
	http.ResponseWriter
	begun bool
}

func (w *lastAnswer) begin() {
	if !w.begun {
		w.begun = true
		w.Header().Set("Connection", "close")
	}
}

// WriteHeader implements http.ResponseWriter.
func (w *lastAnswer) WriteHeader(status int) {
	if status >= 200 {
		w.begin()
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *lastAnswer) Write(p []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(p)
}

// ReadFrom keeps sendfile.
func (w *lastAnswer) ReadFrom(r io.Reader) (int64, error) {
	w.begin()
	if rf, ok := w.ResponseWriter.(io.ReaderFrom); ok {
		return rf.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{w.ResponseWriter}, r)
}

// FlushError is for http.ResponseController.
func (w *lastAnswer) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements http.Flusher.
func (w *lastAnswer) Flush() { _ = w.FlushError() }

// Unwrap is for http.ResponseController.
func (w *lastAnswer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
