package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Body is the bytes of a blob from Start on; whoever got it closes it.
type Body struct {
	io.ReadCloser
	Start  int64 // of the first byte that will be read
	Length int64 // how many will come, -1 if not said. Fewer are io.ErrUnexpectedEOF, never more
	Total  int64 // size of the blob, -1 if not said
	Ranged bool  // the source can send ranges. False: it was asked for one and sent all
	Host   string

	target *url.URL      // where a redirect led, off the registry's own host; nil if none did
	took   time.Duration // from the request to the answer's header
}

// A LieError says that an answer is not one to what was asked: a range that does
// not fit, or none where there should be one.
type LieError struct {
	Registry, Host, Why string
}

func (e *LieError) Error() string {
	return fmt.Sprintf("%s: %s: wrong answer to a range request: %s", e.Registry, e.Host, e.Why)
}

// blob opens the blob at a path, as [BlobRef.Open] does.
func (o *Origin) blob(ctx context.Context, path, query string, off, end int64, id Identity) (*Body, error) {
	h := http.Header{}
	if v := rangeOf(off, end); v != "" {
		h.Set("Range", v)
	}
	resp, err := o.Do(ctx, Req{Method: http.MethodGet, Path: path, RawQuery: query, Header: h, Auth: id})
	if err != nil {
		return nil, err
	}
	return o.body(resp, off, end)
}

// blobAt asks for a part of a blob where an earlier request for it was
// redirected to, with nobody's credentials.
func (o *Origin) blobAt(ctx context.Context, to *url.URL, off, end int64) (*Body, error) {
	h := http.Header{"User-Agent": {userAgent}}
	if v := rangeOf(off, end); v != "" {
		h.Set("Range", v)
	}
	resp, err := o.sendTo(ctx, to, h)
	if err != nil {
		return nil, err
	}
	return o.body(resp, off, end)
}

// body makes a Body of the answer to a request for a part of a blob.
func (o *Origin) body(resp *http.Response, off, end int64) (*Body, error) {
	b := &Body{ReadCloser: resp.Body, Total: -1, Length: resp.ContentLength, Host: resp.Request.URL.Host}
	if inner, ok := resp.Body.(*body); ok {
		b.took = inner.took
	}
	if left(resp.Request) {
		b.target = resp.Request.URL
	}
	switch resp.StatusCode {
	case http.StatusOK:
		b.Total, b.Ranged = resp.ContentLength, rangeOf(off, end) == ""
		return b, nil
	case http.StatusPartialContent:
		if err := b.fit(resp, off, end); err != nil {
			_ = resp.Body.Close()
			return nil, &LieError{o.reg.Name, b.Host, err.Error()}
		}
		return b, nil
	}
	return nil, o.Fail(resp)
}

// fit checks a 206 against what was asked for.
func (b *Body) fit(resp *http.Response, off, end int64) error {
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "multipart/byteranges") {
		return errors.New("several parts for one range")
	}
	v := resp.Header.Get("Content-Range")
	if v == "" {
		return errors.New("206 without Content-Range")
	}
	r, err := ParseContentRange(v)
	if err != nil || r.Start < 0 {
		return ErrContentRange
	}
	n := r.End - r.Start
	switch {
	case r.Start != off:
		return fmt.Errorf("it begins at %d instead of %d", r.Start, off)
	case end >= 0 && r.End > end:
		return fmt.Errorf("it ends at %d instead of %d", r.End, end)
	case resp.ContentLength >= 0 && resp.ContentLength != n:
		return fmt.Errorf("Content-Length %d with a range of %d bytes", resp.ContentLength, n)
	}
	b.Start, b.Length, b.Total, b.Ranged = off, n, r.Total, true
	if resp.ContentLength < 0 { // chunked: nobody else counts
		b.ReadCloser = &exact{ReadCloser: resp.Body, left: n}
	}
	return nil
}

// exact ends after so many bytes and not before.
type exact struct {
	io.ReadCloser
	left int64
}

func (e *exact) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.ReadCloser.Read(p[:min(int64(len(p)), e.left)])
	if e.left -= int64(n); errors.Is(err, io.EOF) && e.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
