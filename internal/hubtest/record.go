package hubtest

import (
	"cmp"
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
)

// Request is one request as the hub saw it.
type Request struct {
	ID    int    // counts from 1 since the hub started
	Conn  int64  // the connection it came on
	Addr  string // host:port of the hub's that the client connected to
	TLS   bool
	Proto string // HTTP/1.1, HTTP/2.0
	Start time.Time
	End   time.Time // zero while it is being answered

	Method        string
	Host          string // as asked, with port where one was given
	Path          string // as sent: still escaped
	Query         string // as sent, without the question mark
	Range         string // the header
	Authorization string // "", "Basic", "Bearer" or another scheme: never the secret
	User          string // who the credentials or the token belong to
	Referer       string
	UserAgent     string
	Accept        []string    // values of all Accept headers, split at commas
	Header        http.Header // everything, Authorization included

	Kind       Kind
	Repository string
	Digest     digest.Digest // of the blob or manifest asked for or answered with
	Status     int           // 0 : none was sent
	Off        int64         // where in the blob the answer begins
	Asked      int64         // bytes of the answer, had it been sent whole
	Sent       int64         // body bytes sent
	Received   int64         // body bytes received
	Note       string        // which fault struck
}

// Done reports whether the request is answered or given up.
func (r Request) Done() bool { return !r.End.IsZero() }

// record is the list of requests. Its zero value is empty.
type record struct {
	mu      sync.Mutex
	last    int
	entries []*Request
	active  int
	quiet   chan struct{} // closed when active falls to 0
}

func (h *Hub) begin(r *http.Request, t target) *Request {
	e := &Request{
		Conn: connOf(r).id, Addr: connOf(r).addr, TLS: r.TLS != nil, Proto: r.Proto, Start: time.Now(),
		Method: r.Method, Host: r.Host, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery,
		Range: r.Header.Get("Range"), Referer: r.Header.Get("Referer"), UserAgent: r.Header.Get("User-Agent"),
		Accept: accepts(r), Header: r.Header.Clone(),
		Kind: t.kind, Repository: t.repo, Digest: t.digest,
	}
	e.Authorization, _, _ = strings.Cut(r.Header.Get("Authorization"), " ")
	rec := &h.record
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.last++
	e.ID = rec.last
	rec.entries = append(rec.entries, e)
	rec.active++
	return e
}

func (rec *record) end(e *Request) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	e.End = time.Now()
	if rec.active--; rec.active == 0 && rec.quiet != nil {
		close(rec.quiet)
		rec.quiet = nil
	}
}

// update changes an entry that others may be reading.
func (rec *record) update(change func()) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	change()
}

// Requests returns the record in order of arrival, those still being answered included.
func (h *Hub) Requests() []Request {
	h.record.mu.Lock()
	defer h.record.mu.Unlock()
	all := make([]Request, len(h.record.entries))
	for i, e := range h.record.entries {
		all[i] = *e
	}
	return all
}

// Reset forgets the record and the peaks. Requests that are being answered are forgotten too.
func (h *Hub) Reset() {
	h.record.mu.Lock()
	h.record.entries = nil
	h.record.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.crowd.restart()
}

// Quiet waits until no request is being answered.
func (h *Hub) Quiet(ctx context.Context) error {
	for {
		h.record.mu.Lock()
		if h.record.active == 0 {
			h.record.mu.Unlock()
			return nil
		}
		if h.record.quiet == nil {
			h.record.quiet = make(chan struct{})
		}
		quiet := h.record.quiet
		h.record.mu.Unlock()
		select {
		case <-quiet:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Count counts requests. An empty method or pattern matches all. In a pattern * is anything within one path element, **
// anything at all; one that does not begin with a slash begins with a host name: "auth.docker.io/token".
func (h *Hub) Count(method, pathPattern string) int {
	n := 0
	for _, r := range h.Requests() {
		if r.is(method, pathPattern) {
			n++
		}
	}
	return n
}

// Concurrent is how many of the requests that Count counts were being answered at once, at most.
func (h *Hub) Concurrent(method, pathPattern string) int {
	type edge struct {
		at   time.Time
		step int
	}
	var edges []edge
	for _, r := range h.Requests() {
		if r.is(method, pathPattern) {
			if edges = append(edges, edge{r.Start, 1}); r.Done() {
				edges = append(edges, edge{r.End, -1})
			}
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(a.at.Compare(b.at), a.step-b.step) })
	open, peak := 0, 0
	for _, e := range edges {
		open += e.step
		peak = max(peak, open)
	}
	return peak
}

// is reports whether a request has the method and path, as in Count.
func (r Request) is(method, pathPattern string) bool {
	return (method == "" || method == r.Method) && (pathPattern == "" || matchPath(pathPattern, hostname(r.Host), r.Path))
}

// BytesSent is the sum of body bytes sent of a blob or manifest, by whatever host, in whatever ranges.
func (h *Hub) BytesSent(d digest.Digest) int64 { return h.Ranges(d).Total() }

// Span is the bytes [Off, End) of a blob.
type Span struct{ Off, End int64 }

// Spans are spans in the order they were asked for; they may overlap.
type Spans []Span

// Ranges are the bytes of a blob that were sent, a span for each answer that had any.
func (h *Hub) Ranges(d digest.Digest) Spans {
	return h.spans(d, func(r Request) int64 { return r.Sent })
}

// Asked are the bytes of a blob that were asked for, whether or not they were sent.
func (h *Hub) Asked(d digest.Digest) Spans {
	return h.spans(d, func(r Request) int64 { return r.Asked })
}

func (h *Hub) spans(d digest.Digest, length func(Request) int64) Spans {
	var all Spans
	for _, r := range h.Requests() {
		n := length(r)
		if r.Digest == d && n > 0 && (r.Status == http.StatusOK || r.Status == http.StatusPartialContent) {
			all = append(all, Span{r.Off, r.Off + n})
		}
	}
	return all
}

// Total counts bytes, those in several spans as often.
func (s Spans) Total() int64 {
	var n int64
	for _, span := range s {
		n += span.End - span.Off
	}
	return n
}

// Union is the bytes in any span: ordered, disjoint, not touching.
func (s Spans) Union() Spans { return s.atLeast(1) }

// Twice is the bytes in more than one span, in the same form.
func (s Spans) Twice() Spans { return s.atLeast(2) }

// Once reports whether the spans hold each byte of [0, size) exactly once.
func (s Spans) Once(size int64) bool {
	return len(s.Twice()) == 0 && slices.Equal(s.Union(), Spans{{0, size}})
}

func (s Spans) atLeast(depth int) Spans {
	type edge struct {
		at   int64
		step int
	}
	var edges []edge
	for _, span := range s {
		edges = append(edges, edge{span.Off, 1}, edge{span.End, -1})
	}
	// Beginnings before ends, so that spans that touch become one.
	slices.SortFunc(edges, func(a, b edge) int {
		if a.at != b.at {
			return int(min(1, max(-1, a.at-b.at)))
		}
		return b.step - a.step
	})
	var out Spans
	open := 0
	for _, e := range edges {
		open += e.step
		switch {
		case e.step > 0 && open == depth:
			out = append(out, Span{e.at, e.at})
		case e.step < 0 && open == depth-1:
			out[len(out)-1].End = e.at
		}
	}
	return slices.DeleteFunc(out, func(s Span) bool { return s.Off == s.End })
}

// matchPath matches a pattern as Count has it.
func matchPath(pattern, host, path string) bool {
	if !strings.HasPrefix(pattern, "/") && !strings.HasPrefix(pattern, "**") {
		path = host + path
	}
	var re strings.Builder
	re.WriteString("^")
	for i, part := range strings.Split(pattern, "**") {
		if i > 0 {
			re.WriteString(".*")
		}
		for j, lit := range strings.Split(part, "*") {
			if j > 0 {
				re.WriteString("[^/]*")
			}
			re.WriteString(regexp.QuoteMeta(lit))
		}
	}
	re.WriteString("$")
	ok, _ := regexp.MatchString(re.String(), path)
	return ok
}

func accepts(r *http.Request) []string {
	var all []string
	for _, v := range r.Header.Values("Accept") {
		for _, one := range strings.Split(v, ",") {
			all = append(all, strings.TrimSpace(one))
		}
	}
	return all
}
