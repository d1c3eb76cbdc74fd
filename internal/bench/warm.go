package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// bareDir holds a copy of the big blob's file (a hard link to it in Pulley's own cache, so that both
// servers read the same pages) and a small file.
func (b *bench) bareDir() (string, error) {
	dir := filepath.Join(b.dir, "bare")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	blob := filepath.Join(b.home, "cache", "blobs", "sha256", b.big.Digest.Encoded())
	for range 300 { // the last reader has its bytes before the blob is synced and in its place
		if _, err := os.Stat(blob); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err := os.Link(blob, filepath.Join(dir, "big")); err != nil && !os.IsExist(err) {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "small"), b.config, 0o600); err != nil {
		return "", err
	}
	return dir, nil
}

func (b *bench) bare(ctx context.Context, kind string) (*process, error) {
	dir, err := b.bareDir()
	if err != nil {
		return nil, err
	}
	return start(ctx, nil, b.self, kind, dir)
}

// warmed is Pulley with the big blob in its cache, and what a client that goes through the proxy needs: whom to trust, and
// a token.
type warmed struct {
	address string
	trust   *tls.Config
	bearer  string
}

func (b *bench) intercepted(ctx context.Context) (w warmed, err error) {
	if w.address, err = b.warm(ctx); err != nil {
		return w, err
	}
	if w.trust, err = b.trust(); err != nil {
		return w, err
	}
	w.bearer, err = token(ctx, client(w.address, w.trust), "library/big")
	return w, err
}

// header is what a client sends that has its token.
func (w warmed) header() http.Header { return http.Header{"Authorization": {"Bearer " + w.bearer}} }

// bigURL is the big blob at the registry.
func (b *bench) bigURL() string {
	return "https://" + registry + "/v2/library/big/blobs/" + b.big.Digest.String()
}

// against measures Pulley beside bare servers of the kinds given, which run at the addresses that measure gets.
func (b *bench) against(ctx context.Context, kinds []string, measure func(w warmed, bare []string) error) error {
	w, err := b.intercepted(ctx)
	if err != nil {
		return err
	}
	var addresses []string
	for _, kind := range kinds {
		p, err := b.bare(ctx, kind)
		if err != nil {
			return err
		}
		defer func() { _ = p.stop() }()
		addresses = append(addresses, p.line)
	}
	return measure(w, addresses)
}

func measureMirror(ctx context.Context, b *bench) error {
	size := b.big.Content.Size()
	return b.against(ctx, []string{bareFiles}, func(w warmed, bare []string) error {
		return pair(b.runs, "MiB/s", [2]string{"pulley", "bare"},
			func() (float64, error) { return download(ctx, client("", nil), b.mirrorURL(w.address), size) },
			func() (float64, error) { return download(ctx, client("", nil), "http://"+bare[0]+"/big", size) })
	})
}

func measureTLS(ctx context.Context, b *bench) error {
	size := b.big.Content.Size()
	return b.against(ctx, []string{bareTLS}, func(w warmed, bare []string) error {
		return pair(b.runs, "MiB/s", [2]string{"pulley", "bare"},
			func() (float64, error) {
				return downloadAs(ctx, client(w.address, w.trust), b.bigURL(), w.header(), size)
			},
			func() (float64, error) {
				return download(ctx, client("", unverified()), "https://"+bare[0]+"/big", size)
			})
	})
}

func measureConnect(ctx context.Context, b *bench) error {
	const connections = 400
	return b.against(ctx, []string{bareTLS, bareTunnel}, func(w warmed, bare []string) error {
		return pair(b.runs, "conn/s", [2]string{"pulley", "bare"},
			func() (float64, error) {
				return connects(connections, func() error { return connectOnce(ctx, w.address, registry+":443", w.trust, b.small, w.bearer) })
			},
			func() (float64, error) {
				return connects(connections, func() error {
					return connectOnce(ctx, bare[1], bare[0], unverified(), "/small", w.bearer)
				})
			})
	})
}

// unverified is for the bare server alone, whose certificate nobody signed; like trust it resumes no session.
func unverified() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true} //nolint:gosec // a bare server on loopback
}

func measureMemory(ctx context.Context, b *bench) error {
	const transfers = 64
	w, err := b.intercepted(ctx)
	if err != nil {
		return err
	}
	// Half over the mirror door, half intercepted; each stops reading after the first MiB and stays open.
	for i := range transfers {
		var response *http.Response
		if i%2 == 0 {
			response, err = get(ctx, client("", nil), b.mirrorURL(w.address), nil)
		} else {
			response, err = get(ctx, client(w.address, w.trust), b.bigURL(), w.header())
		}
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if _, err := response.Body.Read(make([]byte, 1<<20)); err != nil {
			return err
		}
	}
	used, err := b.pulley.anonymous()
	fmt.Printf("    %d warm transfers open: %.1f MiB\n", transfers, used)
	return err
}
