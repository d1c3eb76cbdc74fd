package token

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// maxForm caps the body of a client's own token request.
const maxForm = 64 << 10

// ErrNoRealm is what Forward fails with for a registry that has no token
// service: it uses passwords, or nothing.
var ErrNoRealm = errors.New("the registry has no token service")

// ErrForm is what Forward fails with for a request that is no token request.
var ErrForm = errors.New("malformed token request")

// A ForwardRequest is a client's own request for a token, as it came in.
type ForwardRequest struct {
	Method string // GET or POST
	Query  url.Values
	Header http.Header // Authorization (Basic alone), User-Agent, Accept are used
	Body   []byte      // of a POST: the form
}

// Forward hands a client's token request to the registry's own token service,
// and its answer back as it is: status, headers, body. The service named is
// always the registry's own, whatever the client was told. Nothing of it is
// kept but whose token it is: the token is the client's.
//
// Errors: ErrNoRealm, ErrForm, *RealmError, *ServiceError with Status 0 (not
// reached, or an answer that cannot be passed on), or the context's.
func (k *Keeper) Forward(ctx context.Context, s Site, r ForwardRequest) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	h, err := k.Discover(ctx, s)
	if err != nil {
		return nil, err
	}
	if h.Scheme != Bearer {
		return nil, ErrNoRealm
	}
	header := http.Header{}
	for _, name := range []string{"User-Agent", "Accept"} {
		if v := r.Header.Get(name); v != "" {
			header.Set(name, v)
		}
	}
	if a := r.Header.Get("Authorization"); a != "" {
		scheme, _, _ := strings.Cut(a, " ")
		if !strings.EqualFold(scheme, Basic) {
			return nil, ErrForm
		}
		header.Set("Authorization", a)
	}
	var a *Answer
	var form url.Values
	switch r.Method {
	case http.MethodGet:
		a, err = k.call(ctx, s, h, withService(r.Query, h.Service), nil, header)
	case http.MethodPost:
		if len(r.Body) > maxForm {
			return nil, ErrForm
		}
		if form, err = url.ParseQuery(string(r.Body)); err != nil {
			return nil, ErrForm
		}
		a, err = k.call(ctx, s, h, nil, withService(form, h.Service), header)
	default:
		return nil, ErrForm
	}
	if err != nil {
		return nil, err
	}
	k.owned(s, a, header.Get("Authorization"), form)
	return a, nil
}

func withService(v url.Values, service string) url.Values {
	out := url.Values{}
	for name, values := range v {
		out[name] = values
	}
	out.Del("service")
	if service != "" {
		out.Set("service", service)
	}
	return out
}
