package token

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
)

// How a registry wants to be spoken to.
const (
	Bearer = "bearer" // tokens from a realm
	Basic  = "basic"  // a password with each request
	None   = "none"   // nothing
)

// A Hint is what one host of a registry answered to a request without
// credentials. Hints hold no secret and can be kept over a restart, which saves
// the round trip that finds them out.
type Hint struct {
	Registry string `json:"registry"` // name
	Host     string `json:"host"`     // host[:port]
	Scheme   string `json:"scheme"`   // Bearer, Basic, None
	Realm    string `json:"realm,omitempty"`
	Service  string `json:"service,omitempty"`
}

// Hint returns what is known about a site.
func (k *Keeper) Hint(s Site) (Hint, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, ok := k.hints[s.key()]
	return h, ok
}

// Hints returns all that is known, in a stable order, for [Keeper.Restore].
func (k *Keeper) Hints() []Hint {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]Hint, 0, len(k.hints))
	for _, h := range k.hints {
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b Hint) int {
		return cmp.Or(strings.Compare(a.Registry, b.Registry), strings.Compare(a.Host, b.Host))
	})
	return out
}

// Restore takes hints from an earlier run. Realms are checked again before each
// use, so a hint can be wrong but not dangerous. Those of registries that are
// no more are dropped, and those whose realm the settings do not allow any more:
// the next answer tells a better one.
func (k *Keeper) Restore(hints []Hint) {
	for _, h := range hints {
		reg, ok := k.settings().Registry(h.Registry)
		if !ok || h.Scheme != Bearer && h.Scheme != Basic && h.Scheme != None {
			continue
		}
		if h.Scheme == Bearer {
			if _, err := CheckRealm(k.settings(), reg, h.Host, h.Realm); err != nil {
				continue
			}
		}
		k.remember(Site{reg, h.Host}, h)
	}
}

// Learn takes what a site answered to a request: the status and headers of a
// 401, or of a success that needed no credentials. It reports whether that
// changed what is known, and fails with *RealmError if the realm is refused,
// with ErrChallenge if the challenge cannot be read.
func (k *Keeper) Learn(s Site, status int, header http.Header) (bool, error) {
	h := Hint{Registry: s.Registry.Name, Host: s.Host, Scheme: None}
	if status != http.StatusUnauthorized {
		// Registries let some things be had without: that says nothing about
		// the rest once a challenge was seen.
		if _, known := k.Hint(s); known {
			return false, nil
		}
	}
	if status == http.StatusUnauthorized {
		list, err := ParseChallenges(header)
		if err != nil {
			return false, err
		}
		if c, ok := Find(list, Bearer); ok {
			if _, err := CheckRealm(k.settings(), s.Registry, s.Host, c.Params["realm"]); err != nil {
				return false, err
			}
			h.Scheme, h.Realm, h.Service = Bearer, c.Params["realm"], c.Params["service"]
		} else if _, ok := Find(list, Basic); ok {
			h.Scheme = Basic
		} else {
			return false, nil
		}
	}
	return k.remember(s, h), nil
}

// maxHints bounds the hosts known: those of a "*.domain" come from clients.
const maxHints = 1024

func (k *Keeper) remember(s Site, h Hint) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	key := s.key()
	old, known := k.hints[key]
	if known && old == h {
		return false
	}
	if !known && len(k.hints) >= maxHints {
		for other := range k.hints {
			delete(k.hints, other)
			break
		}
	}
	k.hints[key] = h
	return true
}

// Discover asks a site's /v2/ without credentials, unless it is known already.
func (k *Keeper) Discover(ctx context.Context, s Site) (Hint, error) {
	if h, ok := k.Hint(s); ok {
		return h, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/v2/", nil)
	if err != nil {
		return Hint{}, err
	}
	req.Header.Set("User-Agent", userAgent)
	resp, err := k.network.Transport(s.Registry.Name).RoundTrip(req)
	if err != nil {
		return Hint{}, &ServiceError{Registry: s.Registry.Name, Host: s.Host, Err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be kept
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusUnauthorized {
		return Hint{}, statusError(s, s.Host, resp, nil, k.now())
	}
	if _, err := k.Learn(s, resp.StatusCode, resp.Header); err != nil {
		return Hint{}, err
	}
	h, ok := k.Hint(s)
	if !ok {
		return Hint{}, errors.New(s.Registry.Name + ": " + s.Host + " asks for credentials of a kind nobody here speaks")
	}
	return h, nil
}
