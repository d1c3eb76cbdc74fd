package imagelist

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
)

// platform is what TARGETPLATFORM and its kin are made of.
type platform struct{ os, arch, variant string }

var platformWord = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// machine is the platform whose images run here: containers are Linux ones, on a Mac or Windows in a virtual machine.
func machine() platform { return platform{os: "linux", arch: runtime.GOARCH} }

// parsePlatform reads "os/arch[/variant]" or an architecture alone, with the synonyms that github.com/containerd/platforms
// (which BuildKit and Compose use) knows.
func parsePlatform(s string) (platform, error) {
	parts := strings.Split(strings.TrimSpace(s), "/")
	if len(parts) > 3 {
		return platform{}, fmt.Errorf("%s is no platform: os/arch/variant is all there is", quote(s))
	}
	for _, w := range parts {
		if !platformWord.MatchString(w) {
			return platform{}, fmt.Errorf("%s is no platform; as in linux/amd64", quote(s))
		}
	}
	p := platform{os: "linux"}
	switch {
	case len(parts) > 1:
		p.os, p.arch = strings.ToLower(parts[0]), strings.ToLower(parts[1])
	case strings.EqualFold(s, "linux") || strings.EqualFold(s, "windows") || strings.EqualFold(s, "darwin"):
		p.os, p.arch = strings.ToLower(s), runtime.GOARCH
	default:
		p.arch = strings.ToLower(parts[0])
	}
	if len(parts) == 3 {
		p.variant = strings.ToLower(parts[2])
	}
	if p.arch == "" {
		return platform{}, errors.New("a platform without an architecture")
	}
	return p.normal(), nil
}

// normal replaces synonyms: x86_64 is amd64, arm64/v8 is arm64, armhf is arm/v7.
func (p platform) normal() platform {
	switch p.arch {
	case "x86_64", "x86-64":
		p.arch = "amd64"
	case "i386":
		p.arch = "386"
	case "aarch64":
		p.arch = "arm64"
	case "armhf":
		p.arch, p.variant = "arm", "v7"
	case "armel":
		p.arch, p.variant = "arm", "v6"
	}
	switch p.arch + "/" + p.variant {
	case "amd64/v1", "arm64/v8", "arm64/8":
		p.variant = ""
	case "arm/":
		p.variant = "v7"
	case "arm/5", "arm/6", "arm/7", "arm/8":
		p.variant = "v" + p.variant
	}
	return p
}

func (p platform) String() string {
	if p.variant == "" {
		return p.os + "/" + p.arch
	}
	return p.os + "/" + p.arch + "/" + p.variant
}
