package login_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	dockerconfig "github.com/docker/cli/cli/config"

	"pulley/internal/docker/login"
)

// config is docker's, in a folder of its own.
func config(t *testing.T, text string) {
	t.Helper()
	dir, before := t.TempDir(), dockerconfig.Dir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	dockerconfig.SetDir(dir)
	t.Cleanup(func() { dockerconfig.SetDir(before) })
	t.Setenv("PATH", dir) // no helper of this machine
}

func basic(pair string) string { return base64.StdEncoding.EncodeToString([]byte(pair)) }

func TestFor(t *testing.T) {
	config(t, `{"auths": {"`+login.Hub+`": {"auth": "`+basic("ada:one")+`"}, "ghcr.io": {"identitytoken": "two", "auth": "`+basic("<token>:")+`"}, "quay.io": {"auth": "`+basic("ada:three")+`"}}}`)
	found, warnings := login.For(t.Context(), []string{"debian:12", "debian:13", "ghcr.io/org/app@sha256:" + strings.Repeat("0", 64), "local/shop:dev", "NO NAME", "gcr.io/a/b"})
	if len(warnings) > 0 {
		t.Errorf("warnings %q", warnings)
	}
	if len(found) != 2 || string(found["docker.io"]) != "Basic "+basic("ada:one") || string(found["ghcr.io"]) != "Refresh two" {
		t.Errorf("found %d, docker.io %v, ghcr.io %v", len(found), found["docker.io"] != "", found["ghcr.io"] != "")
	}
}

func TestHelperThatFailsIsSaid(t *testing.T) {
	config(t, `{"credHelpers": {"ghcr.io": "missing"}}`)
	found, warnings := login.For(t.Context(), []string{"ghcr.io/org/app", "ghcr.io/org/other"})
	if len(found) != 0 || len(warnings) != 1 || !strings.Contains(warnings[0], "docker login ghcr.io") {
		t.Errorf("found %d, warnings %q", len(found), warnings)
	}
	if _, ok := login.One(t.Context(), "ghcr.io"); ok {
		t.Error("one login is said to be known")
	}
	if secret, ok := login.One(t.Context(), "quay.io"); !ok || secret != "" {
		t.Errorf("no login: %v, %v", secret != "", ok)
	}
}

func TestBrokenConfiguration(t *testing.T) {
	config(t, `{`)
	if found, warnings := login.For(t.Context(), []string{"debian"}); len(found) != 0 || len(warnings) != 1 || !strings.Contains(warnings[0], "cannot be read") {
		t.Errorf("found %d, warnings %q", len(found), warnings)
	}
}
