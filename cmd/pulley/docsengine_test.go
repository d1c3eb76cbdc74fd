package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// docsEngineName is the program that stands in for docker, podman and nerdctl in [TestCommandsInDocsRun]: it pulls and pushes for
// real, through the daemon, as an engine that is connected does.
const docsEngineName = "pulley-docs-engine"

func docsEngine() {
	args := os.Args[1:]
	var err error
	switch {
	case len(args) >= 2 && args[0] == "pull":
		err = enginePulls(args[len(args)-1])
	case len(args) == 2 && args[0] == "push":
		err = enginePushes(args[1])
	case len(args) == 3 && args[0] == "tag", len(args) >= 1 && (args[0] == "login" || args[0] == "ps"):
	default:
		err = fmt.Errorf("%q is nothing that it does", args)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// engineDials goes where the pages' addresses are in the test, and nowhere else.
func engineDials(ctx context.Context, network, addr string) (net.Conn, error) {
	for pair := range strings.SplitSeq(os.Getenv("DOCS_DIAL"), ",") {
		if page, here, _ := strings.Cut(pair, "="); page == addr {
			return (&net.Dialer{}).DialContext(ctx, network, here)
		}
	}
	return nil, fmt.Errorf("%s: it is connected to Pulley, and goes nowhere else", addr)
}

func engineOptions() []remote.Option {
	roots := x509.NewCertPool()
	if pem, err := os.ReadFile(filepath.Join(os.Getenv("HOME"), "office.crt")); err == nil {
		roots.AppendCertsFromPEM(pem)
	}
	t := &http.Transport{DialContext: engineDials, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	return []remote.Option{remote.WithTransport(t), remote.WithAuth(authn.Anonymous)}
}

func enginePulls(image string) error {
	ref, err := name.ParseReference(image)
	if err != nil {
		return err
	}
	options := engineOptions()
	switch host := ref.Context().RegistryStr(); {
	case strings.HasPrefix(host, "127.0.0.1:"):
	case strings.HasPrefix(host, "cache.office.example:"): // after docker login
		options = append(options, remote.WithAuth(&authn.Basic{Username: "team", Password: "the-password"}))
	default: // as its mirror
		host = strings.Replace(host, "index.docker.io", "docker.io", 1)
		if ref, err = name.ParseReference("127.0.0.1:5055/" + host + "/" + ref.Context().RepositoryStr() + ":" + ref.Identifier()); err != nil {
			return err
		}
	}
	got, err := remote.Image(ref, options...)
	if err != nil {
		return err
	}
	layers, err := got.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		body, err := layer.Compressed()
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, body); err != nil { // it is compared with its digest
			return err
		}
	}
	return nil
}

func enginePushes(image string) error {
	ref, err := name.ParseReference(image)
	if err != nil {
		return err
	}
	built, err := random.Image(1000, 1)
	if err != nil {
		return err
	}
	return remote.Write(ref, built, engineOptions()...)
}
