package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Distribution's registry (https://distribution.github.io/distribution/recipes/mirror/) is what Docker's documentation
// recommends as a cache.

func distribution2() *product {
	p := distribution("distribution 2.8", func(context.Context) (string, error) { return find("docker-registry", "registry") })
	p.about = "Debian's `docker-registry`; " + distributionAbout
	return p
}

func distribution3() *product {
	p := distribution("distribution 3", buildDistribution)
	p.about = "built from the module proxy, pinned in `internal/bench/distribution`; " + distributionAbout
	return p
}

const distributionAbout = "`proxy.remoteurl`, file system storage, `blobdescriptor: inmemory`, access log off"

func distribution(name string, program func(context.Context) (string, error)) *product {
	return &product{
		name: name, doors: []door{mirror},
		upstream: "https, the Hub's CA in `SSL_CERT_FILE`",
		version: func(ctx context.Context) (string, error) {
			path, err := program(ctx)
			if err != nil {
				return "", err
			}
			said, err := words(ctx, path, "--version")
			fields := strings.Fields(firstLine(said))
			if len(fields) == 0 {
				return "", err
			}
			return strings.TrimPrefix(strings.TrimSuffix(fields[len(fields)-1], "+unknown"), "v"), err
		},
		launch: func(ctx context.Context, b *bench, dir string) (*server, error) {
			path, err := program(ctx)
			if err != nil {
				return nil, err
			}
			return launchDistribution(ctx, b, path, dir)
		},
	}
}

const distributionConfig = `version: 0.1
log:
  level: error
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: %s/data
  cache:
    blobdescriptor: inmemory
  delete:
    enabled: true
http:
  addr: %s
proxy:
  remoteurl: %s
`

func launchDistribution(ctx context.Context, b *bench, program, dir string) (*server, error) {
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(file, fmt.Appendf(nil, distributionConfig, dir, address, b.hubURL()), 0o600); err != nil {
		return nil, err
	}
	env := []string{"SSL_CERT_FILE=" + b.roots, "OTEL_TRACES_EXPORTER=none"}
	p, _, err := b.start(ctx, env, program, "serve", file)
	if err != nil {
		return nil, err
	}
	return &server{process: p, ways: map[door]*way{mirror: plainly(address)}}, p.answers(ctx, address, "/v2/")
}

// buildDistribution builds version 3, which no Debian has, from a module of its own whose go.sum pins every byte, and keeps
// it in the user's cache directory under a name made of those pins.
func buildDistribution(ctx context.Context) (string, error) {
	module, err := words(ctx, "go", "list", "-f", "{{.Dir}}/distribution", "pulley/internal/bench")
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	version, err := words(ctx, "go", "env", "GOVERSION")
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintln(sum, version)
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return "", err
		}
		sum.Write(text)
	}
	program := filepath.Join(cache, "pulley-bench", fmt.Sprintf("registry-%.8x", sum.Sum(nil)))
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	fmt.Println("building distribution 3, once: a few minutes")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", program+".new",
		"github.com/distribution/distribution/v3/cmd/registry")
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOTOOLCHAIN=local", "GOWORK=off", "GOFLAGS=-mod=readonly -buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("distribution 3: %w", err), errors.New(string(out)))
	}
	return program, os.Rename(program+".new", program)
}
