package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// maxHops is how many redirects are followed. Registries use one; a registry
// behind a front door uses two.
const maxHops = 5

// carried are the headers that go along when a redirect leaves the registry's
// own host. All others stay: storage that is handed an Authorization beside its
// signature answers 400, and a foreign host would have been handed a password.
var carried = []string{"Accept", "Accept-Encoding", "If-Range", "Range", "User-Agent"}

// hop is where a chain of redirects stands.
type hop struct {
	gone bool // it has left the registry's own host
	blob bool // it began at a blob
}

type hopKey struct{}

func hopOf(r *http.Request) hop {
	h, _ := r.Context().Value(hopKey{}).(hop)
	return h
}

// left reports whether a request has left the registry's own host.
func left(r *http.Request) bool { return hopOf(r).gone }

// send makes one request and follows the redirects of a GET or HEAD. Rules:
//
//   - 301, 302, 303, 307 and 308 with a Location, absolute or relative, at most
//     maxHops of them; the method stays what it was;
//   - to https always, to http only for a registry marked insecure;
//   - once the scheme, host or port changes, the request goes on with the
//     headers of `carried` alone, also if it comes back;
//   - another host may not lead to where only this machine gets (see
//     egress.Screen);
//   - nothing of a redirect is kept here: a signed URL runs out. (A [BlobRef]
//     asks its target again for the next ranges of the same blob.)
func (o *Origin) send(ctx context.Context, r Req, auth string) (*http.Response, error) {
	return o.follow(ctx, r.Method, r.Auth, func(ctx context.Context) (*http.Request, error) { return o.request(ctx, r, auth) })
}

// sendTo makes a GET for what an earlier request was redirected to, by the same
// rules as if it were redirected there again.
func (o *Origin) sendTo(ctx context.Context, to *url.URL, header http.Header) (*http.Response, error) {
	return o.follow(ctx, http.MethodGet, Anonymous(), func(ctx context.Context) (*http.Request, error) {
		ctx = context.WithValue(o.set.network.Screen(ctx, o.host, to.Host), hopKey{}, hop{gone: true, blob: true})
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
		if err != nil {
			return nil, errors.New("redirects to something that is no URL")
		}
		req.Header = header
		return req, nil
	})
}

// follow sends what first makes, and what that is redirected to.
func (o *Origin) follow(ctx context.Context, method string, id Identity, first func(context.Context) (*http.Request, error)) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	follow := method == http.MethodGet || method == http.MethodHead
	var timer *time.Timer
	if follow {
		timer = time.AfterFunc(headerTimeout, func() { cancel(ErrHeaderTimeout) })
	}
	fail := func(host string, elsewhere bool, err error) (*http.Response, error) {
		if timer != nil {
			timer.Stop()
		}
		if cause := context.Cause(ctx); errors.Is(cause, ErrHeaderTimeout) {
			err = cause
		}
		cancel(nil)
		return nil, o.unreached(host, elsewhere, err)
	}
	req, err := first(ctx)
	if err != nil {
		return fail(o.host, false, err)
	}
	asked := o.set.now()
	for hops := 0; ; hops++ {
		resp, err := o.set.network.Transport(o.reg.Name).RoundTrip(req)
		if err != nil {
			return fail(req.URL.Host, left(req), err)
		}
		if !left(req) {
			o.observe(resp.Header, id)
			o.wishes(resp)
		}
		if !follow || !redirects(resp) {
			if timer != nil {
				timer.Stop()
			}
			resp.Body = &body{ReadCloser: resp.Body, cancel: cancel, took: o.set.now().Sub(asked)}
			return resp, nil
		}
		drain(resp)
		if hops == maxHops {
			return fail(req.URL.Host, left(req), fmt.Errorf("redirects more than %d times", maxHops))
		}
		next, err := o.next(ctx, req, resp.Header.Get("Location"))
		if err != nil {
			return fail(req.URL.Host, left(req), err)
		}
		if req = next; !left(req) {
			o.repeats()
		}
		if timer != nil {
			timer.Reset(headerTimeout)
		}
	}
}

func redirects(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return resp.Header.Get("Location") != ""
	}
	return false
}

// next makes the request that a redirect asks for.
func (o *Origin) next(ctx context.Context, from *http.Request, location string) (*http.Request, error) {
	to, err := from.URL.Parse(location)
	if err != nil || to.Host == "" || to.Opaque != "" { // the location may be signed: it is not quoted
		return nil, errors.New("redirects to something that is no URL")
	}
	switch {
	case to.User != nil:
		return nil, fmt.Errorf("redirects to a URL with a user in it, on %s", to.Host)
	case to.Scheme == "http" && !o.reg.Insecure:
		return nil, fmt.Errorf("redirects to plain http on %s, which is only followed for a registry with insecure = true", to.Host)
	case to.Scheme != "https" && to.Scheme != "http":
		return nil, fmt.Errorf("redirects to a URL of scheme %q", to.Scheme)
	}
	to.Fragment, to.RawFragment = "", ""
	gone := left(from) || !sameOrigin(from.URL, to)
	ctx = context.WithValue(o.set.network.Screen(ctx, o.host, to.Host), hopKey{}, hop{gone, hopOf(from).blob || strings.Contains(from.URL.Path, "/blobs/")})
	req, err := http.NewRequestWithContext(ctx, from.Method, to.String(), nil)
	if err != nil {
		return nil, errors.New("redirects to something that is no URL")
	}
	if !gone {
		req.Header = from.Header
		return req, nil
	}
	for _, name := range carried {
		if v := from.Header.Values(name); len(v) > 0 {
			req.Header[name] = v
		}
	}
	return req, nil
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}

func portOf(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case u.Scheme == "http":
		return "80"
	}
	return "443"
}

// body ends the request's context when it is closed.
type body struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
	once   sync.Once
	took   time.Duration // from the request to the header, redirects included
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(func() { b.cancel(nil) })
	return err
}
