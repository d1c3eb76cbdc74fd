package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"pulley/internal/control"
)

// Images lists what is in the cache by name.
func (c *Client) Images(ctx context.Context) (list []control.Image, err error) {
	return list, c.do(ctx, http.MethodGet, "images", nil, &list)
}

// PinImage keeps an image from being thrown out, or lets it be; it answers with the image as it is then.
func (c *Client) PinImage(ctx context.Context, image string, on bool) (i control.Image, err error) {
	return i, c.do(ctx, http.MethodPost, "images/pin", control.Pin{Image: image, Pinned: on}, &i)
}

// RemoveImage takes a tag, or by its digest an image with all its tags, out of the cache.
func (c *Client) RemoveImage(ctx context.Context, image string) (f control.Freed, err error) {
	return f, c.do(ctx, http.MethodDelete, "images", control.Remove{Image: image}, &f)
}

// GC throws out what was not used for longest.
func (c *Client) GC(ctx context.Context, g control.GC) (control.Freed, error) {
	return follow[struct{}, control.Freed](ctx, c, "cache/gc", g, nil)
}

// Verify reads every blob back. progress may be nil, as for the other long requests: ending ctx ends the work.
func (c *Client) Verify(ctx context.Context, v control.Verify, progress func(control.Verifying)) (control.Verified, error) {
	return follow[control.Verifying, control.Verified](ctx, c, "cache/verify", v, progress)
}

// Pull has images in the cache. An image that failed is in the result, and no error.
func (c *Client) Pull(ctx context.Context, p control.Pull, progress func(control.Pulling)) (control.Pulled, error) {
	return follow[control.Pulling, control.Pulled](ctx, c, "pull", p, progress)
}

// FetchMissing has in the cache what Export of the same would lack.
func (c *Client) FetchMissing(ctx context.Context, e control.Export, progress func(control.Pulling)) (control.Pulled, error) {
	return follow[control.Pulling, control.Pulled](ctx, c, "export/fetch", e, progress)
}

// Export copies a tar of images to w. After an error what w has is of no use.
func (c *Client) Export(ctx context.Context, e control.Export, w io.Writer) error {
	response, err := c.send(ctx, http.MethodPost, "export", e)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	to := &receiver{w: w}
	_, err = io.Copy(to, response.Body)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case to.err != nil:
		return to.err
	default:
		return cut(err)
	}
	switch whole := response.Trailer.Get(control.ExportDone); whole {
	case control.ExportWhole:
		return nil
	case "":
		return cut(io.ErrUnexpectedEOF)
	default:
		return &Error{Status: response.StatusCode, Text: whole}
	}
}

// receiver tells a writer that failed from a daemon that did.
type receiver struct {
	w   io.Writer
	err error
}

func (r *receiver) Write(p []byte) (int, error) {
	n, err := r.w.Write(p)
	r.err = err
	return n, err
}

// Import puts the images of a tar into the cache. It reads tar to its end, or until the daemon has seen enough of it.
func (c *Client) Import(ctx context.Context, tar io.Reader, progress func(control.Importing)) (control.Imported, error) {
	from := &sender{r: tar}
	result, err := c.importing(ctx, from, progress)
	if err == nil {
		return result, nil
	}
	if broken := from.err.Load(); broken != nil && ctx.Err() == nil {
		err = *broken
	}
	return control.Imported{}, err
}

func (c *Client) importing(ctx context.Context, from io.Reader, progress func(control.Importing)) (control.Imported, error) {
	response, err := c.transmit(ctx, http.MethodPost, "import", from)
	if err != nil {
		return control.Imported{}, err
	}
	defer func() { _ = response.Body.Close() }()
	return lines[control.Importing, control.Imported](ctx, response, progress)
}

// sender tells a reader that failed from a daemon that did.
type sender struct {
	r   io.Reader
	err atomic.Pointer[error]
}

func (s *sender) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err.Store(&err)
	}
	return n, err
}

// follow asks for what takes a while.
func follow[P, R any](ctx context.Context, c *Client, path string, body any, progress func(P)) (R, error) {
	response, err := c.send(ctx, http.MethodPost, path, body)
	if err != nil {
		var none R
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return none, err
	}
	defer func() { _ = response.Body.Close() }()
	return lines[P, R](ctx, response, progress)
}

// lines reads the answer to a long request. One that ends without a last line was cut.
func lines[P, R any](ctx context.Context, response *http.Response, progress func(P)) (result R, err error) {
	from := json.NewDecoder(response.Body)
	for {
		var line control.Line[P, R]
		if err := from.Decode(&line); err != nil {
			if ctx.Err() != nil {
				return result, context.Cause(ctx)
			}
			return result, cut(err)
		}
		switch {
		case line.Error != "":
			return result, &Error{Status: response.StatusCode, Text: line.Error}
		case line.Result != nil:
			return *line.Result, nil
		case line.Progress != nil && progress != nil:
			progress(*line.Progress)
		}
	}
}

// cut is for an answer that ended before it was complete.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("the daemon ended the connection before it was done: %w; see: pulley status", err)
}
