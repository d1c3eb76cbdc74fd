package platform_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/internal/platform"
)

// children are those of an index that lists these platforms; "" is one that says none.
func children(names ...string) (list []ocispec.Descriptor) {
	for _, name := range names {
		d := ocispec.Descriptor{Digest: digest.FromString(name)}
		if name != "" {
			p := platforms.MustParse(name)
			d.Platform = &p
		}
		list = append(list, d)
	}
	return list
}

func TestChoose(t *testing.T) {
	for _, c := range []struct{ want, have, chosen string }{
		{"linux/amd64", "linux/arm64 linux/amd64", "linux/amd64"},
		{"linux/amd64", "linux/arm64 linux/386", "linux/386"},
		{"linux/amd64/v3", "linux/amd64 linux/amd64/v2 linux/amd64/v4", "linux/amd64/v2"},
		{"linux/arm64", "linux/arm/v6 linux/arm/v7 linux/amd64", "linux/arm/v7"},
		{"linux/arm64", "linux/arm/v8 linux/arm/v7", "linux/arm/v8"},
		{"linux/arm/v6", "linux/arm/v7 linux/arm/v5", "linux/arm/v5"},
		{"linux/s390x", "linux/amd64", ""},
		{"linux/386", "linux/amd64", ""},
	} {
		list := children(strings.Fields(c.have)...)
		chosen, missing := platform.Choose([]ocispec.Platform{platforms.MustParse(c.want)}, list)
		switch {
		case c.chosen == "" && missing == nil:
			t.Errorf("%s of %s: %v", c.want, c.have, chosen)
		case c.chosen != "" && (len(chosen) != 1 || chosen[0].Digest != digest.FromString(c.chosen)):
			t.Errorf("%s of %s: %v, want %s", c.want, c.have, chosen, c.chosen)
		}
		if runs := platform.Runs(platforms.MustParse(c.want), platforms.MustParse(list[0].Platform.OS+"/"+list[0].Platform.Architecture)); runs && missing != nil {
			t.Errorf("%s runs %s, and there is nothing for it", c.want, c.have)
		}
	}
}

func TestSort(t *testing.T) {
	list := children("", "linux/s390x", "linux/arm/v7", "linux/arm64", "windows/amd64")
	platform.Sort(platforms.MustParse("linux/arm64"), list)
	want := children("linux/arm64", "linux/arm/v7", "linux/s390x", "windows/amd64", "")
	for i := range want {
		if list[i].Digest != want[i].Digest {
			t.Errorf("%d: %+v", i, list[i].Platform)
		}
	}
}

func TestOwn(t *testing.T) {
	if p := platform.Own(); p.OS != "linux" || p.Architecture != runtime.GOARCH {
		t.Errorf("%+v", p)
	}
	attestation := children("linux/amd64")[0]
	attestation.Platform = &ocispec.Platform{OS: "unknown", Architecture: "unknown"}
	if got := platform.Names(append(children("linux/amd64", "", "linux/amd64"), attestation)); len(got) != 1 || got[0] != "linux/amd64" {
		t.Errorf("%v", got)
	}
}
