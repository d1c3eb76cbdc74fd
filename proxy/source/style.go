package source

import (
	"errors"
	"net/url"
	"strings"

	"pulley/internal/config"
)

// style turns what a registry would be asked for into what a mirror is asked
// for: /v2/library/debian/manifests/latest becomes
//
//	host    /v2/library/debian/manifests/latest
//	prefix  /v2/docker.io/library/debian/manifests/latest
//	ns      /v2/library/debian/manifests/latest?ns=docker.io
//
// with the path of the mirror's URL as a further prefix of the repository:
// https://public.ecr.aws/docker has docker/library/debian.
type style struct {
	kind     string // config.StyleHost, StylePrefix or StyleNS
	prefix   string // of repositories: "" or "docker/"
	registry string // what the mirror calls the registry: "docker.io"
}

// errPath is a path that no mirror is asked for.
var errPath = errors.New("not a path that a mirror is asked for")

// newStyle reads the style of a mirror with a URL, of a registry asked at host.
func newStyle(m *config.Mirror, u *url.URL, reg *config.Registry, host string) style {
	s := style{kind: m.Style, registry: calledBy(reg, host)}
	if p := strings.Trim(u.Path, "/"); p != "" {
		s.prefix = p + "/"
	}
	return s
}

// calledBy is what everybody else calls a registry: its name if that is one of
// its hosts, else its first host. The hosts of a "*.domain" are registries each.
func calledBy(reg *config.Registry, host string) string {
	if !reg.Spells(host) && host != "" {
		return host
	}
	if reg.Spells(reg.Name) || len(reg.Hosts) == 0 {
		return reg.Name
	}
	return reg.Hosts[0]
}

// repository is what the mirror calls a repository.
func (s style) repository(repo string) string {
	if s.kind == config.StylePrefix {
		return s.prefix + s.registry + "/" + repo
	}
	return s.prefix + repo
}

// query is what goes along.
func (s style) query() string {
	if s.kind == config.StyleNS {
		return "ns=" + url.QueryEscape(s.registry)
	}
	return ""
}

// rewrite translates a request's escaped path and query.
func (s style) rewrite(path, rawQuery string) (newPath, newQuery string, err error) {
	repo, rest, err := splitPath(path)
	if err != nil {
		return "", "", err
	}
	q := s.query()
	switch {
	case q == "":
		q = rawQuery
	case rawQuery != "":
		q = rawQuery + "&" + q
	}
	return "/v2/" + s.repository(repo) + rest, q, nil
}

// splitPath takes a repository's path apart: "library/debian" and
// "/manifests/latest". Mirrors are asked for manifests, blobs, tags and
// referrers, and by plain paths alone.
func splitPath(path string) (repo, rest string, err error) {
	after, ok := strings.CutPrefix(path, "/v2/")
	if !ok || strings.ContainsAny(after, "%?#\\") {
		return "", "", errPath
	}
	at := -1
	for _, part := range []string{"/manifests/", "/blobs/", "/tags/", "/referrers/"} {
		at = max(at, strings.LastIndex(after, part))
	}
	if at <= 0 || strings.Contains(after[at:], "/uploads") || !plainRepository(after[:at]) {
		return "", "", errPath
	}
	return after[:at], after[at:], nil
}

// plainRepository keeps out names that would lead a mirror somewhere else.
func plainRepository(repo string) bool {
	if repo == "" {
		return false
	}
	for part := range strings.SplitSeq(repo, "/") {
		if part == "" || part == "." || part == ".." || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
			return false
		}
	}
	return true
}
