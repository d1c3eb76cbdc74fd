package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
)

// isUpgrade reports whether a request asks for another protocol.
func isUpgrade(h http.Header) bool {
	if h.Get("Upgrade") == "" {
		return false
	}
	for _, list := range h["Connection"] {
		for token := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(strings.TrimSpace(token), "upgrade") {
				return true
			}
		}
	}
	return false
}

// upgrade passes on an absolute-form request that asks for another protocol:
// WebSocket, or what container engines use for attach. It has a connection of
// its own, which becomes a tunnel if the server agrees.
func (r *run) upgrade(w http.ResponseWriter, req *http.Request, c *conn, hostport string) {
	begin := r.s.opt.Now()
	up, err := r.dial(req.Context(), c.client, hostport)
	if err != nil {
		status, text := dialStatus(err)
		http.Error(w, strings.TrimSpace(text), status)
		return
	}
	// Until the protocol has changed, the end of the request ends this connection.
	stop := context.AfterFunc(req.Context(), func() { _ = up.Close() })
	defer stop()

	resp, br, err := exchange(req, up)
	if err != nil {
		_ = up.Close()
		http.Error(w, "pulley: "+hostport+": "+err.Error(), http.StatusBadGateway)
		return
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		defer func() { _ = up.Close() }()
		defer func() { _ = resp.Body.Close() }()
		dropHopHeaders(resp.Header)
		for name, values := range resp.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(resp.StatusCode)
		if _, err := io.Copy(w, resp.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
		return
	}
	nc, _, err := hijack(w)
	if err != nil {
		_ = up.Close()
		return
	}
	stop()
	head, err := upgradeHead(resp, br)
	if err == nil {
		_, err = nc.Write(head)
	}
	if err != nil {
		_ = nc.Close()
		_ = up.Close()
		return
	}
	r.crew.start(func() {
		defer r.crew.tunnel(nc)()
		r.join(nc.(*conn), up, hostport, ReasonUpgrade, begin)
	})
}

// maxUpgradeHead bounds what a server says before its final answer's body:
// http.ReadResponse bounds nothing, and the server is whichever a client named.
const maxUpgradeHead = 1 << 20

// exchange sends req in origin form and reads the head of the answer.
func exchange(req *http.Request, up net.Conn) (*http.Response, *bufio.Reader, error) {
	out := req.Clone(req.Context())
	out.Header.Del("Proxy-Connection")
	out.Header.Del("Proxy-Authorization")
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = nil
	}
	if err := out.Write(up); err != nil {
		return nil, nil, err
	}
	capped := &io.LimitedReader{R: up, N: maxUpgradeHead}
	br := bufio.NewReader(capped)
	for {
		resp, err := http.ReadResponse(br, out)
		if err != nil {
			return nil, nil, err
		}
		// Interim answers before the final one mean nothing here.
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			capped.N = math.MaxInt64
			return resp, br, nil
		}
	}
}

// upgradeHead returns the head of a 101 answer and what the server sent right
// behind it.
func upgradeHead(resp *http.Response, br *bufio.Reader) ([]byte, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %s\r\n", resp.Status)
	if err := resp.Header.Write(&b); err != nil {
		return nil, err
	}
	b.WriteString("\r\n")
	early, err := br.Peek(br.Buffered())
	return append([]byte(b.String()), early...), err
}
