//go:build !darwin

package main

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"pulley/internal/control"
	"pulley/internal/hubtest"
)

// TestPullLimitIsShown: what is left of Docker Hub's limit, of each who pulls, is in status and in the log. When it is used
// up, what was pulled once pulls again and is marked; whoever wants something new is told when and what would help, and so
// is whoever reads the log.
func TestPullLimitIsShown(t *testing.T) {
	p := newTrip(t)
	p.settings.More = "[cache]\ntag_ttl = \"0s\"\n"
	p.origin.SetUser("alice", "open sesame")
	p.origin.SetRateLimit(2)
	p.start()
	p.pull(nil)
	p.origin.Push("library/other", "1", hubtest.RandomImage(50, 1, 1<<20))
	p.pullAs("alice", "open sesame", "library/other:1")
	p.want("status", p.says("status"),
		`limit +docker\.io, anonymous: 1 of 2 pulls left in 6 hours`, `limit +docker\.io, alice: 1 of 2 pulls left in 6 hours`)
	var state control.State
	p.json(&state, "status")
	for _, who := range []string{"anonymous", "alice"} {
		if !slices.ContainsFunc(state.Limits, func(l control.Limit) bool {
			return l.Registry == "docker.io" && l.Identity == who && l.Limit == 2 && l.Remaining == 1 && l.Window == 6*time.Hour
		}) {
			t.Errorf("limits %+v, want %s's", state.Limits, who)
		}
	}
	p.logSays(`GET +manifest .*library/trip:latest .*; 1 pulls left`, `GET +manifest .*library/other:1 .*; 1 pulls left`)

	old := p.image.Digest().String()
	p.origin.Push("library/last", "1", hubtest.RandomImage(52, 1, 1<<20))
	if response, said := p.ask("library/last/manifests/1"); response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", response.Status, said)
	}
	p.next(1 << 20)
	p.origin.Push("library/new", "1", hubtest.RandomImage(51, 1, 1<<20))
	response, said := p.ask("library/trip/manifests/latest")
	if response.StatusCode != http.StatusOK || response.Header.Get("Docker-Content-Digest") != old || !strings.Contains(response.Header.Get("Warning"), "limit is used up") {
		t.Errorf("what was pulled once: %s %v: %s", response.Status, response.Header, said)
	}
	if response, said = p.ask("library/new/manifests/1"); response.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a new one: %s: %s", response.Status, said)
	}
	p.want("the error", said, `docker\.io's limit is used up; try again within 6h; docker login raises the limit, a mirror goes round it: pulley mirror on \w+`)
	p.logSays(` 200 GET +manifest .*library/trip:latest .*last known tag: .*limit is used up`, ` 429 GET +manifest .*library/new:1 .*answers 429: You have reached your unauthenticated pull rate limit`)
	p.want("status", p.says("status"), `limit +docker\.io, anonymous: 0 of 2 pulls left in 6 hours`, `limit +docker\.io, alice: 1 of 2 pulls left`)
}

// pullAs has an image's manifest pulled by somebody who is logged in, through the proxy door, by a registry client that is
// not ours.
func (p *trip) pullAs(user, password, image string) {
	p.t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(p.says("ca", "export"))) {
		p.t.Fatal("no certificate")
	}
	reference, err := name.ParseReference(image)
	if err != nil {
		p.t.Fatal(err)
	}
	way := &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: p.address}),
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}
	defer way.CloseIdleConnections()
	auth := &authn.Basic{Username: user, Password: password}
	if _, err := remote.Get(reference, remote.WithAuth(auth), remote.WithTransport(way), remote.WithContext(p.t.Context())); err != nil {
		p.t.Fatal(err)
	}
}
