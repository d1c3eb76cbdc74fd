// Package platform says which of an image's platforms an engine pulls, so that what
// is fetched ahead, what is exported and what an engine then asks for are the same.
// It follows containerd (github.com/containerd/platforms), and knows manifests only
// as far as what an index says of its children.
package platform

import (
	"runtime"
	"slices"

	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Own is what an engine on this machine pulls: Linux, also where the machine itself
// does not run it, because its engine has a virtual machine for that.
func Own() ocispec.Platform {
	return platforms.Normalize(ocispec.Platform{OS: "linux", Architecture: runtime.GOARCH, Variant: platforms.DefaultSpec().Variant})
}

// Runs says that an engine for want also runs what was built for have: an earlier
// processor of the family, or its 32 bits.
func Runs(want, have ocispec.Platform) bool { return platforms.Only(want).Match(have) }

// Choose picks, for each platform, the one child of an index that containerd would
// pull for it: the best of those that run there, or else one that does not say what
// it runs on. missing is the first platform that there is nothing for.
func Choose(wanted []ocispec.Platform, children []ocispec.Descriptor) (chosen []ocispec.Descriptor, missing *ocispec.Platform) {
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

// Sort puts the children of an index first that run on want, the best before the
// others, and leaves all else in its order.
func Sort(want ocispec.Platform, children []ocispec.Descriptor) {
	match := platforms.Only(want)
	slices.SortStableFunc(children, func(a, b ocispec.Descriptor) int {
		switch {
		case a.Platform == nil && b.Platform == nil:
			return 0
		case a.Platform == nil:
			return 1
		case b.Platform == nil, match.Less(*a.Platform, *b.Platform):
			return -1
		case match.Less(*b.Platform, *a.Platform):
			return 1
		}
		return 0
	})
}

// Attests says that a child of an index is about another one instead of being an
// image: BuildKit lists provenance and SBOMs so.
func Attests(d ocispec.Descriptor) bool { return d.Platform != nil && d.Platform.OS == "unknown" }

// Names are the platforms that an index lists, for a person: sorted, each once.
func Names(children []ocispec.Descriptor) []string {
	var list []string
	for _, d := range children {
		if d.Platform != nil && !Attests(d) {
			list = append(list, platforms.Format(*d.Platform))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
