package token

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"pulley/internal/config"
)

// partners are token services that live under another registrable domain than
// their registry, as "suffix of the registry's host" → "host of the realm". A
// pair goes in here only when its registry is seen to answer with that realm.
var partners = []struct{ registry, realm string }{
	{"docker.io", "auth.docker.io"},
	{"docker.com", "auth.docker.io"},
	{"scw.cloud", "api.scaleway.com"},
}

// Realms are the token services that a registry's host is known to send clients to
// although they are on another domain or name of it.
func Realms(host string) (list []string) {
	for _, p := range partners {
		if partner(bareHost(host), p.realm) {
			list = append(list, p.realm)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// A RealmError says why credentials do not go to a realm.
type RealmError struct {
	Registry string // host that sent the challenge
	Realm    string // redacted
	Why      string
}

func (e *RealmError) Error() string {
	return fmt.Sprintf("%s: its token realm %s is refused: %s", e.Registry, e.Realm, e.Why)
}

// CheckRealm parses the realm of a Bearer challenge that host ("host[:port]")
// sent, and accepts it only where a registry's token service plausibly is. A
// realm that anybody could choose gets the credentials of everybody who pulls
// through it, and a request to wherever it points (CVE-2020-15157,
// CVE-2026-33540). Accepted are
//
//   - https URLs without user info, also http for a registry marked insecure;
//   - on the name that sent the challenge, any port of it;
//   - on another name if that name is one of the registry's configured hosts,
//     has an [[address]] entry, shares the registrable domain of the host that
//     sent the challenge (public suffix list, private section included, so that
//     two customers of one hoster are strangers), or is a known partner of it.
//
// Another address written as a literal is never accepted, nor is a name with no
// dot. Where a name of these leads is checked again when it is dialled.
func CheckRealm(cfg *config.Config, reg *config.Registry, host, realm string) (*url.URL, error) {
	u, err := url.Parse(realm)
	if err != nil {
		var ue *url.Error // its text quotes the whole realm
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return nil, &RealmError{host, "(unreadable)", err.Error()}
	}
	refuse := func(why string) (*url.URL, error) { return nil, &RealmError{host, redact(u), why} }
	name, own := bareHost(u.Host), bareHost(host)
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || !reg.Insecure):
		return refuse("it is no https URL")
	case name == "" || u.Opaque != "":
		return refuse("it names no host")
	case u.User != nil:
		return refuse("it carries a user")
	}
	u.Fragment, u.RawFragment = "", ""
	switch {
	case name == own:
		return u, nil
	case isAddress(name):
		return refuse("it is another address")
	case listed(reg.Hosts, u), pinned(cfg, u):
		return u, nil
	case !strings.Contains(name, "."):
		return refuse("it is a name of the local network")
	case sameDomain(name, own), partner(own, name):
		return u, nil
	}
	return refuse("it belongs to another domain; if that is right, add it to the registry's hosts or give it an [[address]]")
}

// bareHost is the name of "host[:port]", lower case, without final dot.
func bareHost(hostport string) string {
	h := hostport
	if name, _, err := net.SplitHostPort(h); err == nil {
		h = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(h, "[]"), "."))
}

// isAddress also catches what inet_aton reads as one: "127.1", "0x7f000001",
// "2130706433".
func isAddress(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	return last != "" && (strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x"))
}

func listed(hosts []string, u *url.URL) bool {
	name := bareHost(u.Host)
	return slices.ContainsFunc(hosts, func(h string) bool {
		if domain, ok := strings.CutPrefix(h, "*."); ok {
			return strings.HasSuffix(name, "."+domain)
		}
		return bareHost(h) == name
	})
}

func pinned(cfg *config.Config, u *url.URL) bool {
	return slices.ContainsFunc(cfg.Addresses, func(a config.Address) bool {
		return bareHost(a.Host) == bareHost(u.Host)
	})
}

func sameDomain(a, b string) bool {
	da, err := publicsuffix.EffectiveTLDPlusOne(a)
	if err != nil {
		return false
	}
	db, err := publicsuffix.EffectiveTLDPlusOne(b)
	return err == nil && da == db
}

func partner(registry, realm string) bool {
	for _, p := range partners {
		if p.realm == realm && (registry == p.registry || strings.HasSuffix(registry, "."+p.registry)) {
			return true
		}
	}
	return false
}

// redact is a URL fit to print: no user, no query.
func redact(u *url.URL) string {
	c := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return c.String()
}
