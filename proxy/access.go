package proxy

import (
	"crypto/sha256"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// allowed reports whether a client's address may connect at all. This machine
// always may.
func (s *Server) allowed(client netip.Addr) bool {
	if isLocal(client) {
		return true
	}
	list := s.opt.Settings().Access.Allow
	for _, cidr := range list {
		if p, err := netip.ParsePrefix(cidr); err == nil && p.Contains(client) {
			return true
		}
		if a, err := netip.ParseAddr(cidr); err == nil && a == client {
			return true
		}
	}
	return len(list) == 0
}

// authorized checks a request against [access] users and answers it if that
// fails. A credential that is ours is taken out of the request: it goes no
// further.
func (s *Server) authorized(w http.ResponseWriter, r *http.Request, proxied bool) bool {
	users := s.opt.Settings().Access.Users
	if len(users) == 0 {
		return true
	}
	// Besides Proxy-Authorization the mirror takes Authorization, unless that
	// holds something for a registry.
	headers := []string{"Proxy-Authorization"}
	if !proxied {
		headers = append(headers, "Authorization")
	}
	for _, name := range headers {
		user, password, ok := basic(r.Header.Get(name))
		if ok && s.users.valid(users, user, password) {
			r.Header.Del(name)
			return true
		}
	}
	if proxied {
		w.Header().Set("Proxy-Authenticate", `Basic realm="pulley"`)
		http.Error(w, "pulley: a name and password from [access] users are needed", http.StatusProxyAuthRequired)
	} else {
		w.Header().Set("WWW-Authenticate", `Basic realm="pulley"`)
		http.Error(w, "pulley: a name and password from [access] users are needed", http.StatusUnauthorized)
	}
	return false
}

// basic reads a Basic credential.
func basic(header string) (user, password string, ok bool) {
	r := http.Request{Header: http.Header{"Authorization": {header}}}
	return r.BasicAuth()
}

// passwords remembers which passwords were right: bcrypt takes tens of
// milliseconds on purpose, and engines open a connection per request.
type passwords struct {
	mu    sync.Mutex
	right map[[sha256.Size]byte]struct{}
	slow  sync.Mutex // one guess at a time
}

// maxRemembered bounds passwords.right.
const maxRemembered = 256

func (p *passwords) valid(users map[string]string, user, password string) bool {
	hash, ok := users[user]
	if !ok {
		return false
	}
	key := sha256.Sum256([]byte(hash + "\x00" + user + "\x00" + password))
	p.mu.Lock()
	_, known := p.right[key]
	p.mu.Unlock()
	if known {
		return true
	}
	p.slow.Lock()
	err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password))
	p.slow.Unlock()
	if err != nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.right == nil || len(p.right) >= maxRemembered {
		p.right = make(map[[sha256.Size]byte]struct{})
	}
	p.right[key] = struct{}{}
	return true
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
}

func (d *doorCertificate) load(cert, key string) (*tls.Certificate, error) {
	var changed [2]time.Time
	for i, name := range []string{cert, key} {
		st, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		changed[i] = st.ModTime()
	}
	d.mu.Lock()
	have, fresh := d.pair, d.pair != nil && d.cert == cert && d.key == key && d.changed == changed
	d.mu.Unlock()
	if fresh {
		return have, nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cert, d.key, d.changed, d.pair = cert, key, changed, &pair
	return &pair, nil
}
