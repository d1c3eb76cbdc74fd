package token

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/sys/atomicwriter"
)

// ownPrefix starts every token of ours, so that one is recognised without
// touching the key. No registry's tokens look like it: theirs are JWTs
// ("eyJ…"), hex or base64.
const ownPrefix = "pulley.1."

// maxOwnBytes is well above what Mint produces for the longest host and scope
// list that clients send.
const maxOwnBytes = 16 << 10

// KeyBytes is the size of the key of [NewOwn].
const KeyBytes = 32

// Own mints and verifies the pull-only tokens given to clients that came
// without credentials. They mean "this client did the token dance with us" and
// nothing more, hold for one registry host, and are never sent upstream. It is
// safe for concurrent use.
type Own struct {
	key []byte
	now func() time.Time
}

// Claims is what a token of ours says.
type Claims struct {
	Host    string    `json:"h"` // host[:port] of the registry as the client sees it
	Scope   string    `json:"s,omitempty"`
	Expires time.Time `json:"-"`
	Unix    int64     `json:"e"`
}

// NewOwn makes an Own from a key of [KeyBytes] bytes; now may be nil.
func NewOwn(key []byte, now func() time.Time) (*Own, error) {
	if len(key) != KeyBytes {
		return nil, fmt.Errorf("token key: %d bytes instead of %d", len(key), KeyBytes)
	}
	if now == nil {
		now = time.Now
	}
	return &Own{key: append([]byte(nil), key...), now: now}, nil
}

// Mint returns a token that holds for host until ttl has passed. The scope is
// kept for the record; it widens nothing.
func (o *Own) Mint(host, scope string, ttl time.Duration) string {
	body, err := json.Marshal(Claims{Host: host, Scope: scope, Unix: o.now().Add(ttl).Unix()})
	if err != nil { // strings and an integer always marshal
		panic(err)
	}
	payload := base64.RawURLEncoding.EncodeToString(body)
	return ownPrefix + payload + "." + base64.RawURLEncoding.EncodeToString(o.mac(payload))
}

// Verify reports whether tok is ours, for this host, and not expired.
func (o *Own) Verify(tok, host string) (Claims, bool) {
	rest, ours := strings.CutPrefix(tok, ownPrefix)
	if !ours || len(tok) > maxOwnBytes {
		return Claims{}, false
	}
	payload, sum, ok := strings.Cut(rest, ".")
	if !ok {
		return Claims{}, false
	}
	mac, err := base64.RawURLEncoding.DecodeString(sum)
	if err != nil || !hmac.Equal(mac, o.mac(payload)) {
		return Claims{}, false
	}
	body, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return Claims{}, false
	}
	var c Claims
	if json.Unmarshal(body, &c) != nil {
		return Claims{}, false
	}
	c.Expires = time.Unix(c.Unix, 0)
	return c, c.Host == host && o.now().Before(c.Expires)
}

func (o *Own) mac(payload string) []byte {
	m := hmac.New(sha256.New, o.key)
	m.Write([]byte(ownPrefix))
	m.Write([]byte(payload))
	return m.Sum(nil)
}

// IsOwn reports whether an Authorization header or a bare token has the shape of
// ours, whoever minted it: such a one must never go upstream.
func IsOwn(authorization string) bool {
	t := authorization
	if scheme, rest, ok := strings.Cut(t, " "); ok && strings.EqualFold(scheme, "bearer") {
		t = strings.TrimSpace(rest)
	}
	return strings.HasPrefix(t, ownPrefix)
}

// OpenKey returns the key kept in dir/token.key, creating dir (0700) and the key
// (0600) where they are missing. A key file of the wrong size is replaced:
// tokens live for minutes and clients ask for new ones by themselves.
func OpenKey(dir string) ([]byte, error) {
	file := filepath.Join(dir, "token.key")
	key, err := os.ReadFile(file) //nolint:gosec // the daemon's own state directory
	if err == nil && len(key) == KeyBytes {
		return key, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("token key: %w; make it readable or remove it", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("token key: %w", err)
	}
	key = make([]byte, KeyBytes)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	if err := atomicwriter.WriteFile(file, key, 0o600); err != nil {
		return nil, fmt.Errorf("token key: %w", err)
	}
	return key, nil
}
