//go:build e2e

package e2e

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Engines that no Debian has are built from modules of their own under engines/, whose go.sum pins every byte. What was
// built is kept in the user's cache directory under a name made of those pins.

// Set once, by TestMain, before any test runs.
var (
	engineDir string // holds the newer engines: containerd, ctr, dockerd
	pulleyBin string // the binary under test
)

func buildEngines() error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	sources, err := filepath.Glob("engines/*/go.sum")
	if err != nil {
		return err
	}
	if len(sources) == 0 {
		return errors.New("engines: no modules found")
	}
	sum := sha256.New()
	for _, source := range sources {
		for _, name := range []string{source, filepath.Join(filepath.Dir(source), "go.mod")} {
			pins, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			sum.Write(pins)
		}
	}
	version, err := exec.Command("go", "env", "GOVERSION").Output()
	if err != nil {
		return err
	}
	sum.Write(version)
	engineDir = filepath.Join(cache, "pulley-e2e", fmt.Sprintf("%.8x", sum.Sum(nil)))
	for _, source := range sources {
		if err := buildEngine(filepath.Dir(source)); err != nil {
			return err
		}
	}
	return nil
}

// buildEngine builds the tools of one module into engineDir, unless they are there.
func buildEngine(module string) error {
	list, err := goIn(module, "list", "-f", "{{.ImportPath}}", "tool")
	if err != nil {
		return err
	}
	var missing []string
	for pkg := range strings.FieldsSeq(list) {
		if _, err := os.Stat(filepath.Join(engineDir, filepath.Base(pkg))); err != nil {
			missing = append(missing, pkg)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(engineDir), 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(engineDir), "building-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := os.MkdirAll(engineDir, 0o755); err != nil {
		return err
	}
	began := time.Now()
	fmt.Printf("building %s\n", strings.Join(missing, ", "))
	// dockerd does not know its version unless told.
	version, err := goIn(module, "list", "-m", "-f", "-X {{.Path}}/dockerversion.Version={{.Version}}", "github.com/moby/moby/v2")
	if err != nil {
		version = ""
	}
	args := append([]string{"build", "-trimpath", "-ldflags=-s -w " + strings.TrimSpace(version), "-o", temp + "/"}, missing...)
	if _, err := goIn(module, args...); err != nil {
		return err
	}
	for _, pkg := range missing {
		name := filepath.Base(pkg)
		if err := os.Rename(filepath.Join(temp, name), filepath.Join(engineDir, name)); err != nil {
			return err
		}
	}
	fmt.Printf("built in %s\n", time.Since(began).Round(time.Second))
	return nil
}

// buildPulley builds the binary under test.
func buildPulley(dir string) error {
	pulleyBin = filepath.Join(dir, "pulley")
	_, err := goIn("../..", "build", "-o", pulleyBin, "./cmd/pulley")
	return err
}

// goIn runs the go command in a module's directory, without cgo, with the versions written there and no others.
func goIn(dir string, args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOTOOLCHAIN=local", "GOWORK=off", "GOFLAGS=-mod=readonly -buildvcs=false")
	return runCommand(cmd)
}

func TestMain(m *testing.M) {
	os.Exit(runMain(m))
}

func runMain(m *testing.M) int {
	if os.Getuid() != 0 {
		fmt.Fprintln(os.Stderr, "e2e: needs root, engines mount and unshare")
		return 1
	}
	dir, err := os.MkdirTemp("", "pulley-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	for _, build := range []func() error{buildEngines, func() error { return buildPulley(dir) }} {
		if err := build(); err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			return 1
		}
	}
	return m.Run()
}
