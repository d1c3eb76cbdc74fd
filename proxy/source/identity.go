package source

import (
	"strings"

	"pulley/proxy/token"
)

// Identity is on whose behalf a request is made. The zero value is nobody's.
type Identity struct {
	authorization string
	refresh       string // a mirror's identity token from docker's login
}

// Anonymous is nobody's identity: public things, by an anonymous token.
func Anonymous() Identity { return Identity{} }

// Client is the identity of a client that sent an Authorization header, as it
// sent it. A Bearer token goes to the origin as it is; a Basic password goes
// there, or is exchanged for a token where the registry wants one. A token of
// our own making, which means nothing upstream, and an empty header are
// Anonymous.
func Client(authorization string) Identity {
	if authorization == "" || token.IsOwn(authorization) {
		return Identity{}
	}
	return Identity{authorization: authorization}
}

// Anonymous reports whether the identity is nobody's.
func (id Identity) Anonymous() bool { return id == Identity{} }

// Name is who that is for a person: "anonymous", the user's name, or "token" for
// a client that brought its own and did not say whose it is.
func (id Identity) Name() string {
	if id.Anonymous() {
		return "anonymous"
	}
	if c, ok := token.FromBasic(id.authorization); ok && c.Username != "" {
		return c.Username
	}
	return "token"
}

// String never shows what is in it.
func (id Identity) String() string {
	if id.Anonymous() {
		return "anonymous"
	}
	scheme, _, _ := strings.Cut(id.authorization, " ")
	if scheme == "" {
		scheme = "refresh"
	}
	return strings.ToLower(scheme) + " credentials"
}

// credentials are what a token can be fetched with; false for a client that
// brought its own token or something else that goes upstream as it is.
func (id Identity) credentials() (token.Credentials, bool) {
	if id.Anonymous() {
		return token.Credentials{}, true
	}
	if id.refresh != "" {
		return token.Credentials{RefreshToken: id.refresh}, true
	}
	return token.FromBasic(id.authorization)
}

// Refresh is the identity of somebody with an identity token, as docker's login
// keeps it: the origin's token service alone sees it.
func Refresh(identityToken string) Identity { return Identity{refresh: identityToken} }

// RefreshToken is the identity token in what is handed on like an Authorization
// header: "Refresh " and the token. No client sends such a header.
func RefreshToken(authorization string) (identityToken string, ok bool) {
	scheme, rest, _ := strings.Cut(authorization, " ")
	return rest, rest != "" && strings.EqualFold(scheme, "Refresh")
}
