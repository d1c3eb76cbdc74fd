package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/proxy/egress"
	"pulley/proxy/fetch"
	"pulley/proxy/source"
	"pulley/proxy/token"
)

// Waits say how long the origin is waited for; zero means the default. A client
// that could be served from the cache is not kept waiting as long as one that
// could not, and one that falls back by itself is told to before the 30 s after
// which containerd gives up on a mirror (containerd/containerd#10660).
type Waits struct {
	Check    time.Duration // for a word about something held: 8s
	Ask      time.Duration // for a word about anything else: 20s
	Manifest time.Duration // for a whole manifest: 25s
	First    time.Duration // for the first byte of a blob; twice that where nobody falls back: 25s
}

func (w Waits) withDefaults() Waits {
	w.Check = cmp.Or(w.Check, 8*time.Second)
	w.Ask = cmp.Or(w.Ask, 20*time.Second)
	w.Manifest = cmp.Or(w.Manifest, 25*time.Second)
	w.First = cmp.Or(w.First, 25*time.Second)
	return w
}

// errOffline is why nothing is asked upstream under the route "offline".
var errOffline = errors.New("the registry is switched to offline")

func (a Asker) identity() source.Identity {
	switch {
	case a.anonymous():
		return source.Anonymous()
	case a.refresh != "":
		return source.Refresh(a.refresh)
	}
	return source.Client(a.Authorization)
}

// origin is where the request's registry is asked.
func (h *Handler) origin(req *Request) *source.Origin {
	return h.opt.Sources.At(req.Registry, req.home().host)
}

// ask sends a request below the repository to the origin on the asker's behalf.
// Every answer but success is an error, a *source.StatusError. The caller
// closes the body.
func (h *Handler) ask(ctx context.Context, req *Request, method, path string, header http.Header) (*http.Response, error) {
	rsp, err := h.send(ctx, req, source.Req{
		Method: method,
		Path:   "/v2/" + req.Repository + "/" + path,
		Header: header,
		Auth:   req.Asker.identity(),
		Scope:  "repository:" + req.Repository + ":pull",
	})
	if err != nil {
		return nil, err
	}
	if rsp.StatusCode/100 != 2 {
		return nil, h.origin(req).Fail(rsp)
	}
	return rsp, nil
}

// send asks the origin. That it could not be reached counts where blobs come from,
// too.
func (h *Handler) send(ctx context.Context, req *Request, q source.Req) (rsp *http.Response, err error) {
	do := h.origin(req).Do
	for _, p := range h.opt.Sources.PlacesAt(req.Registry, req.home().host) {
		if p.Origin() {
			do = p.Do
		}
	}
	rsp, err = do(ctx, q)
	h.heard(req.called(), err)
	return rsp, err
}

// heard keeps the registry's health by what became of a request.
func (h *Handler) heard(registry string, err error) {
	if err == nil {
		h.health.succeeded(registry)
		h.saveHints()
		return
	}
	var status *source.StatusError
	if errors.As(err, &status) && status.Status == 0 && !status.Elsewhere && !errors.Is(err, context.Canceled) {
		h.health.failed(registry, err)
	}
}

// reachable says why upstream must not be asked; nil: it may.
func (h *Handler) reachable(req *Request) error {
	if req.offline() {
		return errOffline
	}
	return nil
}

// worthAsking is reachable for questions that the cache has an answer to as
// well: a registry that could not be reached a moment ago is left alone, so that
// a pull without a network does not wait for a time-out at each step. Somebody
// who would be turned away without the origin's word is worth another try. d is what
// the cache has.
func (h *Handler) worthAsking(req *Request, d digest.Digest) error {
	if err := h.reachable(req); err != nil {
		return err
	}
	if why := h.health.why(req.called()); why != nil && h.admitsOfflineTo(req, d) {
		return why
	}
	return nil
}

// elsewhereError is what a mirror failed with. Whatever it said, it is no word of
// the registry's.
type elsewhereError struct{ error }

func (e *elsewhereError) Unwrap() error { return e.error }

// spoken finds what the registry itself answered, in an error that may hold what
// mirrors said too.
func spoken(err error) (*source.StatusError, bool) {
	switch e := err.(type) { //nolint:errorlint // it walks down the wrapped ones itself
	case *elsewhereError:
		return nil, false
	case *source.StatusError:
		return e, true
	case interface{ Unwrap() error }:
		return spoken(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			if s, ok := spoken(one); ok {
				return s, true
			}
		}
	}
	return nil, false
}

// definite says that the registry itself said no.
func definite(err error) bool {
	s, ok := spoken(err)
	return ok && s.Definite()
}

// reason is why something failed, for a person.
func reason(err error) string { return strings.ReplaceAll(err.Error(), "\n", " ") }

// letIn notes that the origin answered the asker; d, when not empty, is what it
// said the repository has.
func (h *Handler) letIn(req *Request, d digest.Digest) {
	h.warn(h.ledger.accepted(req.name(), req.Asker, string(d), h.settings().Access.PrivateOffline))
}

// turnedAway notes that the origin said no. A token that merely ran out says
// nothing, and neither does the absence of something nobody knew of: a wrong
// tag must not cost anybody the right to the repository.
func (h *Handler) turnedAway(req *Request, err error, known bool) {
	status, ok := spoken(err)
	if !ok || status.Status == http.StatusNotFound && !known || ranOut(status) || req.Asker.remembered() {
		return
	}
	had := h.admitsOffline(req)
	h.warn(h.ledger.refused(req.name(), req.Asker))
	if had && req.What == Manifest && req.Digest == "" && !h.keepsTag(req) {
		h.warn(h.shelf.disown(req.cacheName(), req.Reference))
	}
}

// ranOut says that a 401 is about the token's age (RFC 6750 section 3.1).
func ranOut(err *source.StatusError) bool {
	if err.Status != http.StatusUnauthorized {
		return false
	}
	list, perr := token.ParseChallenges(err.Header)
	c, ok := token.Find(list, token.Bearer)
	return perr == nil && ok && c.Params["error"] == "invalid_token"
}

// admitsOffline says that the asker may have what the cache holds of the
// repository while the origin cannot be asked.
func (h *Handler) admitsOffline(req *Request) bool {
	return h.public(req) || h.ledger.admitsOffline(req.name(), req.Asker, h.settings().Access.PrivateOffline)
}

// permitted says why the asker may not have d out of the cache under the
// request's repository; nil: it may. What happens to be on disk decides
// nothing: the repository must be known to reference it and the asker to have a
// right to the repository, or the origin is asked for exactly this.
func (h *Handler) permitted(x *exchange, req *Request, d digest.Digest) error {
	_, err := h.vouched(x, req, d)
	return err
}

// vouched is permitted, with what the origin said of d if it was asked: nil if it
// was not.
func (h *Handler) vouched(x *exchange, req *Request, d digest.Digest) (*found, error) {
	references := h.cache.References(req.cacheName(), d)
	if h.admits(req, d, references) {
		return nil, nil //nolint:nilnil // as the comment says
	}
	cause := h.reachable(req)
	if references {
		cause = h.worthAsking(req, d)
	}
	if cause == nil {
		var f *found
		if f, cause = h.vouch(req, d); cause == nil {
			return f, nil
		}
		if definite(cause) && !(references && req.Asker.remembered()) {
			h.turnedAway(req, cause, references)
			return nil, cause
		}
	}
	if !h.admitsOfflineTo(req, d) {
		return nil, h.stranger(req, cause)
	}
	if !references {
		return nil, cause
	}
	x.note("the origin cannot be asked: " + reason(cause))
	if !req.offline() {
		x.failed([]turn{{fromOrigin, reason(cause), x.now()}})
	}
	return nil, nil //nolint:nilnil // as the comment says
}

// admits says that the asker may have d, which the repository references as far as
// is known here or not, without the origin being asked.
func (h *Handler) admits(req *Request, d digest.Digest, references bool) bool {
	return references && h.ledger.admits(req.name(), req.Asker) || h.ledger.said(req.name(), req.Asker, string(d))
}

// vouch has the origin say, by a cheap HEAD with the asker's own credentials,
// that the asker may have d. The size of a blob is in the answer, -1 if it was not
// told.
func (h *Handler) vouch(req *Request, d digest.Digest) (*found, error) {
	path := "blobs/"
	if req.What == Manifest {
		path = "manifests/"
	}
	k := req.keyOf(string(d))
	return h.share("vouch "+path, req, k, func(ctx context.Context) (*found, error) {
		ctx, cancel := context.WithTimeout(ctx, h.opt.Waits.Check)
		defer cancel()
		return h.headAt(ctx, req, path+string(d), manifestHeader(req), d)
	})
}

// headAt asks the origin with HEAD whether the asker may have d, and takes down
// that it may.
func (h *Handler) headAt(ctx context.Context, req *Request, path string, header http.Header, d digest.Digest) (*found, error) {
	ctx, trail := egress.WithTrail(ctx)
	f := &found{entry: entry{Digest: d, Size: -1}, from: fromOrigin}
	rsp, err := h.ask(ctx, req, http.MethodHead, path, header)
	switch {
	case err == nil:
		drain(rsp)
		f.header, f.Size, f.way, f.note = rsp.Header, rsp.ContentLength, trail.Way(), detours(trail)
	case sentOn(err):
		// The registry gave a URL to it. That the storage does not care for HEAD is
		// its own business.
	default:
		return nil, err
	}
	h.letIn(req, d)
	return f, nil
}

// sentOn says that the registry gave the asker a URL to what was asked for, and it
// is what stands there that failed. A token service that failed is elsewhere too,
// and has let nobody in.
func sentOn(err error) bool {
	status, ok := spoken(err)
	var tokens *token.ServiceError
	return ok && status.Elsewhere && status.Status != 0 && !errors.As(status.Err, &tokens)
}

// stranger is the answer to somebody who has no right that could be checked now:
// the same whether something is cached or not.
func (h *Handler) stranger(req *Request, cause error) error {
	cause = h.untold(req, cause)
	if req.Named != NotMirror {
		return cause
	}
	return h.unauthorized(req, "", "authentication required: "+req.Registry.Name+
		" cannot be asked, and these credentials are not known for "+req.Repository+": "+reason(cause))
}

// answerError tells the client why it does not get what it asked for.
func (h *Handler) answerError(x *exchange, req *Request, err error) {
	if unreached(err) {
		err = h.untold(req, err)
	}
	if req.Context().Err() != nil {
		x.cause(CauseLeft)
	}
	x.fail(h.advised(req, err))
	if req.Context().Err() != nil {
		cutOff() // the client is gone
	}
	var no *refusalError
	if errors.As(err, &no) {
		no.write(x, req.Request)
		return
	}
	if realm, ok := distrusted(err); ok {
		h.noToken(req, realm).write(x, req.Request)
		return
	}
	if status, ok := spoken(err); ok && (!status.Elsewhere || overrun(status)) && status.Status >= 400 && status.Status < 500 {
		h.saidNo(req, status).write(x, req.Request)
		return
	}
	if errors.Is(err, errOffline) && (req.Named != NotMirror || h.admitsOffline(req)) {
		refuse(http.StatusNotFound, req.unknownCode(), "not in the cache, and "+switchedOff(req.Registry.Name)).write(x, req.Request)
		return
	}
	if req.Named == NotMirror && !h.admitsOffline(req) && unreached(err) {
		if errors.As(h.stranger(req, err), &no) {
			no.write(x, req.Request)
			return
		}
	}
	code := http.StatusBadGateway
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, source.ErrHeaderTimeout) || errors.Is(err, errSlow) {
		code = http.StatusGatewayTimeout
	}
	req.unreachable(code, reason(err)).write(x, req.Request)
}

// advised is an error as it is logged: at a limit, with what helps.
func (h *Handler) advised(req *Request, err error) error {
	status, ok := spoken(err)
	if !ok || status.Status != http.StatusTooManyRequests || status.Elsewhere && !overrun(status) {
		return err
	}
	return fmt.Errorf("%w; %s", err, h.limitAdvice(req, status))
}

// distrusted finds in an error that the registry sends clients to a token service
// that is none of its own, so that nobody asks there.
func distrusted(err error) (realm *token.RealmError, ok bool) {
	status, ok := spoken(err)
	ok = ok && errors.As(status.Err, &realm)
	return realm, ok
}

// noToken is the answer where no token can be had. The registry can be reached, so
// it is not as if it could not: a client that can do without us is to do so.
func (h *Handler) noToken(req *Request, realm *token.RealmError) *refusalError {
	if req.fallsBack() {
		return refuse(http.StatusNotFound, req.unknownCode(), realm.Error())
	}
	return h.unauthorized(req, "insufficient_scope", realm.Error())
}

// overrun says that it was the registry's token service that was asked too much.
func overrun(status *source.StatusError) bool {
	var service *token.ServiceError
	return status.Status == http.StatusTooManyRequests && errors.As(status.Err, &service)
}

// unreached says that no word came from the registry at all.
func unreached(err error) bool {
	status, ok := spoken(err)
	var elsewhere *elsewhereError
	var down *downError
	return errors.Is(err, errOffline) || errors.As(err, &down) || errors.Is(err, fetch.ErrNoSource) || ok && status.Status == 0 ||
		!ok && errors.As(err, &elsewhere)
}

// saidNo passes the origin's refusal on, in the words it used.
func (h *Handler) saidNo(req *Request, status *source.StatusError) *refusalError {
	code, message := Code(status.Code), status.Message
	switch {
	case code != "":
	case status.Status == http.StatusTooManyRequests:
		code = TooManyRequests
	default:
		code = req.unknownCode()
	}
	if message == "" {
		message = strings.ToLower(http.StatusText(status.Status))
	}
	switch status.Status {
	case http.StatusUnauthorized:
		fault := "insufficient_scope"
		if ranOut(status) {
			fault = "invalid_token"
		}
		no := h.unauthorized(req, fault, message)
		if no.status == http.StatusUnauthorized {
			no.code = Unauthorized
		}
		return no
	case http.StatusForbidden:
		if req.Named != NotMirror {
			return h.unauthorized(req, "", message)
		}
	}
	if status.Status == http.StatusTooManyRequests {
		message = cmp.Or(status.Message, "too many requests") + ": pulley: " + h.limitAdvice(req, status)
	}
	no := refuse(status.Status, code, message)
	no.header = http.Header{}
	copyHeader(no.header, status.Header, "Retry-After", "Content-Range")
	if status.RetryAfter > silentFor && waitsSilently(req.UserAgent()) {
		no.header.Set("Retry-After", strconv.Itoa(int(silentFor.Seconds())))
	}
	copyLimits(no.header, status.Header)
	return no
}

func (r *Request) unknownCode() Code {
	switch r.What {
	case Blob:
		return BlobUnknown
	case Manifest:
		return ManifestUnknown
	default:
		return NameUnknown
	}
}
