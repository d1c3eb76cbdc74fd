package layout

import (
	"go/version"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestReleasesNameTheirGo: the line `go` says which Go builds this, `toolchain` which one a release is built with: one that
// has what was found in Go's own library mended. Without it the workflow would take the oldest.
func TestReleasesNameTheirGo(t *testing.T) {
	text, err := os.ReadFile(filepath.FromSlash("../../go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	oldest := regexp.MustCompile(`(?m)^go ([0-9.]+)$`).FindSubmatch(text)
	release := regexp.MustCompile(`(?m)^toolchain (go[0-9.]+)$`).FindSubmatch(text)
	if oldest == nil || release == nil || version.Compare(string(release[1]), "go"+string(oldest[1])) <= 0 {
		t.Errorf("go.mod: go %s, toolchain %s: a release is to be built with a newer Go than the oldest", oldest, release)
	}
}
