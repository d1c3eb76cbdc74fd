package hubtest

import (
	"fmt"
	"strings"
	"testing"
)

// Style is how a mirror wants to be asked for docker.io/library/alpine. The words are those of config.toml.
type Style string

const (
	StyleHost   Style = "host"   // /v2/library/alpine/…: a mirror of one registry, the other hub's first
	StylePrefix Style = "prefix" // /v2/docker.io/library/alpine/…: of all of them
	StyleNS     Style = "ns"     // /v2/library/alpine/…?ns=docker.io: of all of them
)

// MirrorOf starts a mirror of a hub that is running and closes it when the test ends: at ports of its own, with a record,
// faults, tokens and limits of its own, asking nobody for credentials, with no CDN. Its certificate is from the same
// authority, so that whoever trusts the hub trusts it. For other settings make a Hub with Of and Style, and Start that.
//
// It has by reference, and at once, whatever is public in the other hub. What is put into the mirror itself comes first: a
// tag that disagrees (SetTag, Push), a blob that is not what its digest says (AddContentAs). With StylePrefix and StyleNS
// the mirror's own repositories have the registry in front: "docker.io/library/alpine". It takes no pushes.
func MirrorOf(t testing.TB, of *Hub, style Style) *Hub {
	t.Helper()
	h := &Hub{Of: of, Style: style, Auth: Open}
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// URL is https://Addr, where a client that needs no names finds the first registry.
func (h *Hub) URL() string { return "https://" + h.Addr() }

// PlainURL is http://PlainAddr.
func (h *Hub) PlainURL() string { return "http://" + h.PlainAddr() }

// nameMirror is the host name of the next mirror.
func (h *Hub) nameMirror() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.copies++
	return fmt.Sprintf("mirror-%d.example", h.copies)
}

// key is what a mirror calls a repository that it was asked for; elsewhere that is its name.
func (s *Site) key(repo, ns string) string {
	if s.of != nil && s.style == StyleNS && repo != "" {
		return ns + "/" + repo
	}
	return repo
}

// upstream is where a mirror has a repository from, nil if nowhere. No hub's mu may be held.
func (s *Site) upstream(key string) (up *Site, repo string) {
	if s.of == nil {
		return nil, ""
	}
	up, repo = s.of.primary, key
	if s.style == StylePrefix || s.style == StyleNS {
		registry, rest, _ := strings.Cut(key, "/")
		up, repo = s.of.find(registry), rest
	}
	if up == nil || len(up.grants("", repo, []string{"pull"})) == 0 {
		return nil, ""
	}
	return up, repo
}

// mirrors reports whether the other hub shows anybody a repository of that name. A token's scope does not say for which
// registry it is; with StyleNS any will do.
func (s *Site) mirrors(name string) bool {
	if s.of != nil && s.style == StyleNS {
		for _, up := range s.of.sites {
			if up, _ := s.upstream(up.Host + "/" + name); up != nil {
				return true
			}
		}
		return false
	}
	up, _ := s.upstream(name)
	return up != nil
}
