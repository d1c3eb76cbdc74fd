package source

import (
	"fmt"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"pulley/internal/config"
)

// Public reports whether a repository is public by the catalogue alone: Docker's
// official images, all of registry.k8s.io, mcr.microsoft.com and the like. To
// name it to a mirror tells nobody anything.
func (s *Set) Public(reg *config.Registry, repo string) bool {
	return !reg.Insecure && config.Matches(s.current(reg).Public, repo)
}

// Image is an image as a person names it, resolved.
type Image struct {
	Registry   *config.Registry // nil if no registry of the settings has that host
	Host       string           // as it was named: "docker.io", "ghcr.io", "localhost:5000"
	Repository string           // "library/debian"
	Tag        string           // "" if there is a digest
	Digest     digest.Digest    // "" if there is a tag
}

// String is the reference in full: "docker.io/library/debian:12".
func (i Image) String() string {
	name := i.Host + "/" + i.Repository
	switch {
	case i.Digest != "":
		return name + "@" + string(i.Digest)
	case i.Tag != "":
		return name + ":" + i.Tag
	}
	return name
}

// ParseImage resolves an image as Docker does: "debian" is
// docker.io/library/debian:latest, and of a tag with a digest the digest counts.
func ParseImage(cfg *config.Config, name string) (Image, error) {
	named, err := reference.ParseDockerRef(name)
	if err != nil {
		return Image{}, fmt.Errorf("%.80q is no image: %w", name, err)
	}
	i := Image{Host: reference.Domain(named), Repository: reference.Path(named)}
	i.Registry, _ = cfg.RegistryByHost(i.Host)
	if d, ok := named.(reference.Digested); ok {
		i.Digest = d.Digest()
	} else if t, ok := named.(reference.Tagged); ok {
		i.Tag = t.Tag()
	}
	return i, nil
}
