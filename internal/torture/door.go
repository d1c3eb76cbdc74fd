//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// door is a way in, as an engine uses it.
type door struct {
	name   string
	scheme string // of the URLs
	proxy  string // scheme of the proxy; "": the mirror door
	ns     bool   // the registry is named by ?ns=
	prefix bool   // … by the first component of the path
	hub    bool   // Docker Hub alone can be had
}

var doors = []door{
	{name: "mirror", scheme: "http", hub: true},
	{name: "ns", scheme: "http", ns: true},
	{name: "prefix", scheme: "http", prefix: true},
	{name: "tls", scheme: "https", prefix: true},
	{name: "connect", scheme: "https", proxy: "http"},
	{name: "socks5", scheme: "https", proxy: "socks5"},
	{name: "absolute", scheme: "http", proxy: "http"},
}

// own is the door of local/.
var own = door{name: "local", scheme: "http", prefix: true}

// intercepts says that the client believes it talks to the registry itself.
func (d door) intercepts() bool { return d.proxy != "" }

// leads says that Pulley itself answers for the registry here; plain HTTP to one with TLS is handed on as it is.
func (d door) leads(r *repo) bool {
	return (!d.hub || r.registry == "docker.io") && (!d.intercepts() || (d.scheme == "http") == (r.registry == plainHost))
}

// opens says that a user can have what is in a repository by this door, if anybody can.
func (d door) opens(r *repo, user string) bool {
	switch {
	case !d.leads(r):
		return false
	case r.private():
		return r.may(user) && (d.intercepts() || d.ns && user != "")
	}
	return true
}

// doorFor is a random one by which the user can have it.
func doorFor(r *dice, to *repo, user string) door {
	if to.site == nil {
		return own
	}
	for {
		if d := pick(r, doors); d.opens(to, user) {
			return d
		}
	}
}

// engine is one user at one door with connections of its own. It is one goroutine's; hangUp ends it.
type engine struct {
	w      *world
	door   door
	user   string
	http   *http.Client
	tokens map[string]string
}

func (w *world) engine(d door, user string) *engine {
	roots := x509.NewCertPool()
	if pem, err := os.ReadFile(filepath.Join(w.home, "ca", "ca.crt")); err == nil {
		roots.AppendCertsFromPEM(pem)
	}
	t := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableCompression: true, MaxIdleConnsPerHost: 8,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			var dialer net.Dialer
			c, err := dialer.DialContext(ctx, network, addr)
			if err == nil && w.meddle != nil && addr == w.address {
				c = w.meddle(c)
			}
			return c, err
		},
	}
	if d.proxy != "" {
		t.Proxy = http.ProxyURL(&url.URL{Scheme: d.proxy, Host: w.address})
	}
	c := &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &engine{w: w, door: d, user: user, http: c, tokens: map[string]string{}}
}

func (c *engine) hangUp() { c.http.CloseIdleConnections() }

func (r *repo) host() string {
	if r.registry == "docker.io" {
		return "registry-1.docker.io"
	}
	return r.registry
}

// url is that of something below a repository.
func (c *engine) url(r *repo, path string) string {
	base := c.door.scheme + "://" + c.w.address
	if c.door.intercepts() {
		base = c.door.scheme + "://" + r.host()
	}
	at := base + "/v2/"
	if c.door.prefix {
		at += r.registry + "/"
	}
	at += r.name + "/" + path
	if c.door.ns {
		at += "?ns=" + r.registry
	}
	return at
}

const accept = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, " +
	"application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"

// do is one request, after the login that it takes. The caller closes the body.
func (c *engine) do(ctx context.Context, r *repo, method, path string, header http.Header, body io.Reader) (*http.Response, error) {
	at := path
	if !strings.Contains(path, "://") {
		at = c.url(r, path)
	}
	q, err := http.NewRequestWithContext(ctx, method, at, body)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		q.Header[k] = v
	}
	q.Header.Set("User-Agent", "torture")
	if token := c.tokens[r.String()]; token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	return c.http.Do(q)
}

var challenge = regexp.MustCompile(`Bearer realm="([^"]+)",service="([^"]+)"`)

var errNoToken = errors.New("no token")

// login gets a token, where one is wanted: at the registry as Pulley shows it, or of the registry itself for ?ns=.
func (c *engine) login(ctx context.Context, r *repo, actions string) error {
	delete(c.tokens, r.String())
	switch {
	case c.door.intercepts():
		res, err := c.do(ctx, r, http.MethodGet, c.door.scheme+"://"+r.host()+"/v2/", nil, nil)
		if err != nil {
			return err
		}
		_ = res.Body.Close()
		m := challenge.FindStringSubmatch(res.Header.Get("Www-Authenticate"))
		if res.StatusCode != http.StatusUnauthorized || m == nil {
			return fmt.Errorf("%w: /v2/ answers %s %q", errNoToken, res.Status, res.Header.Get("Www-Authenticate"))
		}
		return c.token(ctx, c.http, r, m[1], m[2], actions)
	case c.door.ns && c.user != "":
		direct := c.w.hub.Client()
		defer direct.CloseIdleConnections()
		realm, service := "https://auth.docker.io/token", "registry.docker.io"
		if r.registry != "docker.io" {
			realm, service = "https://"+r.registry+"/token", r.registry
		}
		return c.token(ctx, direct, r, realm, service, actions)
	}
	return nil
}

// token is one of a token service.
func (c *engine) token(ctx context.Context, by *http.Client, r *repo, realm, service, actions string) error {
	at := realm + "?service=" + url.QueryEscape(service) + "&scope=" + url.QueryEscape("repository:"+r.name+":"+actions)
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	if c.user != "" {
		q.SetBasicAuth(c.user, users[c.user])
	}
	res, err := by.Do(q)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var said struct{ Token string }
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&said); err != nil || said.Token == "" {
		return fmt.Errorf("%w: %s answers %s", errNoToken, realm, res.Status)
	}
	c.tokens[r.String()] = said.Token
	if c.user != "" {
		c.w.secrets.add(said.Token)
	}
	return nil
}

func basicOf(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// patience is longer than Pulley waits for anybody.
const patience = 90 * time.Second
