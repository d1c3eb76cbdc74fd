package token

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"pulley/internal/config"
	"pulley/internal/lapse"
)

// A Network is what token calls go out through; *egress.Egress is one.
type Network interface {
	// Transport returns the transport for a registry's requests.
	Transport(registry string) http.RoundTripper
	// Screen returns a context for a request to target, a host that home named.
	Screen(ctx context.Context, home, target string) context.Context
}

// Options of [NewKeeper].
type Options struct {
	Settings func() *config.Config
	Network  Network
	Log      *slog.Logger // nil discards
	Now      func() time.Time
}

// A Site is the one host of a registry that a request goes to.
type Site struct {
	Registry *config.Registry
	Host     string // host[:port]
}

// SiteOf is where a registry is asked that a client means by host ("host[:port]"):
// there, or, if it is retired, at the host that answers in its stead.
func SiteOf(reg *config.Registry, host string) Site {
	if reg.AnsweredBy != "" && reg.Spells(host) {
		host = reg.AnsweredBy
	}
	return Site{reg, host}
}

// StandsIn reports whether the site answers in another host's stead: credentials
// for that one are not shown to it.
func (s Site) StandsIn() bool {
	return s.Registry.AnsweredBy != "" && s.Host == s.Registry.AnsweredBy
}

// URL is the site's "https://host[:port]".
func (s Site) URL() string {
	if s.Registry.Insecure {
		return "http://" + s.Host
	}
	return "https://" + s.Host
}

// key is the same for all spellings of a host, default port included. What speaks
// TLS at a host and what does not are two.
func (s Site) key() string {
	url := strings.ToLower(s.URL())
	if s.Registry.Insecure {
		url = strings.TrimSuffix(url, ":80")
	} else {
		url = strings.TrimSuffix(url, ":443")
	}
	return s.Registry.Name + " " + url
}

// Credentials are somebody's. The zero value is nobody: anonymous.
type Credentials struct {
	Username, Password string
	RefreshToken       string // an identity token; goes before a password
}

// Anonymous reports whether there is nothing in them.
func (c Credentials) Anonymous() bool { return c == Credentials{} }

// FromBasic reads the value of a Basic Authorization header (RFC 7617).
func FromBasic(authorization string) (Credentials, bool) {
	r := http.Request{Header: http.Header{"Authorization": {authorization}}}
	user, pass, ok := r.BasicAuth()
	return Credentials{Username: user, Password: pass}, ok
}

// Keeper knows how each registry wants to be spoken to, and keeps its tokens.
// It is safe for concurrent use and starts nothing by itself.
type Keeper struct {
	settings func() *config.Config
	network  Network
	log      *slog.Logger
	now      func() time.Time
	salt     []byte // so that no stored key is a plain hash of a password

	flight singleflight.Group
	mu     sync.Mutex
	hints  map[string]Hint          // by registry and host
	tokens *lapse.Map[string, held] // by registry, host, realm, service, scope and identity
	owners *lapse.Map[[sha256.Size]byte, owner]
}

// held is a token and when it must not be used any more.
type held struct {
	token string
	until time.Time
}

// maxTokens bounds the tokens kept: scopes come from clients.
const maxTokens = 4096

// NewKeeper makes a Keeper that knows nothing yet.
func NewKeeper(o Options) *Keeper {
	k := &Keeper{
		settings: o.Settings, network: o.Network, log: o.Log, now: o.Now,
		salt: make([]byte, 32), hints: map[string]Hint{},
	}
	_, _ = rand.Read(k.salt) // never fails (crypto/rand)
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	if k.now == nil {
		k.now = time.Now
	}
	k.tokens = lapse.New[string](maxTokens, func(t held) bool { return !k.now().Before(t.until) })
	k.owners = lapse.New[[sha256.Size]byte](maxOwners, func(o owner) bool { return !k.now().Before(o.until) })
	return k
}

// Authorize returns the Authorization header for a request with a scope
// ("repository:library/debian:pull", several separated by spaces) and somebody's
// credentials, "" if the request needs none as far as is known. It fetches a
// token where the registry is known to use them and none is held; fresh says
// that it did, so that a 401 to it is final.
//
// Errors are *ServiceError, *RealmError, or the context's.
func (k *Keeper) Authorize(ctx context.Context, s Site, scope string, c Credentials) (header string, fresh bool, err error) {
	h, known := k.Hint(s)
	if !known || h.Scheme != Bearer {
		// A registry that was not asked yet, or has no tokens: a password is
		// meant for its own host, and saves a round trip there.
		if c.Username == "" {
			return "", false, nil
		}
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.Username+":"+c.Password)), false, nil
	}
	scope = normal(scope)
	key := k.key(s, h, scope, c)
	if t, ok := k.held(key); ok {
		return "Bearer " + t, false, nil
	}
	// The call is everybody's who waits for it: one client that leaves does not
	// end it for the others.
	ch := k.flight.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
		defer cancel()
		t, err := k.fetch(ctx, s, h, scope, c)
		if err != nil {
			return nil, err
		}
		k.keep(key, t)
		return t.token, nil
	})
	select {
	case r := <-ch:
		if r.Err != nil {
			return "", false, r.Err
		}
		return "Bearer " + r.Val.(string), true, nil
	case <-ctx.Done():
		return "", false, context.Cause(ctx)
	}
}

// Forget drops the token held for these, and reports whether there was one: a
// registry that answers 401 to it deserves one more try with a fresh one.
func (k *Keeper) Forget(s Site, scope string, c Credentials) bool {
	h, known := k.Hint(s)
	if !known {
		return false
	}
	key := k.key(s, h, normal(scope), c)
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.tokens.Delete(key)
}

func (k *Keeper) held(key string) (string, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t, ok := k.tokens.Get(key)
	return t.token, ok
}

func (k *Keeper) keep(key string, t held) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tokens.Put(key, t)
}

// key names a token. Credentials are in it as a salted hash.
func (k *Keeper) key(s Site, h Hint, scope string, c Credentials) string {
	m := sha256.New()
	m.Write(k.salt)
	for _, part := range []string{s.key(), h.Realm, h.Service, scope, c.Username, c.Password, c.RefreshToken} {
		n := sha256.Sum256([]byte(part)) // fixed length: no part can run into the next
		m.Write(n[:])
	}
	return string(m.Sum(nil))
}

// normal orders scopes and drops those named twice.
func normal(scope string) string {
	list := strings.Fields(scope)
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " ")
}
