package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/elazarl/goproxy"
)

// plainTransports send the plain HTTP requests of proxy clients on. There are
// two, because a pooled connection that was dialled for a client on this machine
// must not be reused for one that may not reach the same places.
type plainTransports struct{ local, remote *http.Transport }

func newPlainTransports(s *Server) plainTransports {
	transport := func(client netip.Addr) *http.Transport {
		return &http.Transport{
			Proxy: nil, // ways out are Dial's business, and the environment may name us
			DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
				ctx, cancel := context.WithTimeout(ctx, s.opt.Timeouts.Dial)
				defer cancel()
				return s.dial(ctx, client, addr)
			},
			TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12}, // for absolute-form https:// requests; verified
			TLSHandshakeTimeout:   s.opt.Timeouts.Handshake,
			ExpectContinueTimeout: time.Second,
			MaxIdleConnsPerHost:   8,
			IdleConnTimeout:       30 * time.Second,
			DisableCompression:    true, // the client's Accept-Encoding counts
		}
	}
	return plainTransports{local: transport(netip.Addr{}), remote: transport(netip.IPv4Unspecified())}
}

func (p plainTransports) of(client netip.Addr) *http.Transport {
	if isLocal(client) {
		return p.local
	}
	return p.remote
}

func (p plainTransports) closeIdle() {
	p.local.CloseIdleConnections()
	p.remote.CloseIdleConnections()
}

// hopHeaders concern one connection only (RFC 9110, section 7.6.1).
var hopHeaders = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Te", "Upgrade", "Http2-Settings"}

func dropHopHeaders(h http.Header) {
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopHeaders {
		h.Del(name)
	}
}

// plainRequest readies a request for goproxy to send on as it came.
func (s *Server) plainRequest(req *http.Request, ctx *goproxy.ProxyCtx) (*http.Request, *http.Response) {
	tr := s.plain.of(peerOf(req).client)
	ctx.RoundTripper = goproxy.RoundTripperFunc(func(req *http.Request, _ *goproxy.ProxyCtx) (*http.Response, error) {
		return tr.RoundTrip(req)
	})
	trailers := strings.Contains(strings.ToLower(req.Header.Get("Te")), "trailers")
	dropHopHeaders(req.Header)
	if trailers {
		req.Header.Set("Te", "trailers")
	}
	if _, ok := req.Header["User-Agent"]; !ok {
		req.Header["User-Agent"] = nil // or net/http adds its own
	}
	return req, nil
}

// plainResponse readies a response for goproxy to hand back as it came.
func (s *Server) plainResponse(resp *http.Response, ctx *goproxy.ProxyCtx) *http.Response {
	if resp == nil {
		err := ctx.Error
		if err == nil {
			err = errors.New("no answer")
		}
		status, text := dialStatus(err)
		return goproxy.NewResponse(ctx.Req, "text/plain; charset=utf-8", status, text)
	}
	dropHopHeaders(resp.Header)
	for _, name := range []string{"Content-Type", "Date"} {
		if _, ok := resp.Header[name]; !ok {
			resp.Header[name] = nil // or net/http adds its own
		}
	}
	if resp.ContentLength < 0 {
		resp.Body = streamBody{resp.Body}
	}
	return resp
}

// streamBody is a body of unknown length: it goes to the client as it comes, and
// if it breaks off, the client's connection does too. Ending it properly would
// make a cut answer look complete.
type streamBody struct{ io.ReadCloser }

func (b streamBody) WriteTo(w io.Writer) (int64, error) {
	buf := copyPool.Get().(*[32 << 10]byte)
	defer copyPool.Put(buf)
	var total int64
	for {
		n, err := b.Read(buf[:])
		if n > 0 {
			m, werr := w.Write(buf[:n])
			total += int64(m)
			if werr != nil {
				return total, werr
			}
			if f, ok := w.(http.Flusher); ok {
				f.Flush()
			}
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}
