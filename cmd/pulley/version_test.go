package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersionSaysWhatItWasBuiltFrom(t *testing.T) {
	vcs := func(main, modified string) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: main}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "98a080f3b1d2c4e5f60718293a4b5c6d7e8f9012"}, {Key: "vcs.time", Value: "2026-11-21T23:30:00Z"}, {Key: "vcs.modified", Value: modified},
		}}
	}
	here := " " + runtime.GOOS + "/" + runtime.GOARCH + ", " + runtime.Version()
	for _, test := range []struct {
		name, linked string
		info         *debug.BuildInfo
		want         string
	}{
		{"release", "0.1.0", vcs("(devel)", "false"), "pulley 0.1.0 (98a080f, 2026-11-21)"},
		{"release of a tree that was changed", "0.1.0", vcs("v0.0.1", "true"), "pulley 0.1.0 (98a080f modified, 2026-11-21)"},
		{"go install", "", vcs("v0.1.0", "false"), "pulley v0.1.0 (98a080f, 2026-11-21)"},
		{"without a repository", "", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "pulley development"},
		{"without anything", "", nil, "pulley development"},
	} {
		if got := buildOf(test.linked, test.info).String(); got != test.want+here {
			t.Errorf("%s: %q, want %q", test.name, got, test.want+here)
		}
	}
}

// TestTheLinkerSaysTheVersion holds the name of the variable, which whoever builds a release says.
func TestTheLinkerSaysTheVersion(t *testing.T) {
	program := filepath.Join(t.TempDir(), "pulley.exe")
	compile := exec.Command("go", "build", "-ldflags", "-X main.version=1.2.3-linked", "-o", program, ".")
	compile.Env = append(compile.Environ(), "CGO_ENABLED=0")
	if said, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	said, err := exec.Command(program, "version").Output()
	if err != nil || !strings.HasPrefix(string(said), "pulley 1.2.3-linked ") || strings.Count(string(said), "\n") != 1 {
		t.Errorf("%v: %q", err, said)
	}
	said, err = exec.Command(program, "version", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var b build
	if err := json.Unmarshal(said, &b); err != nil || b.Version != "1.2.3-linked" || b.Go != runtime.Version() || b.Platform != runtime.GOOS+"/"+runtime.GOARCH {
		t.Errorf("%v: %s", err, said)
	}
}
