package hubtest

import (
	"net/http"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
)

// Kind is what a request is about.
type Kind string

const (
	Ping      Kind = "ping"      // /v2/
	Token     Kind = "token"     // the token service
	Manifest  Kind = "manifest"  // by tag or digest, pull or push
	Blob      Kind = "blob"      // at the registry: usually the redirect
	CDN       Kind = "cdn"       // what a redirect leads to
	Tags      Kind = "tags"      // tags/list
	Referrers Kind = "referrers" // the referrers API
	Upload    Kind = "upload"    // blobs/uploads
	Other     Kind = "other"
)

// At makes an offset for the fields of Faults where 0 means something.
func At(n int64) *int64 { return &n }

// Faults is one rule: what it matches, and what goes wrong there. Zero fields match everything and do nothing. Where
// several rules match, each effect comes from the first rule that has it.
type Faults struct {
	// Matcher.
	Addr   string        // where the client connected: one of the hub's IP addresses, or host:port
	Host   string        // host name without port
	Method string        // GET …
	Path   string        // pattern as for Count
	Kind   Kind          // see the body effects below for what "" means there
	Digest digest.Digest // asked for by this digest
	Skip   int           // let so many matching requests pass first
	First  int           // then act on so many; 0: on all

	// Before anything is answered.
	Latency     time.Duration // wait, then go on
	Reset       bool          // reset the connection: the request's header was read, nothing is answered
	Status      int           // answer this instead, with an OCI error; 401 carries a challenge
	StatusAfter int64         // so many bytes of the request's body are read before Status is answered
	Header      http.Header   // further headers for Status (Retry-After, Location)
	Body        string        // in place of the OCI error

	// The body of a successful answer. With Kind "" these act on the bytes of blobs alone, wherever they are served;
	// Bandwidth acts on every body.
	Bandwidth    int64  // bytes/s for each connection
	Cut          *int64 // end the connection after so many body bytes; a body no longer than that is whole
	CutReset     bool   // … with RST; bytes still in the socket's buffer are lost with it
	Stall        *int64 // send nothing more after so many body bytes, until Release, SetFaults or the client goes
	WrongByte    *int64 // the byte at this offset of the blob is not the blob's
	Length       int64  // added to Content-Length: the body is cut to it, or ends too early
	Chunked      bool   // no Content-Length
	NoRange      bool   // 200 and the whole body to a request for a range
	ContentRange string // sent in place of the right one; "-": none

	// The connection. Only Addr, Host, Skip and First can match here; a Host is known from the TLS client hello on.
	Refuse         bool // reset at once (Down refuses for real)
	ResetHandshake bool // reset after the client hello
	Silent         bool // accept, and never answer
	WrongCert      bool // the certificate of a stranger: another authority, another name
	WrongName      bool // the same authority's for another name, as where a resolver lies
}

// Abuse is Docker Hub's answer to a client that asks too often, which is not the one to a spent pull limit: no JSON, and
// when to come back.
func Abuse(retryAfter string) Faults {
	return Faults{
		Status: http.StatusTooManyRequests,
		Header: http.Header{"Retry-After": {retryAfter}, "Content-Type": {"text/plain"}},
		Body:   "Too Many Requests (HAP429).\n",
	}
}

// stage is when a rule is asked; each counts Skip and First for itself.
type stage int

const (
	atAccept stage = iota // nothing is known yet
	atHello               // the host is known
	atRequest
	atBody
	stages
)

func (f *Faults) acts(s stage, kind Kind) bool {
	switch s {
	case atAccept:
		return f.Host == "" && (f.Refuse || f.Silent)
	case atHello:
		return f.ResetHandshake || f.WrongCert || f.WrongName || f.Host != "" && (f.Refuse || f.Silent)
	case atRequest:
		return f.Latency > 0 || f.Reset || f.Status > 0
	default:
		if f.Bandwidth > 0 {
			return true
		}
		return f.spoils() && (f.Kind != "" || kind == Blob || kind == CDN)
	}
}

func (f *Faults) spoils() bool {
	return f.Cut != nil || f.Stall != nil || f.WrongByte != nil || f.Length != 0 || f.Chunked || f.NoRange || f.ContentRange != ""
}

// faultBook holds the rules in force. Its zero value has none.
type faultBook struct {
	mu       sync.Mutex
	rules    []rule
	change   chan struct{} // closed at the next SetFaults or Release
	gen      uint64        // counts SetFaults
	released uint64        // counts Release
}

type rule struct {
	Faults
	seen [stages]int
}

// SetFaults replaces all rules, at once; transfers that run or stall go by the new ones. Without arguments nothing is
// wrong any more.
func (h *Hub) SetFaults(rules ...Faults) {
	b := &h.faults
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rules = nil
	for _, f := range rules {
		b.rules = append(b.rules, rule{Faults: f})
	}
	b.gen++
	b.wake()
}

// Release lets go on what is stalled now. What reaches its Stall later stalls.
func (h *Hub) Release() {
	b := &h.faults
	b.mu.Lock()
	defer b.mu.Unlock()
	b.released++
	b.wake()
}

func (b *faultBook) wake() {
	if b.change != nil {
		close(b.change)
		b.change = nil
	}
}

// changed is closed at the next SetFaults or Release.
func (b *faultBook) changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changedLocked()
}

func (b *faultBook) changedLocked() <-chan struct{} {
	if b.change == nil {
		b.change = make(chan struct{})
	}
	return b.change
}

// match merges the effects of all rules for a request at a stage. Again is for a request that was counted before: rules
// that act on the first N leave it alone.
func (b *faultBook) match(s stage, q query, again bool) (f Faults, gen uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.rules {
		r := &b.rules[i]
		if !r.acts(s, q.kind) || !r.matches(s, q) {
			continue
		}
		if r.Skip > 0 || r.First > 0 {
			if again {
				continue
			}
			r.seen[s]++
			if n := r.seen[s] - r.Skip; n <= 0 || r.First > 0 && n > r.First {
				continue
			}
		}
		f.merge(&r.Faults, s, q.kind)
	}
	return f, b.gen
}

// query is what rules are matched against.
type query struct {
	addr               string // where the connection arrived
	host, method, path string
	kind               Kind
	digest             digest.Digest
}

func (f *Faults) matches(s stage, q query) bool {
	if f.Host != "" && f.Host != q.host || f.Addr != "" && !isAt(q.addr, []string{f.Addr}) {
		return false
	}
	return s <= atHello || (f.Method == "" || f.Method == q.method) &&
		(f.Kind == "" || f.Kind == q.kind) &&
		(f.Digest == "" || f.Digest == q.digest) &&
		(f.Path == "" || matchPath(f.Path, q.host, q.path))
}

func first[T comparable](to *T, from T) {
	var zero T
	if *to == zero {
		*to = from
	}
}

func (f *Faults) merge(r *Faults, s stage, kind Kind) {
	switch s {
	case atAccept, atHello:
		f.Refuse = f.Refuse || r.Refuse
		f.ResetHandshake = f.ResetHandshake || r.ResetHandshake
		f.Silent = f.Silent || r.Silent
		f.WrongCert = f.WrongCert || r.WrongCert
		f.WrongName = f.WrongName || r.WrongName
	case atRequest:
		first(&f.Latency, r.Latency)
		f.Reset = f.Reset || r.Reset
		if f.Status == 0 {
			f.Status, f.StatusAfter, f.Header, f.Body = r.Status, r.StatusAfter, r.Header, r.Body
		}
	default:
		first(&f.Bandwidth, r.Bandwidth)
		if r.Kind == "" && kind != Blob && kind != CDN {
			return
		}
		if f.Cut == nil {
			f.Cut, f.CutReset = r.Cut, r.CutReset
		}
		first(&f.Stall, r.Stall)
		first(&f.WrongByte, r.WrongByte)
		first(&f.Length, r.Length)
		first(&f.ContentRange, r.ContentRange)
		f.Chunked = f.Chunked || r.Chunked
		f.NoRange = f.NoRange || r.NoRange
	}
}

// connect matches a connection at accept or at its client hello.
func (b *faultBook) connect(s stage, c *conn, host string, again bool) Faults {
	f, _ := b.match(s, query{addr: c.addr, host: host}, again)
	return f
}
