package hubtest

import (
	"net/http"
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
	Quota  int           // let so many pass in each minute (of Hub.Now, from the first on), act on the others

	// Before anything is answered.
	Latency     time.Duration // wait, then go on
	Reset       bool          // reset the connection: the request's header was read, nothing is answered
	Status      int           // answer this instead, with an OCI error; 401 carries a challenge
	StatusAfter int64         // so many bytes of the request's body are read before Status is answered
	Header      http.Header   // further headers for Status (Retry-After, Location)
	Message     string        // in the OCI error
	Body        string        // in place of the OCI error

	// The body of a successful answer. With Kind "" these act on the bytes of blobs alone, wherever they are served;
	// Bandwidth and Total act on every body.
	Bandwidth    int64  // bytes/s for each connection
	Total        int64  // bytes/s for all that match together; a rule that matches everything limits the hub
	Cut          *int64 // end the connection after so many body bytes; a body no longer than that is whole
	CutReset     bool   // … with RST; bytes still in the socket's buffer are lost with it
	Die          *int64 // after so many body bytes of all that match together the hub is Down, with RST if CutReset
	Stall        *int64 // send nothing more after so many body bytes, until Release, SetFaults or the client goes
	WrongByte    *int64 // the byte at this offset of the blob is not the blob's; Skip, First, Quota count how often it goes
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
	UnknownCA      bool // the right names, by an authority nobody knows, as where a company opens TLS
	Expired        bool // the right certificate, ended yesterday
	NotYet         bool // the right certificate, from a month ahead on for another two
}

// PullLimit is Docker Hub's answer to a manifest GET of somebody whose pulls are spent, as [Hub.RateLimit] gives it by
// counting; retryAfter may be "". The user "" is anybody who is not logged in.
func PullLimit(user, retryAfter string) Faults {
	f := Faults{Kind: Manifest, Method: http.MethodGet, Status: http.StatusTooManyRequests, Message: pullLimitMessage(user)}
	if retryAfter != "" {
		f.Header = http.Header{"Retry-After": {retryAfter}}
	}
	return f
}

// pullLimitMessage is what the engine prints behind "toomanyrequests: ".
func pullLimitMessage(user string) string {
	if user == "" {
		return "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"
	}
	return "You have reached your pull rate limit as '" + user + "'. You may increase the limit by upgrading. " +
		"https://www.docker.com/increase-rate-limit"
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
