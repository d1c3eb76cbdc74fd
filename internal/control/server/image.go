package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"pulley/internal/control"
)

// Images is the part of a Daemon about what is in the cache. What takes a context ends soon after that does, with its
// cause; progress must not be called any more once the method has returned, and may be called concurrently. It costs
// little and never waits for the client.
type Images interface {
	// Images lists them by name.
	Images() ([]control.Image, error)
	PinImage(image string, on bool) (control.Image, error)
	RemoveImage(image string) (control.Freed, error)
	GC(ctx context.Context, g control.GC) (control.Freed, error)
	Verify(ctx context.Context, v control.Verify, progress func(control.Verifying)) (control.Verified, error)
	// Pull has images in the cache. That one of them fails is in what it returns, not an error.
	Pull(ctx context.Context, p control.Pull, progress func(control.Pulling)) (control.Pulled, error)
	// FetchMissing has in the cache what Export of the same would lack.
	FetchMissing(ctx context.Context, e control.Export, progress func(control.Pulling)) (control.Pulled, error)
	// Export writes nothing before it knows that all of it can be had.
	Export(ctx context.Context, e control.Export, w io.Writer) error
	Import(ctx context.Context, tar io.Reader, progress func(control.Importing)) (control.Imported, error)
}

func (s *Server) imageRoutes() {
	s.mux.HandleFunc("GET /v1/images", func(w http.ResponseWriter, _ *http.Request) {
		images, err := s.daemon.Images()
		reply(w, images, err)
	})
	ask(s, "POST /v1/images/pin", func(_ context.Context, v control.Pin) (control.Image, error) {
		return s.daemon.PinImage(v.Image, v.Pinned)
	})
	ask(s, "DELETE /v1/images", func(_ context.Context, v control.Remove) (control.Freed, error) {
		return s.daemon.RemoveImage(v.Image)
	})
	work(s, "POST /v1/cache/gc", none, func(ctx context.Context, v control.GC, _ func(struct{})) (control.Freed, error) {
		return s.daemon.GC(ctx, v)
	})
	work(s, "POST /v1/cache/verify", func(v control.Verifying) string {
		if v.Healing == nil {
			return ""
		}
		return blobOf(*v.Healing)
	}, s.daemon.Verify)
	work(s, "POST /v1/pull", blobOf, s.daemon.Pull)
	work(s, "POST /v1/export/fetch", blobOf, s.daemon.FetchMissing)
	s.mux.HandleFunc("POST /v1/export", s.export)
	s.mux.HandleFunc("POST /v1/import", s.importTar)
}

// blobOf tells what progress is about.
func blobOf(p control.Pulling) string { return p.Image + " " + p.What + " " + p.Digest }

// none is for what has one progress at most.
func none[P any](P) string { return "" }

// work registers a request that carries a T and answers with lines. of tells apart what the progress is about: of each
// thing the latest is sent.
func work[T, P, R any](s *Server, pattern string, of func(P) string, do func(context.Context, T, func(P)) (R, error)) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		v, ok := decode[T](w, r)
		if !ok {
			return
		}
		ctx, cancel := s.untilEnd(r.Context())
		defer cancel()
		l := newLines[P, R](w, of, false)
		defer l.stop()
		result, err := do(ctx, v, l.progress)
		l.end(result, ended(ctx, err))
	})
}

// errEnding is why work stops that runs while the daemon ends.
var errEnding = errors.New("the daemon is ending; start it and do this again: it goes on where it stopped")

// untilEnd is a context that ends with the daemon, too.
func (s *Server) untilEnd(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-s.ending:
			cancel(errEnding)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil); <-watched }
}

// ended is err, or why the work was stopped, which says more than what broke by that.
func ended(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errEnding) {
		return errEnding
	}
	return err
}

// tarWriter tells whether anything was written.
type tarWriter struct {
	w     http.ResponseWriter
	begun bool
}

func (t *tarWriter) Write(p []byte) (int, error) {
	t.begun = true
	return t.w.Write(p)
}

// export answers with the tar, and in a trailer whether it is whole: an error in its middle has no other place.
func (s *Server) export(w http.ResponseWriter, r *http.Request) {
	v, ok := decode[control.Export](w, r)
	if !ok {
		return
	}
	ctx, cancel := s.untilEnd(r.Context())
	defer cancel()
	w.Header().Set("Content-Type", "application/x-tar")
	w.Header().Set("Trailer", control.ExportDone)
	out := &tarWriter{w: w}
	err := ended(ctx, s.daemon.Export(ctx, v, out))
	if err != nil && !out.begun {
		w.Header().Del("Trailer")
		failWith(w, err)
		return
	}
	if err != nil {
		w.Header().Set(control.ExportDone, words(err))
		return
	}
	w.Header().Set(control.ExportDone, control.ExportWhole)
}

// leftover is how long a client may go on sending a tar after it was told what came of it. One that reads the answer
// stops at once.
const leftover = 5 * time.Second

// importTar reads a tar of any size and answers with lines meanwhile. The answer begins before the tar is read, and the
// rest of a tar that was refused is still taken: else a client that is busy sending would meet a closed connection in
// place of the reason.
func (s *Server) importTar(w http.ResponseWriter, r *http.Request) {
	connection := http.NewResponseController(w)
	if err := connection.EnableFullDuplex(); err != nil {
		failWith(w, err)
		return
	}
	ctx, cancel := s.untilEnd(r.Context())
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = connection.SetReadDeadline(time.Unix(1, 0)) }) // a read that waits for the client
	defer stop()
	l := newLines[control.Importing, control.Imported](w, none, true)
	defer l.stop()
	result, err := s.daemon.Import(ctx, r.Body, l.progress)
	l.end(result, ended(ctx, err))
	if stop() {
		_ = connection.SetReadDeadline(time.Now().Add(leftover))
		_, _ = io.Copy(io.Discard, r.Body)
	}
}
