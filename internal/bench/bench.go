package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"pulley/internal/hubtest"
)

const (
	bigSize  = 1 << 30   // the warm blob
	coldSize = 256 << 20 // the cold blob
	registry = "registry-1.docker.io"
)

// bench is a test Hub, the real binary, and a home whose configuration leads to that Hub.
type bench struct {
	runs   int
	dir    string // removed at the end
	home   string
	binary string
	self   string // this program, for the bare servers
	hub    *hubtest.Hub
	big    hubtest.Layer // library/big
	config []byte        // the image's config, a few hundred bytes
	small  string        // the path of that

	pulley *process // the daemon that most measures share; nil until warm
}

func newBench(ctx context.Context, runs int) (*bench, error) {
	dir, err := os.MkdirTemp("", "pulley-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{runs: runs, dir: dir, home: filepath.Join(dir, "home"), binary: filepath.Join(dir, "pulley"), hub: &hubtest.Hub{}}
	return b, errors.Join(b.build(ctx), b.publish(), b.configure())
}

func (b *bench) build(ctx context.Context) (err error) {
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", b.binary, "pulley/cmd/pulley")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

func (b *bench) publish() error {
	if err := b.hub.Start(); err != nil {
		return err
	}
	image := hubtest.RandomImage(1, 1, bigSize)
	b.hub.Push("library/big", "latest", image)
	b.big = image.Layers[0]
	b.config = image.Config
	b.small = "/v2/library/big/blobs/" + hubtest.DigestOf(hubtest.Bytes(image.Config)).String()
	return nil
}

// configure leads every name of the Hub to it, and nowhere else.
func (b *bench) configure() error {
	text := hubtest.Settings{Origin: b.hub, More: "[cache]\ntag_ttl = \"1h\"\n"}.String()
	return errors.Join(os.MkdirAll(b.home, 0o700), os.WriteFile(filepath.Join(b.home, "config.toml"), []byte(text), 0o600))
}

func (b *bench) close() {
	if b.pulley != nil {
		_ = b.pulley.stop()
	}
	b.hub.Close()
	_ = os.RemoveAll(b.dir)
}

// up starts a daemon over home.
func (b *bench) up(ctx context.Context, home string) (*process, string, error) {
	p, err := start(ctx, []string{"PULLEY_HOME=" + home}, b.binary, "up")
	if err != nil {
		return nil, "", err
	}
	address := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(p.line)
	if !strings.HasPrefix(p.line, "ready ") || address == "" {
		return nil, "", errors.Join(fmt.Errorf("no ready line: %q", p.line), p.stop())
	}
	return p, address, nil
}

// warm starts the shared daemon and pulls library/big into its cache once.
func (b *bench) warm(ctx context.Context) (address string, err error) {
	if b.pulley != nil {
		return regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(b.pulley.line), nil
	}
	if b.pulley, address, err = b.up(ctx, b.home); err != nil {
		return "", err
	}
	plain := client("", nil)
	manifest, err := get(ctx, plain, "http://"+address+"/v2/library/big/manifests/latest", nil)
	if err != nil {
		return "", err
	}
	_ = manifest.Body.Close()
	for range 2 { // the second read after a complete one is the verified one
		if _, err := download(ctx, plain, b.mirrorURL(address), b.big.Content.Size()); err != nil {
			return "", err
		}
	}
	_, err = download(ctx, plain, "http://"+address+b.small, -1)
	return address, err
}

func (b *bench) mirrorURL(address string) string {
	return "http://" + address + "/v2/library/big/blobs/" + b.big.Digest.String()
}

// trust is a client's view of the local CA.
func (b *bench) trust() (*tls.Config, error) {
	pem, err := os.ReadFile(filepath.Join(b.home, "ca", "ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, ServerName: registry}, nil
}

// token asks for an anonymous one as an engine does: ping, challenge, realm.
func token(ctx context.Context, c *http.Client, repository string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+registry+"/v2/", nil)
	if err != nil {
		return "", err
	}
	ping, err := c.Do(request)
	if err != nil {
		return "", err
	}
	_ = ping.Body.Close()
	challenge := ping.Header.Get("WWW-Authenticate")
	realm := regexp.MustCompile(`realm="([^"]+)"`).FindStringSubmatch(challenge)
	service := regexp.MustCompile(`service="([^"]+)"`).FindStringSubmatch(challenge)
	if realm == nil || service == nil {
		return "", fmt.Errorf("ping: status %d, challenge %q", ping.StatusCode, challenge)
	}
	query := url.Values{"service": {service[1]}, "scope": {"repository:" + repository + ":pull"}}
	response, err := get(ctx, c, realm[1]+"?"+query.Encode(), nil)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var answer struct{ Token string }
	err = json.NewDecoder(io.LimitReader(response.Body, 64<<10)).Decode(&answer)
	return answer.Token, err
}
