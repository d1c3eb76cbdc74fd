package hubtest

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// Redirect says how a registry with a CDN answers GET and HEAD of a blob. The zero value is one 307 to an absolute,
// signed https URL on the CDN's host.
type Redirect struct {
	Off      bool // serve the blob at once
	Status   int  // 301, 302, 303, 307 or 308; default 307
	Hops     int  // redirects until the bytes come; default 1, at most 2
	Relative bool // the first Location has no host: the registry's own host answers there
	HTTP     bool // Locations are http://
}

// SetRedirect changes how blobs are redirected from now on.
func (h *Hub) SetRedirect(r Redirect) {
	h.init()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.redirect = r
}

const (
	cdnPrefix = "/registry-v2/"
	hopPrefix = "/hop/registry-v2/"
)

func (h *Hub) serveBlob(w *response, r *http.Request, t target) {
	action := "pull"
	if r.Method == http.MethodDelete {
		action = "delete"
	}
	if _, ok := h.authorize(w, r, t, action); !ok {
		return
	}
	if t.digest == "" {
		fail(w, http.StatusBadRequest, "DIGEST_INVALID", "provided digest did not match uploaded content")
		return
	}
	c := t.site.Blob(t.key, t.digest)
	if c == nil {
		fail(w, http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown to registry")
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodDelete:
		t.site.Delete(t.repo, t.digest.String())
		w.WriteHeader(http.StatusAccepted)
		return
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	h.mu.Lock()
	how := h.redirect
	h.mu.Unlock()
	w.Header().Set("Docker-Content-Digest", t.digest.String())
	if t.site.CDN == "" || how.Off {
		serveContent(w, r, t.digest, c)
		return
	}
	h.redirectTo(w, r, t, how)
}

// redirectTo sends the client to the CDN: with two hops by way of hopPrefix, on the registry if Relative.
func (h *Hub) redirectTo(w *response, r *http.Request, t target, how Redirect) {
	prefix := cdnPrefix
	if how.Hops > 1 {
		prefix = hopPrefix
	}
	location := h.signedPath(prefix, t.site.Host, t.key, t.digest)
	if !how.Relative {
		location = h.cdnBase(r, t.site, how) + location
	}
	if how.Status == 0 {
		how.Status = http.StatusTemporaryRedirect
	}
	w.Header().Del("Docker-Content-Digest")
	w.Header().Set("Location", location)
	body := ""
	if r.Method == http.MethodGet {
		body = fmt.Sprintf("<a href=%q>%s</a>.\n\n", location, http.StatusText(how.Status))
	}
	reply(w, how.Status, "text/html; charset=utf-8", []byte(body))
}

func (h *Hub) cdnBase(r *http.Request, s *Site, how Redirect) string {
	b := base(r, s.CDN)
	if how.HTTP {
		_, host, _ := strings.Cut(b, "://")
		b = "http://" + host
	}
	return b
}

// signedPath is where the CDN has a blob, with an expiry and a signature over both.
func (h *Hub) signedPath(prefix, site, repo string, d digest.Digest) string {
	hex := d.Encoded()
	path := prefix + "docker/registry/v2/blobs/sha256/" + hex[:2] + "/" + hex + "/data"
	q := url.Values{
		"expires": {strconv.FormatInt(h.Now().Add(h.URLTTL).UnixMilli(), 10)},
		"repo":    {repo},
		"site":    {site},
		"version": {"3"},
	}
	q.Set("signature", h.mac(strings.Join([]string{path, q.Get("expires"), site, repo}, "\n")))
	return path + "?" + q.Encode()
}

// serveCDN answers signed URLs, as S3 and its like do: 400 to credentials it did not ask for, 403 to what is not signed
// or not any more.
func (h *Hub) serveCDN(w *response, r *http.Request, t target) {
	refuse := func(status int, code, message string) {
		reply(w, status, "application/xml", fmt.Appendf(nil,
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message></Error>\n", code, message))
	}
	q := r.URL.Query()
	expires, _ := strconv.ParseInt(q.Get("expires"), 10, 64)
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
	case t.cdn && r.Header.Get("Authorization") != "":
		refuse(http.StatusBadRequest, "InvalidArgument", "Only one auth mechanism allowed")
	case q.Get("signature") != h.mac(strings.Join([]string{r.URL.Path, q.Get("expires"), q.Get("site"), q.Get("repo")}, "\n")):
		refuse(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
	case h.Now().After(time.UnixMilli(expires)):
		refuse(http.StatusForbidden, "AccessDenied", "Request has expired")
	case strings.HasPrefix(r.URL.Path, hopPrefix):
		h.mu.Lock()
		how := h.redirect
		h.mu.Unlock()
		how.Relative, how.Hops = false, 1
		t.key = q.Get("repo")
		h.redirectTo(w, r, t, how)
	default:
		c := t.site.Blob(q.Get("repo"), t.digest)
		if c == nil {
			refuse(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
			return
		}
		h.record.update(func() { w.entry.Repository = q.Get("repo") })
		serveContent(w, r, t.digest, c)
	}
}

// serveContent answers GET and HEAD with a blob or one range of it.
func serveContent(w *response, r *http.Request, d digest.Digest, c Content) {
	etag := `"` + d.String() + `"`
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("ETag", etag)
	h.Set("Cache-Control", "max-age=31536000")
	if match := r.Header.Get("If-None-Match"); match == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.prepare()
	header := r.Header.Get("Range")
	if given := r.Header.Get("If-Range"); given != "" && given != etag {
		header = ""
	}
	if w.fault.NoRange {
		w.note("no-range")
		header = ""
	} else {
		h.Set("Accept-Ranges", "bytes")
	}
	off, n, partial, ok := parseRange(header, c.Size())
	if !ok {
		h.Set("Content-Range", fmt.Sprintf("bytes */%d", c.Size()))
		reply(w, http.StatusRequestedRangeNotSatisfiable, "text/plain", []byte("invalid range\n"))
		return
	}
	w.hub.record.update(func() { w.entry.Off = off })
	h.Set("Content-Length", strconv.FormatInt(n, 10))
	status := http.StatusOK
	if partial {
		status = http.StatusPartialContent
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", off, off+n-1, c.Size()))
	}
	w.WriteHeader(status)
	if r.Method == http.MethodGet {
		w.sendContent(c, off, n)
	}
}

// parseRange reads a Range header (RFC 9110 section 14.2). What is malformed, and a list of ranges, is ignored as the RFC
// allows; ok is false for one that lies past the end.
func parseRange(header string, size int64) (off, n int64, partial, ok bool) {
	spec, isBytes := strings.CutPrefix(header, "bytes=")
	from, to, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !isBytes || !dash || strings.Contains(spec, ",") {
		return 0, size, false, true
	}
	if from == "" {
		n, err := strconv.ParseInt(to, 10, 64)
		if err != nil || n < 0 {
			return 0, size, false, true
		}
		if n == 0 || size == 0 {
			return 0, 0, false, false
		}
		n = min(n, size)
		return size - n, n, true, true
	}
	off, err := strconv.ParseInt(from, 10, 64)
	end := size - 1
	if err == nil && to != "" {
		end, err = strconv.ParseInt(to, 10, 64)
	}
	if err != nil || off < 0 || to != "" && end < off {
		return 0, size, false, true
	}
	if off >= size {
		return 0, 0, false, false
	}
	return off, min(end, size-1) - off + 1, true, true
}
