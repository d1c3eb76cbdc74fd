package source

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"pulley/proxy/token"
)

// maxErrorBody caps what is kept of an answer that is an error.
const maxErrorBody = 64 << 10

// A StatusError says that a registry did not give what it was asked for, or
// could not be asked (Status 0, Err says why). Its text holds no query and no
// credentials.
type StatusError struct {
	Registry   string // name
	Host       string // that answered, or should have
	Status     int
	Code       string        // first code of the error body, "TOOMANYREQUESTS"
	Message    string        // and its text, one line
	RetryAfter time.Duration // 0 if it did not say
	Header     http.Header
	Body       []byte // capped; as it came
	Err        error

	// Elsewhere: the answer is not the registry's but that of the storage it
	// redirected to, and is no verdict on what was asked for.
	Elsewhere bool
	// Size is the size of the blob as a 416 tells it, -1 otherwise.
	Size int64
}

func (e *StatusError) Error() string {
	at := e.Registry
	if e.Host != "" && e.Host != e.Registry {
		at += ": " + e.Host
	}
	switch {
	case e.Err != nil && e.Status == 0:
		return at + ": " + once(e.Err.Error(), e.Host)
	case e.Err != nil:
		return fmt.Sprintf("%s: answers %d: %v", at, e.Status, e.Err)
	case e.Message != "":
		return fmt.Sprintf("%s: answers %d: %s", at, e.Status, e.Message)
	case e.Code != "":
		return fmt.Sprintf("%s: answers %d: %s", at, e.Status, e.Code)
	}
	return fmt.Sprintf("%s: answers %d %s", at, e.Status, http.StatusText(e.Status))
}

// once is a text that does not begin with the host again: dials name theirs.
func once(text, host string) string {
	for host != "" {
		rest, found := strings.CutPrefix(text, host+": ")
		if !found {
			break
		}
		text = rest
	}
	return text
}

func (e *StatusError) Unwrap() error { return e.Err }

// Definite reports whether the registry itself (or its token service) said no:
// the thing is not there, or not for these credentials. An answer of the storage
// behind a redirect is never definite: a signed URL may have run out.
func (e *StatusError) Definite() bool {
	return !e.Elsewhere && slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}, e.Status)
}

// Unknown reports whether nothing was learned: not reached, overloaded, over the
// limit. What was known before stays true.
func (e *StatusError) Unknown() bool {
	switch {
	case e.Definite():
		return false
	case e.Elsewhere, e.Status == 0, e.Status >= 500:
		return true
	}
	return e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout
}

// Definite reports whether err is a registry's own no.
func Definite(err error) bool {
	var e *StatusError
	return errors.As(err, &e) && e.Definite()
}

// Unknown reports whether err leaves open what the registry would have said.
// Any error that is no answer is one of these.
func Unknown(err error) bool {
	if err == nil {
		return false
	}
	var e *StatusError
	return !errors.As(err, &e) || e.Unknown()
}

// Fail turns an answer into an error: it reads a capped part of the body and
// closes it.
func (o *Origin) Fail(resp *http.Response) *StatusError {
	body := readCapped(resp)
	e := &StatusError{
		Registry: o.reg.Name, Host: o.host, Status: resp.StatusCode,
		Header: resp.Header, Body: body, Size: -1,
	}
	e.Code, e.Message = token.ParseErrors(body)
	e.RetryAfter, _ = token.RetryAfter(resp.Header, o.set.now())
	if resp.Request != nil && resp.Request.URL != nil {
		e.Host = resp.Request.URL.Host
		// A registry may redirect all it has to another one (registry.k8s.io
		// does): what that one does not have is not there. A blob is: storage
		// that lost it, or a URL that is wrong, is another matter.
		h := hopOf(resp.Request)
		e.Elsewhere = h.gone && (h.blob || resp.StatusCode != http.StatusNotFound)
	}
	if resp.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		if r, err := ParseContentRange(resp.Header.Get("Content-Range")); err == nil {
			e.Size = r.Total
		}
	}
	return e
}

// unreached wraps an error from below HTTP.
func (o *Origin) unreached(host string, elsewhere bool, err error) error {
	var have *StatusError
	if errors.As(err, &have) {
		return err
	}
	return &StatusError{Registry: o.reg.Name, Host: host, Err: err, Elsewhere: elsewhere, Size: -1}
}

// tokenError makes a StatusError of what the keeper of tokens failed with.
func (o *Origin) tokenError(err error) error {
	var s *token.ServiceError
	var realm *token.RealmError
	switch {
	case errors.As(err, &realm): // the registry has been reached
		return o.unreached(o.host, true, err)
	case errors.As(err, &s) && s.Status != 0:
		e := &StatusError{
			Registry: s.Registry, Host: s.Host, Status: s.Status, Code: s.Code, Message: s.Message,
			RetryAfter: s.Retry, Header: s.Header, Body: s.Body, Size: -1, Err: err,
		}
		// A token service that does not understand the question says nothing
		// about the image.
		e.Elsewhere = !s.Definite()
		return e
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return o.unreached(o.host, false, err)
	case s != nil:
		return &StatusError{Registry: s.Registry, Host: s.Host, Err: s.Err, Size: -1}
	}
	return o.unreached(o.host, false, err)
}
