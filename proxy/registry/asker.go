package registry

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"

	"pulley/internal/lapse"
	"pulley/proxy/token"
)

// Asker is who a request speaks for. The zero value is somebody without
// credentials.
type Asker struct {
	// Authorization is the header as the client sent it, for the origin's
	// eyes only; empty for a client without credentials and for one with a
	// token of ours.
	Authorization string
	// Own says that the client brought a valid token of ours.
	Own bool
	// Key is a keyed hash of what the client sent; it names the asker in
	// memory and in what is remembered, never the secret itself.
	Key string
	// Subject is a keyed hash of the credentials behind it all: those that
	// were exchanged for this token when we saw that happen, else Key. An
	// Own asker has one when it proved those credentials while the origin
	// could not be reached.
	Subject string

	refresh string // an identity token, if Authorization is that
}

// anonymous says that the origin is asked on nobody's behalf.
func (a Asker) anonymous() bool { return a.Authorization == "" }

// remembered says that the asker showed credentials while the origin could not be
// reached, and has a token of ours for them: the origin is asked on nobody's
// behalf, and what it says then is no word about them.
func (a Asker) remembered() bool { return a.Own && a.Subject != "" }

// hasher makes keyed hashes of credentials. The kind keeps a password from
// being mistaken for a token of the same letters, the registry keeps one
// registry's acceptance from counting at another.
type hasher []byte

func (h hasher) sum(registry, kind, secret string) string {
	mac := hmac.New(sha256.New, h)
	for _, s := range [...]string{registry, kind, secret} {
		var n [8]byte
		for i := range n {
			n[i] = byte(uint64(len(s)) >> (8 * i))
		}
		mac.Write(n[:])
		mac.Write([]byte(s))
	}
	return hex.EncodeToString(mac.Sum(nil))
}

// derive makes a key for hashes from one that is used elsewhere too.
func (hasher) derive(key []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("pulley access"))
	return mac.Sum(nil)
}

// The kinds of secrets that are told apart.
const (
	kindPassword = "password"
	kindRefresh  = "refresh"
	kindHeader   = "header"
)

// header hashes an Authorization header. Basic is taken apart, so that it is
// the same secret at the token service and at the registry.
func (h hasher) header(registry, authorization string) string {
	if c, ok := token.FromBasic(authorization); ok {
		return h.password(registry, c.Username, c.Password)
	}
	return h.sum(registry, kindHeader, authorization)
}

func (h hasher) password(registry, user, password string) string {
	return h.sum(registry, kindPassword, user+"\x00"+password)
}

// bearer returns the token of a Bearer header, "" for any other.
func bearer(authorization string) string {
	scheme, rest, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(rest)
}

// authorization returns the one Authorization header. A request with several
// is nobody's: which of them an origin would read is not known.
func authorization(r *http.Request) (string, bool) {
	values := r.Header.Values("Authorization")
	switch len(values) {
	case 0:
		return "", true
	case 1:
		return values[0], true
	}
	return "", false
}

// links remembers which credentials a token was given for: a token changes
// with every pull, the credentials behind it do not. It lives in memory only;
// after a restart a client simply fetches its next token.
type links struct {
	mu  sync.Mutex
	now func() time.Time
	by  *lapse.Map[string, link]
}

type link struct {
	subject string
	expires time.Time
}

// maxLinks is far above the tokens one machine's clients hold at once.
const maxLinks = 8192

func newLinks(now func() time.Time) *links {
	return &links{now: now, by: lapse.New[string](maxLinks, func(v link) bool { return now().After(v.expires) })}
}

func (l *links) put(key, subject string, ttl time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.by.Put(key, link{subject, l.now().Add(ttl)})
}

// subject returns whom the token with this key was given to, "" if not known.
func (l *links) subject(key string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	v, _ := l.by.Get(key)
	return v.subject
}
