package registry

import (
	"context"
	"io"
)

// heed makes a writer that takes nothing any more once ctx has ended: bytes that
// are there are copied without a look at it else.
func heed(ctx context.Context, w io.Writer) io.Writer {
	if x, ok := w.(*exchange); ok {
		return &heedingExchange{ctx, x}
	}
	return &heeding{ctx, w}
}

type heeding struct {
	ctx context.Context //nolint:containedctx // io.Writer has no place for it
	w   io.Writer
}

func (h *heeding) Write(p []byte) (int, error) {
	if h.ctx.Err() != nil {
		return 0, context.Cause(h.ctx)
	}
	return h.w.Write(p)
}

// heedingExchange keeps sendfile.
type heedingExchange struct {
	ctx context.Context //nolint:containedctx // see heeding
	x   *exchange
}

func (h *heedingExchange) Write(p []byte) (int, error) {
	if h.ctx.Err() != nil {
		return 0, context.Cause(h.ctx)
	}
	return h.x.Write(p)
}

func (h *heedingExchange) ReadFrom(r io.Reader) (int64, error) {
	if h.ctx.Err() != nil {
		return 0, context.Cause(h.ctx)
	}
	return h.x.ReadFrom(r)
}

func (h *heedingExchange) Flush() { h.x.Flush() }
