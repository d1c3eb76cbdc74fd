package bundle

import (
	"cmp"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// platformName is os/arch or os/arch/variant.
func platformName(p ocispec.Platform) string {
	parts := []string{cmp.Or(p.OS, "unknown"), cmp.Or(p.Architecture, "unknown")}
	if p.Variant != "" {
		parts = append(parts, p.Variant)
	}
	return strings.Join(parts, "/")
}
