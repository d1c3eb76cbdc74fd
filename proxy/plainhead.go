package proxy

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// plainRequest is all that a plain request takes, in one piece.
type plainRequest struct {
	http.Request
	url  url.URL
	room [8]string // for the values of headers
}

// plainBase is what all plain requests of a connection have in common.
func plainBase(ctx context.Context, from net.Addr) *http.Request {
	return (&http.Request{
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody, RemoteAddr: from.String(),
	}).WithContext(ctx)
}

// plainHead reads a request head that is as plain as engines write them: GET or
// HEAD of a path below /v2/ that needs no decoding, HTTP/1.1, and none but the
// headers below, each as clients spell it, once. Of such a one there is but one
// reading, which is net/http's too (RFC 9112, section 3 and 5; a test holds that);
// whatever else came, and more than one request, is not ok and left to net/http.
// last: the client wants the connection closed after it. The request has what base
// has, besides what was read.
func plainHead(base *http.Request, head []byte) (req *http.Request, last, ok bool) {
	end := bytes.Index(head, []byte("\r\n\r\n"))
	if end < 0 || end+4 != len(head) {
		return nil, false, false
	}
	text := string(head[:end+2]) // all values are parts of it
	line, rest, _ := strings.Cut(text, "\r\n")
	method, line, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(line, " ")
	path, query, asks := strings.Cut(target, "?")
	if method != http.MethodGet && method != http.MethodHead || version != "HTTP/1.1" ||
		!strings.HasPrefix(path, "/v2/") || !spelt(path, "/._-:@") || asks && !isNS(query) {
		return nil, false, false
	}
	r := &plainRequest{Request: *base, url: url.URL{Path: path, RawQuery: query}}
	r.Method, r.URL, r.RequestURI, r.Header = method, &r.url, target, make(http.Header, 4)
	last, ok = r.headers(rest)
	return &r.Request, last, ok
}

// headers reads the lines of a header.
func (req *plainRequest) headers(lines string) (last, ok bool) {
	seen := 0
	for lines != "" {
		var line string
		line, lines, _ = strings.Cut(lines, "\r\n")
		name, value, found := strings.Cut(line, ": ")
		if !found || !visible(value) {
			return false, false
		}
		switch name {
		case "Host":
			if req.Host != "" || !spelt(value, ".-:[]") {
				return false, false
			}
			req.Host = value
			continue
		case "Connection":
			if value != "close" && value != "keep-alive" || last {
				return false, false
			}
			last = value == "close"
		case "Accept": // in several lines, too
			if have := req.Header[name]; have != nil {
				req.Header[name] = append(have, value)
				continue
			}
		case "Accept-Encoding", "Authorization", "User-Agent":
		default:
			return false, false
		}
		if req.Header[name] != nil || seen == len(req.room) {
			return false, false
		}
		req.room[seen] = value
		req.Header[name] = req.room[seen : seen+1 : seen+1]
		seen++
	}
	return last, req.Host != ""
}

// spelt reports whether s is not empty and of letters, digits and others.
func spelt(s, others string) bool {
	for i := range len(s) {
		b := s[i]
		if (b < 'a' || b > 'z') && (b < '0' || b > '9') && (b < 'A' || b > 'Z') && strings.IndexByte(others, b) < 0 {
			return false
		}
	}
	return s != ""
}

// isNS reports whether a query names a registry, as containerd's do, and no more.
func isNS(query string) bool {
	value, ok := strings.CutPrefix(query, "ns=")
	return ok && spelt(value, ".-:")
}

// visible reports whether a header's value is of printable ASCII, with no space
// around it.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && s[0] != ' ' && s[len(s)-1] != ' '
}
