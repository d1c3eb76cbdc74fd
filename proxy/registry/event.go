package registry

import (
	"cmp"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
	"pulley/proxy/token"
)

// Event is one answered request, or (Door "fill") what was fetched for nobody
// in particular after its askers had left. It holds no secrets.
type Event struct {
	Time       time.Time     `json:"time"`
	Door       string        `json:"door"`
	Client     string        `json:"client,omitempty"` // address without port
	Agent      string        `json:"agent,omitempty"`  // what the client calls itself, cut short
	Method     string        `json:"method,omitempty"`
	Registry   string        `json:"registry,omitempty"`
	Repository string        `json:"repository,omitempty"`
	What       string        `json:"what"`
	Reference  string        `json:"reference,omitempty"`
	Digest     digest.Digest `json:"digest,omitempty"`
	Status     int           `json:"status,omitempty"`
	// Bytes is the body as it went to the client. FromNet is what was
	// fetched from upstream on this request's account: over all events it
	// sums up to the traffic. FromCache is what cost nothing.
	Bytes     int64 `json:"bytes"`
	FromCache int64 `json:"from_cache"`
	FromNet   int64 `json:"from_net"`
	// Fetched is FromNet by the place that brought it: "origin" or a mirror's
	// name. Over all events it sums up to the traffic of each place, what was
	// fetched twice or in vain included. Nil for nothing.
	Fetched   map[string]int64 `json:"fetched,omitempty"`
	Source    string           `json:"source,omitempty"` // "cache", "joined" (a download that another request had begun), or those that brought bytes, most first: "origin", "daocloud+origin"
	Way       string           `json:"way,omitempty"`    // how they were reached: "direct 192.0.2.1", "egress jump"
	Duration  time.Duration    `json:"duration"`
	FirstByte time.Duration    `json:"first_byte"`
	PullsLeft *int             `json:"pulls_left,omitempty"` // of the asker's limit, as the origin said in answer to this
	Note      string           `json:"note,omitempty"`       // what a person may want to know
	Err       string           `json:"err,omitempty"`
	Cause     Cause            `json:"cause,omitempty"` // what kind of thing went wrong; "" if nothing did
	// Parts is where the bytes of a blob came from that was fetched, in the order of
	// the blob, and Failed what was tried in vain, in the order of time. Both are
	// short: small parts count to their neighbours, and of failures the first are
	// told.
	Parts  []Part   `json:"parts,omitempty"`
	Failed []Failed `json:"failed,omitempty"`

	Passed bool   `json:"-"` // the origin's answer was handed on as it came, and nothing of it is kept
	Unkept string `json:"-"` // why nothing of it could be cached; "" else
}

// Where bytes came from, in Event.Source.
const (
	fromCache  = "cache"
	fromOrigin = "origin"
	joined     = "joined" // a download that another request had begun

	fromClient = "push" // of a manifest, in the cache's books
)

// exchange is one request being answered: the ResponseWriter that everything
// writes to, and the event in the making. It belongs to the goroutine of its
// request.
type exchange struct {
	http.ResponseWriter
	event  Event
	begun  time.Time
	record func(Event)
	now    func() time.Time

	cache *cache.Cache // that is to know of what was served; nil: none
	name  cache.Name
}

// countsFor has the cache know what is served of it.
func (x *exchange) countsFor(c *cache.Cache, req *Request) {
	if req.What == Manifest || req.What == Blob {
		x.cache, x.name = c, req.cacheName()
	}
}

// maxAgent is enough to tell engines and their versions apart.
const maxAgent = 80

func (h *Handler) begin(w http.ResponseWriter, r *http.Request, door string) *exchange {
	return h.beginIn(new(exchange), w, r, door)
}

// beginIn is begin with an exchange that is there already.
func (h *Handler) beginIn(x *exchange, w http.ResponseWriter, r *http.Request, door string) *exchange {
	client := r.RemoteAddr
	if host, _, err := net.SplitHostPort(client); err == nil {
		client = host
	}
	agent := r.UserAgent()
	if len(agent) > maxAgent {
		agent = agent[:maxAgent]
	}
	now := h.now()
	*x = exchange{
		ResponseWriter: w, begun: now, record: h.opt.Record, now: h.now,
		event: Event{Time: now, Door: door, Client: client, Agent: agent, Method: r.Method, What: string(Other)},
	}
	return x
}

// account is an exchange that nothing is written to: for what no client asked for.
func (h *Handler) account(req *Request) *exchange {
	now := h.now()
	x := &exchange{begun: now, record: h.opt.Record, now: h.now, event: Event{Time: now, Door: req.Door, Agent: req.UserAgent(), Method: req.Method}}
	x.about(req)
	return x
}

// end hands the event on; deferred, so that a handler that aborts its
// connection by a panic is recorded too.
func (x *exchange) end() {
	x.event.Duration = x.now().Sub(x.begun)
	if x.event.Source == fromCache {
		x.event.FromCache = x.event.Bytes
	}
	if x.cache != nil && x.event.Status/100 == 2 && x.event.Digest != "" {
		x.cache.Served(x.name, x.event.Digest, x.event.FromCache)
	}
	x.cause(causeOfStatus(x.event.Status))
	x.event.legible()
	if x.record != nil {
		x.record(x.event)
	}
}

// legible makes what others wrote fit for a terminal and a line: clients choose
// names, agents and paths, upstreams the texts of errors.
func (e *Event) legible() {
	for _, s := range []*string{&e.Agent, &e.Method, &e.Registry, &e.Repository, &e.Reference, &e.Way, &e.Note, &e.Err} {
		*s = token.Legible(*s)
	}
	for i := range e.Failed {
		e.Failed[i].Err = token.Legible(e.Failed[i].Err)
	}
}

func (x *exchange) about(req *Request) {
	e := &x.event
	e.What, e.Repository, e.Reference, e.Digest = string(req.What), req.Repository, req.Reference, req.Digest
	if req.Registry != nil {
		e.Registry = req.Registry.Name
	}
	if req.What == Upload {
		e.Reference = "" // an upload's URL is a secret of its own
	}
}

func (x *exchange) note(s string) {
	if x.event.Note != "" {
		s = x.event.Note + "; " + s
	}
	x.event.Note = s
}

// unkept says that what is passed through cannot be cached, and why.
func (x *exchange) unkept(cause error) {
	x.event.Unkept = cause.Error()
	x.note("passed through, not kept: " + cause.Error())
}

func (x *exchange) fail(err error) {
	if err != nil && x.event.Err == "" {
		x.event.Err = err.Error()
		x.cause(causeOf(err))
	}
}

// cause says what kind of thing went wrong; what is said first counts.
func (x *exchange) cause(c Cause) {
	if x.event.Cause == "" {
		x.event.Cause = c
	}
}

// story says how the download went that the request is answered from.
func (x *exchange) story(d *drive) {
	x.event.Parts = d.parts()
	x.failed(d.tale.failures())
}

// failed takes down what went wrong since the request came.
func (x *exchange) failed(turns []turn) {
	list := x.event.Failed
	for _, t := range turns {
		if after := t.at.Sub(x.begun); after >= 0 {
			list = append(list, Failed{t.source, after, t.what})
		}
	}
	slices.SortStableFunc(list, func(a, b Failed) int { return cmp.Compare(a.After, b.After) })
	x.event.Failed = list[:min(len(list), maxTurns)]
}

// took puts what a download brought since it was last asked on this request's
// account.
func (x *exchange) took(d *drive) {
	for place, n := range d.tale.bill() {
		x.fetched(place, n)
	}
}

// settles is took by somebody who pays for the download and leaves it now: what
// comes later is on its own account.
func (x *exchange) settles(d *drive) {
	x.took(d)
	d.pays(-1)
	x.took(d) // what came in between, if the download was over by then
}

// fetched counts what a place sent on this request's account.
func (x *exchange) fetched(place string, n int64) {
	if n == 0 {
		return
	}
	if x.event.Fetched == nil {
		x.event.Fetched = map[string]int64{}
	}
	x.event.FromNet += n
	x.event.Fetched[place] += n
}

// WriteHeader implements http.ResponseWriter. The origin's 100 Continue goes no
// further: net/http sends one of its own when the body is read, which is what
// follows, and the client would see two.
func (x *exchange) WriteHeader(status int) {
	if status == http.StatusContinue {
		return
	}
	x.started(status)
	x.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(p []byte) (int, error) {
	x.started(http.StatusOK)
	n, err := x.ResponseWriter.Write(p)
	x.event.Bytes += int64(n)
	if err != nil {
		x.cause(CauseLeft)
	}
	return n, err
}

// ReadFrom keeps the way to sendfile open: io.Copy from a file ends in the
// connection's own ReadFrom when the server's ResponseWriter has one.
func (x *exchange) ReadFrom(r io.Reader) (int64, error) {
	x.started(http.StatusOK)
	n, err := io.Copy(x.ResponseWriter, r)
	x.event.Bytes += n
	// What upstream sends is read, by op "read".
	if op := (*net.OpError)(nil); errors.As(err, &op) && (op.Op == "readfrom" || op.Op == "write") && !cache.ReadFailed(err) {
		x.cause(CauseLeft)
	}
	return n, err
}

// Unwrap serves http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// Flush implements http.Flusher.
func (x *exchange) Flush() { _ = http.NewResponseController(x.ResponseWriter).Flush() }

func (x *exchange) started(status int) {
	if x.event.Status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		x.event.Status = status
		x.event.FirstByte = x.now().Sub(x.begun)
	}
}
