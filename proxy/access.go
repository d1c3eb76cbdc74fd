package proxy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pulley/proxy/registry"
)

// allowed reports whether a client's address may connect at all. This machine
// always may; others need a rule that lets them in, also when the settings no longer
// have the one with which the port was opened.
func (s *Server) allowed(client netip.Addr) bool {
	if isLocal(client) {
		return true
	}
	access := s.opt.Settings().Access
	for _, cidr := range access.Allow {
		if p, err := netip.ParsePrefix(cidr); err == nil && p.Contains(client) {
			return true
		}
		if a, err := netip.ParseAddr(cidr); err == nil && a == client {
			return true
		}
	}
	return len(access.Allow) == 0 && len(access.Users) > 0
}

// authorized checks a request against [access] users and answers it if that
// fails. A credential that is ours is taken out of the request: it goes no
// further.
func (s *Server) authorized(w http.ResponseWriter, r *http.Request, proxied bool) bool {
	users := s.opt.Settings().Access.Users
	if len(users) == 0 {
		return true
	}
	c := peerOf(r)
	if !c.guarded() {
		s.refusals.plain.Add(1)
		refuse(w, r, http.StatusForbidden, registry.Denied, errPlain.Error())
		return false
	}
	// Besides Proxy-Authorization the mirror takes Authorization, unless that
	// holds something for a registry.
	headers := []string{"Proxy-Authorization"}
	if !proxied {
		headers = append(headers, "Authorization")
	}
	shown := false
	for _, name := range headers {
		user, password, ok := basic(r.Header.Get(name))
		if !ok {
			continue
		}
		v := s.users.check(c.client, users, user, password)
		if v.ok {
			r.Header.Del(name)
			return true
		}
		if v.wait > 0 {
			s.refusals.tooMany.Add(1)
			seconds := int64((v.wait + time.Second - 1) / time.Second)
			w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
			refuse(w, r, http.StatusTooManyRequests, registry.TooManyRequests, fmt.Sprintf("too many wrong passwords; try again in %s", time.Duration(seconds)*time.Second))
			return false
		}
		shown = true
	}
	why := "a name and password from [access] users are needed"
	if shown {
		s.refusals.password.Add(1)
		why = "this name and password are not those of one of [access] users"
	}
	if proxied {
		w.Header().Set("Proxy-Authenticate", `Basic realm="pulley"`)
		refuse(w, r, http.StatusProxyAuthRequired, registry.Unauthorized, why)
	} else {
		w.Header().Set("WWW-Authenticate", `Basic realm="pulley"`)
		refuse(w, r, http.StatusUnauthorized, registry.Unauthorized, why)
	}
	return false
}

// errPlain answers who would have to send a password that others on the way could
// read. It is no challenge: that would make clients send it.
var errPlain = errors.New("names and passwords are taken over TLS only; use https:// to reach this port")

// refuse answers a request that is not let in, registry clients in their own format.
func refuse(w http.ResponseWriter, r *http.Request, status int, code registry.Code, message string) {
	if r.Method != http.MethodConnect && r.URL.Host == "" && isRegistryPath(r.URL.Path) {
		registry.Refuse(w, r, status, code, message)
		return
	}
	http.Error(w, "pulley: "+message, status)
}

// basic reads a Basic credential.
func basic(header string) (user, password string, ok bool) {
	r := http.Request{Header: http.Header{"Authorization": {header}}}
	return r.BasicAuth()
}

// Refusals count who was not let in since New.
type Refusals struct {
	Address  int64 // connections from where [access] lets nobody in
	Plain    int64 // requests that would have needed a password, without TLS
	Password int64 // wrong ones
	TooMany  int64 // guesses that were not looked at, after too many wrong ones
	Crowd    int64 // connections that were one too many
}

// Refused says who was not let in.
func (s *Server) Refused() Refusals {
	n := &s.refusals
	return Refusals{Address: n.address.Load(), Plain: n.plain.Load(), Password: n.password.Load(), TooMany: n.tooMany.Load(), Crowd: n.crowd.Load()}
}

type refusals struct{ address, plain, password, tooMany, crowd atomic.Int64 }

// CheckAccess says why the certificate of [access] cannot be used as it is now, nil
// without one. It reads the files only when they have changed.
func (s *Server) CheckAccess() error {
	a := s.opt.Settings().Access
	if a.Cert == "" {
		return nil
	}
	return s.doorCert.check(a.Cert, a.Key, s.opt.Now())
}

// isOwnHost reports whether a Host header names this machine. A page in a
// browser can make any name of its own resolve to us, but it cannot make the
// browser say one of these (DNS rebinding).
func (s *Server) isOwnHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if host == "" || isDoorName(host) { // "": HTTP/1.0
		return true
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	access := s.opt.Settings().Access
	if access.Cert != "" {
		if cert, err := s.doorCert.load(access.Cert, access.Key); err == nil && cert.Leaf.VerifyHostname(host) == nil {
			return true
		}
	}
	if listen, _, err := net.SplitHostPort(s.opt.Settings().Listen); err == nil && strings.EqualFold(host, listen) {
		return true
	}
	name, err := os.Hostname()
	return err == nil && strings.EqualFold(host, name)
}

// doorCertificate is the pair of files in [access], read again when they change.
type doorCertificate struct {
	mu        sync.Mutex
	cert, key string
	changed   [2]time.Time
	pair      *tls.Certificate

	checked [2]time.Time // when the files had been written that looked was about
	looked  error
	ends    time.Time
}

// check says why the pair cannot be used as it lies there now.
func (d *doorCertificate) check(cert, key string, now time.Time) error {
	changed, err := changes(cert, key)
	if err != nil {
		return fmt.Errorf("access: the certificate cannot be read: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.checked != changed {
		d.checked, d.looked, d.ends = changed, nil, time.Time{}
		if pair, err := tls.LoadX509KeyPair(cert, key); err != nil {
			d.looked = fmt.Errorf("access: cert %s and key %s cannot be used: %w", cert, key, err)
		} else {
			d.ends = pair.Leaf.NotAfter
		}
	}
	if d.looked == nil && now.After(d.ends) {
		return fmt.Errorf("access: cert %s ended on %s; renew it", cert, d.ends.Format(time.DateOnly))
	}
	return d.looked
}

// load returns the pair. While it cannot be read, as between the two steps of a
// renewal, it is the one there was.
func (d *doorCertificate) load(cert, key string) (*tls.Certificate, error) {
	d.mu.Lock()
	have, before := d.pair, d.changed
	if d.cert != cert || d.key != key {
		have = nil
	}
	d.mu.Unlock()
	changed, err := changes(cert, key)
	if err == nil && have != nil && before == changed {
		return have, nil
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.LoadX509KeyPair(cert, key)
	}
	switch {
	case err == nil:
	case have != nil:
		return have, nil
	default:
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cert, d.key, d.changed, d.pair = cert, key, changed, &pair
	return &pair, nil
}

// changes are when two files were written last.
func changes(names ...string) (at [2]time.Time, err error) {
	for i, name := range names {
		st, err := os.Stat(name)
		if err != nil {
			return at, err
		}
		at[i] = st.ModTime()
	}
	return at, nil
}
