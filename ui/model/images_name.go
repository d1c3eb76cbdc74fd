package model

import (
	"strings"

	"github.com/distribution/reference"

	"pulley/internal/control"
)

// Familiar is a repository as short as Docker says it: "debian" for docker.io/library/debian.
func Familiar(registry, repository string) string {
	full := registry + "/" + repository
	if registry == "" {
		return repository
	}
	if named, err := reference.ParseNormalizedNamed(full); err == nil && registry != control.Local {
		return reference.FamiliarName(named)
	}
	return full
}

// FamiliarRef is the same of a full reference.
func FamiliarRef(ref string) string {
	if strings.HasPrefix(ref, control.Local+"/") {
		return ref
	}
	name, at, digested := strings.Cut(ref, "@")
	if named, err := reference.ParseNormalizedNamed(name); err == nil {
		name = reference.FamiliarString(named)
	}
	if digested {
		return name + "@" + ShortDigest(at)
	}
	return name
}

// FullRef is what Docker understands by a name, or the name itself if that is none.
func FullRef(name string) string {
	if strings.HasPrefix(name, control.Local+"/") {
		return name
	}
	named, err := reference.ParseNormalizedNamed(strings.TrimSpace(name))
	if err != nil {
		return name
	}
	return reference.TagNameOnly(named).String()
}

// shortHex is as much of a digest as people compare.
const shortHex = 12

// ShortDigest is a digest as short as people compare them, with its algorithm left out.
func ShortDigest(digest string) string {
	_, hex, ok := strings.Cut(digest, ":")
	if !ok {
		hex = digest
	}
	return hex[:min(len(hex), shortHex)]
}
