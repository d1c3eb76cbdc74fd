package token

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	userAgent = "pulley"

	// callTimeout bounds a whole token call: the answer is a kilobyte, and a
	// client waits for it with a time-out of its own.
	callTimeout = 30 * time.Second

	// maxAnswer caps a token service's answer; real ones are a few kilobytes.
	maxAnswer = 1 << 20

	// defaultLife is how long a token without expires_in holds, as the token
	// specification of distribution says. Longer than maxLife nothing is kept:
	// ECR's twelve hours are the longest seen.
	defaultLife = 60 * time.Second
	maxLife     = 12 * time.Hour
)

// A ServiceError says that a token service did not give a token.
type ServiceError struct {
	Registry string // name
	Host     string // of the token service
	Status   int    // 0: it was not reached, see Err
	Code     string // first error code of its answer, "" if none
	Message  string
	Retry    time.Duration // from Retry-After; 0 if it did not say
	Header   http.Header   // of the answer
	Body     []byte        // of the answer, capped
	Err      error
}

func (e *ServiceError) Error() string {
	switch {
	case e.Err != nil:
		return fmt.Sprintf("%s: token service %s: %v", e.Registry, e.Host, e.Err)
	case e.Message != "":
		return fmt.Sprintf("%s: token service %s answers %d: %s", e.Registry, e.Host, e.Status, e.Message)
	}
	return fmt.Sprintf("%s: token service %s answers %d", e.Registry, e.Host, e.Status)
}

func (e *ServiceError) Unwrap() error { return e.Err }

// Definite reports whether the answer was about the credentials, and not about
// the state of the service or the way to it.
func (e *ServiceError) Definite() bool {
	return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden
}

// fetch makes one token call. A refresh token goes by POST (OAuth 2 form), a
// password by GET with Basic, as Docker does it.
func (k *Keeper) fetch(ctx context.Context, s Site, h Hint, scope string, c Credentials) (held, error) {
	q := url.Values{}
	if h.Service != "" {
		q.Set("service", h.Service)
	}
	var header = http.Header{}
	var form url.Values
	if c.RefreshToken != "" {
		form = url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.RefreshToken}, "client_id": {userAgent}}
		form["service"] = q["service"]
		if scope != "" {
			form.Set("scope", scope)
		}
		q = nil
	} else {
		for _, one := range strings.Fields(scope) {
			q.Add("scope", one)
		}
		if c.Username != "" {
			q.Set("account", c.Username)
			r := http.Request{Header: header}
			r.SetBasicAuth(c.Username, c.Password)
		}
	}
	asked := k.now()
	a, err := k.call(ctx, s, h, q, form, header)
	if err != nil {
		return held{}, err
	}
	if a.Status != http.StatusOK {
		return held{}, a.err(s, k.now())
	}
	return a.token(s, asked)
}

// An Answer is what a token service said.
type Answer struct {
	Host   string // of the token service
	Status int
	Header http.Header // all of it; pass on what the client may see
	Body   []byte      // whole
}

// call sends one request to a realm and follows no redirect: whoever can
// redirect a token call gets the password.
func (k *Keeper) call(ctx context.Context, s Site, h Hint, q, form url.Values, header http.Header) (*Answer, error) {
	u, err := CheckRealm(k.settings(), s.Registry, s.Host, h.Realm)
	if err != nil {
		return nil, err
	}
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if len(q) > 0 {
		have := u.Query()
		for name, values := range q {
			have[name] = values
		}
		u.RawQuery = have.Encode()
	}
	req, err := http.NewRequestWithContext(k.network.Screen(ctx, s.Host, u.Host), method, u.String(), body)
	if err != nil {
		return nil, &RealmError{s.Host, redact(u), "it is no usable URL"}
	}
	req.Header = header
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", userAgent)
	}
	fail := func(err error) (*Answer, error) {
		return nil, &ServiceError{Registry: s.Registry.Name, Host: u.Host, Err: err}
	}
	resp, err := k.network.Transport(s.Registry.Name).RoundTrip(req)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 == 3 {
		return fail(fmt.Errorf("it redirects (%d), which is not followed with credentials", resp.StatusCode))
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fail(err)
	}
	if len(b) > maxAnswer {
		return fail(fmt.Errorf("its answer is longer than %d bytes", maxAnswer))
	}
	return &Answer{Host: u.Host, Status: resp.StatusCode, Header: resp.Header, Body: b}, nil
}

// token reads the token out of an answer to a request made at a time.
func (a *Answer) token(s Site, asked time.Time) (held, error) {
	fail := func(why string) (held, error) {
		return held{}, &ServiceError{Registry: s.Registry.Name, Host: a.Host, Err: errors.New(why)}
	}
	var t struct {
		Token       string  `json:"token"`
		AccessToken string  `json:"access_token"`
		ExpiresIn   float64 `json:"expires_in"`
		IssuedAt    string  `json:"issued_at"`
	}
	if err := json.Unmarshal(a.Body, &t); err != nil {
		return fail("its answer is not the JSON of a token")
	}
	if t.Token == "" {
		t.Token = t.AccessToken
	}
	if t.Token == "" {
		return fail("its answer holds no token")
	}
	if strings.ContainsFunc(t.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fail("its token holds bytes that no header may carry")
	}
	life := defaultLife
	if t.ExpiresIn > 0 {
		life = time.Duration(min(t.ExpiresIn, maxLife.Seconds()) * float64(time.Second))
	}
	// A service may hand out a token it made a while ago. Its age is the
	// difference of two of its own clock's readings: ours may be off.
	if date, err := http.ParseTime(a.Header.Get("Date")); err == nil {
		if issued, err := time.Parse(time.RFC3339, t.IssuedAt); err == nil && date.After(issued) {
			life -= date.Sub(issued)
		}
	}
	// Not used in its last moments: the request still has to get there.
	life -= min(life/5, 10*time.Second)
	return held{t.Token, asked.Add(life)}, nil
}

func (a *Answer) err(s Site, now time.Time) error {
	resp := &http.Response{StatusCode: a.Status, Header: a.Header, Body: io.NopCloser(bytes.NewReader(nil))}
	return statusError(s, a.Host, resp, a.Body, now)
}

func statusError(s Site, host string, resp *http.Response, body []byte, now time.Time) error {
	e := &ServiceError{Registry: s.Registry.Name, Host: host, Status: resp.StatusCode, Header: resp.Header, Body: body}
	e.Code, e.Message = ParseErrors(body)
	e.Retry, _ = RetryAfter(resp.Header, now)
	return e
}
