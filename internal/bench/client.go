package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// client is one client on a way: a connection per host, kept open between requests, and a buffer that bodies are read into
// and forgotten. It costs a request little more than the system calls. One goroutine uses it.
type client struct {
	way    *way
	lines  map[string]*line
	buffer []byte
	accept string // sent with each request
}

type line struct {
	net.Conn
	in *bufio.Reader
}

// manifestTypes is what engines accept.
const manifestTypes = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, " +
	"application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"

func (w *way) client() *client {
	return &client{way: w, lines: map[string]*line{}, buffer: make([]byte, 256<<10), accept: manifestTypes}
}

func (c *client) close() {
	for host, l := range c.lines {
		_ = l.Close()
		delete(c.lines, host)
	}
}

// read is what one GET brought.
type read struct {
	bytes int64
	first time.Duration // from the start to the first byte of the body
	took  time.Duration // … to the last
}

// get reads path, after at most three redirects, to its end. Connections stay open for the next one.
func (c *client) get(ctx context.Context, path string) (read, error) {
	begin := time.Now()
	body, err := c.open(ctx, path)
	if err != nil {
		return read{}, err
	}
	defer body.Close()
	var r read
	for {
		n, err := body.Read(c.buffer)
		if r.bytes == 0 && n > 0 {
			r.first = time.Since(begin)
		}
		r.bytes += int64(n)
		if errors.Is(err, io.EOF) {
			r.took = time.Since(begin)
			return r, nil
		}
		if err != nil {
			return r, fmt.Errorf("%s%s: after %d bytes: %w", c.way.base, path, r.bytes, err)
		}
	}
}

// open is a GET whose body is still to be read, which must happen before the next one.
func (c *client) open(ctx context.Context, path string) (io.ReadCloser, error) {
	at, bearer := c.way.base+path, c.way.bearer
	for range 4 {
		response, err := c.ask(ctx, at, bearer)
		if err != nil {
			return nil, err
		}
		to := response.Header.Get("Location")
		switch {
		case response.StatusCode == http.StatusOK:
			return response.Body, nil
		case response.StatusCode/100 != 3 || to == "":
			text, _ := io.ReadAll(io.LimitReader(response.Body, 512))
			return nil, fmt.Errorf("%s: %s %s", at, response.Status, text)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			return nil, err
		}
		from, err := url.Parse(at)
		if err != nil {
			return nil, err
		}
		next, err := from.Parse(to)
		if err != nil {
			return nil, err
		}
		at, bearer = next.String(), ""
	}
	return nil, fmt.Errorf("%s: too many redirects", path)
}

// ask sends one request; a connection that was kept and is gone is dialled again once.
func (c *client) ask(ctx context.Context, at, bearer string) (*http.Response, error) {
	_, rest, _ := strings.Cut(at, "://")
	host, path, _ := strings.Cut(rest, "/")
	text := "GET /" + path + " HTTP/1.1\r\nHost: " + host + "\r\nAccept: " + c.accept + "\r\n"
	if bearer != "" {
		text += "Authorization: Bearer " + bearer + "\r\n"
	}
	text += "\r\n"
	for again := c.lines[host] != nil; ; again = false {
		l := c.lines[host]
		if l == nil {
			conn, err := c.way.dial(ctx, host)
			if err != nil {
				return nil, err
			}
			l = &line{conn, bufio.NewReaderSize(conn, 16<<10)}
			c.lines[host] = l
		}
		response, err := l.ask(text)
		if err == nil {
			if response.Close {
				delete(c.lines, host)
				response.Body = &lastBody{response.Body, l}
			}
			return response, nil
		}
		_ = l.Close()
		delete(c.lines, host)
		if !again {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
	}
}

func (l *line) ask(text string) (*http.Response, error) {
	if _, err := io.WriteString(l.Conn, text); err != nil {
		return nil, err
	}
	return http.ReadResponse(l.in, nil)
}

// lastBody is the body of an answer after which the connection is closed.
type lastBody struct {
	io.ReadCloser
	line *line
}

func (b *lastBody) Close() error { return errors.Join(b.ReadCloser.Close(), b.line.Close()) }

var (
	realmText   = regexp.MustCompile(`realm="([^"]+)"`)
	serviceText = regexp.MustCompile(`service="([^"]+)"`)
)

// token asks for an anonymous one as engines do: ping, challenge, realm.
func token(ctx context.Context, w *way) (string, error) {
	c := (&way{base: w.base, dial: w.dial}).client()
	defer c.close()
	ping, err := c.ask(ctx, w.base+"/v2/", "")
	if err != nil {
		return "", err
	}
	challenge := ping.Header.Get("WWW-Authenticate")
	realm, service := realmText.FindStringSubmatch(challenge), serviceText.FindStringSubmatch(challenge)
	if realm == nil || service == nil {
		return "", fmt.Errorf("ping: status %d, challenge %q", ping.StatusCode, challenge)
	}
	c.close()
	query := url.Values{"service": {service[1]}, "scope": {"repository:" + repository + ":pull"}}
	response, err := c.ask(ctx, realm[1]+"?"+query.Encode(), "")
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var answer struct{ Token string }
	err = json.NewDecoder(io.LimitReader(response.Body, 64<<10)).Decode(&answer)
	return answer.Token, err
}
