package bundle

import (
	"cmp"
	"runtime"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// own is the platform that engines on this machine run: Linux, also where the
// machine itself does not, because they have a virtual machine there.
func own() ocispec.Platform {
	return normal(ocispec.Platform{OS: "linux", Architecture: runtime.GOARCH})
}

// normal fills in the variant that a platform without one stands for, as
// containerd does (github.com/containerd/platforms, normalizeArch).
func normal(p ocispec.Platform) ocispec.Platform {
	p.OS, p.Architecture, p.Variant = strings.ToLower(p.OS), strings.ToLower(p.Architecture), strings.ToLower(p.Variant)
	if p.Variant == "" {
		switch p.Architecture {
		case "arm64":
			p.Variant = "v8"
		case "arm":
			p.Variant = "v7"
		case "amd64":
			p.Variant = "v1"
		}
	}
	return p
}

// rank says how well have is what want asks for: 0 it is not; higher is better.
// A processor also runs what was built for an earlier one of its family.
func rank(want, have ocispec.Platform) int {
	want, have = normal(want), normal(have)
	if want.OS != have.OS || want.Architecture != have.Architecture {
		return 0
	}
	if want.OSVersion != "" && want.OSVersion != have.OSVersion {
		return 0
	}
	if want.Variant == have.Variant {
		return 1 << 10
	}
	w, h := version(want.Variant), version(have.Variant)
	if w == 0 || h == 0 || h > w {
		return 0
	}
	return h
}

// version is the number in v7; 0 if it is none.
func version(variant string) int {
	if len(variant) == 2 && variant[0] == 'v' && variant[1] >= '1' && variant[1] <= '9' {
		return int(variant[1] - '0')
	}
	return 0
}

// choose picks the children of an index that want asks for: the best match, and
// all that match equally well (Windows lists one for each of its versions).
func choose(want ocispec.Platform, children []ocispec.Descriptor) []ocispec.Descriptor {
	best := 0
	var out []ocispec.Descriptor
	for _, d := range children {
		switch r := rankOf(want, d.Platform); {
		case r == 0 || r < best:
		case r > best:
			best, out = r, []ocispec.Descriptor{d}
		default:
			out = append(out, d)
		}
	}
	return out
}

func rankOf(want ocispec.Platform, have *ocispec.Platform) int {
	if have == nil {
		return 0
	}
	return rank(want, *have)
}

// isAttestation reports whether a child of an index is about another child
// instead of being an image, as BuildKit lists provenance and SBOMs.
func isAttestation(d ocispec.Descriptor) bool {
	return d.Platform != nil && d.Platform.OS == "unknown"
}

// platformName is os/arch or os/arch/variant.
func platformName(p ocispec.Platform) string {
	parts := []string{cmp.Or(p.OS, "unknown"), cmp.Or(p.Architecture, "unknown")}
	if p.Variant != "" {
		parts = append(parts, p.Variant)
	}
	return strings.Join(parts, "/")
}

// platformNames lists what an index has, for people.
func platformNames(children []ocispec.Descriptor) string {
	var names []string
	for _, d := range children {
		if d.Platform != nil && !isAttestation(d) {
			names = append(names, platformName(*d.Platform))
		}
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}
