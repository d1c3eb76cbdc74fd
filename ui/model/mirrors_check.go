package model

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"pulley/internal/config"
	"pulley/internal/control"
)

// MirrorField is a field of the form for a mirror.
type MirrorField int

// The fields, in their order.
const (
	NoField MirrorField = iota
	MirrorURL
	MirrorName
	MirrorQuota
	MirrorAuth
)

// MirrorFault is what is wrong with what was typed.
type MirrorFault int

// Faults.
const (
	NoFault MirrorFault = iota
	NameMissing
	NameWrong    // not lower-case letters, digits, dots and dashes
	NameTaken    // by another mirror of this registry
	NameReserved // it means a route
	URLMissing
	URLWrong     // no http:// or https:// with a host
	URLSecret    // it has a password in it
	URLUnfilled  // {id} is for a person to fill in
	QuotaWrong   // not "10GiB/month"
	AuthWrong    // not docker, env:NAME or file:PATH
	AuthIsSecret // it looks like one, and does not belong in a settings file
)

// mirrorName is what the daemon takes for one (internal/config).
var mirrorName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// CheckMirror finds the first thing that is wrong with a mirror as it is typed. amend: it is one that there is already.
// The daemon has the last word.
func CheckMirror(m control.Mirror, taken []string, amend bool) (MirrorField, MirrorFault) {
	if fault := checkURL(m.URL); fault != NoFault {
		return MirrorURL, fault
	}
	if fault := checkName(m.Name, taken); !amend && fault != NoFault {
		return MirrorName, fault
	}
	var quota config.Quota
	if quota.UnmarshalText([]byte(m.Quota)) != nil {
		return MirrorQuota, QuotaWrong
	}
	if fault := checkAuth(m.Auth); fault != NoFault {
		return MirrorAuth, fault
	}
	return NoField, NoFault
}

func checkName(name string, taken []string) MirrorFault {
	switch {
	case name == "":
		return NameMissing
	case slices.Contains([]string{config.RouteAuto, config.RouteDirect, config.RouteOffline, config.SharedName, "origin"}, name):
		return NameReserved
	case !mirrorName.MatchString(name):
		return NameWrong
	case slices.Contains(taken, name):
		return NameTaken
	default:
		return NoFault
	}
}

func checkURL(text string) MirrorFault {
	if text == "" {
		return URLMissing
	}
	if strings.Contains(text, "{") {
		return URLUnfilled
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return URLWrong
	case u.User != nil:
		return URLSecret
	default:
		return NoFault
	}
}

func checkAuth(ref string) MirrorFault {
	kind, rest, cut := strings.Cut(ref, ":")
	switch {
	case ref == "" || ref == "docker":
		return NoFault
	case cut && (kind == "env" || kind == "file") && rest != "":
		return NoFault
	case cut && kind != "env" && kind != "file":
		return AuthIsSecret // "name:password"
	default:
		return AuthWrong
	}
}

// NameFrom proposes a mirror's name for a URL: the telling part of its host.
func NameFrom(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	parts := strings.Split(strings.ToLower(u.Hostname()), ".")
	common := []string{"docker", "mirror", "mirrors", "registry", "hub", "www", "m", "com", "cn", "net", "org", "io", "dev", "edu", "co"}
	for i := len(parts) - 1; i >= 0; i-- {
		if !slices.Contains(common, parts[i]) && mirrorName.MatchString(parts[i]) && len(parts[i]) > 1 {
			return parts[i]
		}
	}
	if mirrorName.MatchString(parts[0]) {
		return parts[0]
	}
	return ""
}
