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

func measureMirror(ctx context.Context, b *bench) error {
	address, err := b.warm(ctx)
	if err != nil {
		return err
	}
	bare, err := b.bare(ctx, bareFiles)
	if err != nil {
		return err
	}
	defer func() { _ = bare.stop() }()
	size := b.big.Content.Size()
	return pair(b.runs, "MiB/s", [2]string{"pulley", "bare"},
		func() (float64, error) { return download(ctx, client("", nil), b.mirrorURL(address), size) },
		func() (float64, error) { return download(ctx, client("", nil), "http://"+bare.line+"/big", size) })
}

// intercepted is warm for a client that goes through the proxy: what it trusts, and its token.
func (b *bench) intercepted(ctx context.Context) (address string, trust *tls.Config, bearer string, err error) {
	if address, err = b.warm(ctx); err != nil {
		return "", nil, "", err
	}
	if trust, err = b.trust(); err != nil {
		return "", nil, "", err
	}
	bearer, err = token(ctx, client(address, trust), "library/big")
	return address, trust, bearer, err
}

func measureTLS(ctx context.Context, b *bench) error {
	address, trust, bearer, err := b.intercepted(ctx)
	if err != nil {
		return err
	}
	bare, err := b.bare(ctx, bareTLS)
	if err != nil {
		return err
	}
	defer func() { _ = bare.stop() }()
	size := b.big.Content.Size()
	url := "https://" + registry + "/v2/library/big/blobs/" + b.big.Digest.String()
	header := http.Header{"Authorization": {"Bearer " + bearer}}
	return pair(b.runs, "MiB/s", [2]string{"pulley", "bare"},
		func() (float64, error) { return downloadAs(ctx, client(address, trust), url, header, size) },
		func() (float64, error) {
			return download(ctx, client("", unverified()), "https://"+bare.line+"/big", size)
		})
}

func measureConnect(ctx context.Context, b *bench) error {
	const connections = 400
	address, trust, bearer, err := b.intercepted(ctx)
	if err != nil {
		return err
	}
	bare, err := b.bare(ctx, bareTLS)
	if err != nil {
		return err
	}
	defer func() { _ = bare.stop() }()
	through, err := b.bare(ctx, bareTunnel)
	if err != nil {
		return err
	}
	defer func() { _ = through.stop() }()
	return pair(b.runs, "conn/s", [2]string{"pulley", "bare"},
		func() (float64, error) {
			return connects(connections, func() error { return connectOnce(ctx, address, registry+":443", trust, b.small, bearer) })
		},
		func() (float64, error) {
			return connects(connections, func() error {
				return connectOnce(ctx, through.line, bare.line, unverified(), "/small", bearer)
			})
		})
}

// unverified is for the bare server alone, whose certificate nobody signed; like trust it resumes no session.
func unverified() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true} //nolint:gosec // a bare server on loopback
}

func measureMemory(ctx context.Context, b *bench) error {
	const transfers = 64
	address, trust, bearer, err := b.intercepted(ctx)
	if err != nil {
		return err
	}
	// Half over the mirror door, half intercepted; each stops reading after the first MiB and stays open.
	url := "https://" + registry + "/v2/library/big/blobs/" + b.big.Digest.String()
	header := http.Header{"Authorization": {"Bearer " + bearer}}
	for i := range transfers {
		var response *http.Response
		if i%2 == 0 {
			response, err = get(ctx, client("", nil), b.mirrorURL(address), nil)
		} else {
			response, err = get(ctx, client(address, trust), url, header.Clone())
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
