package registry

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// ownPlatform is what an engine on this machine pulls: Linux, also where the
// machine itself does not run it, because its engine has a virtual machine for
// that.
func ownPlatform() ocispec.Platform {
	return platforms.Normalize(ocispec.Platform{OS: "linux", Architecture: runtime.GOARCH, Variant: platforms.DefaultSpec().Variant})
}

// choose picks, for each platform, the one child of an index that containerd would
// pull for it: the best of those that run there, or else one that does not say what
// it runs on. missing is the first platform that there is nothing for.
func choose(wanted []ocispec.Platform, children []ocispec.Descriptor) (chosen []ocispec.Descriptor, missing *ocispec.Platform) {
	had := map[digest.Digest]bool{}
	for _, want := range wanted {
		match := platforms.Only(want)
		var best *ocispec.Descriptor
		for _, d := range children {
			switch {
			case d.Platform != nil && !match.Match(*d.Platform):
			case best == nil, d.Platform != nil && (best.Platform == nil || match.Less(*d.Platform, *best.Platform)):
				best = &d
			}
		}
		if best == nil {
			return nil, &want
		}
		if !had[best.Digest] {
			had[best.Digest] = true
			chosen = append(chosen, *best)
		}
	}
	return chosen, nil
}

// attests says that a child of an index is about another one instead of being an
// image: BuildKit lists provenance and SBOMs so.
func attests(d ocispec.Descriptor) bool { return d.Platform != nil && d.Platform.OS == "unknown" }

// platformsOf are the platforms that an index lists, for a person.
func platformsOf(children []ocispec.Descriptor) []string {
	var list []string
	for _, d := range children {
		if d.Platform != nil && !attests(d) {
			list = append(list, platforms.Format(*d.Platform))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// A PlatformError says that an image has nothing for a platform that was asked for.
type PlatformError struct {
	Image    string   // full reference
	Platform string   // "linux/arm64"
	Have     []string // those that it has, sorted
}

func (e *PlatformError) Error() string {
	if len(e.Have) == 0 {
		return fmt.Sprintf("%s: there is nothing for %s in it, and it does not say for what else", e.Image, e.Platform)
	}
	return fmt.Sprintf("%s: there is nothing for %s in it, only for %s; try: --platform %s", e.Image, e.Platform,
		strings.Join(e.Have, ", "), e.Have[0])
}
