package registry

import (
	"strings"

	"github.com/opencontainers/go-digest"
)

// What names the endpoint a request is for: the nouns of the OCI distribution
// specification, plus the token service and "other" for everything that is
// passed on without being understood.
type What string

// The endpoints.
const (
	Ping      What = "ping"
	Token     What = "token"
	Manifest  What = "manifest"
	Blob      What = "blob"
	Tags      What = "tags"
	Referrers What = "referrers"
	Upload    What = "upload"
	Other     What = "other"
)

// Path is a request path below /v2/, taken apart.
type Path struct {
	What       What
	Repository string
	// Reference is the tag or digest of a manifest, the digest of a blob or
	// of a referrers query, or what follows "uploads/".
	Reference string
	// Digest is Reference when that is a digest of a known algorithm.
	Digest digest.Digest
	// Problem is the error code of the distribution specification when the
	// path has the shape of an endpoint but a part of it is not valid; What
	// is then still the endpoint that was meant.
	Problem Code
}

const (
	maxName = 255 // the limit every registry shares, host name included
	maxTag  = 128
)

// ParsePath takes a decoded URL path apart by the grammar of the distribution
// specification. It is read from its end, because "tags", "manifests" and
// "blobs" are valid components of a repository's name. Whatever it does not
// recognise is Other; it never fails.
func ParsePath(path string) Path {
	rest, ok := strings.CutPrefix(path, "/v2")
	if !ok {
		return Path{What: Other}
	}
	if rest == "" || rest == "/" {
		return Path{What: Ping}
	}
	if rest[0] != '/' {
		return Path{What: Other}
	}
	rest = rest[1:]

	if name, ok := strings.CutSuffix(rest, "/tags/list"); ok {
		return named(Path{What: Tags}, name)
	}
	head, last, ok := cutLast(rest)
	if !ok {
		return Path{What: Other}
	}
	if name, ok := strings.CutSuffix(head, "/manifests"); ok {
		p := Path{What: Manifest, Reference: last}
		if strings.Contains(last, ":") {
			p.digest(last)
		} else if !ValidTag(last) {
			p.Problem = TagInvalid
		}
		return named(p, name)
	}
	if name, ok := strings.CutSuffix(head, "/referrers"); ok {
		p := Path{What: Referrers, Reference: last}
		p.digest(last)
		return named(p, name)
	}
	if name, ok := strings.CutSuffix(head, "/blobs"); ok && last != "uploads" {
		p := Path{What: Blob, Reference: last}
		p.digest(last)
		return named(p, name)
	}
	// An upload's URL below "uploads/" is the registry's own invention.
	if i := strings.LastIndex(rest+"/", "/blobs/uploads/"); i > 0 {
		session := strings.TrimPrefix(rest[i+len("/blobs/uploads"):], "/")
		return named(Path{What: Upload, Reference: session}, rest[:i])
	}
	return Path{What: Other}
}

func (p *Path) digest(s string) {
	d := digest.Digest(s)
	if !valid(d) {
		p.Problem = DigestInvalid
		return
	}
	p.Digest = d
}

func named(p Path, name string) Path {
	p.Repository = name
	if !ValidRepository(name) {
		p.Problem = NameInvalid
	}
	return p
}

func cutLast(s string) (head, last string, ok bool) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// ValidRepository says whether name fits the specification's grammar:
// components of [a-z0-9]+ joined by ".", "_", "__" or dashes, joined by "/".
func ValidRepository(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for component := range strings.SplitSeq(name, "/") {
		if !validComponent(component) {
			return false
		}
	}
	return true
}

func validComponent(s string) bool {
	if s == "" || !alnum(s[0]) || !alnum(s[len(s)-1]) {
		return false
	}
	for i := 0; i < len(s); {
		if alnum(s[i]) {
			i++
			continue
		}
		start := i
		for !alnum(s[i]) { // ends: the last byte is alphanumeric
			i++
		}
		switch sep := s[start:i]; {
		case sep == ".", sep == "_", sep == "__":
		case strings.Trim(sep, "-") == "":
		default:
			return false
		}
	}
	return true
}

func alnum(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

// ValidTag says whether s fits [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}.
func ValidTag(s string) bool {
	if s == "" || len(s) > maxTag {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case alnum(c), c >= 'A' && c <= 'Z', c == '_':
		case (c == '.' || c == '-') && i > 0:
		default:
			return false
		}
	}
	return true
}
