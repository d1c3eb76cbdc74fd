package registry

import (
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"
)

// body is something that can be served by digest, whole or in ranges, and
// wherever its bytes come from.
type body struct {
	digest    digest.Digest
	mediaType string
	size      int64
	// copy writes the span to w; it may be called once per span, in order.
	copy func(w io.Writer, s span) error
}

// octets is the media type of every blob: a compressed layer is served as it
// is, whatever encodings the client accepts.
const octets = "application/octet-stream"

// describe sets the headers that hold for the body as a whole.
func (b *body) describe(header http.Header) {
	room := [...]string{b.mediaType, b.digest.String(), "registry/2.0", etag(b.digest)}
	for i, name := range [...]string{"Content-Type", "Docker-Content-Digest", "Docker-Distribution-Api-Version", "Etag"} {
		header[name] = room[i : i+1 : i+1]
	}
}

func etag(d digest.Digest) string { return `"` + d.String() + `"` }

// serve answers the request with the body. The error says that the answer
// broke off after it had begun; the caller aborts the connection then.
func (b *body) serve(w http.ResponseWriter, r *http.Request, specs []rangeSpec) error {
	b.describe(w.Header())
	if matches(r.Header.Get("If-None-Match"), b.digest) {
		w.Header().Del("Content-Type")
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	spans, err := resolve(specs, b.size)
	if err != nil {
		unsatisfiable(w, r, b.size)
		return nil //nolint:nilerr // the request's fault, and it has its answer
	}
	switch len(spans) {
	case 0:
		return b.one(w, r, http.StatusOK, span{0, b.size})
	case 1:
		w.Header().Set("Content-Range", spans[0].contentRange(b.size))
		return b.one(w, r, http.StatusPartialContent, spans[0])
	}
	return b.many(w, r, spans)
}

func (b *body) one(w http.ResponseWriter, r *http.Request, status int, s span) error {
	w.Header().Set("Content-Length", strconv.FormatInt(s.n, 10))
	w.WriteHeader(status)
	if r.Method == http.MethodHead || s.n == 0 {
		return nil
	}
	return b.copy(w, s)
}

// many answers with multipart/byteranges (RFC 9110 section 14.6).
func (b *body) many(w http.ResponseWriter, r *http.Request, spans []span) error {
	var measure counter
	mw := multipart.NewWriter(&measure)
	boundary := mw.Boundary()
	for _, s := range spans {
		if _, err := mw.CreatePart(b.part(s)); err != nil {
			return err
		}
		measure += counter(s.n)
	}
	if err := mw.Close(); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "multipart/byteranges; boundary="+boundary)
	w.Header().Set("Content-Length", strconv.FormatInt(int64(measure), 10))
	w.WriteHeader(http.StatusPartialContent)
	if r.Method == http.MethodHead {
		return nil
	}
	mw = multipart.NewWriter(w)
	if err := mw.SetBoundary(boundary); err != nil {
		return err
	}
	for _, s := range spans {
		part, err := mw.CreatePart(b.part(s))
		if err != nil {
			return err
		}
		if err := b.copy(part, s); err != nil {
			return err
		}
	}
	return mw.Close()
}

func (b *body) part(s span) textproto.MIMEHeader {
	return textproto.MIMEHeader{
		"Content-Range": {s.contentRange(b.size)},
		"Content-Type":  {b.mediaType},
	}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

func unsatisfiable(w http.ResponseWriter, r *http.Request, size int64) {
	header := w.Header()
	header.Del("Docker-Content-Digest")
	header.Del("Etag")
	if size >= 0 {
		header.Set("Content-Range", fmt.Sprintf("bytes */%d", size))
	}
	refuse(http.StatusRequestedRangeNotSatisfiable, "RANGE_INVALID", "the range is not within the blob").write(w, r)
}

// matches says whether an If-None-Match or If-Range header names the digest's
// entity tag. Bodies by digest never change, so a weak tag is as good.
func matches(header string, d digest.Digest) bool {
	if header == "" {
		return false
	}
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		if tag == "*" || tag == etag(d) {
			return true
		}
	}
	return false
}

// wanted reads the request's Range header for the body with this digest. A
// Range under an If-Range that names something else does not count.
func wanted(r *http.Request, d digest.Digest) ([]rangeSpec, error) {
	if cond := r.Header.Get("If-Range"); cond != "" && !matches(cond, d) {
		return nil, nil
	}
	if r.Method != http.MethodGet {
		return nil, nil // RFC 9110 section 14.2: Range means GET
	}
	return parseRange(r.Header.Get("Range"))
}
