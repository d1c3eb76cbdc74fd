package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"pulley/internal/hubtest"
)

const registry = "registry-1.docker.io"

func pulley() *product {
	return &product{
		name: "Pulley", doors: []door{mirror, interception, socks},
		about:    "as it comes; `[[address]]` leads Docker Hub's names to the Hub",
		upstream: "https, the Hub's CA in `extra_roots`",
		version:  func(context.Context) (string, error) { return "this tree", nil },
		launch: func(ctx context.Context, b *bench, dir string) (*server, error) {
			return launchPulley(ctx, b, dir, hubtest.Settings{Origin: b.hub})
		},
	}
}

// withMirrors is Pulley with mirrors of the Hub switched on.
func withMirrors(mirrors []*hubtest.Hub) *product {
	p := pulley()
	p.name, p.doors = fmt.Sprintf("Pulley, %d mirrors", len(mirrors)), []door{mirror}
	p.launch = func(ctx context.Context, b *bench, dir string) (*server, error) {
		return launchPulley(ctx, b, dir, hubtest.Settings{Origin: b.hub, Mirrors: mirrors})
	}
	return p
}

// launchPulley starts a daemon whose home is dir.
func launchPulley(ctx context.Context, b *bench, dir string, settings hubtest.Settings) (*server, error) {
	home := filepath.Join(dir, "home")
	err := errors.Join(os.MkdirAll(home, 0o700),
		os.WriteFile(filepath.Join(home, "config.toml"), []byte(settings.String()), 0o600))
	if err != nil {
		return nil, err
	}
	p, first, err := b.start(ctx, []string{"PULLEY_HOME=" + home}, b.binary, "up")
	if err != nil {
		return nil, err
	}
	var ready string
	select {
	case ready = <-first:
	case <-p.done:
		return nil, fmt.Errorf("ended before it served: %w\n%s", p.err, p.said)
	}
	address := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(ready)
	if !strings.HasPrefix(ready, "ready ") || address == "" {
		return nil, errors.Join(fmt.Errorf("no ready line: %q", ready), p.stop())
	}
	if err := p.answers(ctx, address, "/v2/"); err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(filepath.Join(home, "ca", "ca.crt"))
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &server{process: p, ways: map[door]*way{
		mirror:       plainly(address),
		interception: proxied("https://"+registry, roots, byConnect(address)),
		socks:        proxied("https://"+registry, roots, bySOCKS(address)),
	}}, nil
}
