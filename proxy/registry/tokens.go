package registry

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"pulley/proxy/token"
)

const (
	// ownLife is for tokens of people without credentials; they carry no
	// right that these do not have anyway.
	ownLife = time.Hour
	// offlineLife is for tokens handed out on remembered rights: as short as
	// registries' own, so that the origin is asked again soon.
	offlineLife = 5 * time.Minute
	// maxLinkLife bounds for how long a registry's token is linked to the
	// credentials it was given for.
	maxLinkLife = 12 * time.Hour
	maxForm     = 64 << 10
)

// plea is a client's request for a token.
type plea struct {
	token.ForwardRequest
	subject string // hash of the credentials; empty without any
	scopes  []string
}

// serveToken is our token service on a registry's host. Who has credentials
// gets the registry's own answer; everybody else a pull-only token of ours,
// which never goes upstream.
func (h *Handler) serveToken(x *exchange, req *Request) {
	p, no := h.readPlea(x, req)
	if no != nil {
		no.write(x, req.Request)
		return
	}
	if p.subject == "" || req.site().StandsIn() {
		h.giveOwn(x, req, plea{scopes: p.scopes}, ownLife)
		return
	}
	cause := h.reachable(req)
	if cause == nil {
		var answer *token.Answer
		answer, cause = h.tokens.Forward(req.Context(), req.site(), p.ForwardRequest)
		if cause == nil {
			h.heard(req.called(), nil)
		}
		if cause == nil && (answer.Status < 500 && answer.Status != http.StatusTooManyRequests || !h.known(req, p)) {
			h.giveAnswer(x, req, p, answer)
			return
		}
	}
	h.tokenFailed(x, req, p, cause)
}

func (h *Handler) readPlea(w http.ResponseWriter, req *Request) (plea, *refusalError) {
	p := plea{ForwardRequest: token.ForwardRequest{Method: req.Method, Query: req.URL.Query(), Header: req.Header}}
	value, one := authorization(req.Request)
	if !one {
		return p, refuse(http.StatusBadRequest, Unknown, "more than one Authorization header")
	}
	form := p.Query
	switch req.Method {
	case http.MethodGet:
	case http.MethodPost:
		kind, _, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
		if err != nil || kind != "application/x-www-form-urlencoded" {
			return p, refuse(http.StatusUnsupportedMediaType, Unknown, "a token request is a form")
		}
		if p.Body, err = h.readForm(w, req); errors.Is(err, os.ErrDeadlineExceeded) {
			return p, refuse(http.StatusRequestTimeout, Unknown, "the token request did not come")
		} else if err != nil {
			return p, refuse(http.StatusRequestEntityTooLarge, Unknown, "the token request is too large")
		}
		if form, err = url.ParseQuery(string(p.Body)); err != nil {
			return p, refuse(http.StatusBadRequest, Unknown, "the token request is no form")
		}
		p.subject = h.formSubject(req, form)
	default:
		no := refuse(http.StatusMethodNotAllowed, Unsupported, "tokens are asked for with GET or POST")
		no.header = http.Header{"Allow": {"GET, POST"}}
		return p, no
	}
	for _, scope := range form["scope"] {
		p.scopes = append(p.scopes, strings.Fields(scope)...)
	}
	if p.subject == "" && value != "" {
		c, ok := token.FromBasic(value)
		if !ok {
			return p, refuse(http.StatusBadRequest, Unknown, "a token is asked for with a password or a refresh token")
		}
		if !c.Anonymous() {
			p.subject = h.hash.password(req.Registry.Name, c.Username, c.Password)
		}
	}
	return p, nil
}

// readForm reads a small body, which is all there at once or not waited for.
func (h *Handler) readForm(w http.ResponseWriter, req *Request) ([]byte, error) {
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(h.opt.Waits.Ask)) // a connection that has none is a test's
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxForm))
	if err == nil {
		_ = connection.SetReadDeadline(time.Time{})
	}
	return body, err
}

// formSubject hashes the credentials of an OAuth 2 form.
func (h *Handler) formSubject(req *Request, form url.Values) string {
	if t := form.Get("refresh_token"); t != "" {
		return h.hash.sum(req.Registry.Name, kindRefresh, t)
	}
	if user, password := form.Get("username"), form.Get("password"); user != "" || password != "" {
		return h.hash.password(req.Registry.Name, user, password)
	}
	return ""
}

// giveOwn mints a token of ours.
func (h *Handler) giveOwn(x *exchange, req *Request, p plea, life time.Duration) {
	t := h.own.Mint(req.Target.Host, strings.Join(p.scopes, " "), life)
	if p.subject != "" {
		h.links.put(h.hash.sum(req.Registry.Name, kindHeader, t), p.subject, life)
	}
	body, err := json.Marshal(struct {
		Token       string    `json:"token"`
		AccessToken string    `json:"access_token"`
		ExpiresIn   int       `json:"expires_in"`
		IssuedAt    time.Time `json:"issued_at"`
	}{t, t, int(life.Seconds()), h.now().UTC()})
	if err != nil { // strings and numbers always marshal
		refuse(http.StatusInternalServerError, Unknown, "no token could be made").write(x, req.Request)
		return
	}
	x.event.Source = fromCache
	giveJSON(x, req.Request, http.StatusOK, body)
}

// giveAnswer hands on what the registry's token service said, and remembers for
// whom the token is: by it, the credentials behind a pull are recognised.
func (h *Handler) giveAnswer(x *exchange, req *Request, p plea, answer *token.Answer) {
	x.event.Source = fromOrigin
	switch answer.Status {
	case http.StatusOK:
		h.linkAnswer(req, p, answer.Body)
	case http.StatusUnauthorized, http.StatusForbidden:
		for _, name := range p.repositories(req.called()) {
			h.warn(h.ledger.refused(name, Asker{Authorization: "-", Subject: p.subject, Key: p.subject}))
		}
	}
	copyHeader(x.Header(), answer.Header, "Content-Type", "Cache-Control", "Retry-After", "Date")
	copyLimits(x.Header(), answer.Header)
	x.Header().Set("Content-Length", strconv.Itoa(len(answer.Body)))
	x.WriteHeader(answer.Status)
	_, _ = x.Write(answer.Body)
}

func (h *Handler) linkAnswer(req *Request, p plea, body []byte) {
	var t struct {
		Token       string  `json:"token"`
		AccessToken string  `json:"access_token"`
		ExpiresIn   float64 `json:"expires_in"`
	}
	if json.Unmarshal(body, &t) != nil {
		return
	}
	life := time.Hour // more than any registry's default
	if t.ExpiresIn > life.Seconds() {
		life = time.Duration(min(t.ExpiresIn, maxLinkLife.Seconds()) * float64(time.Second))
	}
	for _, one := range [...]string{t.Token, t.AccessToken} {
		if one != "" {
			h.links.put(h.hash.sum(req.Registry.Name, kindHeader, one), p.subject, life)
		}
	}
}

// tokenFailed answers when the token service gave no answer that counts.
func (h *Handler) tokenFailed(x *exchange, req *Request, p plea, cause error) {
	var refused *token.RealmError
	switch {
	case errors.Is(cause, token.ErrNoRealm):
		h.giveOwn(x, req, plea{scopes: p.scopes}, ownLife)
		return
	case errors.Is(cause, token.ErrForm):
		refuse(http.StatusBadRequest, Unknown, "the token request is not valid").write(x, req.Request)
		return
	case errors.As(cause, &refused):
		x.fail(cause)
		refuse(http.StatusUnauthorized, Unauthorized, cause.Error()).write(x, req.Request)
		return
	case req.Context().Err() != nil:
		cutOff()
	}
	var service *token.ServiceError
	if errors.As(cause, &service) && service.Status == 0 {
		h.health.failed(req.called(), cause)
	}
	x.fail(cause)
	if len(p.scopes) == 0 { // docker login: nobody here can tell whether the password is right
		refuse(http.StatusServiceUnavailable, Unavailable, req.Registry.Name+" cannot be reached, so the credentials cannot be checked").write(x, req.Request)
		return
	}
	x.note("the registry's token service cannot be reached: token for what is cached")
	h.giveOwn(x, req, p, offlineLife)
}

// known says whether these credentials were accepted for one of the
// repositories they are used for now.
func (h *Handler) known(req *Request, p plea) bool {
	who := Asker{Authorization: "-", Subject: p.subject, Key: p.subject}
	for _, name := range p.repositories(req.called()) {
		if h.ledger.admitsOffline(name, who, h.settings().Access.PrivateOffline) {
			return true
		}
	}
	return false
}

// repositories are those named in the scopes, as keys.
func (p plea) repositories(registry string) []string {
	var names []string
	for _, scope := range p.scopes {
		kind, rest, _ := strings.Cut(scope, ":")
		i := strings.LastIndexByte(rest, ':')
		if kind == "repository" && i > 0 && ValidRepository(rest[:i]) {
			names = append(names, registry+"/"+rest[:i])
		}
	}
	return names
}

func giveJSON(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// askerOf finds out for whom a request with this Authorization header speaks.
// The refusal is for a token of ours that does not hold any more.
func (h *Handler) askerOf(registry, host, value string) (Asker, *refusalError) {
	if value == "" {
		return Asker{}, nil
	}
	if token.IsOwn(value) {
		own := bearer(value)
		if _, ok := h.own.Verify(own, host); !ok {
			return Asker{}, refuse(http.StatusUnauthorized, Unauthorized, "the token has expired")
		}
		return Asker{Own: true, Subject: h.links.subject(h.hash.sum(registry, kindHeader, own))}, nil
	}
	key := h.hash.header(registry, value)
	who := Asker{Authorization: value, Key: key, Subject: key}
	if t := bearer(value); t != "" {
		if subject := h.links.subject(h.hash.sum(registry, kindHeader, t)); subject != "" {
			who.Subject = subject
		}
	}
	return who, nil
}
